"""Downloads one file from the first of several servers that has it.

A server may be down, disconnect, hang, announce a wrong length, or send something else, such as an error page. None of
this may result in a wrong file, an endless wait or a full disk. An interrupted download stays in a file with the suffix
``.part``, and the next attempt resumes it.
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
"""Suffix of an incomplete file."""
NO_ANSWER = "no answer"
PASSWORD = re.compile("//[^/]*@")
"""Credentials in a URL, which are not shown."""
MIN_SPEED = 1000
"""Bytes per second below which a server counts as hanging."""
MAX_REASON = 80
"""Maximum characters of a network error in a message."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeouts and retries."""

    tries: int = 3
    """Attempts per server for temporary failures."""
    pause: float = 1.0
    """Seconds before the second attempt; twice as many before the third."""
    answer: float = 20.0
    """Timeout in seconds without a byte."""
    slow: float = 60.0
    """Seconds over which to measure the speed."""


RETRY_POLICY = RetryPolicy()


class _Failed(Exception):
    """A failed download, and whether the failure may be temporary."""

    def __init__(self, reason: str, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


def download(
    urls: Sequence[str],
    file: File,
    folder: Path,
    on_progress: Callable[[int], None],
    retry: RetryPolicy = RETRY_POLICY,
) -> None:
    """Download ``file`` to ``folder`` and verify its SHA-256.

    Args:
        urls: URLs to try, in order.
        file: Name, size and SHA-256 of the file.
        folder: An existing folder. It may hold a ``.part`` of the file, before and after.
        on_progress: Called with the bytes received; they decrease if a download restarts.
        retry: Timeouts and retries.

    Raises:
        DataError: No server delivers the file; the message gives each reason.
        OSError: The file cannot be written.
    """
    reasons: dict[str, str] = {}
    for url in urls:
        shown = PASSWORD.sub("//", url)
        host = shown.split("/")[2]
        if host in reasons:  # this host does not respond
            continue
        reason = _try(url, file, folder, on_progress, retry)
        if reason is None:
            return
        reasons[host if reason.startswith(NO_ANSWER) else shown] = reason
    failures = "; ".join(f"{where}: {reason}" for where, reason in reasons.items())
    raise DataError(f"{file.name} could not be downloaded: {failures}")


def _try(url: str, file: File, folder: Path, on_progress: Callable[[int], None], retry: RetryPolicy) -> str | None:
    """Ask one server, again where the failure may be temporary; return why it failed, or None."""
    part = folder / (file.name + PART)
    for attempt in range(1, retry.tries + 1):
        try:
            resumed = _receive(url, file, part, on_progress, retry)
            with open(part, "rb", opener=_no_link) as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if digest == file.sha256:
                os.replace(part, folder / file.name)
                return None
            part.unlink()
            if not resumed or attempt == retry.tries:  # a resumed part may have come from another server
                return "the SHA-256 of the file it sends is wrong"
        except _Failed as failed:
            if not failed.passing or attempt == retry.tries:
                return str(failed)
        time.sleep(retry.pause * attempt)
    return None


def _receive(url: str, file: File, part: Path, on_progress: Callable[[int], None], retry: RetryPolicy) -> bool:
    """Download ``url`` to ``part``, all of its bytes; return whether an earlier download was resumed."""
    import requests
    from urllib3.exceptions import HTTPError

    begin = part.lstat().st_size if part.is_file() else 0
    if begin >= file.size:
        begin = 0
    on_progress(begin)
    # Request a .gz file as it is, without another compression in transit.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
    try:
        response = requests.get(url, stream=True, timeout=retry.answer, headers=headers)
    except (requests.RequestException, HTTPError, ValueError) as error:
        passing = any(isinstance(cause, ConnectionResetError) for cause in _causes(error))
        raise _Failed(f"{NO_ANSWER} ({_cause(error)})", passing) from None
    with response:
        rest = f"bytes {begin}-{file.size - 1}/{file.size}"
        if begin and response.status_code in (206, 416) and response.headers.get("Content-Range") != rest:
            part.unlink()
            raise _Failed("the server sends a different range than requested", passing=True)
        begin = begin if response.status_code == 206 else 0
        _check_answer(response, file, begin)
        with open(part, "ab" if begin else "wb", opener=_no_link) as output:
            length = _write(response, file, begin, output, on_progress, retry)
    if length != file.size:
        part.unlink()
        what = f"sends more than the {file.size:,}" if length > file.size else f"ends after {length:,} of {file.size:,}"
        raise _Failed(f"{what} bytes of this file", passing=length < file.size)
    return begin > 0


def _no_link(path: str, flags: int) -> int:
    """Open a file without following links or blocking on a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)


def _write(
    response: "Response",
    file: File,
    begin: int,
    output: IO[bytes],
    on_progress: Callable[[int], None],
    retry: RetryPolicy,
) -> int:
    """Append the body of a response after ``begin`` bytes, up to slightly more than the expected size.

    Returns:
        The size of the file at the end of the response.
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
        if elapsed > retry.slow:
            if received - before < MIN_SPEED * elapsed:
                raise _Failed(f"is too slow: {received - before:,} bytes in {elapsed:.1f} seconds")
            before, since = received, since + elapsed
    return received


def _check_answer(response: "Response", file: File, begin: int) -> None:
    """Check the header of a response that should send the file from byte ``begin`` on.

    Raises:
        _Failed: The response is an error, or announces a wrong size.
    """
    if response.status_code != (206 if begin else 200):
        text = f"the server answers {response.status_code} {response.reason}"[:MAX_REASON]
        raise _Failed(text, passing=response.status_code >= 500 or response.status_code == 429)
    announced = response.headers.get("Content-Length", "")
    if not begin and announced.isdecimal() and int(announced[:20]) != file.size:
        raise _Failed(f"announces {int(announced[:20]):,} bytes, but this file has {file.size:,}")


def _causes(error: Any) -> list[Any]:
    """Return an error and its chain of causes."""
    causes: list[Any] = []
    while isinstance(error, BaseException) and error not in causes:
        causes.append(error)
        inner = error.args[0] if error.args else None
        error = getattr(inner, "reason", None) or error.__cause__ or error.__context__
    return causes


def _is_timeout(error: BaseException) -> bool:
    return any(isinstance(cause, TimeoutError) for cause in _causes(error))


def _cause(error: BaseException) -> str:
    """Return the message of a network error, without class and object names."""
    if _is_timeout(error):
        return "timed out"
    causes = _causes(error)
    texts = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return (texts[-1] if texts else " ".join(str(causes[-1]).split()))[:MAX_REASON]
