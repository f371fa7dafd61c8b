"""The fixed binary tree along which the gradients of a batch are summed.

The micro-batches of a batch are the leaves. If there are more than ``LEAVES``, each leaf is the sum, in order, of
neighboring micro-batches. Of G leaves, node j of level k covers the leaves from ``j G // 2**k`` up to, but without,
``(j + 1) G // 2**k``, and is the sum of its two children; a child without leaves is left out:

::

    5 leaves:    ((0 + 1) + (2 + (3 + 4)))
    4 leaves:    ((0 + 1) + (2 + 3))

So the order of additions follows from the number of micro-batches alone. A rank computes neighboring leaves and adds
up every subtree that lies within them, on a stack of gradients as long as the tree is high (a binary counter). What
remains on its stack are the subtrees to combine with those of the other ranks: a single one if the number of ranks is
a power of two, since rank r of ``2**k`` then computes node r of level k.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

LEAVES = 64
"""Maximum number of leaves, and so of ranks that have work; a power of two."""

ABOVE_ALL = LEAVES.bit_length()
"""A height above that of every node."""


@dataclass(frozen=True, slots=True)
class Share:
    """One rank's part of a batch, and how it is summed on a stack of gradients."""

    micro_batches: range
    rows: tuple[int, ...]
    """Row of the stack for the gradient of each micro-batch."""
    additions: tuple[int, ...]
    """After each micro-batch, how many times the last row of the stack is added to the one before."""
    subtrees: tuple[int, ...]
    """Left height of each subtree that remains: rows 0, 1, ... of the stack; see ``heights``."""

    @property
    def row_count(self) -> int:
        """Number of rows of the stack."""
        return max(self.rows, default=-1) + 1


def leaf_starts(count: int) -> list[int]:
    """Return the first micro-batch of each leaf, and the end of the last."""
    leaves = min(count, LEAVES)
    return [leaf * count // leaves for leaf in range(leaves + 1)] if count else [0]


def micro_batches_of(count: int, rank: int, size: int) -> range:
    """Return the micro-batches of a rank: those of neighboring leaves, as evenly as possible."""
    starts = leaf_starts(count)
    leaves = len(starts) - 1
    return range(starts[rank * leaves // size], starts[(rank + 1) * leaves // size])


def heights(count: int) -> list[int]:
    """Return for each micro-batch the height of the node that joins it to the one before; at the end, above all.

    The height of a node is the number of levels below it; 0 joins micro-batches of the same leaf.
    """
    leaves = min(count, LEAVES)
    # On the lowest level, leaf g is node slots[g]; others have no leaves.
    slots = [((leaf + 1) * LEAVES - 1) // leaves for leaf in range(leaves)]
    result = [0] * count + [ABOVE_ALL]
    joints = [ABOVE_ALL, *((a ^ b).bit_length() for a, b in pairwise(slots))]
    for start, height in zip(leaf_starts(count)[:-1], joints[:leaves], strict=True):
        result[start] = height
    return result


def stack_additions(left: Sequence[int], end: int) -> tuple[list[int], list[int]]:
    """Return how neighboring subtrees are added up on a stack.

    Args:
        left: Left height of each subtree, see ``heights``.
        end: Left height of what follows the last one.

    Returns:
        The number of additions after each subtree, and the left heights of the subtrees that remain.
    """
    stack: list[int] = []
    additions = []
    for height, right in pairwise([*left, end]):
        stack.append(height)
        before = len(stack)
        # The last two are children of one node if it is lower than those that join them to their neighbors.
        while len(stack) > 1 and (stack[-1] == 0 or stack[-1] < min(stack[-2], right)):
            stack.pop()
        additions.append(before - len(stack))
    return additions, stack


@lru_cache(maxsize=256)
def share(count: int, rank: int, size: int) -> Share:
    """Return the share of a rank in a batch of ``count`` micro-batches."""
    mine = micro_batches_of(count, rank, size)
    left = heights(count)[mine.start : mine.stop + 1]
    additions, subtrees = stack_additions(left[:-1], left[-1])
    rows, depth = [], 0
    for count_after in additions:
        rows.append(depth)
        depth += 1 - count_after
    return Share(mine, tuple(rows), tuple(additions), tuple(subtrees))


@lru_cache(maxsize=256)
def combination(count: int, size: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return rank and row of every rank's subtrees, in order, and the number of additions after each of them."""
    shares = [share(count, rank, size) for rank in range(size)]
    left = [height for each in shares for height in each.subtrees]
    where = [(rank, row) for rank, each in enumerate(shares) for row in range(len(each.subtrees))]
    return where, stack_additions(left, ABOVE_ALL)[0]


def row_starts(counts: Sequence[int], size: int) -> list[int]:
    """Return the first row of each rank's stack and the end of the last, for batches of ``counts`` micro-batches."""
    highest = (max(share(count, rank, size).row_count for count in counts) for rank in range(size))
    return [0, *accumulate(highest)]
