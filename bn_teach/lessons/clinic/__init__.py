"""Notebook 05, on networks that are fine in training and wrong at inference.

Broken training runs, each met by real people, each reproduced here for real. A `Case` holds a small experiment
(the same run broken and fixed), how large its effect was over several seeds, and the words that explain it. Nothing
runs before it is asked for.
"""
