"""The layers, one kind per file, and ``row``, the loops over a sequence of them."""
