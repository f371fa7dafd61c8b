"""The way into cnntrain: looking at data, and writing a config for them."""
