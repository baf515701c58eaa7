"""What replications are run for: intervals narrow enough, comparisons decided, the best found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.statistics import Look, Margin, Selection, SequentialPlan, too_wide
from bufsim.studies.answers import Answer
from bufsim.studies.comparisons import Comparisons, Pairs
from bufsim.studies.estimates import UndefinedError
from bufsim.studies.expressions import Expression, expression, one_objective
from bufsim.studies.expressions import margin as read_margin
from bufsim.studies.study_numbers import IncompleteError
from bufsim.studies.study_result import StudyResult

Metrics = str | Expression | Sequence[str | Expression]


@dataclass(frozen=True)
class Goals:
    """What is to be reached, all of it.

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
    """

    half_widths: Mapping[Expression, Margin]
    separated: tuple[Expression, ...] = ()
    pairs: Pairs | Literal["all"] | None = None
    margin: object = None
    objective: Expression | None = None
    is_cost: bool = True
    indifference: Margin | None = None

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
    ) -> Goals:
        """Return the goals that are meant; at least one must be."""
        listed = [separated] if isinstance(separated, str | Expression) else separated
        asked = {expression(name): size for name, size in (half_widths or {}).items()}
        widths = {one: read_margin(f"the half-width of {one.name}", size, one.unit) for one, size in asked.items()}
        objective, is_cost = (None, True)
        if minimise is not None or maximise is not None:
            objective, is_cost = one_objective(minimise, maximise)
        if not widths and not listed and objective is None:
            raise InvalidValueError(
                "run_until needs something to reach: half_widths={'mean_wait': '1 %'}, separated=['mean_wait'], "
                "or minimise='mean_wait'"
            )
        if indifference is not None and objective is None:
            raise InvalidValueError("indifference goes with minimise=... or maximise=...; give one of them")
        small = None
        if indifference is not None and objective is not None:
            small = read_margin("indifference", indifference, objective.unit)
        return cls(widths, tuple(expression(one) for one in listed), pairs, margin, objective, is_cost, small)

    @property
    def unit(self) -> str:
        """The unit of the objective."""
        return "" if self.objective is None else self.objective.unit

    def missing(self, result: StudyResult, confidence: float) -> list[str]:
        """Return a sentence for each goal that is not reached, at a confidence."""
        found: list[str] = []
        for goal in (self._wide, self._open, self._unsettled):
            try:
                found.extend(goal(result, confidence))
            except (UndefinedError, IncompleteError) as error:
                found.append(str(error))
        return found

    def comparisons(self, result: StudyResult, confidence: float) -> Comparisons | None:
        """Return the comparisons that are to be decided; None if there are none."""
        if not self.separated:
            return None
        return result.compare(*self.separated, pairs=self.pairs, margin=self.margin, confidence=confidence)

    def selection(self, result: StudyResult, confidence: float) -> Selection | None:
        """Return the best so far, and what is not separable from it; None if it is not asked for."""
        if self.objective is None:
            return None
        if self.is_cost:
            return result.best(minimise=self.objective, confidence=confidence)
        return result.best(maximise=self.objective, confidence=confidence)

    def _wide(self, result: StudyResult, confidence: float) -> Iterator[str]:
        wanted = {one.name: margin for one, margin in self.half_widths.items()}
        for scenario in result.finished:
            intervals = {one.name: result.interval(one, scenario, confidence=confidence) for one in self.half_widths}
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
            yield f"{', '.join(selection.tie_set)} are not separable"
        elif not selection.is_settled(self.indifference):
            yield f"{selection.chosen} may be more than {self.indifference} from the best of {len(selection.tie_set)}"


Running = Callable[[int], StudyResult]
"""Runs a study on to so many replications."""


@dataclass(frozen=True, repr=False, eq=False)
class SequentialResult(Answer):
    """A study that ran until its goals were reached, or until the most that was allowed.

    Its intervals, comparisons and selection have the confidence of the look that ended it, which is higher than that
    over all looks: whatever is concluded at any look is wrong with a probability of at most 1 − `plan.confidence`. Ask
    `result` for other numbers with ``confidence=stopped.look.confidence``.

    Parameters
    ----------
    result : StudyResult
        All replications.
    goals : Goals
        What was to be reached.
    plan : SequentialPlan
        When it was looked, fixed beforehand.
    look : Look
        The look that ended it.
    missing : tuple of str
        What is not reached.
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
        """The best scenario with its ties; None if it was not asked for."""
        return self.goals.selection(self.result, self.look.confidence)

    def sentences(self) -> list[str]:
        """Return where it stopped and why, what is missing, and what the confidence means."""
        looks = self.plan.looks()
        why = "everything that was wanted is reached" if self.reached else "not everything that was wanted is reached"
        each, over_all = 100.0 * self.look.confidence, 100.0 * self.plan.confidence
        return [
            f"Stopped at {self.look.replications} replications, look {self.look.number} of {len(looks)}: {why}.",
            *(f"Missing: {one}." for one in self.missing),
            *self._answers(),
            f"Each interval is at {each:.4g} %, so that all looks together keep {over_all:g} %.",
        ]

    def _answers(self) -> list[str]:
        try:
            compared, best = self.comparisons, self.selection
        except (UndefinedError, IncompleteError):
            return []  # why, stands under what is missing
        told = [] if compared is None else compared.sentences()
        return told if best is None else [*told, best.sentence(self.goals.unit)]

    def table(self) -> pd.DataFrame:
        """Return the metrics whose half-width was wanted, or the usual ones, at the look's confidence."""
        return self.result.intervals(*self.goals.half_widths, confidence=self.look.confidence)


def run_sequentially(run: Running, goals: Goals, plan: SequentialPlan) -> SequentialResult:
    """Run on from look to look of a plan until the goals are reached, or the study is interrupted."""
    for look in plan.looks():
        result = run(look.replications)
        missing = goals.missing(result, look.confidence)
        if not result.complete:
            missing.append("it was interrupted")
        if not missing or not result.complete:
            break
    return SequentialResult(result, goals, plan, look, tuple(missing))
