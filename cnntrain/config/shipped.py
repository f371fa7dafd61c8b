"""Configs that come with cnntrain, by name: ``digits``, or ``configs/digits.yaml`` if there is no such file."""

from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[2] / "configs"
"""Their folder in the repository; an installed package contains them."""


@cache
def folder() -> Path:
    """Return the folder of the configs that come with cnntrain."""
    installed = Path(__file__).parents[1] / "configs"
    return installed if installed.is_dir() else CHECKOUT


@cache
def shipped() -> dict[str, Path]:
    """Return the files by their names."""
    return {path.stem: path for path in sorted(folder().glob("*.yaml"))}


def resolve_name(path: str | Path) -> tuple[str | Path, str | None]:
    """Return the file that a path or name of a config means, and a note for the user or None.

    An existing file takes precedence over a name.
    """
    text = Path(path).as_posix()
    name = text.removeprefix("configs/").removesuffix(".yaml") if text.startswith("configs/") else text
    if name not in shipped():
        return path, None
    if Path(path).exists():
        both = text == name and Path(path).is_file()
        return path, f"{name} is the file in this folder, not the bundled config of the same name" if both else None
    return shipped()[name], None if text == name else f"no file {text}; using the bundled config"


def hint(path: str | Path) -> str:
    """Return a hint for a name that is no config: the one it resembles, or all there are."""
    name = Path(path).name.removesuffix(".yaml").removesuffix(".yml")
    if name in shipped():
        return f"; the bundled config is configs/{name}.yaml"
    return "" if Path(path).suffix else f"; bundled configs: {', '.join(shipped())}"
