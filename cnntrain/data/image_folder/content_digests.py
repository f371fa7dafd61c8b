"""Digests of the contents of files. A file whose name, size and times have not changed is not read again."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

from cnntrain.data.image_folder.walk import FileStamp
from cnntrain.data.progress import ProgressReporter
from cnntrain.parallel.cores import available_cores
from cnntrain.parallel.ordered_results import ordered_results
from cnntrain.storage.regular_file import open_regular

CHUNK = 64
"""Files per task."""
AHEAD = 3
BLOCK = 1 << 20
UNREADABLE = ""
"""Digest of a file that cannot be read."""


def content_digests(
    root: Path, files: Sequence[FileStamp], known: Mapping[str, str], reporter: ProgressReporter
) -> list[str]:
    """Return the digest of the content of each file in the folder ``root``.

    Args:
        root: The folder.
        files: Names, sizes and times of the files.
        known: Digest of a stamp (see ``stamp_digest``) -> digest of the content, of earlier files.
        reporter: The receiver of progress.
    """
    found = [known.get(stamp_digest(file)) for file in files]
    missing = [i for i, digest in enumerate(found) if not digest]
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    pool, done = ThreadPoolExecutor(available_cores(), "cnntrain-digest"), 0
    results: Iterator[list[str]] = ordered_results(
        pool,
        (pool.submit(_digests, root, [files[i].name for i in chunk]) for chunk in chunks),
        AHEAD * available_cores(),
    )
    for chunk, digests in zip(chunks, results, strict=True):
        for i, digest in zip(chunk, digests, strict=True):
            found[i] = digest
        done += len(chunk)
        reporter.progress(done, len(missing), "reading images")
    return [digest or UNREADABLE for digest in found]


def stamp_digest(file: FileStamp) -> str:
    """Return a digest of the name, size and times of a file."""
    return blake2b(repr(tuple(file)).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _digests(root: Path, names: Sequence[str]) -> list[str]:
    return [_digest(root / name) for name in names]


def _digest(path: Path) -> str:
    total = blake2b(digest_size=16)
    try:
        with open_regular(path) as file:
            while block := file.read(BLOCK):
                total.update(block)
    except (OSError, ValueError):
        return UNREADABLE
    return total.hexdigest()
