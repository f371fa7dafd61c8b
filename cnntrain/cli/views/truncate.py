"""Names cut to the columns that a table has for them."""

from rich.cells import cell_len

from cnntrain.evaluation.display_names import visible


def truncate(name: str, most: int) -> str:
    """Return ``name`` in at most ``most`` columns; what is left out is its middle, since names often begin alike."""
    name, most = visible(name), max(1, most)
    if cell_len(name) <= most:
        return name
    head, tail = name, name
    while cell_len(head) > most // 2:
        head = head[:-1]
    while cell_len(tail) > most - most // 2 - 1:
        tail = tail[1:]
    return f"{head}…{tail}"
