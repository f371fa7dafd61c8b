"""Folders of images: found, read, decoded once, split."""
