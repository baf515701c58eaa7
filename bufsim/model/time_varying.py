"""Arrivals whose rate varies in time, and the rates as values that can be pickled, compared and written down."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np

from bufsim.checks import Seconds, not_negative, positive, several, several_seconds
from bufsim.declared import NotNegative, Period, Positive, Rule, Value, Wide, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.arrivals import Arrivals, accumulate, before
from bufsim.model.distributions import BLOCK, FloatArray

_ROUNDING = 1.0 + 1e-12
"""The slack by which rounding may lift a rate above its bound: 0.1 + 0.2 is above 0.3."""


class Rate(Value, ABC):
    """Jobs per second as a function of an array of times in seconds."""

    __slots__ = ()

    @abstractmethod
    def __call__(self, times: FloatArray) -> FloatArray:
        """Return the rate at each of `times`."""

    @property
    @abstractmethod
    def mean_rate(self) -> float:
        """The long-run average in jobs per second; nan when there is none."""

    @abstractmethod
    def scaled(self, factor: float) -> Rate:
        """Return `factor` times this rate."""


@value
class Sinusoid(Rate):
    """The rate mean + amplitude·sin(2π·t/period).

    Parameters
    ----------
    mean : float
        Average rate in jobs per second, > 0.
    amplitude : float
        0 <= amplitude <= mean; the greatest rate is ``mean + amplitude``.
    period : float, str or timedelta
        s, > 0. It starts at the mean, going up.

    Examples
    --------
    >>> Sinusoid(10, 5, 86_400)
    Sinusoid(10.0, 5.0, 86400.0)
    """

    mean: Positive
    amplitude: NotNegative
    period: Period

    def __post_init__(self) -> None:
        if self.amplitude > self.mean:
            raise InvalidValueError(
                f"amplitude must be <= mean = {self.mean!r}, so that the rate stays >= 0, got {quoted(self.amplitude)}"
            )

    def __call__(self, times: FloatArray) -> FloatArray:
        """Return the rate at each of `times`."""
        return self.mean + self.amplitude * np.sin(times * (2.0 * math.pi / self.period))

    @property
    def mean_rate(self) -> float:
        """The mean over whole periods."""
        return self.mean

    def scaled(self, factor: float) -> Sinusoid:
        """Return `factor` times this rate, with the same period."""
        return Sinusoid(self.mean * factor, self.amplitude * factor, self.period)


def _edges(name: str, given: Sequence[Seconds]) -> tuple[float, ...]:
    return several_seconds(name, given, kind="a list of numbers")


def _rates(name: str, given: Sequence[float]) -> tuple[float, ...]:
    rates = several(name, given, kind="a list of numbers")
    return tuple(not_negative(f"{name}[{i}]", rate) for i, rate in enumerate(rates))


@value
class StepRate(Rate):
    """The rate rates[i] from edges[i] up to edges[i + 1], and 0 outside.

    Parameters
    ----------
    edges : sequence of float, str or timedelta
        s, >= 0 and increasing; one more than there are rates.
    rates : sequence of float
        Jobs per second, >= 0.
    repeat : bool, default False
        Whether the steps start again at the last edge, for ever: a day's profile, repeated. It needs edges[0] = 0.

    Examples
    --------
    >>> StepRate([0, 10, 20], [1, 5])
    StepRate((0.0, 10.0, 20.0), (1.0, 5.0))
    """

    edges: Annotated[Wide[Sequence[Seconds], tuple[float, ...]], _edges]
    rates: Annotated[Wide[Sequence[float], tuple[float, ...]], _rates]
    _: KW_ONLY
    repeat: bool = False

    def __post_init__(self) -> None:
        edges, rates = self.edges, self.rates
        if not rates or len(edges) != len(rates) + 1:
            raise InvalidValueError(
                f"edges must be one more than rates, rates at least one; got {len(edges)} edges and {len(rates)} rates"
            )
        for i, (low, high) in enumerate(itertools.pairwise(edges)):
            if high <= low:
                raise InvalidValueError(f"edges must increase, got edges[{i + 1}] = {high!r} after {low!r}")
        if self.repeat and edges[0] != 0.0:
            raise InvalidValueError(f"edges must start at 0 when they repeat, got {quoted(edges[0])}")

    def __call__(self, times: FloatArray) -> FloatArray:
        """Return the rate at each of `times`."""
        inside = np.mod(times, self.edges[-1]) if self.repeat else times
        steps = np.array([0.0, *self.rates, 0.0])
        return steps[np.searchsorted(self.edges, inside, side="right")]

    @property
    def mean_rate(self) -> float:
        """The mean over whole repetitions; nan when the steps do not repeat."""
        if not self.repeat:
            return math.nan
        return float(np.dot(self.rates, np.diff(self.edges)) / self.edges[-1])

    @property
    def span(self) -> tuple[float, float]:
        """The start of the first step with a rate above 0 and the end of the last, s; inf where there is none."""
        steps = [i for i, rate in enumerate(self.rates) if rate > 0.0]
        if not steps:
            return math.inf, math.inf
        return self.edges[steps[0]], math.inf if self.repeat else self.edges[steps[-1] + 1]

    def scaled(self, factor: float) -> StepRate:
        """Return `factor` times this rate, with the same edges."""
        return StepRate(self.edges, tuple(rate * factor for rate in self.rates), repeat=self.repeat)


def _function(way_out: str) -> Rule:
    def rule(name: str, given: object) -> object:
        if not callable(given):
            raise InvalidTypeError(f"{name} must be a function of an array of times, got {quoted(given)}{way_out}")
        return given

    return rule


@value
class ScaledRate(Rate):
    """`factor` times a rate function of the user's own.

    Parameters
    ----------
    rate : callable
        A function of an array of times in seconds.
    factor : float
        What its values are multiplied by, > 0.
    """

    rate: Annotated[Callable[[FloatArray], FloatArray], _function("")]
    factor: Positive

    def __call__(self, times: FloatArray) -> FloatArray:
        """Return the rate at each of `times`."""
        return np.multiply(self.rate(times), self.factor, dtype=np.float64)

    @property
    def mean_rate(self) -> float:
        """Not known of a function: nan."""
        return math.nan

    def scaled(self, factor: float) -> ScaledRate:
        """Return the rate with both factors in one."""
        return ScaledRate(self.rate, self.factor * factor)


@value
class TimeVarying(Arrivals):
    """A Poisson process whose rate is a function of time.

    Parameters
    ----------
    rate : callable
        Jobs per second as a function of an array of times in seconds: `Sinusoid`, `StepRate`, or one of your own, with
        values from 0 to `max_rate`.
    max_rate : float
        A bound on the rate, > 0. The closer it is, the fewer draws are thrown away.

    Raises
    ------
    InvalidValueError
        While drawing, if the rate leaves [0, max_rate] (beyond rounding) or is not a number.

    Notes
    -----
    Thinning: arrivals at `max_rate`, each kept with probability rate(t)/max_rate.

    References
    ----------
    P. A. W. Lewis and G. S. Shedler, Simulation of nonhomogeneous Poisson processes by thinning, Naval Research
    Logistics Quarterly 26 (1979).

    Examples
    --------
    >>> TimeVarying(Sinusoid(10, 5, 60), 15)
    TimeVarying(Sinusoid(10.0, 5.0, 60.0), 15.0)
    """

    rate: Annotated[Callable[[FloatArray], FloatArray], _function("; for a constant rate use Poisson")]
    max_rate: Positive

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks."""
        now = 0.0
        while now < until:
            candidates = generator.standard_exponential(BLOCK)
            marks = generator.random(BLOCK)
            candidates *= 1.0 / self.max_rate
            now = accumulate(candidates, now)
            for times in before(until, candidates):
                kept = times[marks[: len(times)] * self.max_rate < self._rates(times)]
                if kept.size:
                    yield kept

    def _rates(self, times: FloatArray) -> FloatArray:
        """Return the checked rate at each of `times`."""
        rates = np.asarray(self.rate(times), dtype=np.float64)
        if rates.shape not in ((), times.shape):
            raise InvalidValueError(
                f"rate must return one value for each time, got shape {rates.shape} for {times.shape}"
            )
        wrong = ~((rates >= 0.0) & (rates <= self.max_rate * _ROUNDING))
        if wrong.any():
            where = int(np.argmax(wrong))
            value, time = float(np.broadcast_to(rates, times.shape)[where]), float(times[where])
            raise InvalidValueError(
                f"rate must be between 0 and max_rate = {self.max_rate!r}, got {quoted(value)} at {time!r} s; "
                "mend the function, or give a greater max_rate"
            )
        return rates

    def drawn(self, until: float) -> float:
        """Arrivals at `max_rate`, also those that are thrown away."""
        return self.max_rate * until

    @property
    def mean_rate(self) -> float:
        """The mean of a `Sinusoid` or a repeated `StepRate`; nan for other functions."""
        return self.rate.mean_rate if isinstance(self.rate, Rate) else math.nan

    @property
    def span(self) -> tuple[float, float]:
        """The part of the time in which a `StepRate` has a rate above 0; of other functions nothing is known."""
        return self.rate.span if isinstance(self.rate, StepRate) else (0.0, math.inf)

    def scaled(self, factor: float) -> TimeVarying:
        """Return the process with `factor` times the rate at every time."""
        factor = positive("factor", factor)
        rate = self.rate.scaled(factor) if isinstance(self.rate, Rate) else ScaledRate(self.rate, factor)
        return TimeVarying(rate, self.max_rate * factor)
