"""The names of keys: long names mean the same as short ones, and each place has its own keys."""

from cnntrain.config.augmentation import AugmentationOptions
from cnntrain.config.faults import Fault
from cnntrain.config.schema import SOURCES, AnyData, Config, LayerEntry, NetworkOptions
from cnntrain.config.training import TrainingOptions
from cnntrain.config.tree import Entry, Mapping, Node, Path, Scalar, Sequence, child, entry_at, find, place, put
from cnntrain.layers.options import OPTIONS, Options


def model_at(root: Node, path: Path) -> type[Options] | type[LayerEntry] | None:
    """Return the part of the schema that a mapping at ``path`` is held against, None where there is no mapping."""
    match path:
        case ():
            return Config
        case ("data",):
            source = find(root, ("data", "source"))
            return SOURCES.get(source.text, AnyData) if isinstance(source, Scalar) else AnyData
        case ("network",):
            return NetworkOptions
        case ("network", "layers", int()):
            return LayerEntry
        case ("network", "layers", int(), str(kind)):
            return OPTIONS.get(kind)
        case ("training",):
            return TrainingOptions
        case ("training", "augmentation"):
            return AugmentationOptions
    return None


def with_short_names(root: Node) -> tuple[Node, list[Fault]]:
    """Return the tree with every long name replaced, and a fault for each key given under both names.

    An empty ``training:``, ``augmentation:`` or entry of a layer becomes an empty mapping: all defaults.
    """
    faults: list[Fault] = []
    layers = find(root, ("network", "layers"))
    paths: list[Path] = [("training",), ("training", "augmentation")]
    for index, layer in enumerate(layers.items if isinstance(layers, Sequence) else ()):
        paths += [("network", "layers", index, kind) for kind in OPTIONS if child(layer, kind)]
    for path in paths:
        entry = entry_at(root, path)
        if entry and isinstance(entry.node, Scalar) and entry.node.value is None:
            root = put(root, path, entry._replace(node=Mapping(entry.node.mark)))
        elif entry and isinstance(entry.node, Mapping):
            root = put(root, path, entry._replace(node=renamed(entry.node, root, path, faults)))
    return root, faults


def renamed(node: Mapping, root: Node, path: Path, faults: list[Fault]) -> Mapping:
    """Return a mapping under its short names."""
    entries: dict[str, Entry] = {}
    for key, entry in node.entries.items():
        short = short_name(root, path, key)
        if short in entries:
            sentence = f"'{entries[short].name}' and '{entry.name}' mean the same; keep one of them"
            faults.append(Fault(entry.mark, place(root, path), sentence))
        else:
            entries[short] = entry
    return Mapping(node.mark, entries)


def short_name(root: Node, path: Path, key: str) -> str:
    """Return the name in the schema that a key of the mapping at ``path`` means."""
    model = model_at(root, path)
    return model.long_names.get(key, key) if model and issubclass(model, Options) else key
