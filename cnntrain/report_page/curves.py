"""Learning curves as SVG, drawn without styles, which the page's policy would block."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 420, 240, 52, 34, 12
TICKS = 4
MAX_POINTS = 500
"""Maximum number of points of a line; of longer runs, evenly spaced epochs are drawn."""

Rows = Sequence[dict[str, Any]]
"""Lines of metrics.jsonl."""


def chart(rows: Rows, what: str) -> str:
    """Return the chart of ``loss`` or ``accuracy`` by epoch, for training and validation; empty without epochs."""
    step = max(1, -(-len(rows) // MAX_POINTS))
    rows = [*rows[::step], *([rows[-1]] if rows and (len(rows) - 1) % step else [])]
    lines = {
        split: [(float(row["epoch"]), float(row[f"{split}_{what}"])) for row in rows if _usable(row, f"{split}_{what}")]
        for split in ("train", "validation")
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        return ""
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    top = 1.0 if what == "accuracy" else max(y for _, y in points) * 1.05 or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (last - first) if last > first else 0.5
        return LEFT + across * (WIDTH - LEFT - 10), TOP + (1 - y / top) * (HEIGHT - BOTTOM - TOP)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(what)} by epoch">']
    for i in range(TICKS + 1):
        value = top * i / TICKS
        x, y = at(first, value)
        text = f"{value:.0%}" if what == "accuracy" else f"{value:.3g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    for epoch in dict.fromkeys((first, last)):
        x, _ = at(epoch, 0)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{epoch:g}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text>')
    for split, line in lines.items():
        if line:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in line))
            parts.append(f'<polyline class="{split}" points="{path}"/>')
        if len(line) <= 60:
            for x, y in line:
                px, py = at(x, y)
                parts.append(
                    f'<circle class="{split}" cx="{px:.1f}" cy="{py:.1f}" r="3">'
                    f"<title>epoch {x:g}, {split}: {y:.4g}</title></circle>"
                )
    return "".join([*parts, "</svg>"])


def _usable(row: dict[str, Any], key: str) -> bool:
    return all(type(row.get(name)) in (int, float) and math.isfinite(row[name]) for name in ("epoch", key))
