"""Versions of the libraries that decode images."""

from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version


def decoders() -> dict[str, str]:
    """Return package -> version of the image decoders."""
    found = {"Pillow": version("pillow")}
    with suppress(PackageNotFoundError):
        found["pillow-heif"] = version("pillow-heif")
    return found


def libraries() -> dict[str, str]:
    """As ``decoders``, plus Pillow's JPEG library, which may be the system's."""
    features = import_module("PIL.features")  # imported late: it loads Pillow
    turbo, plain = features.version("libjpeg_turbo"), features.version("jpg")
    return decoders() | {"libjpeg": f"{turbo} (turbo)" if turbo else plain or "none"}
