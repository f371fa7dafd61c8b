"""README.md and the pages beside it are true: links, paths, commands, examples, tables."""

import re
import shlex
import string
import urllib.parse
from inspect import getmembers, isclass
from pathlib import Path

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

import cnntrain
import mkdocs_hooks
import terminal_images
from cnntrain import errors, textbook
from cnntrain.cli.app import app
from cnntrain.config import load_config
from support.floors import FLOORS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NOTATION = (ROOT / "docs" / "notation.md").read_text(encoding="utf-8")
CHINESE = {page.stem: page.read_text(encoding="utf-8") for page in ROOT.glob("docs/zh/*.md")}

COMMANDS = {
    " ".join((name, *rest)): leaf
    for name, command in typer.main.get_command(app).commands.items()
    for rest, leaf in (
        [((sub,), leaf) for sub, leaf in command.commands.items()] if hasattr(command, "commands") else [((), command)]
    )
}
"""By name; a command of a group has two words: ``data list``."""
GROUPS = {name.split()[0] for name in COMMANDS if " " in name}
OPTIONS = {
    name: {"--help", *(option for parameter in command.params for option in parameter.opts)}
    for name, command in COMMANDS.items()
}
FOREIGN = {"--epochs 5"}
"""Words of other tools that the pages mention."""
GLOBAL_OPTIONS = {option for parameter in typer.main.get_command(app).params for option in parameter.opts}
TOP = {path.name for path in ROOT.iterdir()}

ONLINE = re.compile(
    r"https://(?:github\.com/cnntrain/cnntrain/(?:blob|tree)|raw\.githubusercontent\.com/cnntrain/cnntrain)/main/"
)
"""How README.md, which PyPI shows, too, links to files of the project."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def fences(text, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def spans(text):
    """Text between backticks, outside fences."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def section(text, heading):
    (found,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found


def rows(text, first):
    """The rows of the table whose first heading is ``first``, as lists of cells."""
    (table,) = re.findall(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def anchors(page):
    """The anchors of a page's headings."""
    kept = string.ascii_lowercase + string.digits + " -_"
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {"".join(c for c in heading.lower() if c in kept).replace(" ", "-") for heading in headings}


# --- links and paths -------------------------------------------------------------------------------------------------


@every_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        base = ROOT if ONLINE.match(target) else page.parent
        path, _, anchor = ONLINE.sub("", target).partition("#")
        if urllib.parse.urlsplit(path).scheme:
            assert target.startswith("https://")
            continue
        linked = base / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_the_readme_links_absolutely_and_stays_short():
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert sum(ONLINE.match(target) is not None for target in targets) > 10
    assert len(README.splitlines()) <= 160


def test_the_site_has_every_page():
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    assert {f"docs/{page}" for page in re.findall(r": ([\w/-]+\.md)$", site, re.MULTILINE)} == {
        str(page.relative_to(ROOT).as_posix()) for page in PAGES if "docs" in page.parts
    }


def test_the_api_page_has_every_public_name():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r"^::: (cnntrain\.[\w.]+)$", page, re.MULTILINE)}
    assert set(cnntrain.__all__) - {"CnntrainError"} <= shown
    assert "errors" in shown


@every_page
def test_paths_of_the_project_exist(page):
    """A path begins with a folder of the project; those of the user, such as runs/ and data/, do not."""
    for span in spans(page.read_text(encoding="utf-8")):
        path = span.split(":")[0].rstrip("/")
        if re.fullmatch(r"[\w./-]+", path) and "/" in path and path.split("/")[0] in TOP - {"runs", "data"}:
            assert (ROOT / path).exists(), span


def words_of(svg):
    return " ".join(re.sub(r"<[^>]*>", " ", svg.read_text(encoding="utf-8")).replace("&#160;", " ").split())


def test_the_images_show_what_the_commands_show(tmp_path):
    terminal_images.main(tmp_path)
    for name in ("training", "evaluation"):
        drawn, shown = tmp_path / f"{name}.svg", ROOT / "docs" / f"{name}.svg"
        assert "url(http" not in shown.read_text(encoding="utf-8")  # a reader fetches nothing
        # Another computer has other cores, and rounds differently.
        same = [re.sub(r"[\d.,:%·-]+", "#", words_of(svg)).split(" device ")[0][:400] for svg in (drawn, shown)]
        assert same[0] == same[1]


def test_the_image_shows_the_run_that_the_readme_begins_with():
    text = words_of(ROOT / "docs" / "training.svg")
    assert "cnntrain train configs/digits.yaml" in text
    config = load_config(ROOT / "configs" / "digits.yaml")
    assert f"{config.training.Max}/{config.training.Max}" in text
    assert "next: cnntrain eval runs/digits" in text


# --- commands --------------------------------------------------------------------------------------------------------


def command_in(words):
    """The name of the command that ``words`` begin with; the first word if there is none."""
    two = " ".join(words[:2])
    return two if two in COMMANDS else words[0]


def commands(text):
    """The cnntrain commands in fences, as lists of words."""
    for fence in fences(text, "sh") + fences(text, "text"):
        for command in re.findall(r"(?:^|&& )(?:\.venv/bin/)?cnntrain (.*)$", fence, re.MULTILINE):
            yield shlex.split(command.partition(" > ")[0], comments=True)


@every_page
def test_the_commands_shown_are_understood(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    for words in commands(page.read_text(encoding="utf-8")):
        name = command_in(words)
        given = COMMANDS[name].make_context(name, words[len(name.split()) :]).params
        path = given.get("config") or given.get("run")
        if path is not None and path.parts[0] == "configs":  # others are the user's
            assert load_config(path, given["overrides"] or ())


@every_page
def test_options_and_commands_in_the_text_exist(page):
    for span in spans(page.read_text(encoding="utf-8")):
        words = span.removeprefix("cnntrain ").split()
        options = {word for word in words if word.startswith("--")}
        name = command_in(words) if words else ""
        if span.startswith("cnntrain ") and words[0] not in options:
            assert name in COMMANDS or words in ([group] for group in GROUPS), span
        if words and span not in FOREIGN and (name in COMMANDS or options == {words[0]}):
            assert options <= OPTIONS.get(name, GLOBAL_OPTIONS.union(*OPTIONS.values())), span


def test_setting_up_takes_two_commands_of_a_line_each():
    first, second = fences(README, "sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert [part.split()[0] for part in first.split(" && ")] == ["python3", ".venv/bin/pip", ".venv/bin/cnntrain"]
    assert first.split(" && ")[2].split()[1:] == ["train", "configs/digits.yaml"]
    assert second.split(" && ")[0].endswith('install -e ".[test]"')
    assert second.split(" && ")[1].strip() == ".venv/bin/pytest"


def test_the_table_of_commands_names_them_all():
    documented = {command_in(row[0].strip("`").split()[1:]): row for row in rows(COMMANDS_PAGE, "command")}
    assert list(documented) == list(COMMANDS)
    for name, row in documented.items():
        assert {span.split()[0] for span in spans(row[1]) if span.startswith("--")} <= OPTIONS[name]


def test_every_command_takes_what_is_said_of_all():
    assert all("--json" in options for options in OPTIONS.values())
    long = {
        "init",
        "train",
        "resume",
        "sweep",
        "replay",
        "gradcheck",
        "doctor",
        "diff",
        "report",
        "bench",
        "data fetch",
        "data info",
    }
    assert {name for name, options in OPTIONS.items() if "--progress" in options} == long


def test_the_table_of_exit_codes_has_those_of_the_errors():
    documented = {int(code) for row in rows(COMMANDS_PAGE, "exit code") for code in row[0].split(",")}
    raised = {kind.exit_code for _, kind in getmembers(errors, isclass) if issubclass(kind, errors.CnntrainError)}
    assert documented == raised | {0, 1, 129, 130, 143}


# --- examples --------------------------------------------------------------------------------------------------------


def test_the_yaml_example_is_a_config(tmp_path):
    (example,) = fences(README, "yaml")
    (tmp_path / "a.yaml").write_text(example, encoding="utf-8")
    network = cnntrain.build(load_config(tmp_path / "a.yaml"))
    assert network.out_shape == (10,)


def test_the_errors_shown_are_those_of_the_page_on_configs():
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    (shown,) = fences(section(README, "The YAML file"), "text")
    (documented,) = fences(page, "text wrong")
    assert set(shown.splitlines()) <= set(documented.splitlines())


def test_the_python_example_runs_and_leaves_the_files_of_the_table(tmp_path, monkeypatch, capsys):
    (example,) = fences(README, "python")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(example, "example.py", "exec"), names)
    assert capsys.readouterr().out.splitlines()[1] == "(3, 10)"
    assert names["gradients"]["layers.0.W"].shape == np.shape(names["network"].parameters()["layers.0.W"])
    left = {path.name for path in Path("runs/five").iterdir()}
    assert left == {row[0].strip("`") for row in rows(COMMANDS_PAGE, "file in a run folder")}


def test_the_configs_look_where_the_page_says():
    for row in rows(COMMANDS_PAGE, "config"):
        for path in spans(row[0]):
            data = load_config(ROOT / path).data
            local = ROOT / row[1].strip("`")
            assert (data.source, data.path) == (local.name, local if local.is_dir() else None)


# --- the program as it is described ----------------------------------------------------------------------------------


def test_the_floors_are_those_that_a_test_holds():
    documented = [spans(row[0]) for row in rows(ARCHITECTURE, "floor")]
    assert list(map(set, documented)) == [set(floor) for floor in FLOORS if floor != ["textbook"]]


def named(text):
    """Pairs of a file and a name in it: `name` in `file`, or `file`: `name`, `name`."""
    for name, file in re.findall(r"`(\w{2,})` (?:in|of)\s`([\w/]+\.py)`", text):
        yield file, name
    for file, names in re.findall(r"`([\w/]+\.py)`(?:: |：)((?:`\w+`(?:, |、)?)+)", text):
        yield from ((file, name) for name in spans(names))


@pytest.mark.parametrize("text", [ARCHITECTURE, NOTATION, CHINESE["notation"]], ids=["architecture", "notation", "zh"])
def test_the_files_and_names_mentioned_exist(text):
    for span in spans(text):
        if re.fullmatch(r"[\w/]+\.py", span):
            assert (ROOT / "cnntrain" / span).exists() or (ROOT / span).exists(), span
    for file, name in named(text):
        folder = ROOT if (ROOT / file).exists() else ROOT / "cnntrain"
        source = (folder / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *(def|class) {name}\b|^{name}\b.* = ", source, re.MULTILINE), (file, name)
    assert list(named(text))


def test_every_formula_of_the_textbook_is_documented():
    tables = (("Where each formula runs", "§"), ("Training", "what"))
    documented = {
        name for title, first in tables for row in rows(section(NOTATION, title), first) for name in spans(row[2])
    }
    assert all(hasattr(textbook, name) for name in documented)
    helpers = {"activation_of", "region_pixels", "region_shape", "sigmoid", "true_convolution"}
    assert set(textbook.__all__) - helpers == documented


# --- in Chinese ------------------------------------------------------------------------------------------------------


def lines_of_code(text):
    """The lines of all fences, without comments."""
    code = "\n".join(re.findall(r"^```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    return [re.sub(r"\s+", " ", line.partition("#")[0]).strip() for line in code.splitlines()]


def without_language(lines):
    """Commands without ``--lang zh``, which only the Chinese pages have."""
    return [line.replace(" --lang zh", "") for line in lines]


def test_the_chinese_readme_has_the_code_and_figures_of_the_english_one():
    chinese = CHINESE["README"]
    overview = "cnntrain explain runs/article"  # which the English page leaves out
    assert [line for line in without_language(lines_of_code(chinese)) if line != overview] == lines_of_code(README)
    figures = [re.findall(r"\d[\d.]*", " ".join(re.findall(r"^\|.*\d.*\|$", text, re.M))) for text in (chinese, README)]
    assert figures[0] == figures[1]


def test_the_chinese_notation_has_the_formulas_of_the_english_one():
    tables = [[line for line in text.splitlines() if line.startswith("|")] for text in (CHINESE["notation"], NOTATION)]
    assert len(tables[0]) == len(tables[1])
    for chinese, english in zip(*tables, strict=True):
        assert sorted(spans(chinese)) == sorted(spans(english))
        assert re.findall(r"\]\((.*?)\)", chinese) == re.findall(r"\]\((.*?)\)", english)


def test_the_chinese_walk_through_explain_shows_what_the_commands_print():
    page = CHINESE["explain"]
    english = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    assert without_language(commands_of(page)) == commands_of(english)
    shown = fences(page, "text zh")
    assert len(shown) == 2
    for fence in shown:
        command, _, output = fence.partition("\n")
        printed = CliRunner().invoke(app, shlex.split(command.removeprefix("$ cnntrain "))).stdout
        rounding = re.compile(r"\d\.\de[+-]\d\d（.*?）|\d\.\de[+-]\d\d|\d\.\d{4,}")  # other computers round differently
        assert rounding.sub("#", output) == rounding.sub("#", printed)


def commands_of(text):
    return [re.sub(r"#.*", "", line).strip() for line in fences(text, "sh")[0].splitlines()]


def test_chinese_pages_are_chinese():
    assert set(CHINESE) == {"README", "notation", "explain"}
    for text in CHINESE.values():
        prose = re.sub(r"^```.*?^```|`[^`]*`|\(.*?\)", "", text, flags=re.M | re.S)
        assert not re.findall(r"[\u4e00-\u9fff] ?[,;:?!] ", prose)  # Chinese text has Chinese punctuation
        assert not re.findall(r"\b(?:the|of|is|are|with)\b", prose.partition("## 许可证")[0])


def test_the_site_reads_every_fence():
    assert mkdocs_hooks.plain_fences("```text zh\n$ x y\n```\n") == "```text\n$ x y\n```\n"
    for page in PAGES:
        text = mkdocs_hooks.plain_fences(page.read_text(encoding="utf-8"))
        assert not re.findall(r"^ *```\S+ .*$", text, re.MULTILINE), page


def test_links_out_of_the_docs_lead_to_the_repository():
    text = "[a](../config.md#x) [b](../../LICENSE) [c](notation.md) ![d](../explain.png) [e](../../tests/x.py#L1)"
    below = mkdocs_hooks.repository_links(text, "zh/README.md")
    repository = mkdocs_hooks.REPOSITORY
    assert below == text.replace("../../", repository)
    assert mkdocs_hooks.repository_links("[a](../LICENSE)", "api.md") == f"[a]({repository}LICENSE)"
