"""``cnntrain summary``."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnntrain.cli.config_argument import ConfigOrRunArgument
from cnntrain.cli.options import JsonOption, Overrides
from cnntrain.cli.views.terminal import errors_as_messages, print_json, results

if TYPE_CHECKING:
    from cnntrain.config import Config
    from cnntrain.data import Data
    from cnntrain.network.network import Network


def summary(config: ConfigOrRunArgument, overrides: Overrides = None, json: JsonOption = False) -> None:
    """Show each layer's shape, parameters and multiply-adds."""
    with errors_as_messages():
        # imported late: `cnntrain --help` needs none of it
        from cnntrain.cli.views.tables import layers_table, memory_text
        from cnntrain.network.summary import describe
        from cnntrain.training.footprint import memory_of

        network, loaded, data = _load(config, overrides or [])
        description = describe(network) | memory_of(loaded, network, data)
        if json:
            print_json(description)
            return
        results().print(layers_table(description, loaded.network.layers, network.in_shape))
        results().print(memory_text(description))


def _load(path: Path, overrides: list[str]) -> "tuple[Network, Config, Data | None]":
    if path.is_dir() or path.suffix == ".safetensors":
        from cnntrain.weights.weights import load_saved

        saved = load_saved(path, overrides)
        return saved.network, saved.config, None
    from cnntrain.builder import build_with_data
    from cnntrain.config import load_config

    config = load_config(path, overrides)
    network, data = build_with_data(config)
    return network, config, data
