"""Flush policies and views for Hypothesis, on grids where ties are common."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from bufsim import (
    BufferView,
    FlushPolicy,
)
from bufsim.model.flush_policy import States
from bufsim.verification.parts import MINUTE
from bufsim_tests import generated

# halves, whose sums are exact, and tenths, whose are not
times = st.integers(0, 40).map(lambda k: k / 2) | st.integers(0, 40).map(lambda k: k * 0.1)
periods = st.sampled_from((0.1, 0.3, 0.5, 1.0, 2.5))
few = st.integers(1, 5)

leaves: st.SearchStrategy[FlushPolicy] = st.sampled_from((0.5, 0.1, MINUTE)).flatmap(generated.leaves)


def _combined(inner: st.SearchStrategy[FlushPolicy]) -> st.SearchStrategy[FlushPolicy]:
    return st.builds(lambda p, q: p | q, inner, inner) | st.builds(lambda p, q: p & q, inner, inner)


gridless = st.recursive(leaves, _combined, max_leaves=5)
grids = st.builds(lambda p, period, phase: p.checked_every(period, phase=phase), gridless, periods, times)
# a grid stands under | anywhere, and under & beside policies without one
unmixed = st.one_of(gridless, grids, st.builds(lambda p, q: p | q, grids, grids))
policies = st.one_of(unmixed, st.builds(lambda p, q, r: (p | q) & r, grids, gridless, gridless))


class Remembered(States):
    """Memories of any leaf, not its first: two numbers, other ones for each leaf."""

    def __init__(self, numbers: tuple[float, ...]) -> None:
        super().__init__()
        self.numbers = numbers

    def __missing__(self, leaf: FlushPolicy) -> tuple[float, ...]:
        first = sum(map(ord, repr(leaf)))
        return tuple(self.numbers[(first + i) % len(self.numbers)] for i in range(len(leaf.first_state)))


@st.composite
def views(draw: st.DrawFn) -> BufferView:
    oldest, newest, now = sorted(draw(st.tuples(times, times, times)))
    last_start = draw(st.just(-math.inf) | times.filter(lambda time: time <= now))
    # the last flush ended by now, if there was one
    last_end = (
        draw(times.filter(lambda time: last_start <= time <= now) | st.just(now)) if last_start >= 0 else last_start
    )
    return BufferView(
        now=now,
        size=draw(few),
        nbytes=draw(st.integers(0, 6)),
        oldest_at=oldest,
        newest_at=newest,
        last_flush_start=last_start,
        last_flush_end=last_end,
        states=draw(
            st.just(States())
            | st.lists(times.filter(lambda time: time <= now) | st.just(now), min_size=1, max_size=4).map(Remembered)
        ),
    )
