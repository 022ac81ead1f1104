"""Notebook 09, on training that reads the running averages, and where replay ends."""
