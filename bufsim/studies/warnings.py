"""Warnings of a study: a start away from where it goes, windows that cut a period, and what single runs warn of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.formats import number
from bufsim.model.flush_policy import CheckedEvery
from bufsim.model.policies import FlushEvery
from bufsim.results import warnings as of_run
from bufsim.results.losses import loss_warnings
from bufsim.results.measures import Window
from bufsim.results.metrics import METRICS
from bufsim.results.steps import BINS
from bufsim.results.tallies import Tally
from bufsim.simulation import Simulation
from bufsim.statistics import WarmUpCheck, check_warm_up
from bufsim.statistics.intervals import skewness_by_chance
from bufsim.studies.answers import Answer
from bufsim.studies.estimates import Floats, Measured

LEVELS = ("buffered", "unfinished")
"""The levels of a tally that are looked at: jobs in buffers, and works in the queues that have workers."""
_CALLED = {"buffered": "jobs in buffers", "unfinished": "jobs in queues and in service"}
_LEAST_BINS = 60
_LEAST_CYCLES = 3
_CYCLES_IN_A_BIN = 4
_BINS_OF_CYCLES = 4
_MATTERS = 0.01
"""A rate, or a part of what is buffered, that is less than this share is not worth a word."""
_ABOUT = 1.02
"""A cycle is estimated: three that are a little too long count as three."""


def study_warnings(scenarios: Mapping[str, Simulation], tallies: Mapping[str, Sequence[Tally]]) -> list[str]:
    """A sentence for each thing that can mislead.

    "lost": jobs are lost, so many, of what and why. "failed": jobs failed for good. "warm-up": a level starts away from
    where it goes, or is still moving when the runs end. "cut period": the window cuts a period of a policy. "skewed":
    few replications make much of a mean. And what single runs are warned of ("never due", "unstable", "large job"),
    with how many of the replications it was seen in.

    Parameters
    ----------
    scenarios : mapping of str to Simulation
        What ran.
    tallies : mapping of str to sequence of Tally
        What is kept of their replications.
    """
    sentences = [_of(sentence, name) for name, kept in tallies.items() for sentence in loss_warnings(kept)]
    sentences += warm_ups(tallies).warnings()
    for name, kept in tallies.items():
        sentences += [_of(sentence, name) for sentence in cut_periods(scenarios[name], kept)]
        sentences += [_of(sentence, name) for sentence in skewed_means(kept)]
        sentences += _of_runs(name, scenarios[name], kept)
    return sentences


def _of_runs(name: str, simulation: Simulation, tallies: Sequence[Tally]) -> list[str]:
    """The warnings of single runs, each kind once, in the words of the first replication that has it."""
    seen: dict[str, list[str]] = {}
    for tally in tallies:
        for sentence in of_run.sentences(simulation, tally):
            seen.setdefault(sentence.split(":")[0], []).append(sentence)
    return [
        f"{_of(sentences[0], name)} (so in {len(sentences)} of {len(tallies)} replications)"
        for sentences in seen.values()
    ]


def _of(sentence: str, scenario: str) -> str:
    """A warning with its scenario's name after its kind."""
    kind, text = sentence.split(": ", 1)
    return f"{kind}: {scenario}: {text}"


_MEANS = ("mean_wait_s", "mean_queue_wait_s", "mean_end_to_end_s", "mean_buffer_size_jobs", "mean_unfinished_jobs")
_ERRORS = 3.0
"""A skewness of so many standard errors is worth a word: chance alone gives it in 1 of 200 studies of normal values."""


def skewed_means(tallies: Sequence[Tally]) -> list[str]:
    """A sentence where few replications make much of a mean (see `statistics.mean_interval`); empty if none does."""
    found = {}
    for name in _MEANS:
        try:
            interval = Measured(METRICS[name], None, tallies).interval()
        except InvalidValueError:
            continue  # it has no value
        if abs(interval.skewness) >= skewness_by_chance(interval.n, errors=_ERRORS):
            found[name] = interval.skewness
    if not found:
        return []
    names = " and ".join(f"{name} ({skewness:.1f})" for name, skewness in found.items())
    return [
        f"skewed: a few of {len(tallies)} replications make much of {names}: their intervals allow for skewness, and "
        "may still be too narrow, so that limits nearby are undecided; run more replications, or longer ones"
    ]


# the start of the runs


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The effect of the start of the runs on one level of a scenario.

    Parameters
    ----------
    scenario : str
        Whose.
    level : {"buffered", "unfinished"}
        Which.
    check : WarmUpCheck
        The finding: where MSER-5 would cut, the bias, and a warning or none.
    """

    scenario: str
    level: str
    check: WarmUpCheck

    def sentence(self) -> str:
        """The warning, or that there is none."""
        text = self.check.warning or "the start does no harm that shows"
        return f"{self.scenario}, {_CALLED[self.level]}: {text}"


@dataclass(frozen=True, slots=True, repr=False)
class WarmUps(Answer):
    """The effects of the start of the runs, by scenario and level.

    Parameters
    ----------
    rows : tuple of WarmUp
        Scenario by scenario.
    """

    rows: tuple[WarmUp, ...]

    def warnings(self) -> list[str]:
        """A sentence for each level that starts away from where it goes, or is still moving at the end."""
        way_out = " (unless a run is meant to start like that and to end, as an import does)"
        return [f"warm-up: {row.sentence()}{way_out}" for row in self.rows if row.check.warning]

    def sentences(self) -> list[str]:
        """A sentence a level."""
        return [row.sentence() for row in self.rows]

    def table(self) -> pd.DataFrame:
        """A row a level: scenario, level, suggested (s, nan if none), relative_bias, warning."""
        rows = [
            (row.scenario, row.level, row.check.warm_up, row.check.relative_bias, row.check.warning)
            for row in self.rows
        ]
        frame = pd.DataFrame(rows, columns=["scenario", "level", "suggested", "relative_bias", "warning"])
        return frame.astype({"suggested": float})


def warm_ups(tallies: Mapping[str, Sequence[Tally]]) -> WarmUps:
    """The effect of the start in each scenario, on each of its levels that is not 0 throughout."""
    return WarmUps(
        tuple(
            WarmUp(name, level, warm_up_check(kept, level))
            for name, kept in tallies.items()
            for level in LEVELS
            if levels(kept, level).any()
        )
    )


def levels(tallies: Sequence[Tally], level: str) -> Floats:
    """A level over the whole run, a row a replication, a column for each of `BINS` equal bins of [0, until)."""
    return np.array([getattr(tally, level).averages for tally in tallies])


def warm_up_check(tallies: Sequence[Tally], level: str) -> WarmUpCheck:
    """The effect of the start of the runs on a level in the window [warm_up, until).

    Notes
    -----
    A buffer swings between its flushes, all replications at once where a clock or an age flushes it. Bins and thirds of
    a run cut such cycles where they happen to lie, which looks like a trend. So where a cycle is not far shorter than a
    bin, the level is averaged over whole cycles, of at least four bins together, from each of many times on: these
    averages do not swing. Of runs that hold fewer than three cycles nothing can be told, and the warning says so.

    Without cycles of that length the bins are judged as they are, without those that the warm-up touches. Where fewer
    than 60 are left each counts as several, which changes no average. A period of the arrivals is no flush cycle, and
    of several buffers only the longest cycle is averaged over.
    """
    window, table = tallies[0].window, levels(tallies, level)
    width, cycle = window.end / BINS, flush_cycle(tallies)
    if _LEAST_CYCLES * cycle > window.span * _ABOUT:
        return _too_few(tallies, cycle)
    if cycle > width / _CYCLES_IN_A_BIN:
        reach = cycle * max(
            1, min(math.ceil(_BINS_OF_CYCLES * width / cycle), int(window.span / _LEAST_CYCLES / cycle))
        )
        return check_warm_up(_averages_over(table, window, reach), window.start, window.end - reach)
    within = table[:, math.ceil(window.start / width - 1e-9) :]
    repeated = np.repeat(within, -(-_LEAST_BINS // within.shape[1]), axis=1)
    return check_warm_up(repeated, window.start, window.end)


def flush_cycle(tallies: Sequence[Tally]) -> float:
    """The longest mean time between flushes, or ticks that found nothing, of a buffer, s; 0 without flushes.

    It is the mean number of jobs that one of them took over the rate at which jobs were stored: whole cycles, also
    where the window cuts one. A buffer that holds less than 1 % of what is buffered counts for nothing.
    """
    everything = sum(tally.all_buffers.levels.size.integral for tally in tallies)
    span = tallies[0].window.span
    # a tick at 0, when there is no job yet, ends no cycle
    at_once = int(tallies[0].window.start == 0.0)
    cycles = [0.0]
    for name in tallies[0].buffers:
        parts = [tally.buffers[name] for tally in tallies]
        flushes, stored = sum(part.flushes for part in parts), sum(part.stored for part in parts)
        held = sum(part.levels.size.integral for part in parts)
        if flushes and stored and held >= _MATTERS * everything:
            ends = flushes + sum(max(part.empty_ticks - at_once, 0) for part in parts)
            taken = sum(part.batch_jobs for part in parts) / ends
            cycles.append(taken / stored * span * len(parts))
    return max(cycles)


def _averages_over(table: Floats, window: Window, reach: float) -> Floats:
    """The averages over [t, t + reach) of a level, for as many t in [warm_up, until - reach] as it has bins."""
    edges = np.linspace(0.0, window.end, BINS + 1)
    area = np.concatenate((np.zeros((len(table), 1)), np.cumsum(table, axis=1)), axis=1) * (window.end / BINS)
    begin = np.linspace(window.start, window.end - reach, BINS)
    return np.array([np.interp(begin + reach, edges, row) - np.interp(begin, edges, row) for row in area]) / reach


def _too_few(tallies: Sequence[Tally], cycle: float) -> WarmUpCheck:
    window = tallies[0].window
    way_out = number(window.start + _LEAST_CYCLES * cycle)
    return WarmUpCheck(
        None,
        0.0,
        f"the start cannot be judged, since the runs hold {number(window.span / cycle)} flush cycles of about "
        f"{number(cycle)} s, and at least {_LEAST_CYCLES} tell a start from a swing: "
        f"set `until` to {way_out} s or more",
    )


# windows that cut a period


def cut_periods(simulation: Simulation, tallies: Sequence[Tally]) -> list[str]:
    """A sentence for each clock whose ticks in [warm_up, until) are too few or too many for its length.

    A window of k periods should hold k ticks. It holds fewer or more when it cuts a period; and one fewer when it
    starts at 0, where the first tick finds nothing, since the tick at `until` lies outside. Whole periods after a
    warm-up hold exactly k. A clock counts by the share of the flushes that it started.
    """
    sentences = []
    for buffer in simulation.buffers:
        causes = Counter[str]()
        for tally in tallies:
            causes.update(tally.buffers[buffer.id].causes)
        for part in buffer.policy.parts():
            if isinstance(part, CheckedEvery) or (isinstance(part, FlushEvery) and part.anchor == "clock"):
                sentences.append(_cut_period(simulation, part, _share(part, causes)))
    return list(dict.fromkeys(filter(None, sentences)))


def _share(clock: FlushEvery | CheckedEvery, causes: Counter[str]) -> float:
    """The share of the flushes that started at the clock's ticks."""
    leaves = {repr(part) for part in clock.parts()}
    return sum(causes[leaf] for leaf in leaves) / max(causes.total(), 1)


def _cut_period(simulation: Simulation, clock: FlushEvery | CheckedEvery, share: float) -> str:
    start, end, period = simulation.warm_up, simulation.until, clock.period
    periods = (end - start) / period
    off = _ticks(start, end, period, clock.phase) / periods - 1.0
    if abs(off) * share <= _MATTERS:
        return ""
    begin = start or period
    return (
        f"cut period: {clock!r} has {100.0 * abs(off):.1f} % {'fewer' if off < 0.0 else 'more'} ticks than "
        f"{number(periods)} periods should have, so that the flushes that it starts are off by as much: "
        f"warm_up={begin:g} and until={begin + math.ceil(periods) * period:g} hold whole periods"
    )


def _ticks(start: float, end: float, period: float, phase: float) -> int:
    """The number of ticks in [start, end); not counted is one at 0, when there is no job yet."""
    first = max(math.ceil((start - phase) / period), 0)
    if phase + first * period == 0.0:
        first = 1
    return max(math.ceil((end - phase) / period) - first, 0)
