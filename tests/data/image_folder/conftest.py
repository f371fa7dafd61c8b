"""What tests of folders of images need."""

import numpy as np
import pytest
from PIL import Image

from cnntrain.data import ProgressReporter, load_data


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A cache folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CNNTRAIN_CACHE", str(folder))
    return folder / "images"


@pytest.fixture
def photos(tmp_path):
    """Writes noise as images, each another one; gives the folder."""
    rng = np.random.default_rng(0)

    def write(*names, size=(9, 7)):
        for name in names:
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
        return tmp_path / "photos"

    return write


@pytest.fixture
def flat(photos):
    """Three classes of 10, 20 and 5 images."""
    return photos(*(f"{name}/{i:02}.png" for name, n in (("cat", 10), ("dog", 20), ("hare", 5)) for i in range(n)))


@pytest.fixture
def Told():
    """The class of what a folder gives and tells."""
    return Loaded


class Loaded:
    """Loads a folder, and keeps what is told meanwhile."""

    def __init__(self, path, **options):
        self.notes, self.progress = [], []
        reporter = ProgressReporter(lambda *what: self.progress.append(what), self.notes.append)
        self.data = load_data("images", path=path, reporter=reporter, **({"size": (6, 6), "validation": 0.1} | options))

    def names(self, split):
        dataset = self.data.splits()[split]
        return () if dataset is None else dataset.names
