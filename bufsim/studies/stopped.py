"""A study that ran until its goals were reached, with the confidence that many looks at it leave."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bufsim.studies.comparisons import Comparisons
from bufsim.studies.evaluations import UndefinedError
from bufsim.studies.goals import Goals, Running
from bufsim.studies.statistics import Look, Selection, SequentialPlan
from bufsim.studies.study_numbers import IncompleteError
from bufsim.studies.study_result import StudyResult
from bufsim.studies.told import Told


@dataclass(frozen=True, repr=False, eq=False)
class Stopped(Told):
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


def run_until(run: Running, goals: Goals, plan: SequentialPlan) -> Stopped:
    """Run on from look to look of a plan until the goals are reached, or the study is interrupted."""
    for look in plan.looks():
        result = run(look.replications)
        missing = goals.missing(result, look.confidence)
        if not result.complete:
            missing.append("it was interrupted")
        if not missing or not result.complete:
            break
    return Stopped(result, goals, plan, look, tuple(missing))
