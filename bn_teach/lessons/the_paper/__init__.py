"""Notebook 06, on what the paper says and shows, and how much of it holds here."""
