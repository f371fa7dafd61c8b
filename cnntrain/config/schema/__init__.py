"""What a config may hold: every key with its type, default and meaning."""
