"""The Pareto front of two objectives: which scenarios are worth discussing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bufsim.studies.evaluations import Evaluation
from bufsim.studies.expressions import Expression
from bufsim.studies.statistics import Interval, ParetoPoint, pareto_front
from bufsim.studies.statistics.pareto import Place
from bufsim.studies.told import Told


@dataclass(frozen=True, slots=True, repr=False)
class FrontPoint:
    """A scenario's place with respect to the front.

    Parameters
    ----------
    scenario : str
        Its name.
    place : {"on the front", "not separable", "dominated"}
        See `bufsim.studies.statistics.ParetoPoint`.
    x, y : Interval
        The two objectives, each with its own interval.
    dominated_by : str or None
        A scenario that is better in both, as far as it was seen.
    """

    scenario: str
    place: Place
    x: Interval
    y: Interval
    dominated_by: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Front(Told):
    """The Pareto front of two objectives over scenarios, with intervals and what is not separable from it.

    Parameters
    ----------
    x, y : Expression
        The objectives.
    points : tuple of FrontPoint
        In the study's order.
    """

    x: Expression
    y: Expression
    points: tuple[FrontPoint, ...]

    def named(self, place: Place) -> tuple[str, ...]:
        """Return the scenarios at a place."""
        return tuple(point.scenario for point in self.points if point.place == place)

    def sentences(self) -> list[str]:
        """Return the front, what is not separable from it, and how many are dominated."""
        near = self.named("not separable")
        axes = [axis.name if axis.better else f"{axis.name} (less taken as better)" for axis in (self.x, self.y)]
        said = [f"On the front of {' and '.join(axes)}: {', '.join(self.named('on the front'))}."]
        if near:
            said.append(f"Not separable from it: {', '.join(near)}.")
        return [*said, f"Dominated: {len(self.named('dominated'))} of {len(self.points)}."]

    def table(self) -> pd.DataFrame:
        """Return a row a scenario: scenario, place, dominated_by, and both objectives with their ends."""
        columns = ["scenario", "place", "dominated_by"]
        for expression in (self.x, self.y):
            columns += [expression.name, f"{expression.name} low", f"{expression.name} high"]
        rows = [
            (point.scenario, point.place, point.dominated_by, *_ends(point.x), *_ends(point.y)) for point in self.points
        ]
        return pd.DataFrame(rows, columns=columns)


def front(
    x: Expression,
    y: Expression,
    scenarios: Sequence[str],
    evaluate: Callable[[Expression, str], Evaluation],
    *,
    confidence: float = 0.95,
) -> Front:
    """Place scenarios with respect to the Pareto front of two objectives (see `statistics.pareto_front`).

    Of an objective that is by itself neither good nor bad, such as the flush rate, less counts as better, and the
    sentences say so; ``expression.named("batch size", better="higher")`` says otherwise.
    """
    samples = {name: np.array([evaluate(axis, name).values() for axis in (x, y)]) for name in scenarios}
    lower = [axis.better != "higher" for axis in (x, y)]
    placed = pareto_front(samples, confidence=confidence, lower_is_better=lower)
    return Front(x, y, tuple(_point(point, x, y, evaluate, confidence) for point in placed))


def _point(
    point: ParetoPoint,
    x: Expression,
    y: Expression,
    evaluate: Callable[[Expression, str], Evaluation],
    confidence: float,
) -> FrontPoint:
    intervals = [evaluate(axis, point.name).interval(confidence) for axis in (x, y)]
    return FrontPoint(point.name, point.place, intervals[0], intervals[1], point.dominated_by)


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high
