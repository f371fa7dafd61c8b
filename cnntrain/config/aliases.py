"""The names of keys: long names mean the same as short ones, and each place has its own keys.

Which keys a place has follows from the schema's own models, however deep they are nested.
"""

from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cnntrain.config.schema.config import SOURCES, AnyData, Config, LayerEntry
from cnntrain.config.schema.layers import Options
from cnntrain.config.yaml.nodes import Entry, Mapping, Node, Path, Scalar, Sequence, find, place
from cnntrain.config.yaml.problems import Problem


@cache
def models_in(kind: Any) -> tuple[type[BaseModel], ...]:
    """Return the models that a value of a type may be: several where one key, ``source``, tells them apart."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return (kind,)
    if get_origin(kind) is Annotated:
        return models_in(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return ()
    return tuple(model for part in get_args(kind) for model in models_in(part))


@cache
def item_of(kind: Any) -> Any:
    """Return the type of the entries of a list, None where a type is no list."""
    if get_origin(kind) is Annotated:
        return item_of(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    return next((item for part in get_args(kind) if (item := item_of(part)) is not None), None)


def kind_of_key(model: type[BaseModel], key: str) -> Any:
    """Return the type of a key of a model, None if it has no such key."""
    field = model.model_fields.get(key)
    return None if field is None else field.annotation


def model_at(root: Node, path: Path) -> type[BaseModel] | None:
    """Return the part of the schema that a mapping at ``path`` is held against, None where there is no mapping."""
    kind: Any = Config
    for depth, step in enumerate(path):
        if isinstance(step, int):
            kind = item_of(kind)
        else:
            model = chosen(models_in(kind), root, path[:depth])
            kind = None if model is None else kind_of_key(model, step)
    return chosen(models_in(kind), root, path)


def chosen(models: tuple[type[BaseModel], ...], root: Node, path: Path) -> type[BaseModel] | None:
    """Return the model that the mapping at ``path`` chooses by its ``source``."""
    if len(models) < 2:
        return models[0] if models else None
    source = find(root, (*path, "source"))
    return SOURCES.get(source.text, AnyData) if isinstance(source, Scalar) else AnyData


def path_of_error(error: ErrorDetails) -> Path:
    """Return the place of an error in the config; pydantic's own also names branches of unions and items of values."""
    path: Path = ()
    kind: Any = Config
    for step in error["loc"]:
        models = models_in(kind)
        if isinstance(step, int) and models_in(item_of(kind)):
            path, kind = (*path, step), item_of(kind)
        elif len(models) > 1:
            kind = SOURCES[str(step)]
        elif models:
            path, kind = (*path, step), kind_of_key(models[0], str(step))
        else:
            break
    return (*path, "source") if error["type"] == "union_tag_invalid" else path


def with_canonical_names(root: Node) -> tuple[Node, list[Problem]]:
    """Return the tree with every long name replaced, and a fault for each key given under both names.

    An empty section whose keys all have defaults, or an empty entry of a layer, becomes an empty mapping.
    """
    faults: list[Problem] = []
    return shortened(root, root, (), faults), faults


def shortened(node: Node, root: Node, path: Path, faults: list[Problem]) -> Node:
    """Return the node at ``path``, and all below it, under short names."""
    if isinstance(node, Sequence):
        items = (shortened(item, root, (*path, i), faults) for i, item in enumerate(node.items))
        return Sequence(node.mark, tuple(items)) if models_in(item_of(kind_at(root, path))) else node
    model = model_at(root, path)
    if model is None:
        return node
    if isinstance(node, Scalar):
        return Mapping(node.mark) if node.value is None and may_be_empty(root, path) else node
    node = renamed(node, root, path, faults)
    entries = {
        key: entry._replace(node=shortened(entry.node, root, (*path, key), faults))
        for key, entry in node.entries.items()
    }
    return Mapping(node.mark, entries)


def kind_at(root: Node, path: Path) -> Any:
    """Return the type of the key at ``path``, None if the schema has none."""
    model = model_at(root, path[:-1]) if path else None
    return None if model is None else kind_of_key(model, str(path[-1]))


def may_be_empty(root: Node, path: Path) -> bool:
    """Return whether nothing at ``path`` means a mapping with all defaults."""
    outer = model_at(root, path[:-1]) if path else None
    return outer is LayerEntry or (
        outer is not None and isinstance(outer.model_fields[str(path[-1])].default, BaseModel)
    )


def renamed(node: Mapping, root: Node, path: Path, faults: list[Problem]) -> Mapping:
    """Return a mapping under its short names."""
    entries: dict[str, Entry] = {}
    for key, entry in node.entries.items():
        short = short_name(root, path, key)
        if short in entries:
            sentence = f"'{entries[short].name}' and '{entry.name}' mean the same; keep one of them"
            faults.append(Problem(entry.mark, place(root, path), sentence))
        else:
            entries[short] = entry
    return Mapping(node.mark, entries)


def short_name(root: Node, path: Path, key: str) -> str:
    """Return the name in the schema that a key of the mapping at ``path`` means."""
    model = model_at(root, path)
    return model.long_names.get(key, key) if model and issubclass(model, Options) else key
