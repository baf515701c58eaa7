"""The kernel's stack machine knows every leaf: it gives the due time that the leaf itself gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bufsim import BufferView, FlushEvery, FlushPolicy
from bufsim.engines.kernel.policy import leaf_due
from bufsim.model import rules
from bufsim.model.policies import LEAVES
from bufsim.verification import parts

UNTIL = 1000.0
VIEWS = (
    BufferView(7.0, 1, 0, oldest_at=7.0, newest_at=7.0),
    BufferView(7.0, 500, 10**9, oldest_at=2.5, newest_at=6.5, last_flush_start=2.0, last_flush_end=2.25),
    BufferView(99.0, 3, 30, oldest_at=98.0, newest_at=99.0, last_flush_start=98.0, last_flush_end=98.5),
)


class _First(parts.Chooser):
    def whole(self, low: int, high: int) -> int:
        return low


def lowered_due(leaf: FlushPolicy, view: BufferView) -> float:
    """Return the due time that the kernel gives."""
    given = leaf.lowered(UNTIL)
    assert given is not None
    buffer: Any = SimpleNamespace(
        jobs=view.size,
        held_nbytes=view.nbytes,
        last_flush_start=view.last_flush_start,
        last_flush_end=view.last_flush_end,
    )
    timed = given.rule == rules.TIMES
    operation: Any = SimpleNamespace(
        op=given.rule,
        seconds=given.seconds,
        phase=given.phase,
        whole=0 if timed else given.whole,
        last=len(given.times),
    )
    return leaf_due(buffer, operation, np.array(given.times), view.oldest_at, view.newest_at)


MADE = [parts.LEAVES[leaf](_First(0.5)) for leaf in LEAVES]
MADE += [FlushEvery(3.0, anchor="flush_start"), FlushEvery(3.0, anchor="flush_end")]


@pytest.mark.parametrize("leaf", MADE, ids=repr)
def test_the_kernel_gives_the_due_time_of_every_declared_leaf(leaf: FlushPolicy) -> None:
    assert [lowered_due(leaf, view) for view in VIEWS] == [leaf.due(view) for view in VIEWS]


def test_every_rule_is_one_of_a_declared_leaf() -> None:
    """Else the test above would not see whether the kernel has a branch for it."""
    declared = {operation.rule for leaf in MADE if (operation := leaf.lowered(UNTIL)) is not None}
    assert declared == set(range(rules.GAP + 1))
