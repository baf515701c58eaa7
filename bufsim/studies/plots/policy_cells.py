"""The policies of a study that are a size or an age, as cells of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.limits import Limit, LimitVerdict
from bufsim.studies.plots import bounds, closed_forms, subjects
from bufsim.studies.plots.subjects import Subject
from bufsim.studies.statistics import Interval

if TYPE_CHECKING:
    from bufsim.studies.study_result import StudyResult

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """A policy that flushes at a size or after an age, whichever comes first.

    Attributes
    ----------
    subject : Subject
        The scenario.
    size : int
        Jobs.
    age : float
        s.
    value : Interval
        The metric.
    flush_rate : float
        Flushes a second.
    verdict : {"pass", "fail", "undecided"}
        Of all limits together.
    """

    subject: Subject
    size: int
    age: float
    value: Interval
    flush_rate: float
    verdict: LimitVerdict


@dataclass(frozen=True, slots=True)
class Cells:
    """Policies by size and age, at one load.

    Attributes
    ----------
    cells : list of Cell
        In the study's order; not every size need go with every age.
    expression : Expression
        The metric.
    rate : float
        Jobs that arrive a second.
    limits : list of Limit
        What must be kept.
    """

    cells: list[Cell]
    expression: Expression
    rate: float
    limits: list[Limit]

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        metric: str | Expression,
        size: Sequence[int] | None,
        age: Sequence[float | str] | None,
        limits: str | Limit | Sequence[str | Limit],
        load: float | None,
        confidence: float,
    ) -> Cells:
        """Return the cells of a study."""
        asked, kept = expression(metric), bounds.read(limits)
        ages = None if age is None else {checks.seconds("age", one) for one in age}
        at = {
            one: bounds_
            for one in subjects.at_load(study_result, load)
            if (bounds_ := _bounds(study_result, one)) is not None
            and (size is None or bounds_[0] in size)
            and (ages is None or bounds_[1] in ages)
        }
        if not at:
            raise InvalidValueError(
                "policy_map needs policies FlushAtSize(size) | FlushAfterAge(age) of these sizes and ages, got none; "
                "give the study policy=policy_grid(size=[64, 256], age=[1, 5])"
            )
        names = [one.name for one in at]
        checked = check_limits(kept, names, study_result.measured, confidence=confidence)
        cells = [
            Cell(
                one,
                *found,
                study_result.interval(asked, one.name, confidence=confidence),
                study_result.interval("flush_rate", one.name).estimate,
                joint(check for check in checked if check.scenario == one.name),
            )
            for one, found in at.items()
        ]
        return cls(cells, asked, subjects.arrival_rate(study_result, names[0]), kept)

    @property
    def sizes(self) -> list[int]:
        """The sizes, ascending."""
        return sorted({cell.size for cell in self.cells})

    @property
    def ages(self) -> list[float]:
        """The ages, ascending, s."""
        return sorted({cell.age for cell in self.cells})

    def place(self, cell: Cell) -> tuple[int, int]:
        """Return a cell's column and row."""
        return self.sizes.index(cell.size), self.ages.index(cell.age)

    def table(self, of: Literal["value", "flush_rate"]) -> FloatArray:
        """Return the values of the metric, or the flush rates, a row an age and a column a size; nan where is none."""
        values = np.full((len(self.ages), len(self.sizes)), np.nan)
        for cell in self.cells:
            column, row = self.place(cell)
            values[row, column] = cell.value.estimate if of == "value" else cell.flush_rate
        return values

    def comes_first(self, cell: Cell) -> str:
        """Return what mostly flushes: "size" if so many jobs arrive, in the mean, before the oldest reaches the age."""
        return "size" if (cell.size - 1) / self.rate < cell.age else "age"


def _bounds(study_result: StudyResult, one: Subject) -> tuple[int, float] | None:
    """Return the size and the age of a scenario whose buffers all have the same policy of that kind."""
    policies: set[FlushPolicy] = {buffer.policy for buffer in study_result.scenarios[one.name].buffers}
    return closed_forms.size_and_age(policies.pop()) if len(policies) == 1 else None
