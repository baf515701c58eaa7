"""Scenarios by two objectives: what a picture of the Pareto front shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.fronts import FrontPoint, front
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.limits import Limit, LimitVerdict
from bufsim.studies.plots import bounds, quantities, subjects
from bufsim.studies.plots.subjects import Subject
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from bufsim.studies.study_result import StudyResult


@dataclass(frozen=True, slots=True, eq=False)
class Objectives:
    """Scenarios by two objectives, with their places on the Pareto front, and whether they keep limits.

    Attributes
    ----------
    subjects : list of Subject
        The scenarios.
    points : tuple of FrontPoint
        Their places.
    x, y : Quantity
        The objectives.
    limits : list of Limit
        What must be kept.
    verdicts : dict of str to {"pass", "fail", "undecided"}
        By scenario, of all limits together.
    """

    subjects: list[Subject]
    points: tuple[FrontPoint, ...]
    x: Quantity
    y: Quantity
    limits: list[Limit]
    verdicts: dict[str, LimitVerdict]

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        x: str | Expression,
        y: str | Expression,
        limits: Sequence[str | Limit],
        load: float | None,
        scenarios: Sequence[str | FlushPolicy] | None,
        confidence: float,
    ) -> Objectives:
        """Return the scenarios of a study at one load."""
        shown = subjects.at_load(study_result, load, scenarios)
        if len(shown) < 2:
            raise InvalidValueError(
                f"pareto needs at least 2 finished scenarios at one load, got {len(shown)}: {shown[0].name!r}; "
                "give the study more policies"
            )
        names = [one.name for one in shown]
        axes = expression(x), expression(y)
        points = front(*axes, names, study_result.measured, confidence=confidence).points
        kept = bounds.read(limits)
        checked = check_limits(kept, names, study_result.measured, confidence=confidence)
        return cls(
            shown,
            points,
            Quantity.of(axes[0], quantities.ends(point.x for point in points)),
            Quantity.of(axes[1], quantities.ends(point.y for point in points)),
            kept,
            {name: joint(check for check in checked if check.scenario == name) for name in names},
        )

    def at(self, point: FrontPoint) -> tuple[float, float]:
        """Return where a point lies, in the units that are shown."""
        return self.x.scaled(point.x.estimate), self.y.scaled(point.y.estimate)
