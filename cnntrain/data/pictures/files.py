"""Which files in a folder are pictures, before any is opened for good."""

ENDINGS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"}
"""A file with such a name counts as a picture, and as an unreadable one if it is none."""
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
"""Bytes by which a file under another name is known as a picture; WebP's are in two pieces."""
NOT_OURS = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}
"""What operating systems leave in folders, hidden on their own grounds."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder is not meant to be seen."""
    return name.startswith(".") or name.lower() in NOT_OURS


def begins_as_picture(path: str) -> bool:
    """Whether the first bytes of a file are those of a picture."""
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head.startswith(BEGINNINGS) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")
