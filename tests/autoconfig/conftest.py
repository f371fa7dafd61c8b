from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnntrain.autoconfig import pretrained


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and a cache of its own."""
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pretrained, "is_installed", lambda: False)  # test_pretrained.py has it
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def images(here: Path) -> Callable[..., Path]:
    """Makes a folder of random images."""

    def make(name="photos", counts=None, size=(20, 24), mode="RGB") -> Path:
        rng = np.random.default_rng(0)
        for class_name, count in (counts or {"cat": 6, "dog": 5}).items():
            folder = here / name / class_name
            folder.mkdir(parents=True)
            for i in range(count):
                shape = size if mode == "L" else (*size, 3)
                Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{i}.png")
        return Path(name)

    return make
