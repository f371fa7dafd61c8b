"""``KEY=VALUE`` words: values that take the place of those in the file, or are added to them."""

from cnntrain.config.faults import Fault
from cnntrain.config.names import model_at, short_name
from cnntrain.config.reading import DEPTH, read_yaml
from cnntrain.config.schema import LayerEntry
from cnntrain.config.tree import Entry, Mapping, Mark, Node, Origin, Path, Scalar, Sequence, child, place, put
from cnntrain.config.wording import cut, either, quoted, shown


def overridden(root: Node, word: str) -> tuple[Node, list[Fault]]:
    """Return the tree with one override in it, and what is wrong with the word."""
    mark = Mark(f"override {cut(word) if word.isprintable() else quoted(word)}")
    key, equals, text = word.partition("=")
    steps = key.split(".")
    if not equals:
        return root, [Fault(mark, "", "expected KEY=VALUE, such as training.alpha=0.01")]
    if not all(steps):
        return root, [Fault(mark, "", "the key is incomplete; a key is written as in training.alpha=0.01")]
    if len(steps) > DEPTH:
        return root, [Fault(mark, "", f"the key has more than {DEPTH} parts")]
    path = path_of(root, steps, mark)
    if isinstance(path, Fault):
        return root, [path]
    value, faults = read_yaml(text, Origin(mark.source, numbered=False, path=path))
    if value is None and faults:
        return root, faults
    return put(root, path, Entry(steps[-1], mark, value or Scalar(mark, None, ""))), faults


def is_layer(root: Node, path: Path) -> bool:
    """Return whether ``path`` leads to an entry of ``network.layers``, whose key is the kind of the layer."""
    return model_at(root, path) is LayerEntry


def path_of(root: Node, steps: list[str], mark: Mark) -> Path | Fault:
    """Return the place that the dotted parts of a key lead to, or why they lead nowhere."""
    path: Path = ()
    node: Node | None = root
    for step in steps:
        if isinstance(node, Sequence):
            count = len(node.items)
            if not (step.isascii() and step.isdigit() and len(step) < 10 and int(step) < count):
                numbers = f"its {count} entries are numbered 0 to {count - 1}" if count else "it has no entries"
                return Fault(mark, place(root, path), f"there is no entry {quoted(step)}; {numbers}")
            path += (int(step),)
        elif isinstance(node, Scalar) and node.value is not None:
            return Fault(mark, place(root, path), f"there is no key {quoted(step)} in it, as it is {shown(node)}")
        elif is_layer(root, path) and isinstance(node, Mapping) and node.entries and step not in node.entries:
            return Fault(mark, place(root, path), f"there is no key {quoted(step)} in it, but {either(node.entries)}")
        else:
            path += (short_name(root, path, step),)
        node = child(node, path[-1])
    return path
