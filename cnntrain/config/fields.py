"""What a single key takes: asked of the schema itself, so that a new key needs no words here."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from cnntrain.config.aliases import model_at
from cnntrain.config.schema.config import SOURCES
from cnntrain.config.schema.layers import Options
from cnntrain.config.yaml.nodes import Node, Path


def model_of(root: Node, path: Path) -> type[BaseModel] | None:
    """Return the part of the schema that has the key at ``path``, None if none has.

    A key of ``data`` is looked for in all sources: an override may come before the one that names its source.
    """
    models = [model_at(root, path[:-1]), *(SOURCES.values() if path[:-1] == ("data",) else ())]
    return next((model for model in models if model and path[-1] in model.model_fields), None)


def accepts(root: Node, path: Path, value: Any) -> bool:
    """Return whether the key at ``path``, or the list of which it is an entry, takes ``value``."""
    while path and isinstance(path[-1], int):
        path, value = path[:-1], [value]
    model = model_of(root, path) if path else None
    return model is not None and fits(model, str(path[-1]), value)


def fits(model: type[BaseModel], key: str, value: Any) -> bool:
    """Return whether a key of a model takes ``value``."""
    try:
        single(model, key).model_validate({"value": value})
    except ValidationError:
        return False
    return True


@cache
def single(model: type[BaseModel], key: str) -> type[BaseModel]:
    """Return a model with one key, ``value``, which takes what ``key`` takes."""
    field: FieldInfo = model.model_fields[key]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return create_model("Alone", __base__=Options, value=(kind, ...))
