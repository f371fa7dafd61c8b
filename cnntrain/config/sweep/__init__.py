"""The config of a sweep: a base config, what varies, and how it is searched."""
