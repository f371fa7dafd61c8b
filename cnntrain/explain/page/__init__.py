"""The page of an explanation: one HTML file, offline, that recomputes its own numbers."""
