"""Windows that cut the period of a policy: then rates and levels are off, however many replications there are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from bufsim.model.flush_policy import CheckedEvery
from bufsim.model.policies import FlushEvery
from bufsim.results.tallies import Tally
from bufsim.results.words import number
from bufsim.simulation import Simulation

MATTERS = 0.01
"""A rate that is off by less is not worth a word."""


def cut_periods(simulation: Simulation, tallies: Sequence[Tally]) -> list[str]:
    """Return a sentence for each clock whose ticks in [warm_up, until) are too few or too many for its length.

    A window of k periods should hold k ticks. It holds fewer or more when it cuts a period; and one fewer when it
    starts at 0, where the first tick finds nothing, since the tick at `until` lies outside. Whole periods after a
    warm-up hold exactly k. A clock counts by the share of the flushes that it started.
    """
    found = []
    for buffer in simulation.buffers:
        causes = Counter[str]()
        for tally in tallies:
            causes.update(tally.buffers[buffer.id].causes)
        for part in buffer.policy.parts():
            if isinstance(part, CheckedEvery) or (isinstance(part, FlushEvery) and part.anchor == "clock"):
                found.append(_said(simulation, part, _share(part, causes)))
    return list(dict.fromkeys(sentence for sentence in found if sentence))


def _share(clock: FlushEvery | CheckedEvery, causes: Counter[str]) -> float:
    """Return the share of the flushes that started at the clock's ticks."""
    leaves = {repr(part) for part in clock.parts()}
    return sum(causes[leaf] for leaf in leaves) / max(causes.total(), 1)


def _said(simulation: Simulation, clock: FlushEvery | CheckedEvery, share: float) -> str:
    start, end, period = simulation.warm_up, simulation.until, clock.period
    periods = (end - start) / period
    off = _ticks(start, end, period, clock.phase) / periods - 1.0
    if abs(off) * share <= MATTERS:
        return ""
    begin = start or period
    return (
        f"cut period: {clock!r} has {100.0 * abs(off):.1f} % {'fewer' if off < 0.0 else 'more'} ticks than "
        f"{number(periods)} periods should have, so that the flushes that it starts are off by as much: "
        f"warm_up={begin:g} and until={begin + math.ceil(periods) * period:g} hold whole periods"
    )


def _ticks(start: float, end: float, period: float, phase: float) -> int:
    """Return how many ticks lie in [start, end); not counted is one at 0, when there is no job yet."""
    first = max(math.ceil((start - phase) / period), 0)
    if phase + first * period == 0.0:
        first = 1
    return max(math.ceil((end - phase) / period) - first, 0)
