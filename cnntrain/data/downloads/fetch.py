"""Fetches the files of a data set known by name to the user's cache folder.

A file gets its final name only when it is complete and its SHA-256 is right. Until then it is in the folder
``.partial``, under a lock, so neither a lost connection nor a second process can leave an incomplete file. If all files
are cached, there is no network access.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cnntrain.data.cache_folder import ENVIRONMENT_VARIABLE, cache_folder
from cnntrain.data.downloads.archive import extract
from cnntrain.data.downloads.download import RETRY_POLICY, RetryPolicy, download
from cnntrain.data.downloads.registry import DatasetInfo, File
from cnntrain.errors import DataError
from cnntrain.storage import lock_file, open_lock
from cnntrain.storage.regular_file import make_subfolder, open_regular

Progress = Callable[[int, int, str], None]
"""Called with the bytes done, the total and a description."""
PARTIAL, LOCK = ".partial", ".lock"
WAIT_SECONDS = 0.1
"""Seconds between two checks whether another process is done."""
MAX_BYTES = 1 << 31
"""Maximum size of a file to check; the files of all data sets are smaller."""


def folder_of(named: DatasetInfo) -> Path:
    """Return the cache folder of ``named``."""
    return cache_folder() / "downloads" / named.name


def is_cached(named: DatasetInfo) -> bool:
    """Return whether all files exist; their contents are checked on use."""
    return all((folder_of(named) / name).is_file() for name in named.cached_files)


def fetch(
    named: DatasetInfo,
    mirrors: Sequence[str] = (),
    on_progress: Progress | None = None,
    retry: RetryPolicy = RETRY_POLICY,
) -> Path:
    """Return the folder with all files of ``named``; download missing and damaged ones.

    Args:
        named: The data set.
        mirrors: URLs of folders to try before the data set's own servers. Each holds the files, or a folder named
            after the data set that does.
        on_progress: Receives the progress in bytes.
        retry: Timeouts and retries.

    Raises:
        DataError: A file cannot be downloaded or stored.
    """
    folder = folder_of(named)
    try:
        if _lacking(named, folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            make_subfolder(folder)
            with _lock(folder, on_progress or _silent):
                lacking = _lacking(named, folder)  # another process may be done meanwhile
                if lacking:
                    _complete(named, folder, lacking, mirrors, on_progress or _silent, retry)
    except OSError as error:
        raise DataError(
            f"{named.name}: {error.filename or folder}: {error.strerror or error}; downloads are stored there; "
            f"set the environment variable {ENVIRONMENT_VARIABLE} to use another one"
        ) from None
    return folder


def _silent(_done: int, _total: int, _what: str) -> None:
    """Ignore the call."""


def _lacking(named: DatasetInfo, folder: Path) -> list[str]:
    """Return the names of missing or damaged files."""
    return [name for name, sha256 in named.cached_files.items() if _sha256(folder / name) != sha256]


def _sha256(file: Path) -> str | None:
    """Return the SHA-256 of a file; None if it is missing or too large."""
    try:
        with open_regular(file) as stream:
            if os.fstat(stream.fileno()).st_size > MAX_BYTES:
                return None
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def _lock(folder: Path, on_progress: Progress) -> Iterator[None]:
    """Context for one process at a time. The system releases the lock when a process ends."""
    file = open_lock(folder / LOCK)
    try:
        if not _is_free(file):
            on_progress(0, 0, "waiting for another process that fetches the same files")
            while not _is_free(file):
                time.sleep(WAIT_SECONDS)
        yield
    finally:
        os.close(file)


def _is_free(file: int) -> bool:
    """Try to lock the file."""
    try:
        lock_file(file)  # without locks two processes do the same work, each verified
    except BlockingIOError:
        return False
    return True


def _complete(
    named: DatasetInfo,
    folder: Path,
    lacking: list[str],
    mirrors: Sequence[str],
    on_progress: Progress,
    retry: RetryPolicy,
) -> None:
    """Download and verify the missing files, and move them into place."""
    files = [file for file in named.files if named.members or file.name in lacking]
    members = [member for member in named.members if member.name in lacking]
    working = folder / PARTIAL
    make_subfolder(working)
    _sweep(named, working)  # leftovers of a killed process
    try:
        make_subfolder(working)
        _check_space(named, working, sum(file.size for file in files) + sum(member.limit for member in members))
        begun, total = 0, sum(file.size for file in files)
        for file in files:
            what = f"downloading {named.name}: {file.name}"

            def on_bytes(done: int, begun: int = begun, what: str = what) -> None:
                on_progress(begun + done, total, what)

            _download(named, file, working, mirrors, on_bytes, retry)
            begun += file.size
            if not members:
                _keep(file.name, working, folder)
        if members:
            on_progress(total, total, f"unpacking {files[0].name}")
            extract(working / files[0].name, members, working)
            for member in members:
                _keep(member.name, working, folder)
    finally:
        _sweep(named, working)


def _sweep(named: DatasetInfo, working: Path) -> None:
    """Remove the files of a download, except ``.part`` files, which can be resumed.

    Other files are not ours and stay.
    """
    names = {file.name for file in named.files} | {member.name for member in named.members}
    with suppress(OSError):
        for file in os.scandir(working):
            if file.name in names and file.is_file(follow_symlinks=False):
                os.unlink(file)
        working.rmdir()  # only if empty


def _keep(name: str, working: Path, folder: Path) -> None:
    """Move a verified file into place."""
    os.chmod(working / name, 0o644)  # readable by everyone with access to the folder
    os.replace(working / name, folder / name)


def _download(
    named: DatasetInfo,
    file: File,
    working: Path,
    mirrors: Sequence[str],
    on_progress: Callable[[int], None],
    retry: RetryPolicy,
) -> None:
    """Download one file from a mirror or a server of the data set."""
    folders = [folder for mirror in mirrors for folder in (mirror.rstrip("/"), f"{mirror.rstrip('/')}/{named.name}")]
    try:
        download([f"{url}/{file.name}" for url in (*folders, *named.servers)], file, working, on_progress, retry)
    except DataError as error:
        raise DataError(
            f"{named.name}: {error}; try again later, name a mirror that has it, or put the "
            f"files ({', '.join(sorted(named.cached_files))}) into {working.parent} yourself"
        ) from None


def _check_space(named: DatasetInfo, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{named.name} needs {needed:,} bytes during the download, but the disk of {folder.parent} has {free:,} "
            f"left; free some space, or set the environment variable {ENVIRONMENT_VARIABLE} to a folder on another disk"
        )
