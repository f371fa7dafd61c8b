"""What a worker process runs: the training program, as one rank of several."""

import json
import os
import sys
import threading
from contextlib import suppress

from cnntrain.builder import build_shaped
from cnntrain.config import config_from_dict
from cnntrain.data import Preprocessing
from cnntrain.errors import DivergedError
from cnntrain.parallel import one_blas_thread
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.shared_memory import SharedMemory
from cnntrain.training.loop import train_loop
from cnntrain.training.sharing import shared_data
from cnntrain.training.state import TrainState


def main() -> None:
    """Read what to do from standard input, do it, and wait for the end."""
    rank_0 = os.getppid()
    order = json.loads(sys.stdin.buffer.readline())
    fields = {name: (tuple(shape), dtype) for name, (shape, dtype) in order["fields"].items()}
    arrays = SharedArrays(fields, order["handle"])
    arrays.close()
    config = config_from_dict(order["config"], "worker")
    preprocessing = Preprocessing.from_dict(order["preprocessing"], order["input"][0])
    network = build_shaped(config, tuple(order["input"]), len(order["classes"]))
    network.use_vector(arrays["theta"])
    data = shared_data(arrays, order["maps"], tuple(order["classes"]), preprocessing)

    def check_alive() -> None:
        if os.getppid() != rank_0:  # a process that it forked may still hold the other end of our standard input
            os._exit(1)

    state = TrainState.from_json(order["progress"])
    state.before = arrays["before"].copy() if "before" in arrays.arrays else None
    comm = SharedMemory(order["rank"], order["workers"], arrays, network.layout, check_alive)
    # Not before everything is imported: on Windows NumPy's libraries wait for whoever reads standard input.
    lifeline = threading.Thread(target=leave_with_rank_0, daemon=True)
    lifeline.start()
    # Rank 0 says why a run stops or diverges, and ends the workers: one that ended by itself would be missed.
    with one_blas_thread(), suppress(DivergedError):
        try:
            for _ in train_loop(network, data, config.training, comm, state):
                pass
        except MemoryError:
            sys.exit("there is not enough memory")
    lifeline.join()


def leave_with_rank_0() -> None:
    """End at once when rank 0 has ended, however it did: standard input closes then."""
    while os.read(0, 1):
        pass
    os._exit(1)
