"""Paired differences of scenarios under common random numbers, with all that bounds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bufsim.errors import InvalidValueError
from bufsim.statistics.intervals import (
    SLACK,
    FloatArray,
    Interval,
    critical_value,
    inner_probability,
    lower_tail,
    statistic,
)
from bufsim.statistics.quantiles import TooFew, worst_of
from bufsim.statistics.rare_events import FEW, RareEvents, runs_to_bound
from bufsim.statistics.replications import replications_for_power
from bufsim.statistics.samples import Sample

NO_PROOF = 3
"""So few runs with the same difference prove nothing: two runs of whole numbers, such as peaks, often have one."""

UNSEEN = "exact bounds over runs"
"""How the interval of a difference is made that no replication shows, though unseen events may make one."""
PARTLY_UNSEEN = "paired t, and exact bounds over runs of rare events"
"""How it is made where other things differ too."""
_AT_ONCE = 4096
"""So many pairs are worked out together, whose values lie in memory at once."""
_MOST_RUNS = 10**9
_STEPS = 45
"""So often an interval is halved in which an error lies: to a share of 10⁻¹²."""


def least_error(holds: Callable[[float], bool]) -> float:
    """The least α with which something holds at confidence 1 − α; 1 if it does at no α below a half.

    Examples
    --------
    >>> round(least_error(lambda alpha: alpha >= 0.01), 9)
    0.01
    """
    if not holds(0.49):
        return 1.0
    low, high = 1e-15, 0.49
    if holds(low):
        return low
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class RareDifference:
    """The part of a difference that counts events which few runs of both scenarios saw, and what is left of it.

    Parameters
    ----------
    estimate, variance : float
        Mean and sample variance of the paired differences without that part.
    parts : tuple of (float, RareEvents)
        What is counted, and what it is multiplied by in the difference: of the second scenario the negative.
    """

    estimate: float
    variance: float
    parts: tuple[tuple[float, RareEvents], ...]

    def ends(self, confidence: float) -> tuple[float, float]:
        """Between these the part lies when each count lies in its bounds at `confidence`."""
        low = high = 0.0
        for factor, events in self.parts:
            near, far = sorted(factor * end for end in events.bounds(confidence))
            low, high = low + near, high + far
        return low, high

    @property
    def moving(self) -> int:
        """How many bounds there are that may fail."""
        return sum(not events.is_certain for _, events in self.parts)

    def text(self, confidence: float) -> str:
        """How few of the runs saw what it counts."""
        texts = [events.text(confidence) for _, events in self.parts if not events.is_certain]
        return "; ".join(dict.fromkeys(texts))

    @property
    def phrase(self) -> str:
        """What a run does that sees one: "lose jobs"."""
        return " or ".join(dict.fromkeys(events.phrase for _, events in self.parts if not events.is_certain))

    def most_seen(self) -> int:
        """In how many runs at most one of the events was seen."""
        return max(events.seen for _, events in self.parts if not events.is_certain)

    def after(self, runs: int) -> RareDifference:
        """The same after more runs that see no more of it."""
        return replace(self, parts=tuple((factor, replace(events, runs=runs)) for factor, events in self.parts))


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean over replications of first − second, with what is needed for its interval at any level.

    Made by `paired_difference`.

    Parameters
    ----------
    first, second : str
        Names of the two scenarios (or of one metric under both).
    n : int
        Replications.
    estimate : float
        Mean of the paired differences.
    variance : float
        Sample variance of the paired differences.
    first_mean, second_mean, first_variance, second_variance : float
        Means and sample variances of either.
    exact : bool, default False
        Whether nothing is drawn at random in either scenario, so that even two replications are proof.
    below, above : float, default 0.0
        How far the difference may lie below and above its estimate, because values are known to their bins alone: a
        quantile lies somewhere in the bin of its histogram.
    rare : RareDifference, optional
        What of it counts events that few of the replications of either scenario saw: exact bounds take the place of
        its spread.
    unbounded : TooFew, optional
        Why nothing bounds it, where it is one of quantiles of too few flushes.
    """

    first: str
    second: str
    n: int
    estimate: float
    variance: float
    first_mean: float
    second_mean: float
    first_variance: float
    second_variance: float
    exact: bool = False
    below: float = 0.0
    above: float = 0.0
    rare: RareDifference | None = None
    unbounded: TooFew | None = None

    @property
    def least(self) -> float:
        """The difference nearest to 0 that the bins of the values allow."""
        return min(max(0.0, self.estimate - self.below), self.estimate + self.above)

    @property
    def is_in_one_bin(self) -> bool:
        """Whether the values are not told apart: they lie in one bin, with less noise than that is wide."""
        spread = critical_value(0.95, self.n) * math.sqrt(self.variance / self.n)
        return self.least == 0.0 and spread <= self.below + self.above and self.below + self.above > 0.0

    @property
    def is_constant_zero(self) -> bool:
        """Whether every replication gave the same value to both, up to rounding."""
        return self.estimate == 0.0 and self.variance == 0.0

    @property
    def is_chance(self) -> bool:
        """Whether it is a difference that all of a few replications have, which may be by chance."""
        return self.variance == 0.0 and self.least != 0.0 and self.n <= NO_PROOF and not self.exact

    @property
    def t(self) -> float:
        """The t statistic against 0; 0 where it is no proof: of few runs, too few flushes, or rare events."""
        if self.is_chance or self.unbounded or self.rare:
            return 0.0
        return statistic(self.least, self.variance, self.n)

    @property
    def is_identical(self) -> bool:
        """Whether every replication gave both the same value, or one in the same bin, and nothing unseen parts them."""
        return (self.is_constant_zero or self.is_in_one_bin) and self.rare is None and self.unbounded is None

    @property
    def standard_deviation(self) -> float:
        """Sample standard deviation of the paired differences."""
        return math.sqrt(self.variance)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of the paired t test; 1 for identical values, 0 for a constant difference other than 0.

        In up to 3 replications that draw at random a constant difference is no proof, and 1 too.
        """
        if self.rare and not self.unbounded:
            return least_error(lambda alpha: self.interval(1.0 - alpha).excludes_zero)
        return 2.0 * lower_tail(-abs(self.t), self.n)

    def tail(self, sign: float) -> float:
        """The p-value of the one-sided test that sign · (first − second) is above 0."""
        if self.rare and not self.unbounded:
            return self.p_value / 2.0 if sign * self.estimate > 0.0 else 1.0
        return lower_tail(-sign * self.t, self.n)

    @property
    def variance_ratio(self) -> float:
        """Gain by pairing: variance of an unpaired difference over that of the paired one.

        As many times more replications would be needed with independent arrivals. Infinite where the difference
        is constant, 1 where both values are.
        """
        unpaired = self.first_variance + self.second_variance
        if self.variance > 0.0:
            return unpaired / self.variance
        return math.inf if unpaired > 0.0 else 1.0

    def interval(self, confidence: float = 0.95, *, method: str = "paired t", family: float | None = None) -> Interval:
        """The t interval of the difference at `confidence`; of a constant one that proves nothing, as far as 0.

        Open at both ends where it is one of quantiles of too few flushes.

        Parameters
        ----------
        confidence : float, default 0.95
            Its level by itself.
        method : str, optional
            How it was made, in words.
        family : float, optional
            The confidence that it tells, where that is of a whole family of differences.
        """
        level = inner_probability("confidence", confidence)
        family_level = level if family is None else family
        if self.unbounded:
            return self.unbounded.interval(self.estimate, family_level, self.n)
        if self.rare:
            return self._with_rare(self.rare, level, family_level)
        if self.is_chance:
            return self._no_proof(self.estimate, family_level)
        reach = critical_value(level, self.n) * math.sqrt(self.variance / self.n)
        low, high = self.estimate - self.below - reach, self.estimate + self.above + reach
        return Interval(self.estimate, low, high, family_level, self.n, method)

    @property
    def rest(self) -> PairedDifference | None:
        """The difference without its rare events; None where it has none, or is made of nothing else."""
        rare = self.rare
        if rare is None or rare.variance == rare.estimate == self.below == self.above == 0.0:
            return None
        return replace(self, estimate=rare.estimate, variance=rare.variance, rare=None)

    def _with_rare(self, rare: RareDifference, level: float, family_level: float) -> Interval:
        """The interval of the rest and the bounds of the rare events, which all hold together (Bonferroni)."""
        rest = self.rest
        each = 1.0 - (1.0 - level) / (rare.moving + (rest is not None))
        low, high = rare.ends(each)
        if rest is not None:
            others = rest.interval(each)
            low, high = low + others.low, high + others.high
        low, high = min(low, self.estimate), max(high, self.estimate)
        method = UNSEEN if rest is None else PARTLY_UNSEEN
        return Interval(self.estimate, low, high, family_level, self.n, method, rare.text(each))

    def _no_proof(self, estimate: float, confidence: float) -> Interval:
        low, high = sorted((0.0, 2.0 * estimate))
        return Interval(estimate, low, high, confidence, self.n, f"the same in {self.n} replications: no proof")

    def relative_interval(self, confidence: float = 0.95, *, method: str = "paired t, Fieller") -> Interval:
        """The interval of (first − second) / |second|: each ρ whose first − second − ρ·|second| passes a t test of 0.

        Open at both ends where the mean of second itself is not separable from 0.

        References
        ----------
        Fieller (1954), Some problems in interval estimation, J. Royal Statistical Society B 16, 175-185.
        """
        level = inner_probability("confidence", confidence)
        square = critical_value(level, self.n) ** 2 / self.n
        if self.second_mean == 0.0:
            raise InvalidValueError(
                f"a relative difference needs a mean of {self.second!r} other than 0; ask for the absolute one"
            )
        if self.unbounded:
            return self.unbounded.interval(self.estimate / abs(self.second_mean), level, self.n)
        size, against = abs(self.second_mean), self.covariance_with_size
        if self.rare:  # the second itself may be 0
            note = self.rare.text(level)
            return Interval(self.estimate / size, -math.inf, math.inf, level, self.n, UNSEEN, note)
        if self.is_chance:
            return self._no_proof(self.estimate / size, level)
        curvature = size**2 - square * self.second_variance
        estimate, low, high = self.estimate / size, -math.inf, math.inf
        if curvature > 0.0:
            centre = self.estimate * size - square * against
            spread = centre**2 - curvature * (self.estimate**2 - square * self.variance)
            root = math.sqrt(max(spread, 0.0))
            low, high = min((centre - root) / curvature, estimate), max((centre + root) / curvature, estimate)
        return Interval(estimate, low - self.below / size, high + self.above / size, level, self.n, method)

    @property
    def covariance_with_size(self) -> float:
        """Sample covariance of first − second with second, taken with the sign of second's mean."""
        sign = math.copysign(1.0, self.second_mean)
        return sign * (self.first_variance - self.second_variance - self.variance) / 2.0

    def replications_to_separate(self, *, power: float = 0.8, confidence: float = 0.95) -> int | None:
        """The replications that would show a difference as large as the one estimated; None if none would.

        Of a constant one, unless nothing is drawn at random, the fewest that are proof. Of rare events as many as would
        show it if they see no more of them, or as would have seen enough of them for an interval by their spread.
        """
        if self.unbounded:
            return None
        if self.rare:
            return self._with_more_runs(self.rare, power, confidence)
        needed = replications_for_power(self.least, self.standard_deviation, power=power, confidence=confidence)
        is_constant = needed is not None and self.variance == 0.0 and not self.exact
        return NO_PROOF + 1 if is_constant else needed

    def _with_more_runs(self, rare: RareDifference, power: float, confidence: float) -> int | None:
        needed = replications_for_power(self.estimate, self.standard_deviation, power=power, confidence=confidence)
        if needed is None:
            return None
        seen = rare.most_seen()
        enough = [max(needed, math.ceil(self.n * FEW / seen))] if seen else []

        def shows(runs: int) -> bool:
            return replace(self, n=runs, rare=rare.after(runs)).interval(confidence).excludes_zero

        if shows(_MOST_RUNS):
            below, above = 1, self.n
            while not shows(above):
                below, above = above, 2 * above
            while above - below > max(below // 100, 1):
                middle = (below + above) // 2
                below, above = (below, middle) if below >= 2 and shows(middle) else (middle, above)
            enough.append(above)
        return min(enough, default=None)

    def runs_to_bound(self, confidence: float = 0.95) -> int | None:
        """How many runs that see none of its events would bound the runs that do at 1 %; None if they are as many."""
        needed = runs_to_bound(confidence=confidence)
        return needed if self.rare and not self.rare.most_seen() and needed > self.n else None


def paired_difference(
    first: Sample | ArrayLike,
    second: Sample | ArrayLike,
    *,
    names: tuple[str, str] = ("first", "second"),
    exact: bool = False,
) -> PairedDifference:
    """First − second, replication by replication, of two scenarios under common random numbers.

    Parameters
    ----------
    first, second : array_like, shape (n,), or Sample
        One value per replication, in the same order of replications; for ratios and quantiles the pseudo-values
        of `ratio_values` and `quantile_values`.
    names : tuple of str, optional
        What they are called in verdicts.
    exact : bool, default False
        Whether nothing is drawn at random in either, so that even two replications are proof.

    Raises
    ------
    InvalidValueError
        If there are fewer than two replications, a value is not finite, or the numbers of replications differ.

    References
    ----------
    Law (2015), Simulation Modeling and Analysis, 5th ed., sections 10.2.1 and 11.2.

    Examples
    --------
    >>> difference = paired_difference([2.1, 2.4, 2.0, 2.6], [2.0, 2.2, 1.9, 2.4])
    >>> print(difference.interval(), round(difference.variance_ratio, 1))
    0.15 [0.06, 0.24] 37.5
    """
    left, right = Sample.of(names[0], first), Sample.of(names[1], second)
    if left.values.size != right.values.size:
        raise InvalidValueError(
            f"{names[0]} and {names[1]} must have the same replications, got {left.values.size} and "
            f"{right.values.size}; pairing compares values that met the same arrivals"
        )
    (difference,) = _differences([left, right], [0], [1], [names])
    return replace(difference, exact=True) if exact else difference


def paired_differences(
    samples: Mapping[str, Sample | ArrayLike], pairs: Sequence[tuple[str, str]]
) -> list[PairedDifference]:
    """The `paired_difference` of each pair of scenarios, all worked out together.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (n,), or Sample
        One value per replication and scenario, in the same order of replications.
    pairs : sequence of (str, str)
        The scenarios of each difference.

    Examples
    --------
    >>> samples = {"today": [2.0, 2.2, 1.9, 2.4], "new": [2.1, 2.4, 2.0, 2.6]}
    >>> print(*(difference.interval() for difference in paired_differences(samples, [("new", "today")])))
    0.15 [0.06, 0.24]
    """
    known = {name: Sample.of(name, sample) for name, sample in samples.items()}
    if len({sample.values.size for sample in known.values()}) > 1:
        sizes = {name: sample.values.size for name, sample in known.items()}
        raise InvalidValueError(f"samples must have the same replications in every scenario, got {sizes}")
    rows, row = list(known.values()), {name: index for index, name in enumerate(known)}
    made: list[PairedDifference] = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        made += _differences(rows, [row[first] for first, _ in some], [row[second] for _, second in some], some)
    return made


def _differences(
    samples: Sequence[Sample], firsts: Sequence[int], seconds: Sequence[int], names: Sequence[tuple[str, str]]
) -> list[PairedDifference]:
    """The differences of pairs of samples: each sum is over one row, the same however many pairs there are."""
    table = np.array([sample.values for sample in samples])
    left, right = table[firsts], table[seconds]
    gaps = left - right
    sizes = np.maximum(np.abs(left), np.abs(right))
    gaps[np.abs(gaps) <= SLACK * sizes] = 0.0
    constant = np.ptp(gaps, axis=1) == 0.0
    estimates = np.where(constant, gaps[:, 0], gaps.mean(axis=1)).tolist()
    variances = np.where(constant, 0.0, gaps.var(axis=1, ddof=1)).tolist()
    means, spreads, n = table.mean(axis=1).tolist(), table.var(axis=1, ddof=1), table.shape[1]
    known = np.array([(sample.below, sample.above) for sample in samples])
    # as far as the first may lie below and the second above, and the other way round; rounding apart
    ends = known[firsts] + known[seconds][:, ::-1]
    ends[ends.sum(axis=1) <= SLACK * sizes.mean(axis=1)] = 0.0
    # histograms that vary from run to run, and agree in every one, are the same jobs' waits
    ends[constant & (gaps[:, 0] == 0.0) & (spreads[firsts] > 0.0)] = 0.0
    below, above = ends.T.tolist()
    spreads = spreads.tolist()
    return [
        _completed(
            PairedDifference(
                *pair,
                n,
                estimates[i],
                variances[i],
                means[a],
                means[b],
                spreads[a],
                spreads[b],
                samples[a].exact and samples[b].exact,
                below[i],
                above[i],
            ),
            samples[a],
            samples[b],
            gaps[i],
        )
        for i, (pair, a, b) in enumerate(zip(names, firsts, seconds, strict=True))
    ]


def _completed(gap: PairedDifference, first: Sample, second: Sample, values: FloatArray) -> PairedDifference:
    """The difference with what its values do not tell: that there were too few flushes, or rare events."""
    if first.few or second.few:
        few = {name: sample.few for name, sample in ((gap.first, first), (gap.second, second)) if sample.few}
        # two that vary, and have the same value in every replication, are the same however few flushes they have
        if not (gap.is_constant_zero and gap.first_variance > 0.0):
            gap = replace(gap, unbounded=worst_of(few))
    rare = _rare(first, second, values) if first.rare and second.rare else None
    if rare is None:
        return gap
    estimate = rare.estimate + sum(factor * events.estimate for factor, events in rare.parts)
    return replace(gap, rare=rare, estimate=estimate)


def _rare(first: Sample, second: Sample, gaps: FloatArray) -> RareDifference | None:
    """What few runs of both scenarios saw, or of one where the other is certain; None if there is nothing."""
    both = [(first.rare[key], second.rare[key]) for key in first.rare if key in second.rare]
    both = [(one, other) for one, other in both if not (one.events.is_certain and other.events.is_certain)]
    if not both:
        return None
    rest = gaps - sum(one.values - other.values for one, other in both)
    rest[np.abs(rest) <= SLACK * (np.abs(gaps) + np.abs(first.values) + np.abs(second.values))] = 0.0
    is_constant = np.ptp(rest) == 0.0
    parts = [part for one, other in both for part in ((one.factor, one.events), (-other.factor, other.events))]
    return RareDifference(
        float(rest[0]) if is_constant else float(rest.mean()),
        0.0 if is_constant else float(rest.var(ddof=1)),
        tuple(parts),
    )
