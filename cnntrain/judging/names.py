"""Names of classes and files as they can be shown."""


def visible(name: str) -> str:
    r"""Return ``name`` with what cannot be shown as escapes: a line break as ``\n``."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
