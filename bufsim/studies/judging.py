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
from bufsim.studies.loss_rule import check_loss, implied_limit, loss_terms
from bufsim.studies.scenarios import Option

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
    """

    option: Option
    verdict: LimitVerdict
    checks: tuple[LimitCheck, ...]
    value: Interval | None
    reason: str = ""
    losses: tuple[LimitCheck, ...] = ()

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
    limits = check_limits(question.limits, option.names, evaluate, confidence=question.confidence, family=family)
    checks = (*limits, *losses)
    try:
        value = evaluate(question.objective, option.base()).interval(question.confidence)
    except UndefinedError as error:
        return JudgedOption(option, "undecided", checks, None, error.reason, losses)
    return JudgedOption(option, joint(checks), checks, value, losses=losses)
