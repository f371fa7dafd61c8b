"""The tree of sums equals the tree written down literally, on any number of ranks."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnntrain.parallel import summation_tree
from cnntrain.parallel.summation_tree import LEAVES, combination, leaf_starts, micro_batches_of, row_starts, share

COUNTS = st.one_of(st.integers(1, 2 * LEAVES + 3), st.integers(1, 3000))
SIZES = st.integers(1, LEAVES)


def literal_leaves(values):
    """Sums of neighboring values, in order."""
    leaves = min(len(values), LEAVES)
    parts = [values[g * len(values) // leaves : (g + 1) * len(values) // leaves] for g in range(leaves)]
    sums = []
    for part in parts:
        total = part[0]
        for value in part[1:]:
            total = total + value
        sums.append(total)
    return sums


def literal_tree(leaves, level=0, j=0):
    """The sum of node j of a level, as the module's first lines define it; None without leaves."""
    first, end = j * len(leaves) >> level, (j + 1) * len(leaves) >> level
    if end - first <= 1:
        return leaves[first] if end > first else None
    left, right = literal_tree(leaves, level + 1, 2 * j), literal_tree(leaves, level + 1, 2 * j + 1)
    return right if left is None else left if right is None else left + right


def on_ranks(values, size):
    """The sum as ranks compute it: each one on its stack, then all of them together."""
    stacks = []
    for rank in range(size):
        mine, stack = share(len(values), rank, size), {}
        for i, row, additions in zip(mine.micro_batches, mine.rows, mine.additions, strict=True):
            stack[row] = values[i]
            for last in range(row, row - additions, -1):
                stack[last - 1] = stack[last - 1] + stack.pop(last)
        assert list(stack) == list(range(len(mine.subtrees)))
        stacks.append(stack)
    total = []
    for (rank, row), additions in zip(*combination(len(values), size), strict=True):
        total.append(stacks[rank][row])
        for _ in range(additions):
            last = total.pop()
            total[-1] = total[-1] + last
    (result,) = total
    return result


class Terms(str):
    """A sum that remembers its parentheses."""

    __slots__ = ()

    def __add__(self, other):
        return Terms(f"({self}+{other})")


@settings(max_examples=150, deadline=None)
@given(COUNTS, SIZES)
@example(1, LEAVES)
@example(LEAVES, LEAVES)
@example(LEAVES + 1, LEAVES - 1)
@example(2 * LEAVES, 3)
def test_every_number_of_ranks_adds_the_same_terms_in_the_same_order(count, size):
    values = [Terms(i) for i in range(count)]
    assert on_ranks(values, size) == literal_tree(literal_leaves(values))


@settings(max_examples=50, deadline=None)
@given(COUNTS, SIZES)
def test_ranks_share_all_micro_batches_nearly_evenly(count, size):
    ranges = [micro_batches_of(count, rank, size) for rank in range(size)]
    assert [i for mine in ranges for i in mine] == list(range(count))
    leaves = [sum(start in mine for start in leaf_starts(count)[:-1]) for mine in ranges]
    assert max(leaves) - min(leaves) <= 1


@given(COUNTS, st.integers(0, 6))
def test_a_power_of_two_of_ranks_hands_over_at_most_one_row_each(count, k):
    assert max(len(share(count, rank, 2**k).subtrees) for rank in range(2**k)) == 1


@settings(max_examples=50, deadline=None)
@given(COUNTS, SIZES)
def test_stacks_are_as_high_as_the_tree(count, size):
    levels = (min(count, LEAVES) - 1).bit_length()
    starts = row_starts([count], size)
    assert max(np.diff(starts)) <= levels + 1 + (count > LEAVES)
    assert starts[-1] <= max(size * (levels + 2), count)
    assert max(len(share(count, rank, size).subtrees) for rank in range(size)) <= 2 * 6


@pytest.mark.parametrize("count", [3, 64, 200])
def test_the_tree_sums_floats_to_the_same_bits(count):
    values = list(np.random.default_rng(count).normal(size=(count, 5)).astype("float32"))
    expected = literal_tree(literal_leaves(values)).tobytes()
    assert {on_ranks(values, size).tobytes() for size in (1, 2, 3, 7, 32, 64)} == {expected}
    if count == 200:
        assert expected != sum(values).tobytes()


def test_a_batch_without_samples_has_nothing_to_sum():
    assert not summation_tree.micro_batches_of(0, 0, 2)
