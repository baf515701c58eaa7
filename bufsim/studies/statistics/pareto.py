"""The Pareto front of several objectives, with what is not separable from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bufsim.errors import InvalidValueError
from bufsim.studies.statistics.adjustment import holm
from bufsim.studies.statistics.comparisons import PairedDifference, paired_difference
from bufsim.studies.statistics.intervals import FloatArray, Interval, mean_interval
from bufsim.studies.statistics.student_t import lower_tail, statistic

Place = Literal["on the front", "not separable", "dominated"]


@dataclass(frozen=True, slots=True)
class ParetoPoint:
    """A scenario's place: on the front of the means, not separable from it, or shown to be dominated.

    Parameters
    ----------
    name : str
        The scenario.
    intervals : tuple of Interval
        One an objective, each at the confidence by itself.
    place : {"on the front", "not separable", "dominated"}
        On the front: no other scenario's means are at least as good in every objective, and better in one. Dominated:
        another scenario is shown to be better in every objective (or identical, but not in all). Not separable:
        neither.
    dominated_by : str or None
        The scenario that shows it most clearly.
    p_value : float
        Of being dominated, adjusted over scenarios.
    """

    name: str
    intervals: tuple[Interval, ...]
    place: Place
    dominated_by: str | None
    p_value: float


def pareto_front(
    samples: Mapping[str, ArrayLike], *, confidence: float = 0.95, lower_is_better: bool | Sequence[bool] = True
) -> tuple[ParetoPoint, ...]:
    """Place scenarios with respect to the Pareto front of their means, under common random numbers.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (objectives, n)
        For each scenario a row an objective, one value per replication, in the same order of replications.
    confidence : float, default 0.95
        Probability that no scenario is wrongly called dominated.
    lower_is_better : bool or sequence of bool, default True
        For all objectives, or for each.

    Returns
    -------
    tuple of ParetoPoint
        In the order given; the places do not depend on it.

    Notes
    -----
    That one scenario dominates another is shown by an intersection-union test: the largest of the one-sided paired
    p-values of the objectives. A scenario's p-value is the smallest over the others, times their number, and Holm's
    method adjusts these over scenarios.

    References
    ----------
    Berger (1982), Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 295-300; Holm (1979).

    Examples
    --------
    >>> small, large = [[1.0, 1.1, 0.9], [5.0, 5.1, 5.2]], [[2.0, 2.1, 1.9], [3.0, 3.1, 3.2]]
    >>> [point.place for point in pareto_front({"small": small, "large": large})]
    ['on the front', 'on the front']
    """
    tables = {name: _objectives(name, values) for name, values in samples.items()}
    signs = _signs(tables, lower_is_better)
    names = list(tables)
    if len(names) < 2:
        raise InvalidValueError(f"samples must hold at least 2 scenarios, got {len(names)}")
    gaps = {(a, b): _gaps(a, b, tables, signs) for a in names for b in names if a != b}
    return _points(names, tables, gaps, confidence)


def _points(
    names: Sequence[str],
    tables: Mapping[str, FloatArray],
    gaps: Mapping[tuple[str, str], Sequence[PairedDifference]],
    confidence: float,
) -> tuple[ParetoPoint, ...]:
    threats = {a: min((_dominated(gaps[a, b]), b) for b in names if b != a) for a in names}
    adjustment = holm([min(1.0, threats[a][0] * (len(names) - 1)) for a in names], confidence=confidence)
    points = []
    for index, name in enumerate(names):
        worse = any(_is_behind(gaps[name, other]) for other in names if other != name)
        place: Place = "dominated" if adjustment.separated[index] else "not separable" if worse else "on the front"
        intervals = tuple(mean_interval(row, confidence=confidence) for row in tables[name])
        rival = threats[name][1] if worse else None
        points.append(ParetoPoint(name, intervals, place, rival, adjustment.p_values[index]))
    return tuple(points)


def _gaps(a: str, b: str, tables: Mapping[str, FloatArray], signs: Sequence[float]) -> list[PairedDifference]:
    """Losses of a − losses of b, an objective each."""
    return [
        paired_difference(sign * left, sign * right, names=(a, b))
        for sign, left, right in zip(signs, tables[a], tables[b], strict=True)
    ]


def _dominated(gaps: Sequence[PairedDifference]) -> float:
    """The p-value of a test that the first is worse in every objective that is not identical."""
    tails = [lower_tail(-statistic(gap.estimate, gap.variance, gap.n), gap.n) for gap in gaps if not gap.is_identical]
    return max(tails, default=1.0)


def _is_behind(gaps: Sequence[PairedDifference]) -> bool:
    return all(gap.estimate >= 0.0 for gap in gaps) and any(gap.estimate > 0.0 for gap in gaps)


def _objectives(name: str, values: ArrayLike) -> FloatArray:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 2:
        raise InvalidValueError(
            f"{name} must have a row for each of at least 2 objectives and a column per replication, "
            f"got shape {table.shape}"
        )
    return table


def _signs(tables: Mapping[str, FloatArray], lower_is_better: bool | Sequence[bool]) -> list[float]:
    counts = {name: table.shape[0] for name, table in tables.items()}
    if len(set(counts.values())) > 1:
        raise InvalidValueError(f"samples must have the same objectives in every scenario, got {counts}")
    count = max(counts.values(), default=0)
    directions = [lower_is_better] * count if isinstance(lower_is_better, bool) else list(lower_is_better)
    if len(directions) != count:
        raise InvalidValueError(f"lower_is_better must be one for all or one for each of {count} objectives")
    return [1.0 if low else -1.0 for low in directions]
