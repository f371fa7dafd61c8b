"""YAML text to nodes that know their position, and back; limits hold while it is read."""
