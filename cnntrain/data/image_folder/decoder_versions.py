"""The libraries that the pixels of image files depend on."""

from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version


def decoders() -> dict[str, str]:
    """Names of the packages that decode images, and which version of each."""
    found = {"Pillow": version("pillow")}
    with suppress(PackageNotFoundError):
        found["pillow-heif"] = version("pillow-heif")
    return found


def libraries() -> dict[str, str]:
    """The same, and of the library in Pillow that decodes JPEGs, which a build of Pillow may take from the system."""
    features = import_module("PIL.features")  # imported late: it loads Pillow
    turbo, plain = features.version("libjpeg_turbo"), features.version("jpg")
    return decoders() | {"libjpeg": f"{turbo} (turbo)" if turbo else plain or "none"}
