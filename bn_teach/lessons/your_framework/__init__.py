"""Notebook 07, on what your framework does, and which momentum would have suited your own model."""
