"""Data sets that are known by name: fetched once, checked, and then never again."""

import gzip
import hashlib
import io
import os
import re
import socket
import tarfile
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cnntrain
from cnntrain.data import load_data
from cnntrain.data.downloads import fetch as fetch_module
from cnntrain.data.downloads.datasets import read
from cnntrain.data.downloads.download import RetryPolicy
from cnntrain.data.downloads.fetch import fetch, folder_of, is_cached
from cnntrain.data.downloads.registry import CIFAR10, LETTERS, MNIST, REGISTRY, DatasetInfo, File, Member
from cnntrain.errors import DataError

HASTE = RetryPolicy(tries=2, pause=0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes())


def small(named: DatasetInfo, contents: dict[str, bytes]) -> DatasetInfo:
    """The data set with other contents, and no servers of its own."""
    files = tuple(File(name, len(content), sha256(content)) for name, content in contents.items())
    return replace(named, files=files, servers=())


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def contents(images, labels):
    """The four files of a set like MNIST."""
    arrays = (images, labels, images[:3], labels[:3])
    return {file.name: idx(array) for file, array in zip(MNIST.files, arrays, strict=True)}


@pytest.fixture
def mnist(contents):
    return small(MNIST, contents)


@pytest.fixture
def offline(monkeypatch):
    """Whoever opens a connection fails the test."""

    def forbidden(*_):
        raise AssertionError("a connection was opened")

    def forbid():
        monkeypatch.setattr(socket.socket, "connect", forbidden)
        monkeypatch.setattr(socket, "getaddrinfo", forbidden)

    return forbid


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_a_set_is_fetched_once_and_then_used_offline(serve, contents, mnist, images, labels, offline):
    server = serve(contents)
    assert not is_cached(mnist)
    splits = read(mnist, fetch(mnist, [server.url]))
    assert is_cached(mnist)
    assert left(folder_of(mnist)) == set(contents)
    assert server.asked == dict.fromkeys(contents, 1)
    server.stop()
    offline()
    again = read(mnist, fetch(mnist, [server.url]))
    for found in (splits, again):
        assert np.array_equal(found.train.images[:, 0], images)
        assert found.test is not None
        assert found.test.labels.tolist() == labels[:3].tolist()
        assert found.classes == tuple("0123456789")


def test_a_config_names_the_set_and_its_mirrors(serve, contents, mnist, monkeypatch):
    monkeypatch.setitem(REGISTRY, "mnist", mnist)
    data = load_data("mnist", mirrors=(serve(contents).url + "/",), validation=0.2)
    assert {name: len(split or ()) for name, split in data.splits().items()} == {"train": 8, "validation": 2, "test": 3}


def test_a_network_that_needs_no_data_asks_for_none(offline, make_config):
    offline()
    config = make_config([{"fc": {"units": 10, "activation": "softmax"}}], (1, 28, 28), {"source": "mnist"})
    assert cnntrain.build(config).out_shape == (10,)


def test_a_mirror_may_hold_several_sets(serve, contents, mnist):
    server = serve({f"mnist/{name}": content for name, content in contents.items()})
    assert left(fetch(mnist, [server.url])) == set(contents)


def test_the_sets_own_servers_come_last(serve, contents, mnist):
    mirror, own = serve({}), serve(contents)
    fetch(replace(mnist, servers=(own.url,)), [mirror.url])
    assert sum(mirror.asked.values()) == 8
    assert sum(own.asked.values()) == 4


def test_progress_is_told_over_all_files(serve, contents, mnist):
    told: list[tuple[int, int, str]] = []
    fetch(mnist, [serve(contents).url], lambda *progress: told.append(progress))
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert {total for _, total, _ in told} == {mnist.size}
    assert told[0] == (0, mnist.size, "downloading mnist: train-images-idx3-ubyte.gz")
    assert told[-1][0] == mnist.size


def test_only_what_is_missing_or_damaged_is_fetched(serve, contents, mnist):
    server = serve(contents)
    folder = fetch(mnist, [server.url])
    first, second, *_ = contents
    (folder / first).unlink()
    (folder / second).write_bytes(b"damaged")
    fetch(mnist, [server.url])
    assert server.asked == {name: 2 if name in (first, second) else 1 for name in contents}
    assert (folder / second).read_bytes() == contents[second]


def test_what_a_killed_process_left_is_swept_away(serve, contents, mnist):
    working = folder_of(mnist) / ".partial"
    working.mkdir(parents=True)
    (working / next(iter(contents))).write_bytes(b"half a fi")
    assert left(fetch(mnist, [serve(contents).url])) == set(contents)


def test_nothing_half_done_is_left_by_a_failure(serve, contents, mnist, cache):
    server = serve(contents)
    server.first = ["right"]
    server.mode = "short"
    with pytest.raises(DataError) as caught:
        fetch(mnist, [server.url], retry=HASTE)
    lines = str(caught.value)
    assert lines.startswith("mnist: train-labels-idx1-ubyte.gz could not be downloaded: http://127.0.0.1:")
    assert f"put the files ({', '.join(sorted(contents))}) into {cache}/downloads/mnist yourself" in lines
    # The first file is right, and will not be fetched again; of the second, only the rest.
    assert left(folder_of(mnist)) == {"train-images-idx3-ubyte.gz", ".partial"}
    assert [path.name for path in (folder_of(mnist) / ".partial").iterdir()] == ["train-labels-idx1-ubyte.gz.part"]
    server.mode, server.ranges = "right", True
    assert left(fetch(mnist, [server.url])) == set(contents)
    assert server.rests[-1].startswith("bytes=")
    assert server.asked["train-images-idx3-ubyte.gz"] == 1


def test_processes_that_fetch_at_once_do_not_meet(serve, contents, mnist):
    server = serve(contents)
    threads = [threading.Thread(target=fetch, args=(mnist, [server.url])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == dict.fromkeys(contents, 1)
    assert left(folder_of(mnist)) == set(contents)


def test_a_full_disk_is_told_before_anything_is_fetched(serve, contents, mnist, monkeypatch):
    server = serve(contents)
    monkeypatch.setattr(fetch_module.shutil, "disk_usage", lambda _: SimpleNamespace(free=99))
    with pytest.raises(
        DataError, match=rf"mnist needs {mnist.size:,} bytes .* has 99 left; free some space, or .*_CACHE"
    ):
        fetch(mnist, [server.url])
    assert not server.asked


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch, mnist):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNTRAIN_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"file/downloads.*: Not a directory; .*CNNTRAIN_CACHE to use another"):
        fetch(mnist)


# --- archives --------------------------------------------------------------------------------------------------------


@pytest.fixture
def letters(images):
    """EMNIST's letters, as small as they can be: one of each, on their sides; and the archive."""
    labels = np.arange(1, 27, dtype=np.uint8)
    images = np.resize(images, (26, 5, 5))
    parts = dict(zip(LETTERS.members, map(idx, (images, labels, images[:4], labels[:4])), strict=True))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("gzip/emnist-digits-train-images-idx3-ubyte.gz", b"not wanted")
        packed.writestr("../outside.gz", b"not wanted")
        for member, content in parts.items():
            packed.writestr(member.path, content)
    members = tuple(Member(member.path, len(content), sha256(content)) for member, content in parts.items())
    return replace(small(LETTERS, {"gzip.zip": archive.getvalue()}), members=members), archive.getvalue(), images


def test_letters_stand_upright_and_have_names(serve, letters, cache):
    named, archive, images = letters
    splits = read(named, fetch(named, [serve({"gzip.zip": archive}).url]))
    assert np.array_equal(splits.train.images[:, 0], images.transpose(0, 2, 1))
    assert splits.train.labels.tolist() == list(range(26))
    assert splits.classes[:3] == ("a", "b", "c")
    assert len(splits.classes) == 26
    assert left(folder_of(named)) == {member.name for member in named.members}  # the archive is not kept
    assert {path.name for path in cache.rglob("*.gz")} == set(named.cached_files)


@pytest.fixture
def cifar10(color_images, labels):
    """CIFAR-10 with a single image a batch; and the archive."""
    batches = [bytes([labels[i]]) + color_images[i].tobytes() for i in range(6)]
    parts = dict(zip(CIFAR10.members, batches, strict=True))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        link = tarfile.TarInfo("cifar-10-batches-bin/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for path, content in [("/absolute", b"?"), ("../up", b"?"), *((m.path, c) for m, c in parts.items())]:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    members = tuple(Member(member.path, len(content), sha256(content)) for member, content in parts.items())
    content = archive.getvalue()
    return replace(small(CIFAR10, {"cifar-10-binary.tar.gz": content}), members=members), content


def test_cifar10_is_unpacked_and_has_names(serve, cifar10, color_images, offline, cache):
    named, archive = cifar10
    server = serve({"cifar-10-binary.tar.gz": archive})
    fetch(named, [server.url])
    server.stop()
    offline()
    splits = read(named, fetch(named))
    assert np.array_equal(splits.train.images, color_images[:5])
    assert splits.classes[9] == "truck"
    assert {path.name for path in cache.rglob("*") if path.is_file()} - {".lock"} == set(named.cached_files)


def test_a_folder_of_cifar10_is_read_in_place_of_the_download(cifar10_folder, offline):
    offline()
    data = load_data("cifar10", path=cifar10_folder, mirrors=None)
    assert len(data.train) == 10


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_a_folder_of_ones_own_is_read_in_place_of_the_download(idx_folder, images, offline, name):
    offline()
    data = load_data(name, path=idx_folder)
    assert np.array_equal(data.train.images[:, 0], images)
    assert data.classes == REGISTRY[name].classes


def test_letters_of_ones_own_stand_upright_too(tmp_path, write_idx, images, offline):
    offline()
    write_idx("emnist-letters-train-images-idx3-ubyte.gz", images)
    write_idx("emnist-letters-train-labels-idx1-ubyte", np.arange(1, 11, dtype=np.uint8) + 16)
    with pytest.raises(DataError, match="holds the label 26, but the classes are 0 to 25"):
        load_data("emnist-letters", path=tmp_path)
    write_idx("emnist-letters-train-labels-idx1-ubyte", np.array([1, *range(18, 27)], np.uint8))
    data = load_data("emnist-letters", path=tmp_path)
    assert np.array_equal(data.train.images[:, 0], images.transpose(0, 2, 1))
    assert [data.classes[i] for i in data.train.labels[:2]] == ["a", "r"]


def test_the_catalogue_is_whole():
    assert list(REGISTRY) == ["mnist", "fashion-mnist", "kmnist", "emnist-letters", "cifar10"]
    for name, named in REGISTRY.items():
        assert named.name == name
        assert len(set(named.cached_files.values())) == len(named.cached_files) == (6 if name == "cifar10" else 4)
        assert all(
            len(sha) == 64 and int(sha, 16) for sha in [*named.cached_files.values(), *(f.sha256 for f in named.files)]
        )
        assert all(url.startswith("http") and not url.endswith("/") for url in named.servers)
        assert len(set(named.classes)) == len(named.classes)


# --- files of the user in the cache folder ---------------------------------------------------------------------------


@pytest.fixture
def documents(tmp_path):
    """A folder of the user's, with names of every kind in it."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("letter", "tmpabcdefgh", "train-images-idx3-ubyte.gz", "train-images-idx3-ubyte.gz.part"):
        (folder / name).write_text("mine")
    return folder


def whole(folder):
    return {path.read_text() for path in folder.iterdir()} == {"mine"} and len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("name", [".partial", ""])
@pytest.mark.parametrize("has_server", [True, False])
def test_a_link_to_a_folder_is_left_alone(serve, contents, mnist, documents, name, has_server):
    link = folder_of(mnist) / name
    link.parent.mkdir(parents=True)
    link.symlink_to(documents)
    with pytest.raises(DataError, match="this is a link, and nothing is written to where it leads"):
        fetch(mnist, [serve(contents).url] if has_server else [], retry=HASTE)
    assert whole(documents)


@pytest.mark.parametrize("name", [".lock", ".partial/train-images-idx3-ubyte.gz.part"])
def test_a_link_to_a_file_is_left_alone(serve, contents, mnist, documents, name):
    link = folder_of(mnist) / name
    link.parent.mkdir(parents=True)
    link.symlink_to(documents / "letter")
    with pytest.raises(DataError, match=rf"{name}: (this is a link|Too many levels of symbolic links)"):
        fetch(mnist, [serve(contents).url], retry=HASTE)
    assert whole(documents)


def test_links_under_the_names_of_files_are_replaced_and_not_followed(serve, contents, mnist, documents):
    for name in ("train-images-idx3-ubyte.gz", ".partial/train-images-idx3-ubyte.gz", ".partial/tmpabcdefgh"):
        link = folder_of(mnist) / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(documents / "letter")
    fetch(mnist, [serve(contents).url])
    assert whole(documents)


@pytest.mark.parametrize("has_server", [True, False])
def test_files_of_the_user_among_the_partial_ones_stay(serve, contents, mnist, has_server):
    working = folder_of(mnist) / ".partial"
    (working / "folder").mkdir(parents=True)
    for name in ("thesis.npy", "letter.tmp", "tmp", "tmp-letter", "tmp letters", "folder/tmpabcdefgh"):
        (working / name).write_text("mine")
    if has_server:
        fetch(mnist, [serve(contents).url])
    else:
        with pytest.raises(DataError):
            fetch(mnist, retry=HASTE)
    assert {path.read_text() for path in working.rglob("*") if path.is_file()} == {"mine"}
    assert len(list(working.rglob("*"))) == 7


@pytest.mark.parametrize("where", ["", ".partial"])
def test_nobody_waits_for_a_pipe(serve, contents, mnist, where):
    name = "train-images-idx3-ubyte.gz" + (".part" if where else "")
    pipe = folder_of(mnist) / where / name
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    with pytest.raises(DataError, match=re.escape(f"{name}: ")):
        fetch(mnist, [serve(contents).url], retry=HASTE)
    assert pipe.is_fifo()


def test_nobody_reads_a_device(contents, mnist):
    folder_of(mnist).mkdir(parents=True)
    (folder_of(mnist) / "train-images-idx3-ubyte.gz").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="this is a pipe or a device, not a file"):
        fetch(mnist, retry=HASTE)
