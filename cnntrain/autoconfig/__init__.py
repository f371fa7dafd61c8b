"""``cnntrain init``: inspect data, recommend a network, and write a config."""
