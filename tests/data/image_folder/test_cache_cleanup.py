"""Only decoded images that cnntrain wrote are ever removed from the cache folder."""

import json
import os
import stat
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

from cnntrain.data.image_folder import cache_cleanup, cache_file

NAMES = (
    "thesis.npy",
    "letter.tmp",
    "0123456789abcdef01234567-0123456789abcdef01234567.npy.bak",
    "0123456789abcdef01234567-0123456789abcdef0123456.npy",
    "0123456789ABCDEF01234567-0123456789abcdef01234567.npy",
    "x0123456789abcdef01234567-0123456789abcdef01234567.npy",
    "0123456789abcdef01234567-0123456789abcdef01234567.npy.0123456.tmp",
    "0123456789abcdef01234567-0123456789abcdef01234567.npy\n",
)
OWN = "0123456789abcdef01234567-0123456789abcdef01234567.npy"
LEFT_OVER = OWN + ".01234567.tmp"


def make_old(path, days=100):
    os.utime(path, (time.time() - days * 86400,) * 2, follow_symlinks=False)


@pytest.fixture
def full(cache, tmp_path):
    """A cache folder full of a user's files, and one of ours, all of them old."""
    cache.mkdir()
    for name in NAMES:
        (cache / name).write_text("mine")
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / OWN).write_text("mine")
    (cache / OWN.replace("0", "1")).symlink_to(tmp_path / "documents" / OWN)
    (cache / OWN.replace("0", "2")).symlink_to(tmp_path / "documents")
    (cache / OWN.replace("0", "3")).symlink_to(tmp_path / "gone")
    (cache / OWN.replace("0", "4")).mkdir()
    (cache / OWN.replace("0", "4") / OWN).write_text("mine")
    os.mkfifo(cache / OWN.replace("0", "5"))
    (cache / OWN).write_text("ours")
    (cache / LEFT_OVER).write_text("ours")
    for path in [*cache.iterdir(), tmp_path / "documents" / OWN]:
        make_old(path)
    return cache


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_nothing_of_the_user_goes(full, flat, tmp_path, Told):
    before = names(full)
    Told(flat)
    assert before - names(full) == {OWN, LEFT_OVER}
    assert (tmp_path / "documents" / OWN).read_text() == "mine"
    assert (full / OWN.replace("0", "4") / OWN).read_text() == "mine"
    assert all((full / name).read_text() == "mine" for name in NAMES)


def test_in_a_folder_that_is_a_link_nothing_goes(cache, flat, tmp_path, Told):
    (tmp_path / "elsewhere").mkdir()
    for name in (OWN, LEFT_OVER):
        (tmp_path / "elsewhere" / name).write_text("mine")
        make_old(tmp_path / "elsewhere" / name)
    cache.symlink_to(tmp_path / "elsewhere")
    Told(flat)
    assert names(tmp_path / "elsewhere") >= {OWN, LEFT_OVER}


def test_files_of_other_users_stay_and_are_not_believed(cache, flat, monkeypatch, Told):
    Told(flat)
    (path,) = cache.iterdir()
    (cache / OWN).write_text("theirs")
    make_old(cache / OWN)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    real = os.fstat
    if path.stat().st_uid == 0:  # what is of the system is believed

        def of_another(descriptor):
            found = list(real(descriptor))
            found[stat.ST_UID] = 7
            return os.stat_result(found)

        monkeypatch.setattr(cache_file.os, "fstat", of_another)
    assert Told(flat).progress


def test_what_a_killed_process_left_goes_before_anything_is_written(cache, flat, Told):
    script = (
        "import sys, pathlib; from cnntrain.data.image_folder import cache_cleanup;"
        "cache_cleanup.create(pathlib.Path(sys.argv[1])).write(b'x'); import os; os._exit(9)"
    )
    cache.mkdir()
    subprocess.run([sys.executable, "-c", script, str(cache / LEFT_OVER)], check=False, timeout=30)
    assert (cache / LEFT_OVER).exists()
    Told(flat)
    assert not (cache / LEFT_OVER).exists()


def test_what_is_being_written_stays(cache, flat, Told):
    cache.mkdir()
    with cache_cleanup.create(cache / LEFT_OVER):
        make_old(cache / LEFT_OVER)
        Told(flat)
        assert (cache / LEFT_OVER).exists()
    Told(flat, fit="pad")
    assert not (cache / LEFT_OVER).exists()


def test_pixels_are_for_the_user_alone(cache, flat, Told):
    before = os.umask(0)
    try:
        Told(flat)
    finally:
        os.umask(before)
    (path,) = cache.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def rewrite(path, text):
    """Put other JSON behind the pixels, with a right length and CRC."""
    content = path.read_bytes()
    length, _ = struct.unpack("<QQ", content[-16:])
    body = content[: -16 - length] + text
    path.write_bytes(body + struct.pack("<QQ", len(text), zlib.crc32(body)))


ODD = [
    {"unreadable": [[99, "far"]], "duplicates": []},
    {"unreadable": [[-1, "before"]], "duplicates": []},
    {"unreadable": [[1.0, "no index"]], "duplicates": []},
    {"unreadable": [[True, "no index"]], "duplicates": []},
    {"unreadable": [[1]], "duplicates": []},
    {"unreadable": [[1, 2]], "duplicates": []},
    {"unreadable": {}, "duplicates": []},
    {"unreadable": [], "duplicates": [[0, 99]]},
    {"unreadable": [], "duplicates": [[]]},
    {"unreadable": [], "duplicates": [0]},
    {"unreadable": [], "duplicates": None},
    {"unreadable": []},
    [],
    None,
    5,
]


@pytest.mark.parametrize(
    "text", [*map(json.dumps, ODD), "[" * 30_000, '{"duplicates": ' * 3000, "", "\xff", "{", "9" * 5000]
)
def test_whatever_is_odd_is_decoded_again(flat, cache, text, Told):
    first = Told(flat).data.train.gather(np.arange(5))
    (path,) = cache.iterdir()
    rewrite(path, text.encode("latin-1"))
    again = Told(flat)
    assert again.progress
    np.testing.assert_array_equal(again.data.train.gather(np.arange(5)), first)


@pytest.mark.parametrize("what", ["pipe", "zero", "folder", "loop"])
def test_what_is_no_file_is_decoded_again(flat, cache, what, Told):
    Told(flat)
    (path,) = cache.iterdir()
    path.unlink()
    match what:
        case "pipe":
            os.mkfifo(path)
        case "zero":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
    assert Told(flat).progress


def test_a_copy_that_keeps_the_time_of_change_is_seen(flat, photos, Told):
    Told(flat)
    file = flat / "cat" / "00.png"
    before = file.stat()
    photos("cat/00.png")
    content = file.read_bytes()
    file.write_bytes(content[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert Told(flat, on_bad="skip").progress
