"""Names of classes and files as they can be shown."""


def visible(name: str) -> str:
    r"""Return ``name`` with what cannot be shown as escapes: a line break as ``\n``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def short(name: str, most: int = 24) -> str:
    """Return a name with at most ``most`` letters; what is left out is its middle, since names often begin alike."""
    name = visible(name)
    return name if len(name) <= most else f"{name[: most // 2]}…{name[len(name) - (most - most // 2 - 1) :]}"
