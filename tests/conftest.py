"""What tests of several folders need."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import cnntrain
from cnntrain.config import Config, config_from_dict
from cnntrain.network.network import Network
from cnntrain.training.fit import fit
from support.server import Server

settings.register_profile("cnntrain", deadline=None)  # a busy computer is no failure
settings.load_profile("cnntrain")

for name in ("SIGINT", "SIGHUP"):  # ignored in a shell's background and by nohup; the tests' processes would inherit it
    if signal.getsignal(getattr(signal, name, signal.SIGINT)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), signal.default_int_handler)

MakeConfig = Callable[..., Config]

MAX_LENGTH = 300
"""Seconds that a test may take, on a busy computer; a hang ends there, and what it started with it."""


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    """Ends a test that waits for something that never comes."""
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return

    def stop(*_: object) -> None:
        raise TimeoutError(f"the test takes longer than {MAX_LENGTH} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MAX_LENGTH)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, bytes]], Any]]:
    """Starts servers on this computer that give files by name, and end with the test; see tests/support/server.py."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers: list[Server] = []

    def start(files: dict[str, bytes]) -> Any:
        servers.append(Server(files))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def make_config() -> MakeConfig:
    """Makes a config of layers, and of the keys of ``training``."""

    def make(
        layers: list[dict[str, Any]],
        input: tuple[int, int, int] | None = None,
        data: dict[str, Any] | None = None,
        **training: Any,
    ) -> Config:
        content: dict[str, Any] = {"network": {"layers": layers}, "training": training}
        if input is not None:
            content["network"]["input"] = list(input)
        if data is not None:
            content["data"] = data
        return config_from_dict(content, "a test")

    return make


@pytest.fixture(scope="session")
def make_network(make_config: MakeConfig) -> Callable[..., Network]:
    """Builds a network in float64, with biases other than 0."""

    def make(layers: list[dict[str, Any]], input: tuple[int, int, int], **training: Any) -> Network:
        network = cnntrain.build(make_config(layers, input, **({"dtype": "float64"} | training)))
        rng = np.random.default_rng(99)
        network.set_parameters(
            {
                name: rng.normal(0, 0.1, value.shape) if name.endswith("b") else value
                for name, value in network.parameters().items()
            }
        )
        return network

    return make


LAYERS = [
    {"conv": {"K": 2, "F": 2, "activation": "relu"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"activation": "softmax"}},
]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """An npz file of 40 images to train with and 12 to test: 5 x 5 pixels, three classes that differ in brightness."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 40), ("test", 12)):
        labels = np.arange(count) % 3
        arrays[f"x_{split}"] = (rng.integers(0, 100, (count, 5, 5)) + 70 * labels[:, None, None]).astype(np.uint8)
        arrays[f"y_{split}"] = labels
    np.savez(tmp_path / "tiny.npz", **arrays)
    return tmp_path / "tiny.npz"


@pytest.fixture
def tiny_config(make_config, tiny) -> Callable[..., Any]:
    """Makes a config for the tiny data; keys of ``data`` are given as ``data=...``."""

    def make(layers=LAYERS, data=None, **training):
        data = {"source": "npz", "path": str(tiny)} | (data or {})
        return make_config(layers, data=data, **({"batch_size": 16, "Max": 3} | training))

    return make


class Recorded:
    """The events of a run, and the parameters at its beginning and after each epoch."""

    def __init__(self, config, out, on_batch: Callable[[Any], None] = lambda event: None, **options):
        self.events, self.parameters = [], []
        for event in fit(config, out, **{"plots": False, **options}):
            kind = type(event).__name__
            self.events.append(event)
            if kind == "TrainingStarted":
                self.network = event.network
            if kind in ("TrainingStarted", "EpochEnded"):
                self.parameters.append(self.network.parameters())
            if kind == "BatchEnded":
                on_batch(event)

    def of(self, kind):
        """The events of one kind."""
        return [event for event in self.events if type(event).__name__ == kind]

    @property
    def result(self):
        return self.events[-1].result


@pytest.fixture
def record() -> type[Recorded]:
    """Runs a training and keeps what happened."""
    return Recorded
