"""Rules that the source keeps: imports go downwards, files stay short, nothing runs what a file says."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import cnntrain
from support.floors import FLOORS

ROOT = Path(cnntrain.__file__).parent

FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}

ONLY_IN = {
    "rich": "cli",
    "typer": "cli",
    "yaml": "config",
    "safetensors": "weights",
    "tqdm": "training",
    "IPython": "training",
    "tensorboardX": "training",
    "onnx": "onnx_export backbones",
    "onnxruntime": "onnx_export backbones",
    "matplotlib": "evaluation data",
    "PIL": "data",
    "requests": "data",
    "optuna": "sweep",
}
FORBIDDEN = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "torch", "tensorflow", "jax", "scipy"}
GENERATORS = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox"}

SOURCES = sorted(ROOT.rglob("*.py"))
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


class Import(NamedTuple):
    module: str
    line: int


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``, inside functions, too."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield from nodes(other)
            continue
        yield child
        yield from nodes(child)


def imports(path: Path) -> list[Import]:
    """The modules that a file imports, with their full names; ``from a import b`` gives ``a.b``."""
    found = []
    for node in nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the floor"
            found += [Import(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def part_of(path: Path) -> str:
    """``layers`` of cnntrain/layers/conv.py, ``network`` of cnntrain/network/network.py."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    """``cnntrain.layers.conv`` of cnntrain/layers/conv.py, ``cnntrain.layers`` of its __init__.py."""
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES}


def test_every_part_has_a_floor():
    assert {part_of(path) for path in SOURCES} == FLOOR.keys() | {"__init__"}


@every_source
def test_imports_go_downwards(path):
    floor = FLOOR.get(part_of(path), -1)
    upwards = [
        f"{path.name}:{line} imports {module}"
        for module, line in imports(path)
        if module.startswith("cnntrain.") and FLOOR.get(module.split(".")[1], -1) < floor
    ]
    assert upwards == []


def test_no_module_imports_itself_round_about():
    def own(module: str) -> str:
        return module if module in MODULES else module.rpartition(".")[0]

    uses = {
        module: {own(used.module) for used in imports(path) if used.module.startswith("cnntrain.")}
        for module, path in MODULES.items()
    }
    done: set[str] = set()
    while ready := [module for module in uses if module not in done and uses[module] <= done | {module}]:
        done.update(ready)
    assert {module: sorted(used - done) for module, used in uses.items() if module not in done} == {}


PACKAGES = sorted(module for module, path in MODULES.items() if path.name == "__init__.py")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_folders_and_modules_of_a_package_form_no_circle(package):
    """A folder counts as one: what anything in it imports, it imports."""

    def member(module: str) -> str:
        return module.removeprefix(f"{package}.").split(".")[0]

    uses: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module.startswith(f"{package}."):
            used = {member(use.module) for use in imports(path) if use.module.startswith(f"{package}.")}
            uses.setdefault(member(module), set()).update(used - {member(module)})
    names, done = set(uses), set()
    while ready := [name for name in uses if name not in done and uses[name] & names <= done]:
        done.update(ready)
    assert {name: sorted(used & names - done) for name, used in uses.items() if name not in done} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_of_a_package_hides_its_module(package):
    exported = {
        use.module.rsplit(".", 1)[1]
        for use in imports(MODULES[package])
        if use.module.startswith(f"{package}.") and use.module not in MODULES
    }
    assert {name for name in exported if f"{package}.{name}" in MODULES} == set()


def test_the_core_loads_neither_pydantic_nor_yaml():
    code = "import sys, cnntrain.network, cnntrain.layers.row, cnntrain.ops.convolution, cnntrain.parallel.single\n"
    code += "print(*sorted({'pydantic', 'yaml', 'typer', 'rich', 'PIL'} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.split() == []


def test_only_explain_uses_the_textbook_and_the_textbook_uses_nothing():
    users = {part_of(path) for path in SOURCES if any("cnntrain.textbook" in used.module for used in imports(path))}
    assert users == {"explain", "textbook"}
    for path in (ROOT / "textbook").glob("*.py"):
        used = [use.module for use in imports(path) if not use.module.startswith("cnntrain.textbook")]
        assert {module.split(".")[0] for module in used} <= {"collections", "typing", "numpy"}


@every_source
def test_packages_are_used_where_they_belong(path):
    roots = {used.module.split(".")[0] for used in imports(path)}
    assert {root for root in roots if part_of(path) not in ONLY_IN.get(root, part_of(path)).split()} == set()
    assert roots & FORBIDDEN == set()


@every_source
def test_nothing_draws_from_the_global_generator_or_runs_text(path):
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text = ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Call)) else ""
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
            found += [] if node.attr in GENERATORS else [text]
        if isinstance(node, ast.Call) and text.startswith(("eval(", "exec(", "__import__(")):
            found.append(text)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.append("allow_pickle")
    assert found == []
    assert not [used for used in imports(path) if used.module.split(".")[0] == "random"]


@every_source
def test_files_are_short_and_begin_by_saying_what_they_are(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))


@every_source
def test_files_are_named_after_what_is_in_them(path):
    assert path.stem not in {"utils", "util", "common", "helpers", "helper", "misc"}
    assert path.parent.name not in {"utils", "util", "common", "helpers", "helper", "misc"}
