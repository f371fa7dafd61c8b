"""A tree held against the schema, the rules between keys and the shapes: all faults at once."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cnntrain.config.aliases import path_of_error, with_canonical_names
from cnntrain.config.messages import sentence_of, suggestion_for
from cnntrain.config.paths import with_absolute_paths, with_local_data
from cnntrain.config.rules import broken_rules, has_softmax
from cnntrain.config.schema.config import Config, LayerEntry, NetworkOptions
from cnntrain.config.schema.training import TrainingOptions
from cnntrain.config.shape_check import check_augmentation, check_shapes
from cnntrain.config.yaml.locations import Locations
from cnntrain.config.yaml.nodes import Node, Sequence, entry_at, find, nearest, place, plain
from cnntrain.config.yaml.nodes import Path as Place
from cnntrain.config.yaml.problems import SHOWN, Problem, config_error
from cnntrain.errors import ConfigError, ShapeError

Model = TypeVar("Model", bound=BaseModel)


def checked(root: Node, faults: list[Problem], folder: Path) -> Config:
    """Return the config that a tree stands for.

    Args:
        root: The tree, with all overrides in it.
        faults: What was found wrong with it before.
        folder: What a ``data.path`` from a file is relative to.

    Raises:
        ConfigError: With ``faults`` and all that is found here.
        ShapeError: Nothing is wrong but the shape of a layer.
    """
    root, doubled = with_canonical_names(root)
    root, odd = with_absolute_paths(with_local_data(root, folder), folder)
    faults = [*faults, *doubled, *odd]
    values = plain(root)
    layers = each_layer(values)
    settle_loss(values, layers)
    known = {(fault.mark, fault.place) for fault in faults}
    wrong, meant = against_schema(root, values)
    faults += [fault for fault in wrong if (fault.mark, fault.place) not in known]
    training = valid(TrainingOptions, values["training"])
    broken = broken_rules(root, meant, training, layers)
    faults += [Problem(nearest(root, path), place_of(root, path), sentence) for path, sentence in broken]
    misfits = [
        misfit for misfit in against_shapes(root, values) if misfit.place not in {fault.place for fault in faults}
    ]
    if faults or misfits:
        raise config_error(faults + misfits, ConfigError if faults else ShapeError)
    config = Config.model_validate(values)
    config._places = Locations(root)
    return config


def valid(model: type[Model], value: Any) -> Model | None:
    """Return a part of the config, or None if something is wrong in it."""
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def each_layer(values: dict[str, Any]) -> list[LayerEntry | None]:
    """Return the layers one by one: what is wrong with one does not hide what is wrong between others."""
    network = values.get("network")
    layers = network.get("layers") if isinstance(network, dict) else None
    return [valid(LayerEntry, layer) for layer in layers] if isinstance(layers, list) else []


def settle_loss(values: dict[str, Any], layers: list[LayerEntry | None]) -> None:
    """Fill in the loss, whose default is the one key's that depends on another: cross_entropy needs softmax."""
    training = values.setdefault("training", {})
    if layers and layers[-1] and not has_softmax(layers[-1]) and isinstance(training, dict):
        training.setdefault("loss", "mse")


def against_schema(root: Node, values: dict[str, Any]) -> tuple[list[Problem], set[Place]]:
    """Return what pydantic finds wrong, and the places of keys that are there, but misspelt: those are not missing."""
    try:
        Config.model_validate(values)
    except ValidationError as invalid:
        errors = [(error, path_of_error(error)) for error in invalid.errors(include_url=False, include_input=False)]
        unknown = [path for error, path in errors if error["type"] == "extra_forbidden"]
        meant = {path for key in unknown[:SHOWN] if (path := suggestion_for(root, key))}
        return [fault_of(error, root, path) for error, path in errors if is_own(error, root, path, meant)], meant
    return [], set()


def is_own(error: ErrorDetails, root: Node, path: Place, meant: set[Place]) -> bool:
    """Return whether an error does not just follow from another one."""
    if error["type"] == "too_short":  # pydantic counts only the layers that are right
        node = find(root, path)
        return not (isinstance(node, Sequence) and node.items)
    return error["type"] != "missing" or path not in meant


def fault_of(error: ErrorDetails, root: Node, path: Place) -> Problem:
    """Return one error as a fault: at the value, the unknown key, or the mapping in which a key is missing."""
    sentence = sentence_of(error, root, path)
    key = entry_at(root, path)
    if key and error["type"] == "extra_forbidden":
        return Problem(key.mark, place(root, path[:-1]), sentence)
    return Problem(nearest(root, path), place_of(root, path), sentence)


def place_of(root: Node, path: Place) -> str:
    """Return the name of a value's place, or that of the mapping in which it is missing."""
    return place(root, path if find(root, path) else path[:-1])


def against_shapes(root: Node, values: dict[str, Any]) -> list[Problem]:
    """Return what does not fit the image or what is made of it, if ``network.input`` says how large images are."""
    network = valid(NetworkOptions, values.get("network"))
    if network is None or network.input is None:
        return []
    misfits = check_shapes(network, network.input)
    training = valid(TrainingOptions, values.get("training"))
    misfits += check_augmentation(training.augmentation, network.input) if training else []
    return [Problem(nearest(root, path), place(root, path), sentence) for path, sentence in misfits]
