"""Streams that nobody reads, and streams that lack characters."""

import io
import os
import threading
import time

import pytest

from cnntrain.streams import READABLE, tolerant_stream

posix = pytest.mark.skipif(os.name == "nt", reason="descriptors of POSIX")


def pipe(**options):
    """A pipe: the end to read from, and the other as a text stream."""
    reader, writer = os.pipe()
    return reader, os.fdopen(writer, "w", **options)


def test_what_nobody_reads_is_dropped():
    reader, stream = pipe()
    os.close(reader)
    left = tolerant_stream(stream)
    for _ in range(3):
        print("a line " * 10_000, file=left, flush=True)
    left.close()  # what is left over is no error either
    stream.close()


def test_what_is_needed_is_raised():
    reader, stream = pipe()
    os.close(reader)
    needed = tolerant_stream(stream, needed=True)
    with pytest.raises(BrokenPipeError):
        print("a line", file=needed, flush=True)
    left = tolerant_stream(needed)  # what was needed may not be so any more
    print("another", file=left, flush=True)
    with pytest.raises(BrokenPipeError):
        needed.close()
    stream.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_drops_messages():
    with open("/dev/full", "w", encoding="utf-8") as stream:
        left = tolerant_stream(stream)
        print("a line", file=left, flush=True)


@posix
def test_a_stream_that_is_open_for_reading_only_drops_messages(tmp_path):
    (tmp_path / "file").touch()
    reader = os.open(tmp_path / "file", os.O_RDONLY)
    with open(reader, "w", encoding="utf-8") as stream:
        print("a line", file=tolerant_stream(stream), flush=True)


@posix
def test_a_terminal_that_closes_drops_messages():
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        left = tolerant_stream(stream)
        assert left.isatty()
        os.close(ours)
        print("a line", file=left, flush=True)
        assert not left.isatty()


@posix
def test_a_reader_who_is_slow_is_waited_for():
    reader, stream = pipe()
    os.set_blocking(stream.fileno(), False)
    text, read = "x" * 300_000, []

    def work():
        time.sleep(0.05)
        while piece := os.read(reader, 65536):
            read.append(piece)

    thread = threading.Thread(target=work)
    thread.start()
    with stream:
        tolerant_stream(stream).write(text)
    thread.join()
    os.close(reader)
    assert b"".join(read).decode() == text


@pytest.mark.parametrize("stream", [io.StringIO(), None, io.TextIOWrapper(io.BytesIO())])
def test_a_stream_without_a_descriptor_stays_as_it_is(stream):
    assert tolerant_stream(stream) is stream


def test_the_form_of_a_stream_is_kept():
    reader, stream = pipe(encoding="latin-1", errors="replace", buffering=1)
    left = tolerant_stream(stream)
    left.write("ä\n")
    assert os.read(reader, 10) == "ä\n".encode("latin-1")
    assert (left.encoding, left.errors, left.fileno()) == ("latin-1", "replace", stream.fileno())
    left.close()
    stream.close()
    os.close(reader)


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "· a…b ━━╸ 3 × 4", ". a~b --- 3 x 4"),
        ("ascii", "⠋⠙⠹⠸", "|/-\\"),
        ("ascii", "ä中\udcff", "\\xe4\\u4e2d\\udcff"),
        ("latin-1", "· ä × …", "· ä × ~"),
        ("utf-8", "· 中 \udcff", "· 中 \\udcff"),
    ],
)
def test_symbols_that_a_stream_lacks_have_their_like(encoding, text, shown):
    assert text.encode(encoding, READABLE).decode(encoding) == shown
