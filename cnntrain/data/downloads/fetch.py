"""The files of a data set that is known by name, in the user's cache folder.

A file gets its final name only when it is whole and its SHA-256 is right. Everything before that happens in the folder
``.partial``, under a lock, so that neither a broken connection nor a second process can leave half a file under a name
that counts. When all files are there, nothing here touches the network.
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
"""Called with what is done, the total, and what is being done."""
PARTIAL, LOCK = ".partial", ".lock"
WAIT_SECONDS = 0.1
"""Between two looks at whether another process is done."""
MAX_BYTES = 1 << 31
"""Of a file that is checked; those of all data sets are smaller."""


def folder_of(named: DatasetInfo) -> Path:
    """Where the files of ``named`` are kept."""
    return cache_folder() / "downloads" / named.name


def is_cached(named: DatasetInfo) -> bool:
    """Whether all files are there. What is in them is checked when they are used."""
    return all((folder_of(named) / name).is_file() for name in named.cached_files)


def fetch(
    named: DatasetInfo,
    mirrors: Sequence[str] = (),
    on_progress: Progress | None = None,
    patience: RetryPolicy = RETRY_POLICY,
) -> Path:
    """The folder with all files of ``named``; those that are missing, or damaged, are downloaded.

    Args:
        named: The data set.
        mirrors: URLs of folders that are tried before the data set's own servers. Each holds the files, or a folder
            of the data set's name that does.
        on_progress: How far it is, in bytes.
        patience: How long to wait for a server, and how often to ask it.

    Raises:
        DataError: No server gives a file, or it cannot be kept.
    """
    folder = folder_of(named)
    try:
        if _lacking(named, folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            make_subfolder(folder)
            with _lock(folder, on_progress or _silent):
                lacking = _lacking(named, folder)  # another process may have been here meanwhile
                if lacking:
                    _complete(named, folder, lacking, mirrors, on_progress or _silent, patience)
    except OSError as error:
        raise DataError(
            f"{named.name}: {error.filename or folder}: {error.strerror or error}; downloads are kept in this folder, "
            f"and the environment variable {ENVIRONMENT_VARIABLE} names another one"
        ) from None
    return folder


def _silent(_done: int, _total: int, _what: str) -> None:
    """Tell nobody."""


def _lacking(named: DatasetInfo, folder: Path) -> list[str]:
    """The names of the files that are not there, or are not as they should be."""
    return [name for name, sha256 in named.cached_files.items() if _sha256(folder / name) != sha256]


def _sha256(file: Path) -> str | None:
    """The SHA-256 of a file; None if there is none, or it is too large to be one of ours."""
    try:
        with open_regular(file) as stream:
            if os.fstat(stream.fileno()).st_size > MAX_BYTES:
                return None
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def _lock(folder: Path, on_progress: Progress) -> Iterator[None]:
    """One process at a time. The system takes the lock from a process that ends."""
    file = open_lock(folder / LOCK)
    try:
        if not _is_free(file):
            on_progress(0, 0, "waiting for another process, which fetches the same files")
            while not _is_free(file):
                time.sleep(WAIT_SECONDS)
        yield
    finally:
        os.close(file)


def _is_free(file: int) -> bool:
    """Lock the file, if no other process has."""
    try:
        lock_file(file)  # without locks two processes do the same work, and each checks what it has
    except BlockingIOError:
        return False
    return True


def _complete(
    named: DatasetInfo,
    folder: Path,
    lacking: list[str],
    mirrors: Sequence[str],
    on_progress: Progress,
    patience: RetryPolicy,
) -> None:
    """Download what is ``lacking``, check it, and put it into its place."""
    files = [file for file in named.files if named.members or file.name in lacking]
    members = [member for member in named.members if member.name in lacking]
    working = folder / PARTIAL
    make_subfolder(working)
    _sweep(named, working)  # a process that was killed may have left it
    try:
        make_subfolder(working)
        _check_space(named, working, sum(file.size for file in files) + sum(member.limit for member in members))
        begun, total = 0, sum(file.size for file in files)
        for file in files:
            what = f"downloading {named.name}: {file.name}"

            def on_bytes(done: int, begun: int = begun, what: str = what) -> None:
                on_progress(begun + done, total, what)

            _download(named, file, working, mirrors, on_bytes, patience)
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
    """Remove the files that a download makes, but not the first parts of files, which need not come again.

    Whatever else is there is not ours, and stays.
    """
    names = {file.name for file in named.files} | {member.name for member in named.members}
    with suppress(OSError):
        for file in os.scandir(working):
            if file.name in names and file.is_file(follow_symlinks=False):
                os.unlink(file)
        working.rmdir()  # if it is empty


def _keep(name: str, working: Path, folder: Path) -> None:
    """Put a file that is right into its place."""
    os.chmod(working / name, 0o644)  # readable for all whom the folder lets in
    os.replace(working / name, folder / name)


def _download(
    named: DatasetInfo,
    file: File,
    working: Path,
    mirrors: Sequence[str],
    on_progress: Callable[[int], None],
    patience: RetryPolicy,
) -> None:
    """Download one file from a mirror, or else from a server of the data set."""
    folders = [folder for mirror in mirrors for folder in (mirror.rstrip("/"), f"{mirror.rstrip('/')}/{named.name}")]
    try:
        download([f"{url}/{file.name}" for url in (*folders, *named.servers)], file, working, on_progress, patience)
    except DataError as error:
        raise DataError(
            f"{named.name}: {error}; try again later, name a mirror that has it, or put the "
            f"files ({', '.join(sorted(named.cached_files))}) into {working.parent} yourself"
        ) from None


def _check_space(named: DatasetInfo, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{named.name} takes {needed:,} bytes while it is downloaded, but the disk of {folder.parent} has {free:,} "
            f"left; make room, or name a folder on another disk by the environment variable {ENVIRONMENT_VARIABLE}"
        )
