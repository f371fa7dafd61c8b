"""Plots, a kind a file, each a function that returns a figure of Matplotlib. Nothing else imports it."""
