"""Plots: one per file, each a function that returns a Matplotlib figure. Matplotlib is imported here only."""
