"""Long names of keys, replaced by the short ones that they mean.

Which keys a mapping has follows from the schema's models, however deeply they are nested.
"""

from functools import cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cnntrain.config.schema.config import SOURCES, AnyData, Config
from cnntrain.config.schema.entries import LayerEntry
from cnntrain.config.schema.options import Options
from cnntrain.config.yaml.nodes import Entry, Mapping, Node, Path, Scalar, Sequence, child, find, place
from cnntrain.config.yaml.problems import Problem


@cache
def models_in(kind: Any) -> tuple[type[BaseModel], ...]:
    """Return the models that a value of a type may be: several where ``source`` selects one."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return (kind,)
    if get_origin(kind) is Annotated:
        return models_in(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return ()
    return tuple(model for part in get_args(kind) for model in models_in(part))


@cache
def item_of(kind: Any) -> Any:
    """Return the type of the entries of a list, None for other types."""
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
    """Return the model that a mapping at ``path`` is validated against, None where the schema has no mapping."""
    kind: Any = Config
    for depth, step in enumerate(path):
        if isinstance(step, int):
            kind = item_of(kind)
        else:
            model = chosen(kind, find(root, path[:depth]))
            kind = None if model is None else kind_of_key(model, step)
    return chosen(kind, find(root, path))


def chosen(kind: Any, node: Node | None) -> type[BaseModel] | None:
    """Return the model for a mapping of a type; where there are several, the mapping's ``source`` chooses."""
    models = models_in(kind)
    if len(models) < 2:
        return models[0] if models else None
    source = child(node, "source")
    return SOURCES.get(source.text, AnyData) if isinstance(source, Scalar) else AnyData


def path_of_error(error: ErrorDetails) -> Path:
    """Return the path of an error in the config; pydantic's own also names branches of unions and items of values."""
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
    """Return the tree with every long name replaced, and a problem for each key given under both names.

    An empty section whose keys all have defaults, or a layer without options, becomes an empty mapping.
    """
    problems: list[Problem] = []
    return canonical(root, Config, (), root, problems), problems


def canonical(
    node: Node, kind: Any, path: Path, root: Node, problems: list[Problem], may_be_empty: bool = False
) -> Node:
    """Return a node and all below it under short names.

    Args:
        node: The node at ``path``.
        kind: Its type in the schema.
        path: Its keys and indices from ``root``.
        root: The whole tree.
        problems: Problems are appended here.
        may_be_empty: Whether no value at all means a mapping with all defaults.
    """
    if isinstance(node, Sequence):
        item = item_of(kind)
        return Sequence(
            node.mark, tuple(canonical(entry, item, (*path, i), root, problems) for i, entry in enumerate(node.items))
        )
    model = chosen(kind, node)
    if model is None:
        return node
    if isinstance(node, Scalar):
        return Mapping(node.mark) if node.value is None and may_be_empty else node
    entries = renamed(node, model, path, root, problems)
    for key, (inner, empty) in nested(model).items():
        if key in entries:
            below = canonical(entries[key].node, inner, (*path, key), root, problems, empty)
            entries[key] = entries[key]._replace(node=below)
    return Mapping(node.mark, entries)


@cache
def nested(model: type[BaseModel]) -> dict[str, tuple[Any, bool]]:
    """Return the keys of a model that hold mappings or lists of them: the type of each, and whether it may be empty."""
    kinds: dict[str, Any] = {key: field.annotation for key, field in model.model_fields.items()}
    return {
        key: (kind, model is LayerEntry or isinstance(model.model_fields[key].default, BaseModel))
        for key, kind in kinds.items()
        if models_in(kind) or models_in(item_of(kind))
    }


def renamed(node: Mapping, model: type[BaseModel], path: Path, root: Node, problems: list[Problem]) -> dict[str, Entry]:
    """Return the entries of a mapping under their short names."""
    entries: dict[str, Entry] = {}
    long_names = long_names_of(model)
    for key, entry in node.entries.items():
        short = long_names.get(key, key)
        if short in entries:
            sentence = f"'{entries[short].name}' and '{entry.name}' mean the same; keep one of them"
            problems.append(Problem(entry.mark, place(root, path), sentence))
        else:
            entries[short] = entry
    return entries


def long_names_of(model: type[BaseModel] | None) -> dict[str, str]:
    """Return the short name for each long name of a model's keys."""
    return model.long_names if model and issubclass(model, Options) else {}


def short_name(root: Node, path: Path, key: str) -> str:
    """Return the name in the schema that a key of the mapping at ``path`` means."""
    return long_names_of(model_at(root, path)).get(key, key)
