"""Options judged: which of them keep every limit, and lose no job whose worth the question does not say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bufsim.simulation import Simulation
from bufsim.statistics import Interval
from bufsim.studies.estimates import Evaluation, UndefinedError
from bufsim.studies.expressions import Expression, Limit, LimitVerdict
from bufsim.studies.limit_checks import LimitCheck, check_limits, joint, nearest
from bufsim.studies.loss_rule import check_loss, counts_lost_jobs, implied_limit, is_seen_to_lose, loss_terms
from bufsim.studies.scenarios import Option

_MOST_NAMED = 4
"""So many options that lose jobs, or are undecided, are named; the table has them all."""
Evaluate = Callable[[Expression, str], Evaluation]
"""From an expression and a scenario to its values over the replications."""


@dataclass(frozen=True, slots=True)
class Question:
    """An objective, and the limits within which it is to be reached.

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
    allow_loss : bool
        Whether an option that loses jobs qualifies although the question neither prices nor limits that.
    """

    objective: Expression
    is_cost: bool
    limits: tuple[Limit, ...]
    confidence: float
    allow_loss: bool = False

    @property
    def wanted(self) -> str:
        """The property for which it is chosen: "the lowest cost"."""
        return f"the {'lowest' if self.is_cost else 'highest'} {self.objective.name}"

    def check_losses(
        self, names: Sequence[str], scenarios: Mapping[str, Simulation], evaluate: Evaluate
    ) -> tuple[LimitCheck, ...]:
        """The checks of those scenarios that lose jobs of which the question does not say what they are worth."""
        if self.allow_loss:
            return ()
        named = list(loss_terms(self.objective, self.is_cost, self.limits))
        found = (check_loss(implied_limit(scenarios[name], named), name, evaluate, self.confidence) for name in names)
        return tuple(check for check in found if check is not None)


@dataclass(frozen=True, slots=True)
class JudgedOption:
    """An option, and whether it is allowed.

    Parameters
    ----------
    option : Option
        What can be chosen.
    verdict : {"pass", "fail", "undecided"}
        Whether it keeps every limit at every load.
    checks : tuple of LimitCheck
        Load by load, limit by limit; then those of `losses`.
    value : Interval or None
        The objective at today's load, on the study's replications; None where it is undefined.
    reason : str
        Why it is undecided, where that is not a limit's doing.
    losses : tuple of LimitCheck
        Of each load at which it loses jobs, and the question does not say what they are worth: why it fails.
    is_seen_to_lose : bool
        Whether any run of it lost a job, at any load, whatever that is worth.
    """

    option: Option
    verdict: LimitVerdict
    checks: tuple[LimitCheck, ...]
    value: Interval | None
    reason: str = ""
    losses: tuple[LimitCheck, ...] = ()
    is_seen_to_lose: bool = False

    @property
    def name(self) -> str:
        """The option's name."""
        return self.option.name

    @property
    def room(self) -> float:
        """Distance to the limit that is nearest to breaking, as a share of its bound; negative if broken."""
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
        needed = [check.replications_needed for check in self.checks if check.verdict == "undecided"]
        known = [number for number in needed if number is not None]
        return max(known) if self.verdict == "undecided" and known and len(known) == len(needed) else None

    @property
    def runs_to_settle(self) -> int | None:
        """How many runs without a lost job would show that it qualifies; None if one was lost, or more is open."""
        unsettled = [check for check in self.checks if check.verdict == "undecided"]
        needed = [check.runs_to_settle for check in unsettled if counts_lost_jobs(check.limit.expression)]
        known = [number for number in needed if number is not None]
        if self.verdict != "undecided" or self.reason or self.is_seen_to_lose or len(known) < len(unsettled):
            return None
        return max(known)


def some(listed: Sequence[str]) -> str:
    """The first few of a list, and how many there are besides."""
    more = f"; and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
    return "; ".join(listed[:_MOST_NAMED]) + more


def judge_options(
    choices: Sequence[Option], question: Question, scenarios: Mapping[str, Simulation], evaluate: Evaluate
) -> tuple[JudgedOption, ...]:
    """Judge every option: with the question's confidence none passes, or fails, that should not.

    An option must keep every limit at every load, which needs no adjustment for their number; for the number of options
    the intervals are adjusted (see `bufsim.studies.limit_checks.check_limits`). One that is seen to lose jobs fails,
    unless the question prices, limits or allows that (see `bufsim.studies.loss_rule`).
    """
    return tuple(_judge(option, question, scenarios, evaluate, len(choices)) for option in choices)


def _judge(
    option: Option, question: Question, scenarios: Mapping[str, Simulation], evaluate: Evaluate, family: int
) -> JudgedOption:
    if option.missing:
        return JudgedOption(option, "undecided", (), None, f"did not finish: {', '.join(option.missing)}")
    losses = question.check_losses(option.names, scenarios, evaluate)
    loses = any(is_seen_to_lose(scenarios[name], name, evaluate) for name in option.names)
    limits = check_limits(question.limits, option.names, evaluate, confidence=question.confidence, family=family)
    checks = (*limits, *losses)
    try:
        value = evaluate(question.objective, option.base()).interval(question.confidence)
    except UndefinedError as error:
        return JudgedOption(option, "undecided", checks, None, error.reason, losses, loses)
    return JudgedOption(option, joint(checks), checks, value, "", losses, loses)
