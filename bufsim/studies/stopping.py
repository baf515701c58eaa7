"""Sequential runs: replications until intervals are narrow enough, comparisons decided, and the best found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.statistics import Look, Margin, Selection, SequentialPlan, too_wide
from bufsim.studies.answers import Answer
from bufsim.studies.comparisons import Comparisons, Pairs
from bufsim.studies.estimates import UndefinedError
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression, one_objective
from bufsim.studies.formulas import margin as read_margin
from bufsim.studies.loss_rule import is_allowed
from bufsim.studies.study_numbers import IncompleteError
from bufsim.studies.study_result import StudyResult

Metrics = str | Expression | Sequence[str | Expression]


@dataclass(frozen=True)
class Goals:
    """The goals of a sequential run, all of which are to be reached.

    Parameters
    ----------
    half_widths : mapping of Expression to Margin
        For every scenario: how far the ends of an interval may lie from its estimate.
    separated : tuple of Expression
        For every pair that is compared: a verdict other than "not separable".
    pairs, margin
        Which pairs, and what does not matter, as in `StudyResult.compare`.
    objective : Expression or None
        A single best scenario is to be found, or one shown to be within `indifference` of the best.
    is_cost : bool
        Whether the objective is to be low.
    indifference : Margin or None
        What the best may be missed by.
    allow_loss : bool
        Whether a scenario that loses jobs may be the best although the objective does not price them.
    """

    half_widths: Mapping[Expression, Margin]
    separated: tuple[Expression, ...] = ()
    pairs: Pairs | Literal["all"] | None = None
    margin: object = None
    objective: Expression | None = None
    is_cost: bool = True
    indifference: Margin | None = None
    allow_loss: bool = False

    @classmethod
    def of(
        cls,
        half_widths: Mapping[str | Expression, object] | None,
        separated: Metrics,
        pairs: Pairs | Literal["all"] | None,
        margin: object,
        minimise: str | Expression | None,
        maximise: str | Expression | None,
        indifference: object,
        allow_loss: object = False,
    ) -> Goals:
        """The goals as `Study.run_until` takes them, validated; there must be at least one."""
        widths = {expression(name): size for name, size in (half_widths or {}).items()}
        margins = {
            metric: read_margin(f"the half-width of {metric.name}", size, metric.unit)
            for metric, size in widths.items()
        }
        listed = [separated] if isinstance(separated, str | Expression) else separated
        goals = cls(margins, tuple(map(expression, listed)), pairs, margin)
        if minimise is not None or maximise is not None:
            objective, is_cost = one_objective(minimise, maximise)
            small = None if indifference is None else read_margin("indifference", indifference, objective.unit)
            allowed = is_allowed(allow_loss)
            return replace(goals, objective=objective, is_cost=is_cost, indifference=small, allow_loss=allowed)
        if not margins and not listed:
            raise InvalidValueError(
                "run_until needs something to reach: half_widths={'mean_wait': '1 %'}, separated=['mean_wait'], "
                "or minimise='mean_wait'"
            )
        if indifference is not None:
            raise InvalidValueError("indifference goes with minimise=... or maximise=...; give one of them")
        return goals

    @property
    def unit(self) -> str:
        """The unit of the objective."""
        return "" if self.objective is None else self.objective.unit

    def missing(self, result: StudyResult, confidence: float) -> list[str]:
        """A sentence for each goal that is not reached, at a confidence."""
        sentences: list[str] = []
        for goal in (self._wide, self._open, self._unsettled):
            try:
                sentences.extend(goal(result, confidence))
            except (UndefinedError, IncompleteError) as error:
                sentences.append(str(error))
        return sentences

    def comparisons(self, result: StudyResult, confidence: float) -> Comparisons | None:
        """The comparisons that are to be decided; None if there are none."""
        if not self.separated:
            return None
        return result.compare(*self.separated, pairs=self.pairs, margin=self.margin, confidence=confidence)

    def selection(self, result: StudyResult, confidence: float) -> Selection | None:
        """The best so far, and what is not separable from it; None without an objective."""
        if self.objective is None:
            return None
        if self.is_cost:
            return result.best(minimise=self.objective, allow_loss=self.allow_loss, confidence=confidence)
        return result.best(maximise=self.objective, allow_loss=self.allow_loss, confidence=confidence)

    def _wide(self, result: StudyResult, confidence: float) -> Iterator[str]:
        wanted = {metric.name: margin for metric, margin in self.half_widths.items()}
        for scenario in result.finished:
            intervals = {
                metric.name: result.interval(metric, scenario, confidence=confidence) for metric in self.half_widths
            }
            for name in too_wide(intervals, wanted):
                yield f"{name} of {scenario} is {intervals[name]}, wider than ± {wanted[name]}"

    def _open(self, result: StudyResult, confidence: float) -> Iterator[str]:
        compared = self.comparisons(result, confidence)
        for row in compared.rows if compared is not None else ():
            if row.verdict == "not separable":
                yield row.sentence()

    def _unsettled(self, result: StudyResult, confidence: float) -> Iterator[str]:
        selection = self.selection(result, confidence)
        if selection is None or selection.winner is not None:
            return
        if self.indifference is None:
            why = f": {selection.open}" if selection.open else ""
            yield f"{', '.join(selection.tie_set)} are not separable{why}"
        elif not selection.is_settled(self.indifference):
            yield f"{selection.chosen} may be more than {self.indifference} from the best of {len(selection.tie_set)}"


Running = Callable[[int], StudyResult]
"""Runs a study on to so many replications."""


@dataclass(frozen=True, repr=False, eq=False)
class SequentialResult(Answer):
    """The result of a study that ran until its goals were reached, or until the most that was allowed.

    Its intervals, comparisons and selection have the confidence of the look that ended it, which is higher than that
    over all looks: whatever is concluded at any look is wrong with a probability of at most 1 − `plan.confidence`. What
    `result` is asked further, and its pictures, have that confidence too, unless another is given.

    Parameters
    ----------
    result : StudyResult
        All replications.
    goals : Goals
        The goals.
    plan : SequentialPlan
        The looks, fixed beforehand.
    look : Look
        The look that ended it.
    missing : tuple of str
        A sentence for each goal that is not reached.
    """

    result: StudyResult
    goals: Goals
    plan: SequentialPlan
    look: Look
    missing: tuple[str, ...]

    @property
    def reached(self) -> bool:
        """Whether everything was reached."""
        return not self.missing

    @property
    def comparisons(self) -> Comparisons | None:
        """The comparisons that were to be decided; None if there were none."""
        return self.goals.comparisons(self.result, self.look.confidence)

    @property
    def selection(self) -> Selection | None:
        """The best scenario with its ties; None without an objective."""
        return self.goals.selection(self.result, self.look.confidence)

    def sentences(self) -> list[str]:
        """The look at which it stopped and why, what is missing, and what the confidence means."""
        looks = self.plan.looks()
        why = "everything that was wanted is reached" if self.reached else "not everything that was wanted is reached"
        each, over_all = 100.0 * self.look.confidence, 100.0 * self.plan.confidence
        return [
            f"Stopped at {self.look.replications} replications, look {self.look.number} of {len(looks)}: {why}.",
            *(f"Missing: {goal}." for goal in self.missing),
            *self._answers(),
            f"Each interval is at {each:.4g} %, so that all looks together keep {over_all:g} %.",
        ]

    def _answers(self) -> list[str]:
        try:
            compared, best = self.comparisons, self.selection
        except (UndefinedError, IncompleteError):
            return []  # why, stands under what is missing
        sentences = [] if compared is None else compared.sentences()
        return sentences if best is None else [*sentences, best.sentence(self.goals.unit)]

    def table(self) -> pd.DataFrame:
        """The metrics whose half-width was wanted, or the usual ones, at the look's confidence."""
        return self.result.intervals(*self.goals.half_widths, confidence=self.look.confidence)


# Looks at 10, 20, 40 and 80 replications, at 95 % over all: each of the four looks has a higher confidence of its own,
# fixed before the first (see `SequentialPlan`), and asks whether every goal is reached at that. If they all are at 20
# replications, it stops there. Whoever looks at 95 % each time instead, and stops at the first difference that shows,
# sees one that is not there far more often than in 5 % of studies.
def run_sequentially(run: Running, goals: Goals, plan: SequentialPlan) -> SequentialResult:
    """Run on from look to look of a plan until the goals are reached, or the study is interrupted."""
    for look in plan.looks():
        result = run(look.replications)
        missing = goals.missing(result, look.confidence)
        if not result.complete:
            missing.append("it was interrupted")
        if not missing or not result.complete:
            break
    return SequentialResult(replace(result, confidence=look.confidence), goals, plan, look, tuple(missing))
