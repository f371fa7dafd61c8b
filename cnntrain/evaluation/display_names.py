"""Names of classes and files, shortened for display."""

from cnntrain.errors import visible

__all__ = ["short", "visible"]


def short(name: str, max_length: int = 24) -> str:
    """Return a name with at most ``max_length`` characters. Its middle is cut, since names often begin alike."""
    name = visible(name)
    if len(name) <= max_length:
        return name
    half = max_length // 2
    return f"{name[:half]}…{name[len(name) - (max_length - half - 1) :]}"
