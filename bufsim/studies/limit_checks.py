"""Checks of limits: pass, fail or undecided, each with the interval that says so; and up to which load they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bufsim.statistics import Interval
from bufsim.statistics.differences import NO_PROOF
from bufsim.statistics.rare_events import most_runs, runs_to_bound
from bufsim.studies.answers import Answer
from bufsim.studies.estimates import DETERMINISTIC, EXACT_BOUNDS, Evaluation, UndefinedError, deterministic_text
from bufsim.studies.expressions import Expression, Limit, LimitVerdict
from bufsim.studies.quantities import Quantity, limit_in_words
from bufsim.studies.scenarios import in_words

COLUMNS = ["scenario", "limit", "verdict", "estimate", "low", "high", "unit", "bound", "confidence", "n"]
COLUMNS += ["runs_beyond", "replications_needed", "method", "reason"]


@dataclass(frozen=True, slots=True)
class LimitCheck:
    """A scenario's verdict on one limit: whether it keeps it, and how that is known.

    Parameters
    ----------
    limit : Limit
        Which.
    scenario : str
        Whose.
    verdict : {"pass", "fail", "undecided"}
        Where the interval lies: all within the limit, all beyond it, or astride of it.
    interval : Interval or None
        Adjusted for the scenarios that are checked; None where the metric is undefined.
    runs_beyond : int
        How many single runs were beyond the limit, whatever is expected of them.
    reason : str
        Why it is undecided, where more runs might not mend it.
    is_deterministic : bool
        Whether nothing is drawn at random in the scenario, so that the estimate is the value.
    runs_to_settle : int or None
        Where no run saw what the limit is on, such as a loss: how many runs would show that it is kept, if none of them
        saw one either. It is counted in runs, which are independent, and not in jobs or flushes, which are not: jobs
        are lost together, while a buffer is full. None where anything was seen, or no number of runs would do.
    """

    limit: Limit
    scenario: str
    verdict: LimitVerdict
    interval: Interval | None
    runs_beyond: int
    reason: str = ""
    is_deterministic: bool = False
    runs_to_settle: int | None = None

    @property
    def room(self) -> float:
        """Distance of the estimate to the limit, as a share of the bound, negative if beyond; −inf where undefined."""
        return -math.inf if self.interval is None else self.limit.room(self.interval.estimate)

    @property
    def replications_needed(self) -> int | None:
        """About how many replications would decide it, with this noise; None if it is decided, or none would."""
        if self.runs_to_settle is not None:
            return self.runs_to_settle
        if self.verdict != "undecided" or self.interval is None or self.reason:
            return None
        gap, half_width = abs(self.interval.estimate - self.limit.bound), self.interval.half_width
        if gap == 0.0 or not math.isfinite(half_width):
            return None
        return max(self.interval.n + 1, math.ceil(self.interval.n * (half_width / gap) ** 2))

    def sentence(self) -> str:
        """The whole in a sentence."""
        verb = {"pass": "keeps", "fail": "does not keep", "undecided": "may or may not keep"}[self.verdict]
        return f"{in_words(self.scenario)} {verb} {limit_in_words(self.limit)}: {self.text()}"

    def text(self) -> str:
        """The numbers behind the verdict."""
        if self.interval is None:
            return self.reason
        quantity = _quantity(self.limit, self.interval)
        if self.is_deterministic:
            return deterministic_text(quantity.interval(self.interval), quantity.unit.name)
        parts = [f"{quantity.interval(self.interval)} {quantity.unit.name}".rstrip()]
        if self.runs_beyond:
            parts.append(f"beyond it in {self.runs_beyond} of {self.interval.n} runs")
        if self.verdict == "undecided":
            needed = self.replications_needed
            parts.append(self.reason or (f"about {needed:,} replications would decide it" if needed else ""))
        return "; ".join(filter(None, parts))

    def row(self) -> tuple[object, ...]:
        """The check as a row of `COLUMNS`."""
        interval, limit = self.interval, self.limit
        numbers = (interval.estimate, interval.low, interval.high) if interval else (math.nan,) * 3
        how = (interval.confidence, interval.n) if interval else (math.nan, 0)
        needed = math.nan if self.replications_needed is None else self.replications_needed
        method = DETERMINISTIC if self.is_deterministic else interval.method if interval else ""
        more = (self.runs_beyond, needed, method, self.reason)
        return (self.scenario, str(limit), self.verdict, *numbers, limit.expression.unit, limit.bound, *how, *more)


@dataclass(frozen=True, slots=True, repr=False)
class LimitChecks(Answer):
    """The verdicts of scenarios on limits.

    Parameters
    ----------
    checks : tuple of LimitCheck
        Scenario by scenario.
    """

    checks: tuple[LimitCheck, ...]

    def sentences(self) -> list[str]:
        """A sentence for each check, and one for each limit that no scenario comes to keep."""
        by_limit: dict[str, list[LimitCheck]] = {}
        for check in self.checks:
            by_limit.setdefault(str(check.limit), []).append(check)
        failed = [checks for checks in by_limit.values() if {check.verdict for check in checks} == {"fail"}]
        return [*(check.sentence() for check in self.checks), *map(hopeless, failed)]

    def table(self) -> pd.DataFrame:
        """A row a check: the columns `COLUMNS`."""
        return pd.DataFrame([check.row() for check in self.checks], columns=COLUMNS)

    def verdict(self, scenario: str) -> LimitVerdict:
        """The scenario's verdict: "pass" if it keeps all limits, "fail" if it breaks one, else "undecided"."""
        return joint(check for check in self.checks if check.scenario == scenario)


def joint(checks: Iterable[LimitCheck]) -> LimitVerdict:
    """The verdict on several limits together: all must pass, and one that fails is enough to fail."""
    verdicts = {check.verdict for check in checks}
    return "fail" if "fail" in verdicts else "undecided" if "undecided" in verdicts else "pass"


def nearest(checks: Sequence[LimitCheck]) -> LimitCheck | None:
    """The check with the least room; None if there is none."""
    return min(checks, key=lambda check: check.room, default=None)


def check_limits(
    limits: Sequence[Limit],
    scenarios: Sequence[str],
    evaluate: Callable[[Expression, str], Evaluation],
    *,
    confidence: float = 0.95,
    family: int | None = None,
) -> tuple[LimitCheck, ...]:
    """Check limits, so that with probability `confidence` no scenario is passed, or failed, that should not be.

    Parameters
    ----------
    limits, scenarios : sequence
        What is checked.
    evaluate : callable
        From an expression and a scenario to its values.
    confidence : float
        Over all scenarios.
    family : int, optional
        How many scenarios (or groups of them that must pass together) compete; by default each counts.

    Notes
    -----
    A scenario passes if it passes every limit. That is an intersection-union test: no adjustment is needed for the
    number of limits (Berger 1982). For the number of scenarios, any of which might pass by luck, each interval has the
    level 1 − α / scenarios (Bonferroni), and that interval is the one shown.
    """
    count = len(scenarios) if family is None else family
    return tuple(
        _check(limit, scenario, evaluate(limit.expression, scenario), confidence, count)
        for scenario in scenarios
        for limit in limits
    )


def _check(limit: Limit, scenario: str, evaluation: Evaluation, confidence: float, family: int) -> LimitCheck:
    try:
        level = 1.0 - (1.0 - confidence) / family
        interval = evaluation.interval(level)
    except UndefinedError as error:
        # a value that is not there keeps no limit
        return LimitCheck(limit, scenario, "undecided", None, 0, error.reason)
    needed = _runs_to_settle(limit, evaluation, interval, level)
    if family > 1:
        method = f"{interval.method}, Bonferroni over {family} scenarios"
        interval = replace(interval, confidence=confidence, method=method)
    beyond = sum(not limit.allows(value) for value in evaluation.raw().tolist() if not math.isnan(value))
    is_constant = interval.low == interval.high
    is_deterministic = is_constant and evaluation.is_deterministic
    # of a largest value that is the same in two or three runs nothing is known
    no_proof = is_constant and bool(interval.note) and interval.n <= NO_PROOF
    verdict = "undecided" if no_proof else limit.verdict(interval)
    return LimitCheck(limit, scenario, verdict, interval, beyond, interval.note, is_deterministic, needed)


# In 30 runs no job was lost. At 95 % up to 9.5 % of runs may lose some, and if each lost all of its jobs, as far as is
# known, that would be 9.5 % of jobs: "lost_share <= 1 %" is open. A share of 1 % of jobs is then at most 1 % of runs,
# and 299 runs without a loss show that no more lose any: 0.99 ** 299 < 5 %.
def _runs_to_settle(limit: Limit, evaluation: Evaluation, interval: Interval, level: float) -> int | None:
    """How many runs would show that a limit is kept, if none of them saw the event that none has seen yet."""
    if interval.method != EXACT_BOUNDS or np.ptp(evaluation.raw()) > 0.0 or limit.verdict(interval) != "undecided":
        return None
    up = limit.side == "<="
    end = interval.high if up else interval.low
    share = most_runs(0, interval.n, confidence=level) * (limit.bound - interval.estimate) / (end - interval.estimate)
    return runs_to_bound(share, confidence=level) if share > 0.0 else None


def hopeless(checks: Sequence[LimitCheck]) -> str:
    """The way out of a limit that no scenario keeps: which comes nearest, and to what the limit may be moved."""
    best = max(checks, key=lambda check: (check.room, check.scenario))
    assert best.interval is not None
    quantity = _quantity(best.limit, best.interval)
    reached = f"{quantity.interval(best.interval)} {quantity.unit.name}".rstrip()
    up = best.limit.side == "<="
    end = best.interval.far_ends[up]
    if math.isfinite(end):
        kept = quantity.beyond(end, up=up)
        way_out = (
            f"{'raise' if up else 'lower'} the limit to {kept} or {'more' if up else 'less'}, or try other policies"
        )
    else:
        way_out = f"what limit would be kept is not known ({best.interval.note}); try other policies"
    nearest_to_it = f"{in_words(best.scenario)} comes nearest with {reached}"
    return f"no scenario keeps {limit_in_words(best.limit)}: {nearest_to_it}; {way_out}"


def _quantity(limit: Limit, interval: Interval) -> Quantity:
    """The limited expression, in the unit in which an interval of it reads well beside the bound."""
    return Quantity.of(limit.expression, [interval.estimate, limit.bound])


@dataclass(frozen=True, slots=True, repr=False)
class Headroom(Answer):
    """The headroom of an option: its limits at rising loads.

    Parameters
    ----------
    option : str
        Whose.
    loads : tuple of (float, tuple of LimitCheck)
        The scale of the arrivals, rising, and what becomes of each limit at it.

    Notes
    -----
    The loads are gone through upwards, until one does not pass. A claim at a load is only made if all lower ones pass,
    so that it needs no adjustment for their number (a fixed sequence of tests: Maurer, Hothorn and Lehmacher 1995).
    """

    option: str
    loads: tuple[tuple[float, tuple[LimitCheck, ...]], ...]

    @property
    def holds_up_to(self) -> float | None:
        """The highest load up to which every limit is kept; None if not even the lowest."""
        held = None
        for scale, checks in self.loads:
            if joint(checks) != "pass":
                break
            held = scale
        return held

    @property
    def first_to_break(self) -> tuple[float, LimitCheck] | None:
        """The load at which a limit is first not kept, and the one of them with the least room; None if none is."""
        for scale, checks in self.loads:
            broken = nearest([check for check in checks if check.verdict != "pass"])
            if broken is not None:
                return scale, broken
        return None

    def sentences(self) -> list[str]:
        """The load up to which every limit is kept, and what breaks first."""
        held, first = self.holds_up_to, self.first_to_break
        if first is None:
            return [f"Headroom: every limit is kept at up to {held:g} times today's load, the most that was tried."]
        scale, check = first
        verb = "breaks" if check.verdict == "fail" else "may break"
        so_far = "" if held is None else f"every limit is kept at up to {held:g} times today's load; "
        return [f"Headroom: {so_far}at {scale:g} times {limit_in_words(check.limit)} {verb} first: {check.text()}."]

    def table(self) -> pd.DataFrame:
        """A row for each load and limit: load, and the columns of a table of limit checks."""
        rows = [(scale, *check.row()) for scale, checks in self.loads for check in checks]
        return pd.DataFrame(rows, columns=["load", *COLUMNS])
