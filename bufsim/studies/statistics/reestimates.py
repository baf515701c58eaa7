"""The chosen scenario's value on fresh replications: free of the optimism of having been chosen."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from bufsim.studies.statistics.intervals import Interval, mean_interval, replication_values
from bufsim.studies.statistics.student_t import inner_probability


@dataclass(frozen=True, slots=True)
class Reestimate:
    """A chosen scenario's mean on fresh replications, beside the one that it was chosen by.

    Parameters
    ----------
    fresh : Interval
        On the fresh replications: the value to report.
    selected : Interval
        On the replications that chose it, which is too good on average.
    optimism : Interval
        Fresh − selected.
    """

    fresh: Interval
    selected: Interval
    optimism: Interval


def reestimate(selected: ArrayLike, fresh: ArrayLike, *, confidence: float = 0.95) -> Reestimate:
    """Estimate a chosen scenario's mean on replications that had no part in choosing it.

    The first replications are not averaged in: they were chosen for being good, and a weighted mean keeps a share of
    that bias.

    Parameters
    ----------
    selected, fresh : array_like, shapes (n,) and (m,)
        One value per replication: of those that chose, and of others.
    confidence : float, default 0.95
        Level of each interval; the optimism's is Welch's.

    References
    ----------
    Welch (1947), The generalization of "Student's" problem, Biometrika 34, 28-35.

    Examples
    --------
    >>> print(reestimate([1.90, 1.93, 1.91, 1.92], [1.94, 1.97, 1.95, 1.96]).optimism)
    0.04 [0.02, 0.06]
    """
    level = inner_probability("confidence", confidence)
    old, new = replication_values("selected", selected), replication_values("fresh", fresh)
    return Reestimate(
        mean_interval(new, confidence=level), mean_interval(old, confidence=level), _welch(new, old, level)
    )


def _welch(first: ArrayLike, second: ArrayLike, level: float) -> Interval:
    from scipy.stats import ttest_ind

    left, right = replication_values("fresh", first), replication_values("selected", second)
    estimate = float(left.mean() - right.mean())
    if left.var() + right.var() == 0.0:
        return Interval(estimate, estimate, estimate, level, right.size, "Welch")
    bounds = ttest_ind(left, right, equal_var=False).confidence_interval(level)
    low, high = float(bounds.low), float(bounds.high)
    return Interval(estimate, min(low, estimate), max(high, estimate), level, min(left.size, right.size), "Welch")
