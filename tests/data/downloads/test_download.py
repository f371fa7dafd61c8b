"""Downloading from servers that are right, wrong, slow, gone."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from cnntrain.data.downloads.download import RetryPolicy, download
from cnntrain.data.downloads.registry import File
from cnntrain.errors import DataError

CONTENT = os.urandom(100_000)
FILE = File("a.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
HASTE = RetryPolicy(pause=0)
SLOW = {"hang": 0.2, "stall": 0.2, "drip": 9.0, "tired": 9.0}
"""Ways to be slow, and how long to wait for an answer then. Elsewhere a busy computer may take its time."""


@pytest.fixture
def server(serve):
    return serve({"a.gz": CONTENT})


def retry(mode: str) -> RetryPolicy:
    return RetryPolicy(2, 0, SLOW[mode], 0.2) if mode in SLOW else HASTE


def get(folder: Path, *urls: str, on_progress=lambda done: None, retry=HASTE) -> bytes:
    download([f"{url}/a.gz" for url in urls], FILE, folder, on_progress, retry)
    (file,) = folder.iterdir()
    assert file.name == "a.gz"
    return file.read_bytes()


def reason(folder: Path, server, *urls: str) -> str:
    with pytest.raises(DataError) as caught:
        get(folder, server.url, *urls, retry=retry(server.mode))
    assert {path.name for path in folder.iterdir()} <= {"a.gz.part"}
    return str(caught.value).replace(server.url, "URL")


def test_a_file_is_there_once_it_is_right(tmp_path, server):
    told: list[int] = []
    assert get(tmp_path, server.url, on_progress=told.append) == CONTENT
    assert server.asked == {"a.gz": 1}
    assert told[0] == 0
    assert told[-1] == len(CONTENT)
    assert told == sorted(told)


@pytest.mark.parametrize("mode", ["redirect", "encoded"])
def test_odd_ways_to_give_the_file_are_right(tmp_path, server, mode):
    server.mode = mode
    assert get(tmp_path, server.url) == CONTENT


@pytest.mark.parametrize("fault", ["short", "500", "stall", "open", "closed"])
def test_what_may_pass_is_tried_again(tmp_path, server, fault):
    server.first = [fault] if fault in SLOW else [fault, fault]
    tries = len(server.first) + 1
    assert get(tmp_path, server.url, retry=retry(fault)) == CONTENT
    assert server.asked == {"a.gz": tries}


@pytest.mark.parametrize(
    ("mode", "tries", "told"),
    [
        ("404", 1, "the server answers 404 Not Found"),
        ("500", 3, "the server answers 500 Internal Server Error"),
        ("garbage", 1, "announces 26 bytes, but this file has 100,000"),
        ("wrong", 1, "the SHA-256 of the file it sends is wrong"),
        ("liar", 1, "announces 50,000 bytes, but this file has 100,000"),
        ("short", 3, "breaks off after 50,000 of 100,000 bytes"),
        ("open", 3, "ends after 50,000 of 100,000 bytes of this file"),
        ("flood", 1, "sends more than the 100,000 bytes of this file"),
        ("stall", 2, "sends nothing more after 50,000 of 100,000 bytes"),
        ("hang", 1, "no answer (timed out)"),
        ("closed", 3, "no answer (Remote end closed connection without response)"),
        ("gibberish", 1, "no answer (SSH-2.0-OpenSSH_9.6)"),
    ],
)
def test_a_server_that_fails_is_told_and_leaves_nothing(tmp_path, server, mode, tries, told):
    server.mode = mode
    host = server.url.removeprefix("http://")
    where = host if told.startswith("no answer") else "URL/a.gz"
    assert reason(tmp_path, server) == f"a.gz could not be downloaded: {where}: {told}"
    assert server.asked == {"a.gz": tries}


@pytest.mark.parametrize("mode", ["drip", "tired"])
def test_a_server_that_drips_is_given_up(tmp_path, server, mode):
    server.mode = mode
    assert re.search(r"is too slow: \d+ bytes in 0\.\d seconds$", reason(tmp_path, server))


@pytest.mark.parametrize("mode", ["404", "500", "garbage", "wrong", "liar", "short", "flood"])
def test_the_next_server_is_asked(tmp_path, serve, server, mode):
    server.mode = mode
    other = serve({"a.gz": CONTENT})
    assert get(tmp_path, server.url, other.url, retry=retry(mode)) == CONTENT


def test_a_download_that_broke_off_goes_on_where_it_was(tmp_path, server):
    server.ranges, server.first = True, ["short", "short"]
    told: list[int] = []
    assert get(tmp_path, server.url, on_progress=told.append) == CONTENT
    assert server.rests == ["bytes=50000-", "bytes=75000-"]
    assert told == sorted(told)


def test_it_goes_on_at_another_server_and_another_day(tmp_path, serve, server):
    server.mode = "short"
    reason(tmp_path, server)
    assert (tmp_path / "a.gz.part").read_bytes() == CONTENT[:50_000]
    other = serve({"a.gz": CONTENT})
    other.ranges = True
    assert get(tmp_path, server.url, other.url) == CONTENT
    assert other.rests == ["bytes=50000-"]


def test_a_server_that_knows_no_rests_begins_anew(tmp_path, server):
    server.first = ["short"]
    assert get(tmp_path, server.url) == CONTENT
    assert server.rests == ["bytes=50000-"]


@pytest.mark.parametrize("mode", ["other part", "416"])
def test_a_server_that_gives_another_part_is_asked_for_the_whole(tmp_path, server, mode):
    server.ranges, server.first = True, ["short", mode]
    assert get(tmp_path, server.url) == CONTENT
    assert server.rests == ["bytes=50000-"]
    assert server.asked == {"a.gz": 3}


@pytest.mark.parametrize("size", [7, 99_999, 100_000, 200_000])
def test_a_first_part_that_is_wrong_does_no_harm(tmp_path, server, size):
    server.ranges = True
    (tmp_path / "a.gz.part").write_bytes(b"?" * size)
    assert get(tmp_path, server.url) == CONTENT


def test_a_password_in_a_url_is_not_shown(tmp_path, server):
    server.mode = "404"
    secret = server.url.replace("http://", "http://me:secret@")
    with pytest.raises(DataError) as caught:
        get(tmp_path, secret)
    assert f"{server.url}/a.gz: the server answers 404" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_off_is_asked_once(tmp_path, serve, server):
    server.stop()
    assert reason(tmp_path, server, f"{server.url}/mnist") == (
        f"a.gz could not be downloaded: {server.url.removeprefix('http://')}: no answer (Connection refused)"
    )
    assert get(tmp_path, server.url, serve({"a.gz": CONTENT}).url) == CONTENT
