"""A recommendation: the choice, how sure it is, what it gains, what binds it, and what else would do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from bufsim.studies.considered import Considered, counts
from bufsim.studies.difference_words import against, percent, tie_in_words
from bufsim.studies.exactness import exactly
from bufsim.studies.expressions import Expression
from bufsim.studies.head_room import HeadRoom
from bufsim.studies.labels import in_words
from bufsim.studies.limit_checks import COLUMNS, MORE, LimitCheck, hopeless
from bufsim.studies.limits import Limit
from bufsim.studies.quantities import limit_in_words
from bufsim.studies.statistics import Comparison, Interval, Selection
from bufsim.studies.told import Told


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked.

    Parameters
    ----------
    objective : Expression
        What is to be low, or high.
    is_cost : bool
        Whether it is to be low.
    limits : tuple of Limit
        What must be kept.
    confidence : float
        Of the limits' verdicts, of the tie set, and of each interval.
    """

    objective: Expression
    is_cost: bool
    limits: tuple[Limit, ...]
    confidence: float

    @property
    def wanted(self) -> str:
        """What the choice has: "the lowest cost"."""
        return f"the {'lowest' if self.is_cost else 'highest'} {self.objective.name}"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an answer rests on.

    Parameters
    ----------
    options, loads, runs, replications, seed : int
        How much was tried, at the loads that count.
    baseline : str or None
        The option that stands for what is done today.
    load : float or None
        At how many times today's load the options' values count; None: at today's.
    """

    options: int
    loads: int
    runs: int
    replications: int
    seed: int
    baseline: str | None
    load: float | None = None

    def sentence(self) -> str:
        """Return it in words."""
        tried = f"{self.options:,} options" + (f" x {self.loads} loads" if self.loads > 1 else "")
        each = f"{self.replications} replications each, common random numbers, seed {self.seed}"
        return f"Of {tried} ({self.runs:,} runs, {each}):"


@dataclass(frozen=True, slots=True)
class Choice:
    """The option that is chosen, as it did on replications that had no part in choosing it.

    Parameters
    ----------
    name : str
        The option.
    value : Interval
        The objective at the load that counts.
    fresh : int
        On how many fresh replications; 0 if on those that chose it, where it looks better than it is.
    checks : tuple of LimitCheck
        Its limits, load by load.
    gain : Interval or None
        (value − today's) / |today's|; None where there is no difference, or today's is 0.
    difference : Interval or None
        value − today's; None without a baseline, for the baseline itself, or where that has no value.
    is_exact : bool
        Whether nothing is drawn at random at the load that counts, so that the value has no error.
    """

    name: str
    value: Interval
    fresh: int
    checks: tuple[LimitCheck, ...]
    gain: Interval | None = None
    difference: Interval | None = None
    is_exact: bool = False

    @property
    def binding(self) -> LimitCheck | None:
        """The limit that is nearest to breaking; None without limits."""
        return min(self.checks, key=lambda check: check.room, default=None)


@dataclass(frozen=True, slots=True, repr=False)
class Recommendation(Told):
    """Which option to choose: the answer to ``study_result.recommend(...)``.

    Parameters
    ----------
    question : Question
        What was asked.
    origin : Origin
        What it rests on.
    considered : tuple of Considered
        Every option, with its limits and its value, in the study's order.
    selection : Selection or None
        Among those that pass: the best and what is not separable from it; None if none passes.
    choice : Choice or None
        The chosen one; None if none passes.
    head_room : HeadRoom or None
        How much more load it bears, where that was asked.
    notes : tuple of str
        What else the reader should know.
    """

    question: Question
    origin: Origin
    considered: tuple[Considered, ...]
    selection: Selection | None
    choice: Choice | None
    head_room: HeadRoom | None = None
    notes: tuple[str, ...] = ()

    @property
    def qualifies(self) -> bool:
        """Whether any option passes."""
        return self.choice is not None

    @property
    def exit_status(self) -> int:
        """0, or 1 if no option qualifies."""
        return 0 if self.qualifies else 1

    @property
    def nearest_miss(self) -> Considered | None:
        """Where none passes, the option that is nearest to passing: an undecided one before one that fails."""
        if self.qualifies:
            return None
        return max(self.considered, key=lambda one: (one.verdict == "undecided" and not one.reason, one.room, one.name))

    @property
    def ties(self) -> tuple[Comparison, ...]:
        """The options that are not separable from the choice, each compared with it."""
        if self.selection is None:
            return ()
        return tuple(rival for rival in self.selection.rivals if rival.first in self.selection.tie_set)

    def sentence(self) -> str:
        """Return the whole answer."""
        return "\n".join(self.sentences())

    def sentences(self) -> list[str]:
        """Return the answer, a line an element; policies and limits are told in few words, as reports tell them."""
        lines = self._of_choice() if self.choice is not None else self._of_none()
        return [self.origin.sentence(), *(f"  {in_words(line)}" for line in lines)]

    def _of_choice(self) -> Iterator[str]:
        assert self.choice is not None
        yield f"{self.choice.name} {self._kept()}{self._value()}{self._gain()}{self._basis()}."
        if self.ties:
            listed = "; ".join(tie_in_words(tie, self.question.objective.unit) for tie in self.ties)
            yield f"Not separable from it at n = {self.origin.replications}: {listed}."
        if self.choice.binding is not None:
            yield f"Binding limit: {self._binding(self.choice.binding)}."
        if self.head_room is not None:
            yield from self.head_room.sentences()
        if self.question.limits:
            yield f"{_begun(counts(self.considered))}."
        yield from self.notes

    def _loads(self) -> tuple[tuple[float, str], ...]:
        """Return the loads at which the choice was looked at, times today's, and its scenarios there."""
        assert self.choice is not None
        return {one.name: one.option.scenarios for one in self.considered}[self.choice.name]

    def _binding(self, check: LimitCheck) -> str:
        named = self._loads()
        at = "".join(_at(scale) for scale, name in named if name == check.scenario) if len(named) > 1 else ""
        return f"{limit_in_words(check.limit)}{at}: {check.shown()}"

    def _kept(self) -> str:
        limits = len(self.question.limits)
        kept = f"keeps {'its limit' if limits == 1 else f'all {limits} limits'}" if limits else ""
        if limits and self.origin.loads > 1:
            kept += f" at every load up to {max(scale for scale, _ in self._loads()):g} times today's"
        assert self.selection is not None
        of = " of those that do" if limits else ""
        has = f"has {self.question.wanted}{of}"
        if self.selection.winner is None:
            has = f"is one of {len(self.selection.tie_set)} with {self.question.wanted}{of}"
        return f"{kept} and {has}" if kept else has

    def _value(self) -> str:
        assert self.choice is not None
        load, unit = self.origin.load, self.question.objective.unit
        value = exactly(self.choice.value, unit) if self.choice.is_exact else f"{self.choice.value} {unit}".rstrip()
        return f": {value}{'' if load in (None, 1.0) else _at(load)}"

    def _gain(self) -> str:
        assert self.choice is not None
        today, gain, difference = self.origin.baseline, self.choice.gain, self.choice.difference
        if today is None:
            return ""
        if self.choice.name == today:
            return ", and is what is done today"
        if gain is not None and math.isfinite(gain.half_width):
            return f", {against(percent(gain), ' %', today, self.choice.is_exact)}"
        if difference is None:
            return f", and there is no value of today's {today} to compare it with"
        return f", {against(difference, f' {self.question.objective.unit}'.rstrip(), today, self.choice.is_exact)}"

    def _basis(self) -> str:
        assert self.choice is not None
        if self.choice.fresh:
            return f" (on {self.choice.fresh} fresh replications)"
        return " (on the replications that chose it, which flatter it; fresh=None re-estimates it)"

    def _of_none(self) -> Iterator[str]:
        yield f"No option qualifies: {counts(self.considered)}."
        near = self.nearest_miss
        if near is not None:
            open_checks = _worst(check for check in near.checks if check.verdict != "pass")
            listed = "; ".join(
                f"{limit_in_words(check.limit)} ({check.verdict}: {check.shown()})" for check in open_checks
            )
            yield f"Nearest is {near.name}: {listed or near.reason}."
        for limit in self.question.limits:
            checks = [check for one in self.considered for check in one.checks if check.limit == limit]
            if checks and all(check.verdict == "fail" for check in checks):
                yield f"{_begun(hopeless(checks))}."
        yield from self.notes

    def table(self) -> pd.DataFrame:
        """Return a row an option.

        Returns
        -------
        DataFrame
            option, verdict, in_tie_set, value, low, high, unit (on the study's replications), difference,
            difference_low, difference_high (from the choice, adjusted), replications_needed (to show it), room,
            binding, reason.
        """
        rivals = {} if self.selection is None else {rival.first: rival for rival in self.selection.rivals}
        return pd.DataFrame([self._row(one, rivals.get(one.name)) for one in self.considered])

    def _row(self, one: Considered, rival: Comparison | None) -> dict[str, object]:
        value, gap = one.value, rival.interval if rival else None
        needed = rival.replications_needed() if rival else None
        return {
            "option": one.name,
            "verdict": one.verdict,
            "in_tie_set": self.selection is not None and one.name in self.selection.tie_set,
            "value": value.estimate if value else math.nan,
            "low": value.low if value else math.nan,
            "high": value.high if value else math.nan,
            "unit": self.question.objective.unit,
            "difference": gap.estimate if gap else math.nan,
            "difference_low": gap.low if gap else math.nan,
            "difference_high": gap.high if gap else math.nan,
            "replications_needed": math.nan if needed is None else needed,
            "room": one.room,
            "binding": str(one.binding.limit) if one.binding else "",
            "reason": one.reason,
        }

    def checks(self) -> pd.DataFrame:
        """Return a row for each option, load and limit: option, and the columns of a table of limit checks."""
        rows = [(one.name, *check.row()) for one in self.considered for check in one.checks]
        return pd.DataFrame(rows, columns=["option", *COLUMNS, *MORE])


def _at(load: float) -> str:
    return " at today's load" if load == 1.0 else f" at {load:g} times today's load"


def _begun(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _worst(checks: Iterable[LimitCheck]) -> list[LimitCheck]:
    """Return of each limit the check with the least room."""
    worst: dict[Limit, LimitCheck] = {}
    for check in checks:
        if check.limit not in worst or check.room < worst[check.limit].room:
            worst[check.limit] = check
    return list(worst.values())
