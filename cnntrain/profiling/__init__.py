"""How long steps and layers take."""
