"""A convolution's bookkeeping: which pixel meets which part of the kernel, each meeting exactly once."""

from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from cnntrain.ops.geometry import Geometry


@st.composite
def geometries(draw):
    H, W, F, P, S = (draw(st.integers(low, high)) for low, high in [(1, 12), (1, 28), (1, 7), (0, 8), (1, 6)])
    assume(min(H, W) + 2 * P >= F)
    return Geometry(H, 1, W, 1, F, P, S)


@given(geometries())
def test_row_groups_name_every_meeting_of_rows_once(g):
    """Image row h, output row oh and kernel row i meet where h = S oh + i - P."""
    found = Counter(
        (group.h + g.S * step, group.low + step + r, group.kernel_row - g.S * r)
        for group in g.row_groups
        for step in range(group.count)
        for r in range(group.m)
    )
    meetings = {(g.S * oh + i - g.P, oh, i) for oh in range(g.OH) for i in range(g.F) if 0 <= g.S * oh + i - g.P < g.H}
    assert found == Counter(meetings)


@given(geometries())
def test_columns_name_every_meeting_of_columns_once(g):
    """Image column w, output column ow and kernel column j meet where w = S ow + j - P."""
    found = Counter(
        (w, ow, j)
        for j, (outputs, pixels) in enumerate(g.columns)
        for ow, w in zip(range(g.OW)[outputs], range(g.W)[pixels], strict=True)
    )
    meetings = {(g.S * ow + j - g.P, ow, j) for ow in range(g.OW) for j in range(g.F) if 0 <= g.S * ow + j - g.P < g.W}
    assert found == Counter(meetings)


@given(geometries())
def test_moves_name_the_same_meetings_by_phase(g):
    """A column w is entry w // Q of phase w mod Q."""
    found = Counter(
        (Q * pixel + move.phase, OQ * window + move.q, j)
        for j, move in g.moves
        for Q, OQ in [(g.Q, g.OQ)]
        for window, pixel in zip(range(g.OW)[move.windows], range(g.W)[move.pixels], strict=True)
    )
    meetings = {(g.S * ow + j - g.P, ow, j) for ow in range(g.OW) for j in range(g.F) if 0 <= g.S * ow + j - g.P < g.W}
    assert found == Counter(meetings)


def test_rows_that_are_reached_alike_form_one_group():
    """Each group is one product: their number follows from the kernel, not from the height of the image."""
    for F, P, S in [(3, 1, 1), (5, 0, 1), (5, 2, 2), (2, 0, 3)]:
        low, high = (len(Geometry(H, 1, 9, 1, F, P, S).row_groups) for H in (60, 120))
        assert low == high <= S * (2 * F - 1)
