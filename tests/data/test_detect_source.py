import numpy as np
import pytest

from cnntrain.data.detect_source import detect_source
from cnntrain.data.downloads.registry import REGISTRY
from cnntrain.errors import DataError


@pytest.mark.parametrize("name", ["digits", *REGISTRY])
def test_a_name_stands_for_itself(name):
    assert detect_source(name) == {"source": name}


def test_a_name_is_no_folder(tmp_path, monkeypatch, idx_folder):
    monkeypatch.chdir(tmp_path.parent)
    tmp_path.rename("mnist")
    assert detect_source("mnist") == {"source": "mnist"}
    assert detect_source("./mnist") == {"source": "idx", "path": "./mnist"}


def test_folders_are_known_by_their_files(idx_folder):
    assert detect_source(str(idx_folder)) == {"source": "idx", "path": str(idx_folder)}


def test_cifar10_is_known_by_its_batches_and_by_the_folder_above(cifar10_folder, tmp_path):
    assert detect_source(str(cifar10_folder))["source"] == "cifar10"
    (tmp_path / "above" / "cifar-10-batches-bin").mkdir(parents=True)
    assert detect_source(str(tmp_path / "above"))["source"] == "cifar10"


def test_a_file_is_known_by_its_ending(write_npz, images):
    path = write_npz(images=images, labels=np.arange(10))
    assert detect_source(str(path)) == {"source": "npz", "path": str(path)}


@pytest.mark.parametrize("name", ["a.csv", "A.CSV", "a.csv.gz"])
def test_a_file_of_lines_is_known_by_its_ending(tmp_path, name):
    (tmp_path / name).write_text("0,0\n")
    assert detect_source(str(tmp_path / name))["source"] == "csv"


def test_train_csv_makes_a_folder_of_lines_but_not_beside_folders(tmp_path):
    (tmp_path / "mnist_train.csv").write_text("0,0\n")
    assert detect_source(str(tmp_path))["source"] == "csv"
    (tmp_path / "cat").mkdir()
    assert detect_source(str(tmp_path))["source"] == "images"


def test_what_is_nothing_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"notes.txt: data files end in .npz, .csv or .csv.gz; for other formats"):
        detect_source(str(tmp_path / "notes.txt"))
    with pytest.raises(DataError, match=r"mnits is neither a folder, .* known by name; did you mean 'mnist'\?$"):
        detect_source("mnits")
    with pytest.raises(DataError, match=r"photos is neither a folder, .* known by name: digits, mnist, fashion"):
        detect_source("photos")
