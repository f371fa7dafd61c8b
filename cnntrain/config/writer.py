"""Writes configs and plain data as YAML."""

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from cnntrain.config.schema.config import Config


class Flow(dict[str, Any]):
    """A mapping in flow style, on one line."""


class FlowList(list[Any]):
    """A list in flow style, on one line."""


class Dumper(yaml.SafeDumper):
    """Writes the options of a layer on one line."""

    def expect_block_sequence(self) -> None:
        """Indent lists under their key."""
        self.increase_indent(flow=False, indentless=False)
        self.state = self.expect_first_block_sequence_item


Dumper.add_representer(
    Flow, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)
Dumper.add_representer(
    FlowList, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Escape the line breaks of Unicode: outside double quotes, U+0085 would be read as a space."""
    style = '"' if any(character in text for character in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)


def dump(data: Any, **options: Any) -> str:
    """Return plain data as YAML text; reading it gives equal data."""
    text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10**6, **options)
    return text


def to_yaml(config: "Config") -> str:
    """Return a config as YAML text with all defaults; loading it gives an equal config."""
    data = config.resolved()
    network = data["network"]
    network["layers"] = [{kind: Flow(options) for kind, options in layer.items()} for layer in network["layers"]]
    if "input" in network:
        network["input"] = FlowList(network["input"])
    if isinstance(data["training"].get("class_weights"), list):
        data["training"]["class_weights"] = FlowList(data["training"]["class_weights"])
    return dump(data)
