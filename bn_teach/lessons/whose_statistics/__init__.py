"""Notebook 08, on whose mean and variance normalise a test image: the bench with corruptions and mixed statistics."""
