"""Downloading one file from the first of several servers that has it.

A server may be gone, break off, hang, say that a file has another length than it has, or send something else: an error
page, say. None of that may end in a wrong file, nor take for ever, nor fill the disk. What came before a connection
broke off stays in a file that ends in ``.part``, and the next try asks for the rest.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cnntrain.data.downloads.registry import File
from cnntrain.errors import DataError

if TYPE_CHECKING:
    from requests import Response

CHUNK = 1 << 18
PART = ".part"
"""Ends the name of a file of which only the first bytes have come."""
NO_ANSWER = "no answer"
PASSWORD = re.compile("//[^/]*@")
"""In a URL: it is not shown."""
LEAST_SPEED = 1000
"""Bytes a second; below that, a server counts as one that hangs."""
MAX_REASON = 80
"""Characters that are shown of what the network says."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait for a server, and how often to ask it."""

    tries: int = 3
    """Of each server, where the fault may pass."""
    pause: float = 1.0
    """Seconds before the second try; twice as many before the third."""
    answer: float = 20.0
    """Seconds without a byte."""
    slow: float = 60.0
    """Seconds over which the speed is measured."""


RETRY_POLICY = RetryPolicy()


class _Failed(Exception):
    """Why a server did not give the file, and whether it may, if asked again."""

    def __init__(self, reason: str, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


def download(
    urls: Sequence[str],
    file: File,
    folder: Path,
    on_progress: Callable[[int], None],
    patience: RetryPolicy = RETRY_POLICY,
) -> None:
    """Put ``file`` into ``folder``, under its name, once it is whole and its SHA-256 is right.

    Args:
        urls: Where it may be had, in the order in which they are tried.
        file: What it must be.
        folder: An existing folder. A ``.part`` of the file may be in it, or be left in it.
        on_progress: Called with the bytes that have come; fewer than before when it begins anew.
        patience: How long to wait, and how often to try.

    Raises:
        DataError: No server gives it: each with its reason.
        OSError: It cannot be written.
    """
    reasons: dict[str, str] = {}
    for url in urls:
        shown = PASSWORD.sub("//", url)
        host = shown.split("/")[2]
        if host in reasons:  # it gave no answer at all
            continue
        reason = _try(url, file, folder, on_progress, patience)
        if reason is None:
            return
        reasons[host if reason.startswith(NO_ANSWER) else shown] = reason
    told = "; ".join(f"{where}: {reason}" for where, reason in reasons.items())
    raise DataError(f"{file.name} could not be downloaded: {told}")


def _try(url: str, file: File, folder: Path, on_progress: Callable[[int], None], patience: RetryPolicy) -> str | None:
    """Ask one server, again where the failure may be temporary; return why it failed, or None."""
    part = folder / (file.name + PART)
    for attempt in range(1, patience.tries + 1):
        try:
            resumed = _receive(url, file, part, on_progress, patience)
            with open(part, "rb", opener=_no_link) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest == file.sha256:
                os.replace(part, folder / file.name)
                return None
            part.unlink()
            if not resumed or attempt == patience.tries:  # a resumed part may have come from another server
                return "what it sends is not this file: its SHA-256 is another"
        except _Failed as failed:
            if not failed.passing or attempt == patience.tries:
                return str(failed)
        time.sleep(patience.pause * attempt)
    return None


def _receive(url: str, file: File, part: Path, on_progress: Callable[[int], None], patience: RetryPolicy) -> bool:
    """Download ``url`` to ``part``, all of its bytes; return whether an earlier download was resumed."""
    import requests
    from urllib3.exceptions import HTTPError

    begin = part.lstat().st_size if part.is_file() else 0
    if begin >= file.size:
        begin = 0
    on_progress(begin)
    # A .gz file is wanted as it is: not packed once more, and not unpacked on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
    try:
        response = requests.get(url, stream=True, timeout=patience.answer, headers=headers)
    except (requests.RequestException, HTTPError, ValueError) as error:
        passing = any(isinstance(cause, ConnectionResetError) for cause in _causes(error))
        raise _Failed(f"{NO_ANSWER} ({_cause(error)})", passing) from None
    with response:
        rest = f"bytes {begin}-{file.size - 1}/{file.size}"
        if begin and response.status_code in (206, 416) and response.headers.get("Content-Range") != rest:
            part.unlink()
            raise _Failed("the server gives another part than the one that was asked for", passing=True)
        begin = begin if response.status_code == 206 else 0
        _check_answer(response, file, begin)
        with open(part, "ab" if begin else "wb", opener=_no_link) as output:
            length = _write(response, file, begin, output, on_progress, patience)
    if length != file.size:
        part.unlink()
        what = f"sends more than the {file.size:,}" if length > file.size else f"ends after {length:,} of {file.size:,}"
        raise _Failed(f"{what} bytes of this file", passing=length < file.size)
    return begin > 0


def _no_link(path: str, flags: int) -> int:
    """Open a file of ours: a link could lead to another, and a pipe would keep us waiting."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def _write(
    response: "Response",
    file: File,
    begin: int,
    output: IO[bytes],
    on_progress: Callable[[int], None],
    patience: RetryPolicy,
) -> int:
    """Write the body of an answer behind the ``begin`` bytes that are there, and not much more than it should have.

    Returns:
        How many bytes there are when the answer is at its end.
    """
    from urllib3.exceptions import HTTPError

    received, before, since = begin, begin, time.monotonic()
    while received <= file.size:
        try:
            chunk = response.raw.read1(CHUNK, decode_content=False)
        except (HTTPError, OSError) as error:
            what = "sends nothing more" if _is_timeout(error) else "breaks off"
            raise _Failed(f"{what} after {received:,} of {file.size:,} bytes", passing=True) from None
        if not chunk:
            break
        output.write(chunk)
        received += len(chunk)
        on_progress(min(received, file.size))
        elapsed = time.monotonic() - since
        if elapsed > patience.slow:
            if received - before < LEAST_SPEED * elapsed:
                raise _Failed(f"is too slow: {received - before:,} bytes in {elapsed:.1f} seconds")
            before, since = received, since + elapsed
    return received


def _check_answer(response: "Response", file: File, begin: int) -> None:
    """Look at the head of an answer that should give the file from the byte ``begin`` on.

    Raises:
        _Failed: It is an error, or announces another number of bytes.
    """
    if response.status_code != (206 if begin else 200):
        text = f"the server answers {response.status_code} {response.reason}"[:MAX_REASON]
        raise _Failed(text, passing=response.status_code >= 500 or response.status_code == 429)
    announced = response.headers.get("Content-Length", "")
    if not begin and announced.isdecimal() and int(announced[:20]) != file.size:
        raise _Failed(f"announces {int(announced[:20]):,} bytes, but this file has {file.size:,}")


def _causes(error: Any) -> list[Any]:
    """An error, what caused it, what caused that, ..."""
    causes: list[Any] = []
    while isinstance(error, BaseException) and error not in causes:
        causes.append(error)
        inner = error.args[0] if error.args else None
        error = getattr(inner, "reason", None) or error.__cause__ or error.__context__
    return causes


def _is_timeout(error: BaseException) -> bool:
    return any(isinstance(cause, TimeoutError) for cause in _causes(error))


def _cause(error: BaseException) -> str:
    """What the network says, without the names of classes and objects around it."""
    if _is_timeout(error):
        return "timed out"
    causes = _causes(error)
    texts = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return (texts[-1] if texts else " ".join(str(causes[-1]).split()))[:MAX_REASON]
