"""Quantiles with their intervals: of independent observations, and of dependent jobs by inverting a ratio test."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bufsim import formats
from bufsim.errors import InvalidValueError
from bufsim.statistics.intervals import FloatArray, Interval, critical_value, inner_probability, replication_values

# Positions looked at in one pass; up to so many candidates every one is tried.
WIDTH = 256


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
    note = _open_note(low, high, f"{array.size:,} observations", q, level)
    return Interval(estimate, low, high, level, array.size, "order statistics", note)


def _open_note(low: float, high: float, source: str, q: float, confidence: float, needed_of: str = "") -> str:
    """Which end is open, and how many independent observations (or what they are) would close it; empty if none is."""
    ends = [name for name, end in (("lower", low), ("upper", high)) if math.isinf(end)]
    if not ends:
        return ""
    needed = observations_needed(q, confidence=confidence)
    return (
        f"no {' and no '.join(ends)} bound at {formats.level(confidence)} from {source} ({needed:,} {needed_of}needed)"
    )


@dataclass(frozen=True, slots=True)
class TooFew:
    """Too few flushes to bound a quantile, whose interval is therefore open.

    Parameters
    ----------
    count, needed : int
        How many there are, and how many it needs.
    of : str
        What they are: "flushes", or "runs".
    note : str
        Which bound they cannot give, as the note of an interval says it.
    scenario : str
        Whose they are; "" where it is not said.
    """

    count: int
    needed: int
    of: str
    note: str
    scenario: str = ""

    @property
    def shortage(self) -> float:
        """How many times as many it needs."""
        return self.needed / self.count if self.count else math.inf

    @property
    def short(self) -> str:
        """What is needed, in few words."""
        return f"{self.needed:,} {self.of} needed"

    def interval(self, estimate: float, confidence: float, n: int) -> Interval:
        """The interval of what nothing bounds, open at both ends, with the reason."""
        return Interval(estimate, -math.inf, math.inf, confidence, n, f"too few {self.of}", str(self))

    def __str__(self) -> str:
        return f"{self.scenario} has {self.note}" if self.scenario else self.note


def too_few(q: float, count: int, *, of: str = "flushes", confidence: float = 0.95) -> TooFew | None:
    """The reason why so many flushes cannot bound the q-quantile at both ends; None if they can.

    Examples
    --------
    >>> print(too_few(0.99, 300))
    no upper bound at 95 % from 300 flushes (368 flushes needed)
    >>> too_few(0.99, 368) is None
    True
    """
    share, level = inner_probability("q", q), inner_probability("confidence", confidence)
    failure = (1.0 - level) / 2.0
    low = -math.inf if (1.0 - share) ** count > failure else 0.0
    high = math.inf if share**count > failure else 0.0
    note = _open_note(low, high, f"{count:,} {of}", share, level, f"{of} ")
    return TooFew(count, observations_needed(share, confidence=level), of, note) if note else None


def worst_of(few: Mapping[str, TooFew]) -> TooFew:
    """Of several scenarios that have too few flushes the one that lacks most."""
    scenario = max(few, key=lambda name: few[name].shortage)
    return replace(few[scenario], scenario=scenario)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Jobs (or seconds) of each replication at or below each value of a shared grid, looked up where they are needed.

    Parameters
    ----------
    values : array, shape (k,)
        The grid, strictly ascending.
    totals : array, shape (n,)
        All jobs (or seconds) of each replication.
    at : callable
        From positions on the grid, m of them, to the amounts there, of shape (n, m).
    """

    values: FloatArray
    totals: FloatArray
    at: Callable[[NDArray[np.intp]], FloatArray]

    def table(self) -> FloatArray:
        """The amounts at every value, of shape (n, k)."""
        return self.at(np.arange(self.values.size))


def quantile_interval_from_counts(
    values: ArrayLike,
    cumulative: ArrayLike,
    q: float,
    *,
    totals: ArrayLike | None = None,
    counts: bool = True,
    flushes: float = math.inf,
    confidence: float = 0.95,
) -> Interval:
    """The q-quantile over the jobs (or the time) of all replications, from cumulative amounts on a shared grid.

    x is in the interval when a t test over replications of [jobs with wait ≤ x] − q·[jobs] accepts 0.

    Parameters
    ----------
    values : array_like, shape (k,)
        The grid, strictly ascending.
    cumulative : array_like, shape (n, k)
        Jobs of each replication with a wait ≤ each grid value, or seconds at a level ≤ each; a replication may have
        none.
    q : float
        Which quantile, > 0 and < 1.
    totals : array_like, shape (n,), optional
        All jobs (or seconds) of each replication, where some lie beyond the grid; by default the last column.
    counts : bool, default True
        Whether the amounts count jobs, which bounds what they are worth; False for seconds.
    flushes : float, optional
        In how many flushes the jobs came, of all replications together: they are worth no more.
    confidence : float, default 0.95
        Level of the interval.

    Returns
    -------
    Interval
        Its ends are values of the grid; at an atom they may all be one value. An end is open (infinite) where the
        data are worth fewer independent observations than a bound needs; the note then says how many.

    Raises
    ------
    InvalidValueError
        If shapes do not fit, the grid or a row does not ascend, or the quantile lies beyond the grid.

    Notes
    -----
    Jobs of one replication depend on each other and their number varies, so neither jobs nor per-replication
    quantiles may be averaged: under bursts a t interval over per-replication quantiles covered 78 %, this 95 %.

    How many independent observations the jobs are worth follows from how much the replications differ. Where few
    flushes have a job beyond the quantile, replications may happen to differ little, and the jobs then seem to be worth
    more than they are: without a cap, p99.9 of waits in 300 flushes has a closed interval in a tenth of studies, which
    covers some 40 %. Waits of one flush belong together, so that jobs are never worth more than their flushes. So do
    the levels between two flushes: of p99 of the buffer size in 30 cycles, and p99.9 in 300, a tenth to a quarter of
    intervals would close, and cover 48 to 85 %.

    References
    ----------
    The ratio test is Fieller's (1954), read as a test of the distribution function at x; for the worth in
    independent observations Kish (1965), Survey Sampling, section 8.2 (design effect).

    Examples
    --------
    >>> print(quantile_interval_from_counts([0, 1, 2], [[5, 9, 10], [4, 9, 10], [6, 8, 10]], 0.5))
    0.0 [0.0, 1.0]
    """
    amounts = _shared_grid(values, cumulative, totals, inner_probability("q", q))
    return quantile_interval(amounts, q, counts=counts, flushes=flushes, confidence=confidence)


def quantile_interval(
    amounts: Amounts,
    q: float,
    *,
    counts: bool = True,
    flushes: float = math.inf,
    of: str = "flushes",
    confidence: float = 0.95,
) -> Interval:
    """The q-quantile over the jobs (or the time) of all replications: see `quantile_interval_from_counts`.

    `of` is the word for what `flushes` counts.
    """
    share, level = inner_probability("q", q), inner_probability("confidence", confidence)
    grid, sums = amounts.values, amounts.totals
    inversion = _invert(amounts, share, level)
    jobs = float(sums.sum()) if counts else math.inf
    worth, failure = min(inversion.independent, jobs, flushes), (1.0 - level) / 2.0
    few = (1.0 - share) ** worth > failure, share**worth > failure
    low = -math.inf if inversion.low is None or few[0] else float(grid[inversion.low])
    high = math.inf if inversion.high is None or few[1] else float(grid[inversion.high])
    needed_of = f"{of} " if worth >= flushes else ""
    note = _open_note(low, high, _source(worth, jobs, flushes, of), share, level, needed_of) if any(few) else ""
    note = note or _unbounded_note(inversion, level)
    return Interval(float(grid[inversion.estimate]), low, high, level, sums.size, "inverted ratio test", note)


def _source(worth: float, jobs: float, flushes: float, of: str) -> str:
    if worth >= flushes:
        return f"{jobs:,.0f} jobs in {flushes:,.0f} {of}" if math.inf > jobs > flushes else f"{flushes:,.0f} {of}"
    if worth >= jobs:
        return f"{jobs:,.0f} jobs"
    observed = f"{jobs:,.0f} jobs" if math.isfinite(jobs) else "levels"
    return f"{observed} worth {worth:,.0f} independent ones"


def _unbounded_note(inversion: _Inversion, level: float) -> str:
    """Which end the test leaves open, and the way out; empty if none."""
    if inversion.low is not None and inversion.high is not None:
        return ""
    ends = "upper" if inversion.low is not None else "lower" if inversion.high is not None else "lower and no upper"
    way_out = "the interval reaches beyond the grid; give it higher values"
    if inversion.low is None:
        way_out = "the replications differ too much in size; run more"
    return f"no {ends} bound at {formats.level(level)}: {way_out}"


def quantile_values_from_counts(
    values: ArrayLike, cumulative: ArrayLike, q: float, *, totals: ArrayLike | None = None
) -> FloatArray:
    """One value per replication whose mean estimates the q-quantile over all jobs: what each replication did to it.

    For differences between scenarios under common random numbers. The quantile itself has its interval from
    `quantile_interval_from_counts`, which needs no density and knows when to refuse.

    Parameters
    ----------
    values, cumulative, q, totals
        As in `quantile_interval_from_counts`.

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
    >>> counts = [[1, 2, 3, 4, 4, 4, 4], [0, 1, 2, 3, 3, 4, 4], [1, 1, 2, 2, 3, 3, 4]]
    >>> quantile_values_from_counts([1, 2, 3, 4, 5, 6, 7], counts, 0.5).round(2)
    array([1.33, 3.  , 3.  ])
    """
    return quantile_values(_shared_grid(values, cumulative, totals, q), q)


def quantile_values(amounts: Amounts, q: float) -> FloatArray:
    """One value per replication whose mean estimates the q-quantile: see `quantile_values_from_counts`."""
    grid, sums = amounts.values, amounts.totals
    inversion = _invert(amounts, inner_probability("q", q), confidence=0.95)
    ends = np.array(
        [inversion.low or 0, inversion.estimate, grid.size - 1 if inversion.high is None else inversion.high]
    )
    low, estimate, high = grid[ends]
    if low == high:
        return np.full(sums.size, estimate)
    below, middle, above = amounts.at(ends).T
    excess = q * sums - middle
    return np.asarray(estimate + excess * (high - low) / (above - below).mean(), dtype=np.float64)


def _shared_grid(values: ArrayLike, cumulative: ArrayLike, totals: ArrayLike | None, q: float) -> Amounts:
    """The checked amounts, on a grid on which the q-quantile lies."""
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
    return Amounts(grid, sums, lambda positions: table[:, positions])


@dataclass(frozen=True, slots=True)
class _Inversion:
    """Positions, on the grid, of the estimate and of the interval's ends; None is an open end.

    Parameters
    ----------
    low : int or None
        First grid value x of which F(x) is not shown to be below q; None if even F = 0 is not.
    estimate : int
        First grid value with F(x) ≥ q over all replications together.
    high : int or None
        First grid value from which on F(x) is shown to be above q; None if that of the last is not.
    independent : float
        As many independent observations would know F as well there (infinite where nothing varies).
    """

    low: int | None
    estimate: int
    high: int | None
    independent: float


def _invert(amounts: Amounts, q: float, confidence: float) -> _Inversion:
    """The values x at which a t test over replications of [amount ≤ x] − q·[amount] accepts 0."""
    # Worked example: q = 0.5, three replications of 10 jobs each; t is compared with 4.30 (95 %, 2 degrees of freedom).
    #     x                     nothing      0     1     2
    #     jobs ≤ x                    0  5,4,6 9,9,8    10
    #     jobs ≤ x − q·jobs    -5,-5,-5 0,-1,1 4,4,3 5,5,5
    #     t of their mean          −inf      0    11   inf    (what does not vary is certain)
    # The estimate is 0, the first x with half of the 30 jobs. The low end is 0, the first x not shown to be too low; it
    # is closed, because "nothing" is. The last x not shown to be too high is 0, and the high end the next value: 1.
    totals, size = amounts.totals, amounts.values.size
    critical, scale = critical_value(confidence, totals.size), float(totals.max())
    # 0.07 * 100 is a little more than 7
    wanted = q * totals.sum() * (1.0 - 1e-12)

    def t(positions: NDArray[np.intp]) -> FloatArray:
        return _t_statistics(amounts.at(positions) - q * totals[:, None], scale)

    nothing = float(_t_statistics(-q * totals[:, None], scale)[0])
    estimate = _first(lambda positions: amounts.at(positions).sum(axis=0) >= wanted, 0, size)
    low = _first(lambda positions: t(positions) >= -critical, 0, estimate + 1)
    # mirrored: the last value that is not shown to be too high
    last = size - 1 - _first(lambda back: t(size - 1 - back) <= critical, 0, size - estimate)
    return _Inversion(
        low=None if nothing >= -critical else low,
        estimate=estimate,
        high=max(last + 1, estimate) if last + 1 < size else None,
        independent=_independent(amounts, estimate),
    )


def _t_statistics(excess: FloatArray, scale: float) -> FloatArray:
    """One t statistic per column against 0; infinite where a column does not vary, 0 where it is 0 throughout."""
    n = excess.shape[0]
    mean = excess.sum(axis=0) / n
    residuals = excess - mean
    mean[np.abs(mean) <= 1e-12 * scale] = 0.0
    error = np.sqrt((residuals * residuals).sum(axis=0) / (n - 1)) / math.sqrt(n)
    flat = np.ptp(excess, axis=0) <= 1e-12 * scale
    certain = np.where(mean == 0.0, 0.0, np.copysign(math.inf, mean))
    return np.where(flat, certain, mean / np.where(flat, 1.0, error))


def _first(holds: Callable[[NDArray[np.intp]], NDArray[np.bool_]], start: int, stop: int) -> int:
    """The first position in [start, stop) where `holds`, narrowed down from evenly spread ones; `stop` if none does."""
    while True:
        positions = np.linspace(start, stop - 1, min(WIDTH, stop - start)).astype(np.intp)
        flags = holds(positions)
        if not flags.any():
            return stop
        index = int(np.argmax(flags))
        if positions.size == stop - start or index == 0:
            return int(positions[index])
        start, stop = int(positions[index - 1]) + 1, int(positions[index]) + 1


def _independent(amounts: Amounts, estimate: int) -> float:
    """p(1 − p) over the variance of the ratio p = sum of amounts ≤ x / sum of totals, just below the estimate."""
    totals = amounts.totals
    for position in (estimate - 1, estimate):
        below = amounts.at(np.array([position]))[:, 0] if position >= 0 else np.zeros_like(totals)
        share = float(below.sum() / totals.sum())
        if 0.0 < share < 1.0:
            residuals = (below - share * totals) / totals.mean()
            variance = float(residuals.var(ddof=1)) / totals.size
            return share * (1.0 - share) / variance if variance > 0.0 else math.inf
    return math.inf
