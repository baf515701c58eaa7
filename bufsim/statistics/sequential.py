"""Sequential looks at a growing number of replications, which share one error between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bufsim.checks import did_you_mean, integer
from bufsim.errors import InvalidValueError
from bufsim.statistics.comparisons import Margin
from bufsim.statistics.intervals import Interval, inner_probability


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the replications so far: how many there are, and the confidence to use at it.

    Parameters
    ----------
    number : int
        1 for the first look.
    replications : int
        Replications at this look.
    confidence : float
        Level of every interval, comparison and selection made at this look.
    """

    number: int
    replications: int
    confidence: float


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """Looks at first, 2·first, 4·first ... replications, declared beforehand, whose errors sum to 1 − confidence.

    Look k spends α / (k(k + 1)) of α = 1 − confidence, and the last, at `most`, what is left. Whatever is concluded
    at any of them, by any rule of stopping, is wrong with probability at most α.

    Parameters
    ----------
    first : int, default 10
        Replications at the first look, ≥ 2.
    most : int, default 640
        Replications at the last look.
    confidence : float, default 0.95
        Over all looks together.

    References
    ----------
    The union bound over pre-declared looks is the plainest spending of error (Lan and DeMets (1983), Biometrika 70,
    659-663); 1 / (k(k + 1)) over doubling epochs is the stitching of Howard, Ramdas, McAuliffe and Sekhon (2021),
    Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals of Statistics 49, 1055-1080.

    Examples
    --------
    >>> [(look.replications, round(look.confidence, 4)) for look in SequentialPlan(first=10, most=50).looks()]
    [(10, 0.975), (20, 0.9917), (40, 0.9958), (50, 0.9875)]
    """

    first: int = 10
    most: int = 640
    confidence: float = 0.95

    def __post_init__(self) -> None:
        integer("first", self.first, at_least=2)
        if integer("most", self.most, at_least=2) < self.first:
            raise InvalidValueError(f"most must be >= first = {self.first}, got {self.most}")
        inner_probability("confidence", self.confidence)

    def looks(self) -> tuple[Look, ...]:
        """The looks in order."""
        sizes = []
        size = self.first
        while size < self.most:
            sizes.append(size)
            size *= 2
        alpha, last = 1.0 - self.confidence, len(sizes) + 1
        # Worked example, first=10 and most=50: looks at 10, 20, 40 and 50 replications. The first three spend α/2, α/6
        # and α/12 of the error α. As 1/2 + 1/6 + ... + 1/((K-1)K) = 1 - 1/K, α/4 is left for the last.
        early = [Look(k, n, 1.0 - alpha / (k * (k + 1))) for k, n in enumerate(sizes, start=1)]
        return (*early, Look(last, self.most, 1.0 - alpha / last))


def too_wide(intervals: Mapping[str, Interval], wanted: Mapping[str, Margin]) -> tuple[str, ...]:
    """The metrics whose interval is wider than wanted: run on while there is one.

    Parameters
    ----------
    intervals : mapping of str to Interval
        One a metric, at the confidence of the look.
    wanted : mapping of str to Margin
        Half-width wanted, absolute or relative to the estimate; metrics that are not named may be as wide as they are.

    Examples
    --------
    >>> from bufsim.statistics import mean_interval
    >>> too_wide({"wait": mean_interval([1.0, 1.1, 0.9])}, {"wait": Margin(0.05, relative=True)})
    ('wait',)
    """
    for metric in wanted:
        if metric not in intervals:
            raise InvalidValueError(f"wanted names no metric {metric!r}{did_you_mean(metric, intervals)}")
    return tuple(
        metric
        for metric, margin in wanted.items()
        if not intervals[metric].half_width <= margin.at(intervals[metric].estimate)
    )
