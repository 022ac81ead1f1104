"""Notebook 02, on how far off one mini-batch is, and what "unbiased" is about."""
