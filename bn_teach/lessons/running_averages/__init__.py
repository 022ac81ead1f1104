"""Notebook 03, on how much memory a running average should have."""
