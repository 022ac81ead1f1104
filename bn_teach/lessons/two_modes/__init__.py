"""Notebook 01, on why a prediction must not depend on its neighbours, and what `eval()` changes."""
