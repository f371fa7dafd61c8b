"""A step of a tiny network is mostly calls: their number must not creep up."""

import sys
from collections import Counter
from pathlib import Path

import cnntrain
from cnntrain.builder import build_shaped
from cnntrain.config import load_config
from cnntrain.parallel import SingleProcess, single_core
from cnntrain.profiling.step_times import endless_config, random_data
from cnntrain.training.loop import train_loop

PACKAGE = str(Path(cnntrain.__file__).parent)
CONFIG = Path(__file__).parents[2] / "configs" / "digits.yaml"
MOST_CALLS = 86
"""Of functions of the package, in a step on the digits; each call of NumPy's comes on top."""
STEPS = 5


def test_a_step_on_the_digits_makes_few_calls():
    config = endless_config(load_config(CONFIG))
    network = build_shaped(config, (1, 8, 8), 10)
    data = random_data(config, network, config.training.batch_size)
    comm, calls = SingleProcess(network.layout, network.dtype, config.training.state_rows), Counter()

    def count(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            calls[f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"] += 1

    with single_core():
        events, before = train_loop(network, data, config.training, comm), sys.getprofile()
        for _ in range(3):
            next(events)
        sys.setprofile(count)
        try:
            for _ in range(STEPS):
                next(events)
        finally:
            sys.setprofile(before)
    assert 30 < calls.total() / STEPS <= MOST_CALLS, calls.most_common()
