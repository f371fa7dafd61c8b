"""Names of classes and files as they can be shown."""

from cnntrain.errors import visible

__all__ = ["short", "visible"]


def short(name: str, most: int = 24) -> str:
    """Return a name with at most ``most`` letters; what is left out is its middle, since names often begin alike."""
    name = visible(name)
    return name if len(name) <= most else f"{name[: most // 2]}…{name[len(name) - (most - most // 2 - 1) :]}"
