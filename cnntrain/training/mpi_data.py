"""The samples of a run on all ranks of an MPI job.

A machine that has the same file of decoded images as rank 0 (name, size, and CRC-32 of the images) maps it into memory.
All other arrays come from rank 0, once to each machine, into memory that the ranks of the machine share. No shared file
system is needed.
"""

import zlib
from typing import Any

import numpy as np

from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.data.mapped_images import MappedImages
from cnntrain.errors import OutOfMemoryError
from cnntrain.parallel.mpi_session import Session
from cnntrain.training.sharing import mapped_images, sample_arrays, shared_dataset
from cnntrain.types import Array

ALIGNMENT = 64
"""Bytes: each array starts at a multiple of it."""
CHUNK = 2**24
"""Bytes of a file to check at a time."""


def share_samples(session: Session, data: Data | None) -> Data:
    """Return the samples of rank 0 on every rank.

    Args:
        session: The MPI job.
        data: The data on rank 0; None elsewhere.

    Raises:
        OutOfMemoryError: A machine has not enough memory.
    """
    header = session.share(None if data is None else header_of(data))
    mapped: dict[str, Any] = {}
    for name, place in header["files"].items():
        images = same_file(place) if data is None else mapped_by(data, name)
        if is_on_whole_machine(session, images is not None):
            mapped[name] = images
    fields = {name: place for name, place in (header["arrays"] | header["files"]).items() if name not in mapped}
    sources = {} if data is None else sample_arrays(data) | {name: mapped_by(data, name) for name in header["files"]}
    if data is not None and session.node.size == 1:
        arrays = {name: sources[name] for name in fields}
    else:
        arrays = machine_arrays(session, fields)
        if session.rank == 0:
            for name in fields:
                arrays[name][...] = sources[name]
    for name in header["arrays"] | header["files"]:
        send(session, sources.get(name), arrays.get(name))
    session.wait(session.start(session.node.Ibarrier))  # the first rank of this machine has received all of it
    return assembled(header, mapped | arrays, data)


def header_of(data: Data) -> dict[str, Any]:
    """Return what the other ranks need to know of the data before the arrays, as plain JSON types."""
    files: dict[str, Any] = {}
    images_of = {}
    with mapped_images(data) as maps:
        for split, place in maps.items():
            known = next((name for name, other in files.items() if is_same(place, other)), None)
            images_of[split] = known or f"{split}.images"
            if known is None:
                keys = ("file", "offset", "shape", "dtype")
                images = mapped_by(data, f"{split}.images")
                files[f"{split}.images"] = {key: place[key] for key in keys} | {"crc": crc(images)}
    arrays = sample_arrays(data)
    return {
        "arrays": {name: {"shape": list(array.shape), "dtype": array.dtype.name} for name, array in arrays.items()},
        "files": files,
        "images": {split: images_of.get(split, f"{split}.images") for split, each in data.splits().items() if each},
        "classes": list(data.classes),
        "channels": data.input_shape[0],
        "preprocessing": data.preprocessing.to_dict(),
    }


def is_same(place: Any, other: Any) -> bool:
    """Return whether two splits have their images in the same place: their rows differ."""
    return all(place[key] == other[key] for key in ("file", "offset", "shape", "dtype"))


def mapped_by(data: Data, name: str) -> Any:
    """Return the images called ``train.images``."""
    dataset = data.splits()[name.partition(".")[0]]
    assert dataset is not None
    return dataset.images


def same_file(place: Any) -> Any:
    """Return the images in a file, mapped into memory; None unless there is such a file with the same images."""
    try:
        with open(place["file"], "rb") as file:
            images = MappedImages.of(file, place["offset"], tuple(place["shape"]), place["dtype"])
    except (OSError, ValueError):
        return None
    return images if crc(images) == place["crc"] else None


def crc(images: Any) -> int:
    """Return the CRC-32 of the images."""
    content, total = np.asarray(images).reshape(-1).view(np.uint8), 0
    for start in range(0, len(content), CHUNK):
        total = zlib.crc32(content[start : start + CHUNK].data, total)
    return total


def is_on_whole_machine(session: Session, has: bool) -> bool:
    """Return whether all ranks of this machine have something."""
    agreed = np.array([has], np.int64)
    session.wait(session.start(session.node.Iallreduce, session.MPI.IN_PLACE, agreed, session.MPI.MIN))
    return bool(agreed[0])


def machine_arrays(session: Session, fields: dict[str, Any]) -> dict[str, Array]:
    """Return arrays in memory that the ranks of this machine share."""
    starts, size = {}, 0
    for name, field in fields.items():
        starts[name] = size
        length = int(np.prod(field["shape"], dtype=np.int64)) * np.dtype(field["dtype"]).itemsize
        size += -(-length // ALIGNMENT) * ALIGNMENT
    memory = machine_memory(session, max(1, size))
    return {
        name: np.ndarray(tuple(field["shape"]), field["dtype"], memory, starts[name]) for name, field in fields.items()
    }


def machine_memory(session: Session, size: int) -> Any:
    """Return memory that the ranks of this machine share.

    Raises:
        OutOfMemoryError: There is not enough.
    """
    if session.node.size == 1:
        return np.empty(size, np.uint8).data
    session.wait(session.start(session.node.Ibarrier))  # what follows holds the lock, and must be short
    with session.lock:
        try:
            window = session.MPI.Win.Allocate_shared(size if session.node.rank == 0 else 0, 1, comm=session.node)
        except session.MPI.Exception as error:
            raise OutOfMemoryError(
                f"the ranks on {session.host} need {size / 1e6:,.0f} MB of shared memory for the samples, and MPI "
                f"does not get it ({error}); give a container more (--shm-size), or start one rank a machine"
            ) from error
        session.held.append(window)
        return window.Shared_query(0)[0]


def send(session: Session, source: Array | None, target: Array | None) -> None:
    """Send an array of rank 0 to the first rank of each machine that needs it.

    Args:
        session: The MPI job.
        source: The array on rank 0.
        target: Its place on this machine; None if the machine has it.
    """
    if session.node.rank != 0 or session.leaders.size == 1:
        return
    session.wait(session.start(session.leaders.Ibarrier))  # what follows holds the lock, and must be short
    with session.lock:
        needs = session.leaders.Split(0 if session.rank == 0 or target is not None else session.MPI.UNDEFINED)
    if needs == session.MPI.COMM_NULL:
        return
    array = target if source is None else source
    if needs.size > 1 and array is not None and array.size:
        session.broadcast(np.ascontiguousarray(array), needs)
    with session.lock:
        needs.Free()


def assembled(header: Any, arrays: dict[str, Any], known: Data | None) -> Data:
    """Return the data whose arrays have arrived; ``known`` is what rank 0 has loaded."""
    before = {} if known is None else known.splits()

    def split(name: str) -> Dataset | None:
        if name not in header["images"]:
            return None
        images, rows = arrays[header["images"][name]], arrays.get(f"{name}.rows")
        return shared_dataset(images, arrays[f"{name}.labels"], rows, preprocessing, before.get(name))

    preprocessing = Preprocessing.from_dict(header["preprocessing"], header["channels"])
    if known is not None:
        preprocessing = known.preprocessing
    train = split("train")
    assert train is not None
    return Data(train, split("validation"), split("test"), tuple(header["classes"]), preprocessing)
