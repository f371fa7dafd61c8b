"""Run folders: what is in them, and comparing them."""
