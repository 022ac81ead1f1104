"""Notebook 04, on who feeds the statistics, who reads them, and which weights early stopping keeps."""
