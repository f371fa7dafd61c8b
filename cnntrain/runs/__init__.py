"""Run folders: their files, and a comparison of runs."""
