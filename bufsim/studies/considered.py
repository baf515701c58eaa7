"""Options with what speaks for and against each: its limits, and the value that is to be low or high."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bufsim.studies.evaluations import Evaluation, UndefinedError
from bufsim.studies.expressions import Expression
from bufsim.studies.limit_checks import LimitCheck, check_limits, joint
from bufsim.studies.limits import Limit, LimitVerdict
from bufsim.studies.options import Option
from bufsim.studies.statistics import Interval

Evaluate = Callable[[Expression, str], Evaluation]
"""From an expression and a scenario to its values over the replications."""


@dataclass(frozen=True, slots=True)
class Considered:
    """An option, and whether it is allowed.

    Parameters
    ----------
    option : Option
        What can be chosen.
    verdict : {"pass", "fail", "undecided"}
        Whether it keeps every limit at every load.
    checks : tuple of LimitCheck
        Load by load, limit by limit.
    value : Interval or None
        The objective at today's load, on the study's replications; None where it is undefined.
    reason : str
        Why it is undecided, where that is not a limit's doing.
    """

    option: Option
    verdict: LimitVerdict
    checks: tuple[LimitCheck, ...]
    value: Interval | None
    reason: str = ""

    @property
    def name(self) -> str:
        """The option's name."""
        return self.option.name

    @property
    def room(self) -> float:
        """How far the limit that is nearest to breaking is from it, as a share of its bound; negative if broken."""
        if self.reason:
            return -math.inf
        return min((check.room for check in self.checks), default=math.inf)

    @property
    def binding(self) -> LimitCheck | None:
        """The limit that is nearest to breaking; None without limits."""
        return nearest(self.checks)

    @property
    def replications_needed(self) -> int | None:
        """About how many replications would decide it; None if it is decided, or no number would."""
        open_checks = [check for check in self.checks if check.verdict == "undecided"]
        needed = [check.replications_needed for check in open_checks]
        if self.verdict != "undecided" or not needed:
            return None
        known = [number for number in needed if number is not None]
        return max(known) if len(known) == len(needed) else None


def nearest(checks: Sequence[LimitCheck]) -> LimitCheck | None:
    """Return the check with the least room; None if there is none."""
    return min(checks, key=lambda check: check.room, default=None)


def consider(
    choices: Sequence[Option], objective: Expression, limits: Sequence[Limit], evaluate: Evaluate, confidence: float
) -> tuple[Considered, ...]:
    """Judge every option: with probability `confidence` none passes, or fails, that should not.

    An option must keep every limit at every load, which needs no adjustment for their number; for the number of options
    the intervals are adjusted (see `bufsim.studies.limit_checks.check_limits`).
    """
    return tuple(_considered(option, objective, limits, evaluate, confidence, len(choices)) for option in choices)


def _considered(
    option: Option,
    objective: Expression,
    limits: Sequence[Limit],
    evaluate: Evaluate,
    confidence: float,
    family: int,
) -> Considered:
    if option.missing:
        return Considered(option, "undecided", (), None, f"did not finish: {', '.join(option.missing)}")
    names = [name for _, name in option.scenarios]
    checks = check_limits(limits, names, evaluate, confidence=confidence, family=family)
    try:
        value = evaluate(objective, option.base()).interval(confidence)
    except UndefinedError as error:
        return Considered(option, "undecided", checks, None, error.reason)
    return Considered(option, joint(checks), checks, value)


def counts(considered: Sequence[Considered]) -> str:
    """Return how many options pass, fail and are undecided, in words."""
    found = Counter(one.verdict for one in considered)
    said = f"pass {found['pass']} · fail {found['fail']} · undecided {found['undecided']}"
    if not found["undecided"]:
        return said
    needed = [one.replications_needed for one in considered if one.replications_needed is not None]
    settle = f"; about {max(needed):,} replications would decide {len(needed)} of them" if needed else ""
    return f"{said} (undecided counts as not allowed{settle})"
