"""Worker processes: ranks 1, 2, ... of the training program, started, watched and ended by rank 0.

They are new interpreters that get everything through one line of JSON and shared memory: nothing is forked, and the
user's own script or notebook is not run again in them. A worker ends by itself when rank 0 is gone, because its standard
input closes then.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Self

from threadpoolctl import threadpool_info

from cnntrain.config import Config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.errors import WorkerError
from cnntrain.network import Network
from cnntrain.parallel import Alone, Communicator, worker_count
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.shared import Shared, fields
from cnntrain.summary import multiply_adds

FAREWELL = 1.0
"""Seconds that a worker gets to end by itself."""


class Crew:
    """The workers of one run, as a context; at its end none of them is left."""

    def __init__(self, config: Config, network: Network, data: Data, workers: int):
        self.workers = workers
        self.processes: list[subprocess.Popen[bytes]] = []
        self.errors: list[IO[bytes]] = []
        self.arrays = SharedArrays(shared_fields(config, network, data, workers))
        share_data(data, self.arrays)
        network.bind(self.arrays["theta"])
        self.comm = Shared(0, workers, self.arrays, network.layout, self.watch)
        self.order = {
            "handle": self.arrays.handle,
            **self.arrays.to_json(),
            "config": config.resolved(),
            "input": list(network.in_shape),
            "classes": list(data.classes),
            "preprocessing": data.preprocessing.to_dict(),
            "workers": workers,
            "sys_path": sys.path,
        }

    def __enter__(self) -> Self:
        try:
            for rank in range(1, self.workers):
                self.start(rank)
        except OSError as error:
            self.end()
            raise WorkerError(f"worker {len(self.processes) + 1} could not be started: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self, rank: int) -> None:
        """Start one worker and tell it what to do."""
        error_file = tempfile.TemporaryFile()  # noqa: SIM115 - read when the worker has ended
        self.errors.append(error_file)
        handle = self.arrays.handle
        process = subprocess.Popen(
            [sys.executable, "-c", "from cnntrain.training.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=error_file,
            env={**os.environ, **same_kernels(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            pass_fds=(handle,) if isinstance(handle, int) else (),
        )
        self.processes.append(process)
        assert process.stdin is not None
        process.stdin.write(json.dumps({**self.order, "rank": rank}).encode() + b"\n")
        process.stdin.flush()

    def watch(self) -> None:
        """Raise WorkerError if a worker has ended before its time."""
        for rank, process in enumerate(self.processes, start=1):
            if process.poll() is not None:
                raise WorkerError(f"worker {rank} {self.end_of(rank)}; the run is stopped")

    def end_of(self, rank: int) -> str:
        """How a worker ended, in words."""
        code = self.processes[rank - 1].returncode
        if code < 0:
            return f"was killed by signal {-code}"
        self.errors[rank - 1].seek(0)
        lines = self.errors[rank - 1].read().decode(errors="replace").strip().splitlines()
        return f"ended with status {code}" + (f" ({lines[-1]})" if lines else "")

    def end(self) -> None:
        """Let all workers go; those that do not are killed."""
        self.comm.stop()
        deadline = time.monotonic() + FAREWELL
        for process in self.processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        for file in self.errors:
            file.close()
        self.arrays.close()


@contextmanager
def ranks(config: Config, network: Network, data: Data, workers: int) -> Iterator[tuple[Communicator, Data]]:
    """Context in which the other ranks are there; gives rank 0's communicator, and the data as all ranks see them."""
    if workers == 1:
        yield Alone(network.layout, network.dtype), data
        return
    with Crew(config, network, data, workers) as crew:
        yield crew.comm, data_in(crew.arrays, data.classes, data.preprocessing)


def number_of_workers(config: Config, network: Network, data: Data) -> int:
    """Workers that a run takes: as many as the config says, or what ``worker_count`` finds best for it."""
    if config.training.workers != "auto":
        return config.training.workers
    batch = config.training.batch_size
    in_batch = len(data.train) if batch == "all" else min(batch, len(data.train))
    # A product on the way forward, and two on the way back, of a multiplication and an addition each.
    operations = 6.0 * in_batch * sum(multiply_adds(layer) for layer in network.layers)
    return worker_count(len(list(network.slices(in_batch))), operations)


def shared_fields(config: Config, network: Network, data: Data, workers: int) -> dict[str, Any]:
    """Shapes and types of all that the ranks share."""
    batch = config.training.batch_size
    in_batch = len(data.train) if batch == "all" else min(batch, len(data.train))
    sizes = [in_batch, *(len(dataset) for dataset in data.splits().values() if dataset)]
    slices = [len(list(network.slices(size))) for size in sizes]
    shared = dict(fields(network.layout, network.dtype.name, workers, max(slices), slices[0]))
    for split, dataset in data.splits().items():
        if dataset is not None:
            shared[f"{split}.images"] = (dataset.images.shape, dataset.images.dtype.name)
            shared[f"{split}.labels"] = (dataset.labels.shape, dataset.labels.dtype.name)
    return shared


def share_data(data: Data, arrays: SharedArrays) -> None:
    """Copy all samples to where every rank sees them."""
    for split, dataset in data.splits().items():
        if dataset is not None:
            arrays[f"{split}.images"][...] = dataset.images
            arrays[f"{split}.labels"][...] = dataset.labels


def data_in(arrays: SharedArrays, classes: tuple[str, ...], preprocessing: Preprocessing) -> Data:
    """The data as they lie in shared memory."""

    def split(name: str) -> Dataset | None:
        if f"{name}.labels" not in arrays.arrays:
            return None
        return Dataset(arrays[f"{name}.images"], arrays[f"{name}.labels"])

    train = split("train")
    assert train is not None
    return Data(train, split("validation"), split("test"), classes, preprocessing)


def same_kernels() -> dict[str, str]:
    """Environment in which a worker's OpenBLAS takes the kernels that this process has, one thread each."""
    cores = [library["architecture"] for library in threadpool_info() if library.get("internal_api") == "openblas"]
    return {"OPENBLAS_NUM_THREADS": "1", **({"OPENBLAS_CORETYPE": cores[0]} if cores else {})}
