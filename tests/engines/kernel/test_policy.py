"""The kernel's stack machine knows every leaf: it gives the due time that the leaf itself gives."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bufsim import BufferView, FlushEvery, FlushPolicy
from bufsim.engines.kernel.policy import leaf_due
from bufsim.model import rules
from bufsim.model.flush_policy import States
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
        since=view.states[leaf][0] if leaf.first_state else 0.0,
        spent=view.states[leaf][1] if leaf.first_state else 0.0,
    )
    return leaf_due(buffer, operation, np.array(given.times), view.oldest_at, view.newest_at)


MADE = [parts.LEAVES[leaf](_First(0.5)) for leaf in LEAVES]
MADE += [FlushEvery(3.0, anchor="flush_start"), FlushEvery(3.0, anchor="flush_end")]
REMEMBER = [
    FlushEvery(3.0, spent_by="own"),
    FlushEvery(3.0, anchor="activation"),
    FlushEvery(3.0, anchor="activation", spent_by="own"),
    FlushEvery(3.0, anchor="activation", repeat=False),
]


@pytest.mark.parametrize("leaf", MADE, ids=repr)
def test_the_kernel_gives_the_due_time_of_every_declared_leaf(leaf: FlushPolicy) -> None:
    assert [lowered_due(leaf, view) for view in VIEWS] == [leaf.due(view) for view in VIEWS]


@pytest.mark.parametrize("leaf", REMEMBER, ids=repr)
def test_the_kernel_gives_the_due_time_of_every_leaf_that_remembers(leaf: FlushPolicy) -> None:
    remembered = [States({leaf: state}) for state in (leaf.first_state, (1.25, 4.25), (6.0, 7.25))]
    views = [replace(view, states=states) for view in VIEWS for states in remembered]
    assert [lowered_due(leaf, view) for view in views] == [leaf.due(view) for view in views]


def test_every_rule_is_one_of_a_declared_leaf() -> None:
    """Else the test above would not see whether the kernel has a branch for it."""
    declared = {operation.rule for leaf in MADE + REMEMBER if (operation := leaf.lowered(UNTIL)) is not None}
    assert declared == set(range(rules.ONE_SHOT + 1))
