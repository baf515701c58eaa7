"""What quantiles are taken of: the observations of each replication, or their cumulative counts on a shared grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bufsim.checks import finite
from bufsim.errors import InvalidValueError
from bufsim.statistics.intervals import (
    FloatArray,
    Interval,
    critical_value,
    inner_probability,
    ratio_interval,
    replication_values,
)


def sorted_samples(samples: Sequence[ArrayLike]) -> list[FloatArray]:
    """Return each replication's observations in ascending order: of at least two replications, at least one in all."""
    if len(samples) < 2:
        raise InvalidValueError(f"samples must come from at least 2 replications, got {len(samples)}; run more")
    ordered = [np.sort(np.asarray(values, dtype=np.float64)) for values in samples]
    for replication, values in enumerate(ordered):
        if values.ndim != 1:
            raise InvalidValueError(
                f"samples must hold one array of observations per replication, got shape {values.shape} "
                f"in replication {replication}"
            )
        if values.size and not (np.isfinite(values[0]) and np.isfinite(values[-1])):
            raise InvalidValueError(f"samples must be finite, got another value in replication {replication}")
    if not any(values.size for values in ordered):
        raise InvalidValueError("samples must hold at least one observation; lengthen the runs")
    return ordered


def counts_up_to(ordered: Sequence[FloatArray], values: FloatArray) -> FloatArray:
    """How many observations of each replication are ≤ each value: shape (n, m)."""
    return np.array([np.searchsorted(own, values, "right") for own in ordered], dtype=np.float64)


def shared_grid(
    values: ArrayLike, cumulative: ArrayLike, totals: ArrayLike | None, q: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the checked grid (k,), on which the q-quantile lies, cumulative amounts (n, k) and totals (n,)."""
    grid, table = np.asarray(values, dtype=np.float64), np.asarray(cumulative, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all() or (np.diff(grid) <= 0.0).any():
        raise InvalidValueError("values must be a finite grid that ascends strictly; sort it and merge equal values")
    if table.ndim != 2 or table.shape[1] != grid.size or table.shape[0] < 2:
        raise InvalidValueError(
            f"cumulative must have a row for each of at least 2 replications and a column for each of {grid.size} "
            f"values, got shape {table.shape}"
        )
    if not np.isfinite(table).all() or (table[:, 0] < 0.0).any() or (np.diff(table, axis=1) < 0.0).any():
        raise InvalidValueError("cumulative must not decrease along a row, nor be negative; give cumulative amounts")
    sums = table[:, -1] if totals is None else np.asarray(totals, dtype=np.float64)
    if sums.shape != table.shape[:1] or not np.isfinite(sums).all() or (sums < table[:, -1]).any():
        raise InvalidValueError("totals must be one per replication, each at least the last cumulative amount")
    if sums.sum() <= 0.0:
        raise InvalidValueError("totals must not all be 0; lengthen the runs")
    # 0.07 * 100 is a little more than 7
    if table[:, -1].sum() < q * sums.sum() * (1.0 - 1e-12):
        raise InvalidValueError(
            f"values must reach the {q:g} quantile, got a grid that ends at {grid[-1]:g}; give it higher values"
        )
    return grid, table, sums


def observations_needed(q: float, *, confidence: float = 0.95) -> int:
    """The fewest independent observations that bound the q-quantile from both sides.

    The largest of n observations lies above the quantile with probability 1 − qⁿ, the smallest below it with
    1 − (1 − q)ⁿ; each may fail with (1 − confidence) / 2.

    Examples
    --------
    >>> observations_needed(0.99), observations_needed(0.95), observations_needed(0.5)
    (368, 72, 6)
    """
    tail = max(inner_probability("q", q), 1.0 - q)
    return math.ceil(math.log((1.0 - inner_probability("confidence", confidence)) / 2.0) / math.log(tail))


def order_statistic_interval(values: ArrayLike, q: float, *, confidence: float = 0.95) -> Interval:
    """The q-quantile of independent observations, such as the jobs lost at each of n stops, between two of them.

    Parameters
    ----------
    values : array_like, shape (n,)
        One observation per replication; atoms do no harm.
    q : float
        Which quantile, > 0 and < 1.
    confidence : float, default 0.95
        Level of the interval, half of the error on either side.

    Returns
    -------
    Interval
        Open (infinite) at the end that n observations cannot bound; its note says how many could.

    Notes
    -----
    The estimate is the smallest observation x with at least q·n observations ≤ x. A bootstrap of the 99 % quantile
    of 100 observations covers 61 % instead.

    References
    ----------
    Conover (1999), Practical Nonparametric Statistics, 3rd ed., section 3.2, as `scipy.stats.quantile_test` has it.

    Examples
    --------
    >>> print(order_statistic_interval(range(1, 101), 0.95))
    95 [90, 100]
    >>> interval = order_statistic_interval(range(1, 101), 0.99)
    >>> print(interval, "-", interval.note)
    99 [97, inf] - no upper bound at 95 % from 100 observations (368 needed)
    """
    from scipy.stats import quantile_test

    level = inner_probability("confidence", confidence)
    array = replication_values("values", values)
    estimate = float(np.quantile(array, inner_probability("q", q), method="inverted_cdf"))
    bounds: Any = quantile_test(array, q=estimate, p=q).confidence_interval(level)
    low = -math.inf if math.isnan(bounds.low) else float(bounds.low)
    high = math.inf if math.isnan(bounds.high) else float(bounds.high)
    note = open_note(low, high, f"{array.size:,} observations", q, level)
    return Interval(estimate, low, high, level, array.size, "order statistics", note)


def open_note(low: float, high: float, source: str, q: float, confidence: float) -> str:
    """Say which end is open and how many independent observations would close it; empty if none is."""
    ends = [name for name, end in (("lower", low), ("upper", high)) if math.isinf(end)]
    if not ends:
        return ""
    needed = observations_needed(q, confidence=confidence)
    return f"no {' and no '.join(ends)} bound at {100.0 * confidence:g} % from {source} ({needed:,} needed)"


# For the positions of m candidate values, the amounts at or below each, a row per replication: shape (n, m).
Cumulative = Callable[[NDArray[np.intp]], FloatArray]

# Positions looked at in one pass; up to so many candidates every one is tried.
WIDTH = 256


@dataclass(frozen=True, slots=True)
class Inversion:
    """Positions, among the candidate values, of the estimate and of the interval's ends; None is an open end.

    Parameters
    ----------
    low : int or None
        First candidate x of which F(x) is not shown to be below q; None if even F = 0 is not.
    estimate : int
        First candidate with F(x) ≥ q over all replications together.
    high : int or None
        First candidate from which on F(x) is shown to be above q; None if that of the last is not.
    independent : float
        As many independent observations would know F as well there (infinite where nothing varies).
    """

    low: int | None
    estimate: int
    high: int | None
    independent: float


def invert(cumulative: Cumulative, candidates: int, totals: FloatArray, q: float, confidence: float) -> Inversion:
    """Accept x as the q-quantile when a t test over replications of [amount ≤ x] − q·[amount] accepts 0.

    Parameters
    ----------
    cumulative : Cumulative
        The amounts, jobs or seconds, at or below candidates.
    candidates : int
        How many candidates there are, in ascending order; the last holds at least a share q of all.
    totals : numpy.ndarray, shape (n,)
        The amounts, one a replication.
    """
    critical = critical_value(confidence, totals.size)
    # 0.07 * 100 is a little more than 7
    wanted = q * totals.sum() * (1.0 - 1e-12)

    def t(positions: NDArray[np.intp]) -> FloatArray:
        return _t_statistics(cumulative(positions) - q * totals[:, None], float(totals.max()))

    nothing = float(_t_statistics(-q * totals[:, None], float(totals.max()))[0])
    estimate = _first(lambda positions: cumulative(positions).sum(axis=0) >= wanted, 0, candidates)
    low = _first(lambda positions: t(positions) >= -critical, 0, estimate + 1)
    # mirrored: the last candidate that is not shown to be too high
    last = candidates - 1 - _first(lambda back: t(candidates - 1 - back) <= critical, 0, candidates - estimate)
    return Inversion(
        low=None if nothing >= -critical else low,
        estimate=estimate,
        high=max(last + 1, estimate) if last + 1 < candidates else None,
        independent=_independent(cumulative, estimate, totals),
    )


def _t_statistics(excess: FloatArray, scale: float) -> FloatArray:
    """One t statistic per column against 0; infinite where a column does not vary, 0 where it is 0 throughout."""
    mean = excess.mean(axis=0)
    mean[np.abs(mean) <= 1e-12 * scale] = 0.0
    error = excess.std(axis=0, ddof=1) / math.sqrt(excess.shape[0])
    flat = np.ptp(excess, axis=0) <= 1e-12 * scale
    certain = np.where(mean == 0.0, 0.0, np.copysign(math.inf, mean))
    return np.where(flat, certain, mean / np.where(flat, 1.0, error))


def _first(holds: Callable[[NDArray[np.intp]], NDArray[np.bool_]], start: int, stop: int) -> int:
    """The first position in [start, stop) where `holds`, narrowed down from evenly spread ones; `stop` if none does."""
    while True:
        positions = np.unique(np.linspace(start, stop - 1, min(WIDTH, stop - start)).astype(np.intp))
        flags = holds(positions)
        if not flags.any():
            return stop
        found = int(np.argmax(flags))
        if positions.size == stop - start or found == 0:
            return int(positions[found])
        start, stop = int(positions[found - 1]) + 1, int(positions[found]) + 1


def _independent(cumulative: Cumulative, estimate: int, totals: FloatArray) -> float:
    """p(1 − p) over the variance of the ratio p = sum of amounts ≤ x / sum of totals, just below the estimate."""
    for position in (estimate - 1, estimate):
        amounts = cumulative(np.array([position]))[:, 0] if position >= 0 else np.zeros_like(totals)
        share = float(amounts.sum() / totals.sum())
        if 0.0 < share < 1.0:
            residuals = (amounts - share * totals) / totals.mean()
            variance = float(residuals.var(ddof=1)) / totals.size
            return share * (1.0 - share) / variance if variance > 0.0 else math.inf
    return math.inf


def quantile_values(samples: Sequence[ArrayLike], q: float) -> FloatArray:
    """One value per replication whose mean estimates the q-quantile over all jobs: what each replication did to it.

    For differences between scenarios under common random numbers. The quantile itself has its interval from
    `quantile_interval`, which needs no density and knows when to refuse.

    Parameters
    ----------
    samples : sequence of array_like
        As in `quantile_interval`.
    q : float
        Which quantile, > 0 and < 1.

    Returns
    -------
    numpy.ndarray, shape (n,)
        x + (q·Nᵢ − Cᵢ(x)) / (N̄·f), where x is the quantile over all jobs, Cᵢ(x) of a replication's Nᵢ jobs are ≤ x,
        and f is the mean density over the quantile's own 95 % interval. Where that interval is a single value (an
        atom), it is that value for every replication.

    References
    ----------
    Bahadur (1966), A note on quantiles in large samples, Annals of Mathematical Statistics 37, 577-580;
    Woodruff (1952), Confidence intervals for medians and other position measures, J. American Statistical
    Association 47, 635-646 (the density over the interval).

    Examples
    --------
    >>> quantile_values([[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 6.0], [1.0, 3.0, 5.0, 7.0]], 0.5).round(2)
    array([1.33, 3.  , 3.  ])
    """
    ordered = sorted_samples(samples)
    pooled = np.sort(np.concatenate(ordered))
    totals = np.array([values.size for values in ordered], dtype=np.float64)
    return _influence(pooled, lambda positions: counts_up_to(ordered, pooled[positions]), totals, q)


def quantile_values_from_counts(
    values: ArrayLike, cumulative: ArrayLike, q: float, *, totals: ArrayLike | None = None
) -> FloatArray:
    """As `quantile_values`, from cumulative counts or times on a shared grid (see `quantile_interval_from_counts`)."""
    grid, table, sums = shared_grid(values, cumulative, totals, q)
    return _influence(grid, lambda positions: table[:, positions], sums, q)


def _influence(grid: FloatArray, cumulative: Cumulative, totals: FloatArray, q: float) -> FloatArray:
    found = invert(cumulative, grid.size, totals, inner_probability("q", q), confidence=0.95)
    ends = np.array([found.low or 0, found.estimate, grid.size - 1 if found.high is None else found.high])
    low, estimate, high = grid[ends]
    if low == high:
        return np.full(totals.size, estimate)
    below, amounts, above = cumulative(ends).T
    excess = q * totals - amounts
    return np.asarray(estimate + excess * (high - low) / (above - below).mean(), dtype=np.float64)


def quantile_interval(samples: Sequence[ArrayLike], q: float, *, confidence: float = 0.95) -> Interval:
    """The q-quantile over the jobs of all replications, with its interval.

    x is in the interval when a t test over replications of [jobs with wait ≤ x] − q·[jobs] accepts 0.

    Parameters
    ----------
    samples : sequence of array_like
        The waits (or batch sizes) of each replication, in any order; a replication may have none. Where each has
        exactly one, the observations are independent and order statistics are used.
    q : float
        Which quantile, > 0 and < 1.
    confidence : float, default 0.95
        Level of the interval.

    Returns
    -------
    Interval
        Its ends are observed values; at an atom they may all be one value. An end is open (infinite) where the
        data are worth fewer independent observations than a bound needs; the note then says how many.

    Notes
    -----
    Jobs of one replication depend on each other and their number varies, so neither jobs nor per-replication
    quantiles may be averaged: under bursts a t interval over per-replication quantiles covered 78 %, this 95 %.

    References
    ----------
    The ratio test is Fieller's (1954), read as a test of the distribution function at x; for the worth in
    independent observations Kish (1965), Survey Sampling, section 8.2 (design effect).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> print(quantile_interval([rng.exponential(1.0, 1000) for _ in range(30)], 0.95))
    3.00 [2.95, 3.04]
    """
    share, level = inner_probability("q", q), inner_probability("confidence", confidence)
    ordered = sorted_samples(samples)
    if all(values.size == 1 for values in ordered):
        return order_statistic_interval(np.concatenate(ordered), share, confidence=level)
    pooled = np.sort(np.concatenate(ordered))
    totals = np.array([values.size for values in ordered], dtype=np.float64)
    found = invert(lambda positions: counts_up_to(ordered, pooled[positions]), pooled.size, totals, share, level)
    return _interval(pooled, pooled, found, totals, share, level, jobs=float(pooled.size))


def quantile_interval_from_counts(
    values: ArrayLike,
    cumulative: ArrayLike,
    q: float,
    *,
    totals: ArrayLike | None = None,
    between: bool = False,
    counts: bool = True,
    confidence: float = 0.95,
) -> Interval:
    """The q-quantile from cumulative counts (or times) on a grid that all replications share.

    Parameters
    ----------
    values : array_like, shape (k,)
        The grid, strictly ascending.
    cumulative : array_like, shape (n, k)
        Jobs of each replication with a wait ≤ each grid value, or seconds at a level ≤ each.
    q : float
        Which quantile, > 0 and < 1.
    totals : array_like, shape (n,), optional
        All jobs (or seconds) of each replication, where some lie beyond the grid; by default the last column.
    between : bool, default False
        Whether jobs lie anywhere between grid values (a histogram) rather than on them; the lower end then
        reaches down to the grid value below.
    counts : bool, default True
        Whether the amounts count jobs, which bounds what they are worth; False for seconds.
    confidence : float, default 0.95
        Level of the interval.

    Raises
    ------
    InvalidValueError
        If shapes do not fit, the grid or a row does not ascend, or the quantile lies beyond the grid.

    Examples
    --------
    >>> print(quantile_interval_from_counts([0, 1, 2], [[5, 9, 10], [4, 9, 10], [6, 8, 10]], 0.5))
    0.0 [0.0, 1.0]
    """
    share, level = inner_probability("q", q), inner_probability("confidence", confidence)
    grid, table, sums = shared_grid(values, cumulative, totals, share)
    found = invert(lambda positions: table[:, positions], grid.size, sums, share, level)
    floor = np.concatenate(([-math.inf], grid[:-1])) if between else grid
    return _interval(grid, floor, found, sums, share, level, jobs=float(sums.sum()) if counts else math.inf)


def _interval(
    grid: FloatArray, floor: FloatArray, found: Inversion, totals: FloatArray, q: float, level: float, *, jobs: float
) -> Interval:
    """Read the positions off the grid, and open the ends that the data are not worth."""
    worth, failure = min(found.independent, jobs), (1.0 - level) / 2.0
    few = (1.0 - q) ** worth > failure, q**worth > failure
    low = -math.inf if found.low is None or few[0] else float(floor[found.low])
    high = math.inf if found.high is None or few[1] else float(grid[found.high])
    note = open_note(low, high, _source(worth, jobs), q, level) if any(few) else ""
    if not note and (found.low is None or found.high is None):
        ends = "upper" if found.low is not None else "lower" if found.high is not None else "lower and no upper"
        note = f"no {ends} bound at {100.0 * level:g} %: {_reach(found)}"
    return Interval(float(grid[found.estimate]), low, high, level, totals.size, "inverted ratio test", note)


def _reach(found: Inversion) -> str:
    if found.low is None:
        return "the replications differ too much in size; run more"
    return "the interval reaches beyond the grid; give it higher values"


def _source(worth: float, jobs: float) -> str:
    if worth >= jobs:
        return f"{jobs:,.0f} jobs"
    observed = f"{jobs:,.0f} jobs" if math.isfinite(jobs) else "levels"
    return f"{observed} worth {worth:,.0f} independent ones"


@dataclass(frozen=True, slots=True, eq=False)
class LevelDistribution:
    """The share of time that a level spent at each value, in one replication's window.

    What a stop at a random moment finds is distributed like this (PASTA), so it is also the distribution of the
    jobs that such a stop would lose.

    Parameters
    ----------
    values : numpy.ndarray, shape (k,)
        Levels that occurred for some time, ascending.
    seconds : numpy.ndarray, shape (k,)
        Time at each, s; > 0.

    References
    ----------
    Wolff (1982), Poisson arrivals see time averages, Operations Research 30, 223-231.
    """

    values: FloatArray
    seconds: FloatArray

    @property
    def mean(self) -> float:
        """Time average of the level."""
        return float(self.values @ self.seconds / self.seconds.sum())

    def quantile(self, q: float) -> float:
        """The smallest level at or below which the time is at least a share q of the window."""
        wanted = inner_probability("q", q) * self.seconds.sum() * (1.0 - 1e-12)
        return float(self.values[np.searchsorted(np.cumsum(self.seconds), wanted)])

    def beyond(self, level: float) -> float:
        """Share of time above `level`: the probability that a stop loses more than that."""
        return float(self.seconds[self.values > level].sum() / self.seconds.sum())


def level_distribution(times: ArrayLike, sizes: ArrayLike, start: float, end: float) -> LevelDistribution:
    """The distribution of a right-continuous step function over [start, end).

    Parameters
    ----------
    times : array_like, shape (k,)
        When the level changed, s, not descending, the first at or before `start`; of equal times the last counts.
    sizes : array_like, shape (k,)
        The level from that time on.
    start, end : float
        The window, s.

    Examples
    --------
    >>> distribution = level_distribution([0.0, 1.0, 2.0, 4.0], [0, 1, 2, 0], start=0.0, end=5.0)
    >>> distribution.mean, distribution.quantile(0.95), distribution.beyond(0)
    (1.0, 2.0, 0.6)
    """
    clock, levels = np.asarray(times, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    first, last = finite("start", start), finite("end", end)
    if last <= first:
        raise InvalidValueError(f"end must be > start, got {end!r} and {start!r}")
    if clock.shape != levels.shape or clock.ndim != 1 or not clock.size:
        raise InvalidValueError(f"times and sizes must be as many, got shapes {clock.shape} and {levels.shape}")
    if (np.diff(clock) < 0.0).any() or clock[0] > first:
        raise InvalidValueError(f"times must not descend and must begin at or before start = {start!r}")
    held = np.diff(np.clip(np.append(clock, last), first, last))
    values, places = np.unique(levels[held > 0.0], return_inverse=True)
    return LevelDistribution(values, np.bincount(places, held[held > 0.0]).astype(np.float64))


def level_mean_interval(distributions: Sequence[LevelDistribution], *, confidence: float = 0.95) -> Interval:
    """The time average of a level over replications, with its t interval."""
    areas = [distribution.values @ distribution.seconds for distribution in distributions]
    seconds = [distribution.seconds.sum() for distribution in distributions]
    return ratio_interval(areas, seconds, confidence=confidence)


def level_quantile_interval(
    distributions: Sequence[LevelDistribution], q: float, *, confidence: float = 0.95
) -> Interval:
    """The q-quantile of a level over time, with its interval (see `quantile_interval`; time in place of jobs).

    Examples
    --------
    >>> rows = [level_distribution([0.0, 1.0 + 0.1 * i, 2.0], [0, 1, 2], 0.0, 4.0) for i in range(5)]
    >>> print(level_quantile_interval(rows, 0.3))
    0.0 [0.0, 1.0]
    """
    values = np.unique(np.concatenate([distribution.values for distribution in distributions]))
    cumulative = np.stack([_seconds_up_to(distribution, values) for distribution in distributions])
    return quantile_interval_from_counts(values, cumulative, q, counts=False, confidence=confidence)


def _seconds_up_to(distribution: LevelDistribution, values: FloatArray) -> FloatArray:
    seconds = np.concatenate(([0.0], np.cumsum(distribution.seconds)))
    return np.asarray(seconds[np.searchsorted(distribution.values, values, "right")], dtype=np.float64)
