"""One program on several cores in lock step, with the same bits on any number of cores."""

from cnntrain.parallel.communicator import Communicator
from cnntrain.parallel.cores import available_cores, single_core, worker_count
from cnntrain.parallel.single import SingleProcess

__all__ = ["Communicator", "SingleProcess", "available_cores", "single_core", "worker_count"]
