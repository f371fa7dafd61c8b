"""Folders of images: discovery, decoding, cache and splits."""
