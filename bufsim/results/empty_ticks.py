"""Empty ticks: how often a policy's timer finds nothing to flush.

The ticks of a policy are those of its tick rules: ``FlushEvery`` (phase + k·period, k ≥ 0; with an anchor the last
flush's start or end + k·period, k ≥ 1, counted from 0 before the first flush and after a restart), ``FlushAt``,
``FlushCron``, and the grid of ``checked_every``, in place of any ticks under it. A tick is *empty* for a buffer if,
after all events of its instant, the buffer is empty and not flushing and the server is up, and no flush of the buffer
starts at that instant. The ticks of each rule are counted; ticks of several rules at one instant once.

The compiled engine counts gap by gap, as a run goes on. Here all gaps are at hand, and every step is one over all of
them: a loop in Python over the gaps would take longer than the run that left them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bufsim.engines import bins
from bufsim.model import rules
from bufsim.model.flush_policy import FlushPolicy
from bufsim.results.measures import Window
from bufsim.results.steps import Steps

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Gaps:
    """The intervals [begin, end) of a window in which a buffer is empty and not flushing, and the server is up.

    Parameters
    ----------
    begin, end : array of float64
        s, increasing.
    flush_start, flush_end : array of float64
        Start and end of the last flush before each gap, s; −inf before the first, and after a restart.
    """

    begin: Floats
    end: Floats
    flush_start: Floats
    flush_end: Floats


def gaps(sizes: Steps, start: Floats, gone: Floats, down: Sequence[tuple[float, float]], window: Window) -> Gaps:
    """Return the gaps of one buffer.

    Parameters
    ----------
    sizes : Steps
        The buffer size.
    start, gone : array of float64
        The start of each flush, and its end or the stop that interrupts it (infinity: neither has come), s.
    down : sequence of (stop, restart)
        The server's downtimes, s.
    window : Window
        The part of the run that counts.
    """
    stops, restarts = np.array([stop for stop, _ in down]), np.array([restart for _, restart in down])
    occupied = sizes
    if len(stops) or (gone > start).any():
        entered, left = np.concatenate((start, stops)), np.concatenate((gone, restarts))
        ones = np.ones(len(entered), np.int64)
        occupied = Steps.of_changes(sizes.changes(), (entered, ones), (left, -ones))
    values, bounds = occupied.within(window)
    free = np.flatnonzero((values == 0) & (bounds[1:] > bounds[:-1]))
    begin = bounds[free]
    flush_start = _last(start, start, begin)
    # a restart forgets the flush before it; one that starts at the restart's instant comes after it
    known = flush_start >= _last(restarts, restarts, begin)
    flush_end = _last(start, gone, begin)
    never = np.full(len(free), -np.inf)
    return Gaps(begin, bounds[free + 1], np.where(known, flush_start, never), np.where(known, flush_end, never))


def count(policy: FlushPolicy, gaps: Gaps, until: float) -> int:
    """Return the number of ticks of a policy that fall into the gaps of its buffer."""
    begin = np.where(gaps.begin == gaps.flush_start, np.nextafter(gaps.begin, np.inf), gaps.begin)
    every_gap = np.arange(len(begin))
    ticks = [_ticks(rule, gaps) for rule in dict.fromkeys(policy.ticks(until))]
    counts = [(rule.before(gaps.end, every_gap) - rule.before(begin, every_gap), rule) for rule in ticks]
    # the rule with the most ticks is only counted; those of the others are looked up in the ones before
    counts.sort(key=lambda pair: -int(pair[0].sum()))
    total = 0
    for index, (in_gap, rule) in enumerate(counts):
        total += int(in_gap.sum())
        if index:
            times, gap = rule.listed(begin, in_gap)
            seen = np.zeros(len(times), np.bool_)
            for _, other in counts[:index]:
                seen |= other.before(np.nextafter(times, np.inf), gap) > other.before(times, gap)
            total -= int(seen.sum())
    return total


def has_ticks(policy: FlushPolicy) -> bool:
    """Return whether a policy has a tick rule."""
    return any(True for _ in policy.ticks(0.0))


@dataclass(frozen=True, eq=False, slots=True)
class _Regular:
    """The ticks origin + k·period, k ≥ smallest, with an origin for each gap."""

    origin: Floats
    period: float
    smallest: int

    def before(self, times: Floats, gap: Whole) -> Whole:
        """Return how many ticks stand before each time, as they are in its gap."""
        counted = bins.ticks_before(self.origin[gap], self.period, self.smallest, times)
        return counted.astype(np.int64)  # type: ignore[no-any-return]  # arrays in, an array out

    def listed(self, begin: Floats, in_gap: Whole) -> tuple[Floats, Whole]:
        """Return the ticks in the gaps, so many in each, and the gap of each tick."""
        gap, number = _numbered(in_gap)
        first = self.before(begin, np.arange(len(begin)))
        return self.origin[gap] + (self.smallest + first[gap] + number) * self.period, gap


@dataclass(frozen=True, eq=False, slots=True)
class _Given:
    """Ticks at given times."""

    times: Floats

    def before(self, times: Floats, gap: Whole) -> Whole:
        """Return how many ticks stand before each time."""
        return np.searchsorted(self.times, times, side="left")

    def listed(self, begin: Floats, in_gap: Whole) -> tuple[Floats, Whole]:
        """Return the ticks in the gaps, so many in each, and the gap of each tick."""
        gap, number = _numbered(in_gap)
        return self.times[np.searchsorted(self.times, begin, side="left")[gap] + number], gap


def _ticks(rule: rules.Operation, gaps: Gaps) -> _Regular | _Given:
    if rule.rule == rules.TIMES:
        return _Given(np.array(rule.times))
    if rule.rule == rules.EVERY:
        return _Regular(np.full(len(gaps.begin), rule.phase), rule.seconds, 0)
    anchor = gaps.flush_start if rule.rule == rules.EVERY_START else gaps.flush_end
    return _Regular(np.where(np.isneginf(anchor), 0.0, anchor), rule.seconds, 1)


def _last(times: Floats, values: Floats, before: Floats) -> Floats:
    """Return the value of the last of the increasing `times` at or before each given time; −inf where there is none."""
    return np.append(values, -np.inf)[np.searchsorted(times, before, side="right") - 1]


def _numbered(counts: Whole) -> tuple[Whole, Whole]:
    """Return, for so many things in each group, the group of each and its number within it."""
    group = np.repeat(np.arange(len(counts)), counts)
    return group, np.arange(len(group)) - (np.cumsum(counts) - counts)[group]
