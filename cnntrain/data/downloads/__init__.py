"""Data sets that are known by name: downloaded once, checked, kept."""
