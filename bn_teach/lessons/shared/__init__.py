"""What lessons have in common; it knows none of them."""
