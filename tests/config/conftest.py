"""Every test here works in a folder of its own, where its config is ``a.yaml``."""

from pathlib import Path

import pytest

from cnntrain.config import load_config
from cnntrain.errors import ConfigError

NETWORK = "network: {input: [1, 28, 28], layers: [fc: {units: 10, activation: softmax}]}\n"
"""The least that a config needs, on its first line."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(folder):
    def load_text(text, *overrides):
        content = text if isinstance(text, bytes) else text.encode()
        Path("a.yaml").write_bytes(content)
        return load_config("a.yaml", overrides)

    return load_text


@pytest.fixture
def faults(load):
    """The lines of the error that a config text raises."""

    def faults_of(text, *overrides):
        with pytest.raises(ConfigError) as caught:
            load(text, *overrides)
        assert caught.value.exit_code == 2
        return str(caught.value).split("\n")

    return faults_of


@pytest.fixture
def training(load):
    """The training section of a config whose training section is given."""
    return lambda section, *overrides: load(f"{NETWORK}training: {section}", *overrides).training


@pytest.fixture
def training_faults(faults):
    return lambda section, *overrides: faults(f"{NETWORK}training: {section}", *overrides)
