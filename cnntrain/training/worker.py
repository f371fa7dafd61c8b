"""What a worker process runs: the training program, as one rank of several."""

import json
import os
import signal
import sys
import threading
from contextlib import suppress

from cnntrain.builder import build_shaped
from cnntrain.config import config_from_dict
from cnntrain.data import Preprocessing
from cnntrain.errors import DivergedError
from cnntrain.parallel import one_blas_thread
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.shared import Shared, Stopped
from cnntrain.training.loop import program
from cnntrain.training.workers import data_in


def main() -> None:
    """Read what to do from standard input, and do it."""
    # Ctrl-C reaches the whole group of processes; rank 0 decides what comes of it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=leave_with_rank_0, daemon=True).start()
    fields = {name: (tuple(shape), dtype) for name, (shape, dtype) in order["fields"].items()}
    arrays = SharedArrays(fields, order["handle"])
    config = config_from_dict(order["config"], "worker")
    preprocessing = Preprocessing.from_dict(order["preprocessing"], order["input"][0])
    network = build_shaped(config, tuple(order["input"]), len(order["classes"]))
    network.adopt(arrays["theta"])
    data = data_in(arrays, tuple(order["classes"]), preprocessing)
    comm = Shared(order["rank"], order["workers"], arrays, network.layout, lambda: None)
    # Rank 0 tells why the run stops or diverges.
    with one_blas_thread(), suppress(Stopped, DivergedError):
        for _ in program(network, data, config.training, comm):
            pass


def leave_with_rank_0() -> None:
    """End at once when rank 0 has ended, however it did: standard input closes then."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)
