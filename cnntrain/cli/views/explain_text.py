"""An explanation as lines of at most 80 columns: matrices, sums with their terms, and what is left out."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from cnntrain.cli.views.explain_layout import matrix_lines, number, product, side_by_side, table_lines, wrapped
from cnntrain.cli.views.tables import bytes_text, shape_text, truncate
from cnntrain.errors import visible
from cnntrain.explain.texts import Language, in_parentheses, labeled, sentence, translated

MAX_TERMS = 12
"""Maximum number of terms that are written out."""
MAX_GROUPS = 6
"""Maximum number of groups of terms whose sums are listed."""


def layer_lines(result: dict[str, Any], language: Language) -> Iterator[Text]:
    """Yield the lines for one layer, from what ``explain_layer`` returns."""
    row = result["layer"]
    yield from header_lines(result, language)
    options = "".join(f", {key} {shape_text(shape)}" for key, shape in row["parameters"].items() if key in ("W", "b"))
    yield Text(
        f"layers[{row['name']}] {row['kind']}: {shape_text(row['input'])} -> {shape_text(row['output'])}{options}",
        "bold",
    )
    if any(part["matrices"] or part["equations"] for part in result["parts"]):
        yield from wrapped(sentence("counting_fc" if row["kind"] == "fc" else "counting", language), "")
    for part in result["parts"]:
        yield Text()
        yield from part_lines(part, result["classes"], language)
    yield Text()
    yield from recomputed_lines(result["recomputed"], language)


def sample_lines(result: dict[str, Any], language: Language) -> Iterator[Text]:
    """Yield the lines for the way through the network and back, from what ``explain_sample`` returns."""
    yield from header_lines(result, language)
    layers = result["layers"]
    by_name = {row["name"]: row for row in layers}
    heads = (
        "",
        sentence("forward_table", language),
        "§",
        sentence("output", language),
        sentence("range_a", language),
        "",
    )
    rows: list[tuple[str, ...]] = [
        (row["name"], row["formula"], row["section"], shape_text(row["output"]), *map(number, row["a"]))
        for row in layers
    ]
    yield Text()
    yield from table_lines(heads, rows)
    titles = ("", sentence("backward_table", language), "§", sentence("range_delta", language), "")
    rows = [
        (
            row["name"],
            f"delta = {delta_text(row, by_name, language)}",
            section_of_delta(row, by_name),
            *map(number, row["delta"]),
        )
        for row in reversed(layers)
    ]
    first = next(row for row in layers if "." not in row["name"])
    rows.append(
        (
            "x",
            f"dJ/dx = {translated(first['back'], language)}",
            first["section"].split(",")[0],
            *map(number, first["dx"]),
        )
    )
    yield Text()
    yield from table_lines(titles, rows)
    yield Text()
    yield from recomputed_lines(result["recomputed"], language)
    yield from wrapped(sentence("more_layer", language, name=layers[0]["name"]), "")


def examples_lines(result: dict[str, Any], language: Language) -> Iterator[Text]:
    """Yield the lines of the article's examples, from what ``explain_examples`` returns."""
    for key in ("examples_title", "examples_numbers"):
        yield from wrapped(sentence(key, language), "")
    for part in result["parts"]:
        yield Text()
        where = sentence("section", language, section=part["section"])
        yield from wrapped(title_text(part, where, language), "bold")
        yield from side_by_side(
            [matrix_lines(matrix, translated(matrix["name"], language)) for matrix in part["matrices"]]
        )
        for remark in part["remarks"]:
            yield from wrapped(remark_text(remark, language), "")
        for equation in part["equations"]:
            terms = [term for group in equation["groups"] for term in group["terms"]]
            numbers = " + ".join(map(product, terms)) or "0"
            text = f"{equation['name']} = {equation['formula']} = {numbers} = {number(equation['value'])}"
            yield from wrapped(" = ".join(dict.fromkeys(text.split(" = "))), "", 2)
    yield Text()
    yield from recomputed_lines(result["recomputed"], language)


def page_lines(result: dict[str, Any], language: Language) -> Iterator[Text]:
    """Yield the lines on a page that was written."""
    size = bytes_text(result["bytes"])
    yield Text(sentence("page_written", language, file=visible(result["html"]), size=size))  # a path stays whole
    yield from recomputed_lines(result["recomputed"], language)


def delta_text(row: dict[str, Any], rows: dict[str, dict[str, Any]], language: Language) -> str:
    """Return how delta of a layer comes about: from the loss, the next layer, or the block that holds it."""
    if row["sources"] is None:
        return "a - y" if row["sigma"] == "softmax" else f"dJ/da{slope_text(row)}"
    [(name, array)] = row["sources"]
    source = translated(rows[name]["back"], language) if array == "dx" else sentence("delta_of", language, name=name)
    return f"{source}{slope_text(row)}"


def section_of_delta(row: dict[str, Any], rows: dict[str, dict[str, Any]]) -> str:
    """Return the section of the article with the rule of delta, that of the layer it passes through."""
    if row["sources"] is None:
        return "1"
    [(name, array)] = row["sources"]
    return str(rows[name]["section"]).split(",")[0] if array == "dx" else ""


def slope_text(row: dict[str, Any]) -> str:
    """Return the factor sigma'(z), which is 1 for the identity."""
    return "" if row["sigma"] in ("identity", "softmax") else f" ⊙ {row['sigma']}'(z)"


def header_lines(result: dict[str, Any], language: Language) -> Iterator[Text]:
    """Yield the lines on the sample and what the network makes of it."""
    best = result["output"][result["classes"].index(result["prediction"])]
    last_softmax = result["probabilities"]
    names = {key: truncate(result[key], 24) for key in ("label", "prediction")}
    split = sentence(f"split_{result['split']}", language)
    counts = {key: result[key] for key in ("sample", "samples")}
    yield from wrapped(sentence("sample_line", language, split=split, **counts), "")
    if result["file"]:
        yield from wrapped(sentence("file_line", language, file=result["file"]), "")
    J = number(result["loss"])
    if last_softmax:
        yield from wrapped(sentence("result_line", language, percent=f"{100 * best:.1f}", J=J, **names), "")
    else:
        yield from wrapped(sentence("value_line", language, value=number(best), J=J, **names), "")
    if result["penalty"]:
        yield from wrapped(sentence("penalty_line", language, penalty=number(result["penalty"])), "")
    for remark in result["remarks"]:
        yield from wrapped(remark_text(remark, language), "")


def recomputed_lines(recomputed: dict[str, Any], language: Language) -> Iterator[Text]:
    """Yield the line on what the textbook recomputed."""
    where = in_parentheses(recomputed["where"], language) if recomputed["largest_difference"] else ""
    text = sentence(
        "recomputed",
        language,
        numbers=f"{recomputed['numbers']:,}",
        difference=f"{recomputed['largest_difference']:.1e}",
        where=where,
    )
    yield from wrapped(text, "green")


def remark_text(remark: dict[str, Any], language: Language) -> str:
    """Return a remark with its values filled in."""
    values = {key: value for key, value in remark.items() if key != "text"}
    if isinstance(values.get("classes"), list):
        values["classes"] = ", ".join(map(str, values["classes"]))
    filled = {key: number(value) if isinstance(value, float) else value for key, value in values.items()}
    return sentence(remark["text"], language, **filled)


def title_text(part: dict[str, Any], where: str, language: Language) -> str:
    """Return the title of a part, with the section of the article and the formula."""
    title, formula = sentence(part["title"], language), translated(part["formula"], language)
    return sentence("part_line", language, title=title, where=where, formula=formula)


def part_lines(part: dict[str, Any], classes: Sequence[str], language: Language) -> Iterator[Text]:
    """Yield the lines of one part: title, matrices, equations, remarks."""
    where = (
        sentence("section", language, section=part["section"])
        if part["section"]
        else sentence("not_in_article", language)
    )
    yield from wrapped(title_text(part, where, language), "bold")
    for matrix in part["matrices"]:
        if matrix["name"] == "classes":
            yield from classes_lines(matrix, classes, language)
    yield from side_by_side(
        [
            matrix_lines(matrix, translated(matrix["name"], language))
            for matrix in part["matrices"]
            if matrix["name"] != "classes"
        ]
    )
    for matrix in part["matrices"]:
        if left_out := cut_text(matrix, language):
            yield from wrapped(left_out, "dim")
    for remark in part["remarks"]:
        yield from wrapped(remark_text(remark, language), "")
    for equation in part["equations"]:
        yield from equation_lines(equation, language)


def classes_lines(matrix: dict[str, Any], classes: Sequence[str], language: Language) -> Iterator[Text]:
    """Yield z, a, y and delta of each class."""
    rows = [(truncate(classes[int(row[0])], 20), *map(number, row[1:])) for row in matrix["values"]]
    for line in table_lines((sentence("class_name", language), "z", "a", "y", "delta"), rows):
        yield Text.assemble("  ", line)


def cut_text(matrix: dict[str, Any], language: Language) -> str:
    """Return which rows and columns of a matrix are shown, if not all."""
    shown = []
    for axis, count in (("rows", len(matrix["values"])), ("columns", len(matrix["values"][0]))):
        if matrix[axis] is not None:
            first, whole = matrix[axis]
            shown.append(sentence(f"{axis}_shown", language, first=first, last=first + count - 1, count=whole))
    return (
        sentence(
            "left_out",
            language,
            name=translated(matrix["name"], language),
            what=sentence("comma", language).join(shown),
        )
        if shown
        else ""
    )


def equation_lines(equation: dict[str, Any], language: Language) -> Iterator[Text]:
    """Yield an equation: the formula, its terms, and the result."""
    name, value = equation["name"], number(equation["value"])
    yield from wrapped(f"{name} = {translated(equation['formula'], language)}", "", 2)
    groups = [group for group in equation["groups"] if group["terms"]]
    for group in [group for group in groups if group["shown"]]:
        yield from group_lines(group, language, alone=len(groups) == 1 and not equation["operands"])
    others = [group for group in groups if not group["shown"]]
    if others:
        sums = [labeled(label_text(group, language), number(total(group)), language) for group in others[:MAX_GROUPS]]
        if rest := others[MAX_GROUPS:]:
            rest_sum = number(sum(map(total, rest)))
            sums.append(sentence("more_groups", language, count=len(rest), value=rest_sum))
        yield from wrapped(sentence("separator", language).join(sums), "", 4)
    operands = equation["operands"]
    listed = [f"{key} = {number(operand)}" for key, operand in operands[:MAX_TERMS]]
    if len(operands) > MAX_TERMS:
        listed.append("...")
    if listed:
        yield from wrapped(", ".join(listed), "", 4)
    yield from wrapped(f"= {value}", "bold", 4)


def total(group: dict[str, Any]) -> float:
    """Return the sum of the products of a group."""
    return float(sum(math.prod(term) for term in group["terms"]))


def label_text(group: dict[str, Any], language: Language) -> str:
    """Return the label of a group, such as ``channel 2``."""
    return sentence(group["label"], language, n=group["number"])


def group_lines(group: dict[str, Any], language: Language, alone: bool) -> Iterator[Text]:
    """Yield the terms of a group: as a sum, or one a line where they have names."""
    terms, names = group["terms"], group["names"]
    label = (
        ""
        if alone or group["label"] in ("product", "region", "value", "class")
        else labeled(label_text(group, language), "", language)
    )
    rest, zeros = "", 0
    if not names and len(terms) > 4:  # few are shown as they are
        zeros, terms = len(terms), [term for term in terms if math.prod(term)]
        zeros -= len(terms)
        terms = terms or [(0.0,)]
    if len(terms) > MAX_TERMS:
        left = [math.prod(term) for term in terms[MAX_TERMS:]]
        rest = sentence("more_terms", language, count=len(left), value=number(sum(left)))
    result = "" if alone else f" = {number(total(group))}"
    if names and len(terms) > 1:
        width = max(map(len, names[:MAX_TERMS]))
        yield from wrapped(f"{label}", "", 4) if label else ()
        for name, term in list(zip(names, terms, strict=True))[:MAX_TERMS]:
            yield Text(f"      {name.ljust(width)} = {product(term)} = {number(math.prod(term))}")
        if rest or result:
            yield from wrapped(f"{rest}{result}".strip(), "", 6)
        return
    shown = [product(term) for term in terms[:MAX_TERMS]]
    if rest:
        shown.append(rest)
    nothing = ""
    if zeros and len(group["terms"]) > 1:
        nothing = in_parentheses(sentence("zeros", language, count=zeros), language)
    yield from wrapped(f"{label}{' + '.join(shown)}{result}{nothing}", "", 4)
