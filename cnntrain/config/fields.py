"""Which values a single key accepts, according to the schema."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError, create_model
from pydantic.fields import FieldInfo

from cnntrain.config.aliases import model_at
from cnntrain.config.schema.config import SOURCES
from cnntrain.config.schema.options import Options
from cnntrain.config.yaml.nodes import Node, Path


def model_of(root: Node, path: Path) -> type[BaseModel] | None:
    """Return the model that has the key at ``path``, or None.

    A key of ``data`` is looked up in all sources: its override may come before the one of ``data.source``.
    """
    models = [model_at(root, path[:-1]), *(SOURCES.values() if path[:-1] == ("data",) else ())]
    return next((model for model in models if model and path[-1] in model.model_fields), None)


def accepts(root: Node, path: Path, value: Any) -> bool:
    """Return whether the key at ``path``, or the list that contains it, accepts ``value``."""
    while path and isinstance(path[-1], int):
        path, value = path[:-1], [value]
    model = model_of(root, path) if path else None
    return model is not None and fits(model, str(path[-1]), value)


def fits(model: type[BaseModel], key: str, value: Any) -> bool:
    """Return whether a key of a model accepts ``value``."""
    try:
        single(model, key).model_validate({"value": value})
    except ValidationError:
        return False
    return True


@cache
def single(model: type[BaseModel], key: str) -> type[BaseModel]:
    """Return a model with the one key ``value``, which accepts what ``key`` accepts."""
    field: FieldInfo = model.model_fields[key]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return create_model("Alone", __base__=Options, value=(kind, ...))
