"""One sample's way through a network and back, with the arithmetic written out and recomputed by the textbook."""
