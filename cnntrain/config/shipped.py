"""Configs that come with cnntrain, found by name: ``digits``, or ``configs/digits.yaml`` where no such file is."""

from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[2] / "configs"
"""Where they lie in the repository; an installed package has them inside it."""


@cache
def folder() -> Path:
    """Return the folder of the configs that come with cnntrain."""
    installed = Path(__file__).parents[1] / "configs"
    return installed if installed.is_dir() else CHECKOUT


@cache
def shipped() -> dict[str, Path]:
    """Return the files by their names."""
    return {path.stem: path for path in sorted(folder().glob("*.yaml"))}


def found(path: str | Path) -> tuple[str | Path, str | None]:
    """Return the file that a word for a config means, and what should be said about that, if anything.

    A file that is there wins over a name.
    """
    text = Path(path).as_posix()
    name = text.removeprefix("configs/").removesuffix(".yaml") if text.startswith("configs/") else text
    if name not in shipped():
        return path, None
    if Path(path).exists():
        both = text == name and Path(path).is_file()
        return path, f"{name} is the file here, not the config of that name that comes with cnntrain" if both else None
    return shipped()[name], None if text == name else f"{text} is not here; using the one that comes with cnntrain"


def hint(path: str | Path) -> str:
    """Return what to say behind a name that stands for no config: what comes near, or which there are."""
    name = Path(path).name.removesuffix(".yaml").removesuffix(".yml")
    if name in shipped():
        return f"; the one that comes with cnntrain is configs/{name}.yaml"
    return "" if Path(path).suffix else f"; configs that come with cnntrain: {', '.join(shipped())}"
