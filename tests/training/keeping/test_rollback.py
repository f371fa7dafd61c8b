"""``on_divergence: rollback``: back to the last checkpoint, and on with half the alpha."""

import json
import warnings

import pytest

import cnntrain
from cnntrain.config import config_from_dict
from cnntrain.errors import DivergedError
from cnntrain.training import fit
from cnntrain.training.events import Finished, IterationEnded, Started, Warned
from cnntrain.training.interrupts import Interrupts


def config(alpha, **training):
    """Least squares on all samples: beyond some alpha every step makes the weights larger."""
    options = {"loss": "mse", "batch_size": "all", "Max": 200, "alpha": alpha}
    return config_from_dict(
        {
            "data": {"source": "digits"},
            "network": {"layers": [{"fc": {"units": 10}}]},
            "training": options | {"on_divergence": "rollback"} | training,
        },
        "a test",
    )


def test_half_the_alpha_saves_a_run(tmp_path):
    with pytest.raises(DivergedError):
        cnntrain.train(config(0.1, on_divergence="stop"), tmp_path / "stop")
    events = list(fit(config(0.1), tmp_path / "a"))
    told = [event.text for event in events if isinstance(event, Warned)]
    assert len(told) == 1
    assert "going back to the end of iteration 1, the best so far" in told[0]
    assert "with 0.5 of alpha (time 1 of 3 at most)" in told[0]
    assert sum(isinstance(event, Started) for event in events) == 1
    (finished,) = [event for event in events if isinstance(event, Finished)]
    assert (finished.result["stop"], finished.result["iterations"]) == ("max", 200)
    lines = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert [line["iteration"] for line in lines] == list(range(1, 201))
    assert [event.alpha for event in events if isinstance(event, IterationEnded)][-1] == 0.05
    assert (tmp_path / "a" / "postmortem" / "report.json").exists()


def test_a_run_goes_back_three_times_at_most(tmp_path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        with pytest.raises(DivergedError):
            cnntrain.train(config(1e30), tmp_path / "a")
    told = [str(warning.message) for warning in caught]
    assert [f"time {time} of 3" in text for time, text in enumerate(told, start=1)] == [True, True, True]
    assert json.loads((tmp_path / "a" / "summary.json").read_text())["stop"] == "diverged"


@pytest.mark.parametrize("every", ["1 batches", "7 batches", 60.0])
def test_when_checkpoints_are_written_makes_no_difference(tmp_path, every):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        cnntrain.train(config(0.1, Max=120), tmp_path / "a")
        for _ in fit(config(0.1, Max=120, checkpoint_every=every, workers=2), tmp_path / "b", stop := Interrupts()):
            if (tmp_path / "b" / "postmortem").exists():
                stop.signal = 15
        cnntrain.resume(tmp_path / "b")
    for name in ("weights.safetensors", "best.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    texts = [(tmp_path / run / "metrics.jsonl").read_text() for run in "ab"]
    rows = [[json.loads(line) | {"seconds": 0} for line in text.splitlines()] for text in texts]
    assert rows[0] == rows[1]


def test_a_run_that_went_back_goes_on_with_its_smaller_alpha(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        cnntrain.train(config(0.1, Max=100), tmp_path / "a")
        cnntrain.resume(tmp_path / "a", ["training.Max=120"])
    lines = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["alpha"] == 0.05
    assert [line["iteration"] for line in lines] == list(range(1, 121))
