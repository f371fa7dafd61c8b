"""Extracts known files, and nothing else, from a tar or zip archive.

A member is extracted only by its full name, if it is a regular file, up to its maximum size, to a file name without a
folder. Anything else in an archive (links, ``..``, absolute names, bombs) is never touched.
"""

import errno
import gzip
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from cnntrain.data.downloads.registry import Member
from cnntrain.errors import DataError, reason_of

CHUNK = 1 << 20
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # encrypted, or an unsupported compression
    ValueError,
    OverflowError,
)
"""Exceptions of the archive readers."""


def extract(archive: Path, members: Iterable[Member], folder: Path) -> None:
    """Extract ``members`` of ``archive`` to ``folder`` and verify them.

    Args:
        archive: A ``.zip`` or tar file, compressed or not.
        members: The files to extract.
        folder: Destination; the files must not exist yet.

    Raises:
        DataError: A member is missing, too large, not a regular file, or has a wrong SHA-256.
        OSError: The disk is full, or the folder is not writable.
    """
    wanted = {member.path: member for member in members}
    try:
        if archive.suffix == ".zip":
            _from_zip(archive, wanted, folder)
        else:
            _from_tar(archive, wanted, folder)
    except (*DAMAGED, OSError) as error:
        # A damaged archive may contain negative offsets; seeking there gives EINVAL.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = reason_of(error)
        if isinstance(error, RuntimeError):
            reason = "it needs a password" if "password" in str(error) else "it is compressed in an unknown way"
        raise DataError(f"{archive}: the archive is damaged: {reason}") from None
    if wanted:
        raise DataError(f"{archive}: there is no {next(iter(wanted))} in the archive")


def _from_tar(archive: Path, wanted: dict[str, Member], folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for info in tar:
            member = wanted.pop(info.name, None)
            stream = tar.extractfile(info) if member and info.isreg() else None
            if member and stream is None:
                raise DataError(f"{archive}: {member.path} is not a regular file")
            if member and stream:
                _copy(stream, member, folder, archive)
            if not wanted:
                return


def _from_zip(archive: Path, wanted: dict[str, Member], folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            member = wanted.pop(info.filename, None)
            if member:
                with packed.open(info) as stream:
                    _copy(stream, member, folder, archive)


def _copy(stream: IO[bytes], member: Member, folder: Path, archive: Path) -> None:
    written, sha256 = 0, hashlib.sha256()
    with (folder / member.name).open("xb") as file:
        while chunk := stream.read(CHUNK):
            written += len(chunk)
            if written > member.limit:
                raise DataError(f"{archive}: {member.path} is larger than {member.limit:,} bytes")
            sha256.update(chunk)
            file.write(chunk)
    if sha256.hexdigest() != member.sha256:
        raise DataError(f"{archive}: {member.path} is not what it should be: its SHA-256 is {sha256.hexdigest()}")
