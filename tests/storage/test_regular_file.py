"""Files of which nothing is known are read within limits, or not at all."""

import os

import pytest

from cnntrain.storage import Disk, lines, lines_of, make_subfolder, open_regular, read_file

unix = pytest.mark.skipif(os.name == "nt", reason="there are no pipes with names")


@unix
@pytest.mark.parametrize("read", [open_regular, lambda path: read_file(path, 9), lambda path: list(lines_of(path))])
def test_nobody_waits_for_a_pipe_or_reads_a_device(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="this is a pipe or a device, not a file"):
            read(tmp_path / name)


def test_a_file_is_read_up_to_its_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        read_file(tmp_path / "a", 4)


def test_lines_are_read_up_to_their_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LENGTH", 4)
    monkeypatch.setattr(lines, "MAX_BYTES", 9)
    path = tmp_path / "a"
    path.write_bytes(b"one\n\ntwo\n")
    assert list(lines_of(path)) == [b"one\n", b"\n", b"two\n"]
    for content in (b"four\n", b"one\ntwo\n\n\n"):
        path.write_bytes(content)
        with pytest.raises(OSError, match="at most 9 bytes are read, and 4 in a line"):
            list(lines_of(path))


def test_nothing_is_made_or_written_where_a_link_leads(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "file").write_text("precious")
    for name, target in (("folder", "elsewhere"), ("nowhere", "missing"), ("link", "file")):
        (tmp_path / name).symlink_to(tmp_path / target)
    for name in ("folder", "nowhere"):
        with pytest.raises(OSError, match="this is a link"):
            make_subfolder(tmp_path / name)
    if hasattr(os, "O_NOFOLLOW"):
        for name in ("link", "nowhere"):
            with pytest.raises(OSError, match="symbolic links"):
                Disk().open(tmp_path / name)
    assert not (tmp_path / "missing").exists()
    make_subfolder(tmp_path / "new")
    make_subfolder(tmp_path / "new")
