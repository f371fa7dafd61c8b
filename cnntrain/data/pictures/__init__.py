"""Folders of pictures: found, read, decoded once, split."""
