"""Validation of a tree against the schema, the rules between keys and the shapes: all problems at once."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cnntrain.config.aliases import path_of_error
from cnntrain.config.messages import sentence_of, suggestion_for
from cnntrain.config.paths import with_absolute_paths, with_local_data
from cnntrain.config.rules import broken_rules, has_softmax
from cnntrain.config.schema.config import Config, NetworkOptions
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.config.shape_check import check_augmentation, check_shapes
from cnntrain.config.yaml.locations import Locations
from cnntrain.config.yaml.nodes import Node, Sequence, entry_at, find, nearest, place, plain
from cnntrain.config.yaml.nodes import Path as Place
from cnntrain.config.yaml.problems import SHOWN, Problem, config_error
from cnntrain.errors import ConfigError, ShapeError

Model = TypeVar("Model", bound=BaseModel)


def checked(root: Node, problems: list[Problem], folder: Path) -> Config:
    """Return the validated config of a tree.

    Args:
        root: The tree under canonical names, with all overrides applied.
        problems: Problems found while the tree was read.
        folder: The folder that a ``data.path`` in a file is relative to.

    Raises:
        ConfigError: With ``problems`` and all that are found here.
        ShapeError: The only problem is a shape that does not fit.
    """
    root, odd = with_absolute_paths(with_local_data(root, folder), folder)
    values = plain(root)
    settle_loss(values)
    settle_init(values)
    config, wrong, meant = against_schema(root, values)
    earlier = {(problem.mark, problem.place) for problem in [*problems, *odd]}
    problems = [*problems, *odd, *(problem for problem in wrong if (problem.mark, problem.place) not in earlier)]
    network = config.network if config else valid(NetworkOptions, values.get("network"))
    training = config.training if config else valid(TrainingOptions, values["training"])
    layers = network.layers if network else each_layer(values)
    broken = broken_rules(root, meant, training, layers)
    problems += [Problem(nearest(root, path), place_of(root, path), sentence) for path, sentence in broken]
    places = {problem.place for problem in problems}
    misfits = [misfit for misfit in against_shapes(root, network, training) if misfit.place not in places]
    if config is None or problems or misfits:
        raise config_error(problems + misfits, ConfigError if problems else ShapeError)
    config._locations = Locations(root)
    return config


def valid(model: type[Model], value: Any) -> Model | None:
    """Return a part of the config, or None if it is invalid."""
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def layer_values(values: dict[str, Any]) -> list[Any]:
    """Return ``network.layers`` as it was written; nothing if it is no list."""
    network = values.get("network")
    layers = network.get("layers") if isinstance(network, dict) else None
    return layers if isinstance(layers, list) else []


def each_layer(values: dict[str, Any]) -> list[LayerEntry | None]:
    """Return the layers, each validated alone, so that a mistake in one does not hide mistakes between others."""
    return [valid(LayerEntry, layer) for layer in layer_values(values)]


def settle_loss(values: dict[str, Any]) -> None:
    """Fill in the loss, whose default depends on another section: cross_entropy needs softmax."""
    training = values.setdefault("training", {})
    last = [valid(LayerEntry, layer) for layer in layer_values(values)[-1:]]
    if last and last[0] and not has_softmax(last[0]) and isinstance(training, dict):
        training.setdefault("loss", "mse")


def settle_init(values: dict[str, Any]) -> None:
    """Fill in ``init: zeros`` for a single fc on pretrained features: what is drawn would only blur few images."""
    data, layers = values.get("data"), layer_values(values)
    on_features = isinstance(data, dict) and isinstance(data.get("features"), dict)
    weighted = [layer for layer in layers if isinstance(layer, dict) and "dropout" not in layer]
    if on_features and len(weighted) == 1 and isinstance(weighted[0].get("fc"), dict):
        weighted[0]["fc"].setdefault("init", "zeros")


def against_schema(root: Node, values: dict[str, Any]) -> tuple[Config | None, list[Problem], set[Place]]:
    """Return the config, or what pydantic finds wrong and the paths of misspelled keys, which are not missing."""
    try:
        return Config.model_validate(values), [], set()
    except ValidationError as invalid:
        errors = [(error, path_of_error(error)) for error in invalid.errors(include_url=False, include_input=False)]
    unknown = [path for error, path in errors if error["type"] == "extra_forbidden"]
    meant = {path for key in unknown[:SHOWN] if (path := suggestion_for(root, key))}
    return None, [problem_of(error, root, path) for error, path in errors if is_own(error, root, path, meant)], meant


def is_own(error: ErrorDetails, root: Node, path: Place, meant: set[Place]) -> bool:
    """Return whether an error does not just follow from another one."""
    if error["type"] == "too_short":  # pydantic counts valid layers only
        node = find(root, path)
        return not (isinstance(node, Sequence) and node.items)
    return error["type"] != "missing" or path not in meant


def problem_of(error: ErrorDetails, root: Node, path: Place) -> Problem:
    """Return one error as a problem: at the value, the unknown key, or the mapping that lacks a key."""
    sentence = sentence_of(error, root, path)
    key = entry_at(root, path)
    if key and error["type"] == "extra_forbidden":
        return Problem(key.mark, place(root, path[:-1]), sentence)
    return Problem(nearest(root, path), place_of(root, path), sentence)


def place_of(root: Node, path: Place) -> str:
    """Return the name of a value, or of the mapping that lacks it."""
    return place(root, path if find(root, path) else path[:-1])


def against_shapes(root: Node, network: NetworkOptions | None, training: TrainingOptions | None) -> list[Problem]:
    """Return what does not fit the images, if ``network.input`` gives their shape."""
    if network is None or network.input is None:
        return []
    misfits = check_shapes(network, network.input)
    misfits += check_augmentation(training.augmentation, network.input) if training else []
    return [Problem(nearest(root, path), place(root, path), sentence) for path, sentence in misfits]
