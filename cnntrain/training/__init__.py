"""The training algorithm, and what a run leaves behind."""
