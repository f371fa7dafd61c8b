"""Sanity checks of data, network and training, before hours go into a run: what ``cnntrain doctor`` prints."""
