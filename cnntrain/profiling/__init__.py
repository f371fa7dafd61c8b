"""Profiling: the time of layers and steps, and the dry run."""
