"""Notebook 00, on what is averaged, over which data, who reads it, and what it has to do with early stopping."""
