"""Training: loop, checkpoints, and the functions that run it."""
