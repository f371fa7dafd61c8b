"""Main program of a worker process: the training loop as one of several ranks."""

import json
import os
import sys
import threading
from contextlib import suppress

from cnntrain.builder import build_shaped
from cnntrain.config import config_from_dict
from cnntrain.data import Preprocessing
from cnntrain.errors import DivergedError
from cnntrain.parallel import single_core
from cnntrain.parallel.mapping import SharedArrays
from cnntrain.parallel.shared_memory import SharedMemory
from cnntrain.training.loop import train_loop
from cnntrain.training.sharing import shared_data
from cnntrain.training.state import TrainState


def main() -> None:
    """Read the job from standard input, run it, and wait for rank 0 to end."""
    rank_0 = os.getppid()
    job = json.loads(sys.stdin.buffer.readline())
    fields = {name: (tuple(shape), dtype) for name, (shape, dtype) in job["fields"].items()}
    arrays = SharedArrays(fields, job["handle"])
    arrays.close()
    config = config_from_dict(job["config"], "worker")
    preprocessing = Preprocessing.from_dict(job["preprocessing"], job["input"][0])
    network = build_shaped(config, tuple(job["input"]), len(job["classes"]))
    network.use_vector(arrays["theta"])
    data = shared_data(arrays, job["maps"], tuple(job["classes"]), preprocessing)

    def check_rank_0() -> None:
        if os.getppid() != rank_0:  # its child processes may keep our standard input open
            os._exit(1)

    state = TrainState.from_json(job["state"])
    state.before = arrays["before"].copy() if "before" in arrays.arrays else None
    comm = SharedMemory(job["rank"], job["workers"], arrays, network.layout, job["counts"], check_rank_0)
    # Only after all imports: on Windows NumPy's libraries wait for a thread that reads standard input.
    lifeline = threading.Thread(target=exit_with_rank_0, daemon=True)
    lifeline.start()
    # Rank 0 reports why a run stops or diverges, and ends the workers. A worker that ends earlier counts as failed.
    with single_core(), suppress(DivergedError):
        try:
            for _ in train_loop(network, data, config.training, comm, state):
                pass
        except MemoryError:
            sys.exit("there is not enough memory")
    lifeline.join()


def exit_with_rank_0() -> None:
    """Exit as soon as rank 0 has ended in any way: this closes standard input."""
    while os.read(0, 1):
        pass
    os._exit(1)
