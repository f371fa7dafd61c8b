"""A trained network in use: images in, classes and probabilities out."""
