"""A metric under rising load: up to which load each policy keeps a limit, and where the workers are saturated."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats
from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import placing, style, subjects
from bufsim.plots.closed_forms import by_rate
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results import warnings
from bufsim.results.metrics import find
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, Limit
from bufsim.studies.formulas import expression
from bufsim.studies.formulas import limit as read_limit
from bufsim.studies.quantities import Quantity, limit_in_words
from bufsim.studies.what_if import kept_of_recordings

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

FloatArray = npt.NDArray[np.float64]
Bound = float | str | dt.timedelta | Limit
Theory = bool | Callable[[float], float] | Mapping[str, Callable[[float], float]]

_SLACK = 1e-12
# the colour of the lines that get no colour of their own
_OTHERS = "#BDBDBD"
_TIMES = "\N{MULTIPLICATION SIGN}"
_FAR = 30.0


@dataclass(frozen=True, eq=False)
class LoadRamp:
    """A metric against the arrival rate, a line and a band for each policy, with where each crosses a limit.

    The study must have been run at several loads (``arrivals_scale=[1, 2, 4]``). Between them lines are straight on the
    axes that are shown, and so is what is said about crossings. A stop sign stands where the workers cannot do the work
    that comes: there a metric of the queue has no steady value, and its line ends before it.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What is drawn.
    limit : number, str, timedelta or Limit, optional
        What the metric must not exceed (or, if more is better, must reach): ``"2s"``, or ``"p99_wait <= 2s"``.
    scenarios : sequence of str or FlushPolicy, optional
        The policies to show. None: all; if they are more than there are colours, those that bear the most and today's
        in colour, the others grey.
    theory : bool, callable, or mapping of str to callable
        The dotted lines: True for the closed forms of simple scenarios, a function of the arrival rate (jobs/s), or one
        for each policy by its name or label; False for none.
    confidence : float
        Of each interval by itself.
    """

    study_result: StudyResult
    metric: str | Expression = "p99_wait"
    _: KW_ONLY
    limit: Bound | None = None
    scenarios: Sequence[str | FlushPolicy] | None = None
    theory: Theory = True
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return a metric of each option at each load, and where it crosses the limit.

        Returns
        -------
        DataFrame
            One row per option and load: option, label, scale (of the arrivals), rate (jobs that arrive a second),
            scenario, estimate, low, high (in the metric's unit), saturated (whether the workers cannot do the work that
            comes), crosses_at, crosses_low, crosses_high (the rate at which the option first crosses the limit, jobs
            per second, nan without one; the same in all of its rows), beyond ("breaks" or "keeps": the limit, at higher
            rates; "" where it is not crossed), confidence, n.
        """
        return pd.DataFrame(
            {
                "option": point.subject.option,
                "label": point.subject.label,
                "scale": point.subject.scale,
                "rate": point.rate,
                "scenario": point.subject.name,
                "estimate": point.interval.estimate,
                "low": point.interval.low,
                "high": point.interval.high,
                "saturated": point.is_saturated,
                **_first_crossing(ramp),
                "confidence": self.confidence,
                "n": point.interval.n,
            }
            for ramp in self._ramps
            for point in ramp.points
        )

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure."""
        ramps, limit = self._ramps, self._limit
        (axes,) = style.axes(ax, 1)
        kept = kept_of_recordings(self.study_result.scenarios.values())
        about = " · ".join(filter(None, [subjects.about_study(self.study_result, self.confidence), kept]))
        if not any(ramp.drawn for ramp in ramps):
            style.head(axes, f"{self._quantity.name} under rising load", subtitle=about)
            style.blank(axes, "The workers are saturated at every load that was run, so that there is no steady value.")
            return axes
        self._set_view(axes)
        if limit is not None:
            subjects.draw_limits(axes, "y", self._quantity, [limit])
        bright = _bright(ramps)
        key: list[Artist] = []
        for ramp in ramps:
            key += _draw_line(axes, ramp, self._quantity, is_bright=ramp in bright)
        if len(bright) < len(ramps):
            key += axes.plot([], [], color=_OTHERS, linewidth=1.0, label=f"{len(ramps) - len(bright)} others")
        key += self._draw_theory(axes, bright)
        style.head(axes, self._title(), subtitle=about, key=key)
        self._draw_marks(axes, bright)
        return axes

    @cached_property
    def _limit(self) -> Limit | None:
        """The limit on the metric; an amount is one on the side that is worse."""
        limit, metric = self.limit, expression(self.metric)
        if limit is None or isinstance(limit, Limit):
            return limit
        if isinstance(limit, str) and ("<=" in limit or ">=" in limit):
            return read_limit(limit)
        side = ">=" if metric.better == "higher" else "<="
        return Limit(metric, side, limit)  # type: ignore[arg-type]  # it reads amounts

    @cached_property
    def _ramps(self) -> list[_Ramp]:
        """The options that were run at several loads, or those of them that are asked for."""
        by_option: dict[str, list[ScenarioSubject]] = {}
        for subject in subjects.every(self.study_result):
            by_option.setdefault(subject.option, []).append(subject)
        several = {option: found for option, found in by_option.items() if len(found) > 1}
        if not several:
            loads = sum(map(len, by_option.values()))
            raise InvalidValueError(
                f"load_ramp needs a policy at several loads, got {loads} scenarios at one load each; "
                "give the study arrivals_scale=[1, 2, 4]"
            )
        if self.scenarios is not None:
            lowest = [found[0] for found in several.values()]
            chosen = [
                subjects.find(scenario, lowest, self.study_result) for scenario in subjects.listed(self.scenarios)
            ]
            several = {subject.option: several[subject.option] for subject in chosen}
        metric = expression(self.metric)
        # a metric of the queue has no steady value when the workers are saturated
        ends = any(find(term.metric).kind == "queue" for term in metric.terms)
        return [_Ramp(tuple(map(self._point, found)), ends, self._limit) for found in several.values()]

    def _point(self, subject: ScenarioSubject) -> _Point:
        result = self.study_result
        simulation, tallies = result.scenarios[subject.name], result.tallies[subject.name].values()
        unstable = sum(
            any(text.startswith("unstable") for text in warnings.sentences(simulation, tally)) for tally in tallies
        )
        interval = result.interval(expression(self.metric), subject.name, confidence=self.confidence)
        return _Point(subject, subjects.arrival_rate(result, subject.name), interval, 2 * unstable > len(tallies))

    @cached_property
    def _quantity(self) -> Quantity:
        estimates = [point.interval.estimate for ramp in self._ramps for point in ramp.drawn]
        return Quantity.of(expression(self.metric), estimates)

    def _set_view(self, ax: Axes) -> None:
        """Set the axes: the loads that were run, and the metric with its limit, if that is not far away."""
        drawn = [point.interval for ramp in self._ramps for point in ramp.drawn]
        estimates = [interval.estimate for interval in drawn]
        least, most = min(estimates), max(estimates)
        # a band may reach far beyond what is worth seeing
        values = [value for value in subjects.ends(drawn) if least / 3.0 <= value <= 3.0 * most] or estimates
        if self._limit is not None and least / _FAR <= self._limit.bound <= _FAR * most:
            values.append(self._limit.bound)
        subjects.set_axis(ax, "y", self._quantity, values, log=min(values) > 0.0)
        _set_loads(ax, {point.subject.scale: point.rate for ramp in self._ramps for point in ramp.points})

    def _draw_theory(self, ax: Axes, ramps: Sequence[_Ramp]) -> list[Artist]:
        rates = [point.rate for ramp in ramps for point in ramp.points]
        x = np.geomspace(min(rates), max(rates), 60)
        entry: list[Artist] = []
        for function in self._functions(ramps):
            y = [self._quantity.scaled(function(float(rate))) for rate in x]
            look: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 1.6)), "linewidth": 1.2, "zorder": 5}
            entry = [*ax.plot(x, y, label="closed form", **look)]
        return entry

    def _functions(self, ramps: Sequence[_Ramp]) -> list[Callable[[float], float]]:
        if callable(self.theory):
            return [self.theory]
        if isinstance(self.theory, Mapping):
            for name in self.theory:
                subjects.find(name, [ramp.subject for ramp in ramps], self.study_result)
            return list(self.theory.values())
        simulations = [self.study_result.scenarios[ramp.subject.name] for ramp in ramps] if self.theory else []
        forms = [by_rate(simulation, self._quantity.expression) for simulation in simulations]
        return [form for form in forms if form is not None]

    def _draw_marks(self, ax: Axes, ramps: Sequence[_Ramp]) -> None:
        """Draw stop signs, and a tick with its interval where a line crosses the limit."""
        quantity = self._quantity
        spots, lines = [], []
        for ramp in ramps:
            at = [(point.rate, quantity.scaled(point.interval.estimate)) for point in ramp.drawn]
            lines += [(*start, *end) for start, end in pairwise(at)]
            if self._limit is not None:
                y = quantity.scaled(self._limit.bound)
                spots += [_draw_crossing(ax, crossing, y, ramp.subject) for crossing in ramp.crossings]
            if ramp.stop is not None and ramp.drawn:
                spots.append(_draw_stop(ax, ramp, quantity))
        placing.write(ax, spots, lines=lines)

    def _title(self) -> str:
        today = next((ramp for ramp in self._ramps if ramp.subject.is_today and ramp.drawn), None)
        if self._limit is None or today is None:
            return f"{self._quantity.name} under rising load"
        return f"Today's policy keeps {limit_in_words(self._limit)} {_keeps(today, self._limit)}"


@dataclass(frozen=True, slots=True)
class _Point:
    """An option at one load: the rate of its arrivals, jobs/s, the metric, and whether its workers are saturated."""

    subject: ScenarioSubject
    rate: float
    interval: Interval
    is_saturated: bool


@dataclass(frozen=True)
class _Ramp:
    """An option at rising loads, the lowest first; at least two.

    `ends` tells that the metric has no steady value once the workers are saturated.
    """

    points: tuple[_Point, ...]
    ends: bool
    limit: Limit | None

    @property
    def subject(self) -> ScenarioSubject:
        """The option, at its lowest load."""
        return self.points[0].subject

    @property
    def drawn(self) -> tuple[_Point, ...]:
        """The points that have a steady value."""
        stop = self.stop
        return self.points if stop is None or not self.ends else self.points[: self.points.index(stop)]

    @property
    def stop(self) -> _Point | None:
        """The lowest load at which the workers are saturated; None if they never are."""
        return next((point for point in self.points if point.is_saturated), None)

    @cached_property
    def crossings(self) -> list[Crossing]:
        """Where the line crosses the limit, the lowest rate first."""
        drawn, limit = self.drawn, self.limit
        if len(drawn) < 2 or limit is None:
            return []
        values = [point.interval for point in drawn]
        log = limit.bound > 0.0 and all(interval.estimate > 0.0 for interval in values)
        return crossings([point.rate for point in drawn], values, limit.bound, log=log)

    @property
    def breaking(self) -> Crossing | None:
        """Where the line first goes beyond a limit that it keeps at the lowest load; None if it does nowhere."""
        if self.limit is None or not self.crossings:
            return None
        return self.crossings[0] if self.crossings[0].is_rising == (self.limit.side == "<=") else None

    @property
    def today(self) -> float:
        """The rate at a scale of 1."""
        return self.points[0].rate / self.subject.scale


def _first_crossing(ramp: _Ramp) -> dict[str, float | str]:
    if not ramp.crossings:
        return {"crosses_at": math.nan, "crosses_low": math.nan, "crosses_high": math.nan, "beyond": ""}
    at, beyond = ramp.crossings[0].at, "breaks" if ramp.breaking else "keeps"
    return {"crosses_at": at.estimate, "crosses_low": at.low, "crosses_high": at.high, "beyond": beyond}


def _bright(ramps: Sequence[_Ramp]) -> list[_Ramp]:
    """Return those that get a colour: all, if there are enough; else today's, and those that bear the most."""
    if len(ramps) <= subjects.MOST_COLOURS:
        return list(ramps)

    def bears(ramp: _Ramp) -> float:
        """Return the rate up to which a ramp keeps the limit."""
        if ramp.limit is None or not ramp.limit.allows(ramp.points[0].interval.estimate):
            return -math.inf
        return ramp.drawn[-1].rate if ramp.breaking is None else ramp.breaking.at.estimate

    ranked = sorted(ramps, key=lambda ramp: (not ramp.subject.is_today, -bears(ramp)))
    return [ramp for ramp in ramps if ramp in ranked[: subjects.MOST_COLOURS]]


def _keeps(ramp: _Ramp, limit: Limit) -> str:
    """Return at which loads a limit is kept."""
    if not ramp.crossings:
        if not limit.allows(ramp.drawn[0].interval.estimate):
            return "at no load that was run"
        stop = ramp.stop if ramp.ends else None
        end = ", the most that ran" if stop is None else f", and is saturated at {stop.subject.scale:g}"
        last = ramp.drawn[-1].subject.scale
        return f"up to {'' if last == 1.0 else f'{last:g} times '}today's load{end}"
    at, today = ramp.crossings[0].at, ramp.today
    times = replace(at, estimate=at.estimate / today, low=at.low / today, high=at.high / today)
    return f"{'up to' if ramp.breaking else 'from'} {subjects.written(times)} times today's load"


def _set_loads(ax: Axes, by_scale: Mapping[float, float]) -> None:
    """Let the x axis show the loads that were run, as rates and as multiples of today's."""
    scales = sorted(by_scale)
    rates = [by_scale[scale] for scale in scales]
    spread = (rates[-1] / rates[0]) ** 0.07
    ax.set_xscale("log")
    ax.set_xlim(rates[0] / spread, rates[-1] * spread)
    kept = _apart(rates)
    texts = [f"{formats.number(by_scale[scale], 3)}\n{_TIMES}{scale:g}" for scale in scales]
    ax.set_xticks([rates[index] for index in kept], [texts[index] for index in kept])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("arrival rate, jobs per s, and times today's")
    if 1.0 in by_scale:
        ax.axvline(by_scale[1.0], color=style.FAINT, linewidth=0.9, zorder=1)
        note = ax.annotate("today", (by_scale[1.0], 1.0), (3.0, -3.0), ax.get_xaxis_transform(), "offset points")
        note.set(fontsize=8.0, color=style.FAINT, va="top")


def _apart(rates: Sequence[float]) -> list[int]:
    """Return the places of ticks that have room for their text on a log axis."""
    least = math.log(rates[-1] / rates[0]) / 12.0
    kept = [0]
    for index in range(1, len(rates)):
        if math.log(rates[index] / rates[kept[-1]]) >= least:
            kept.append(index)
    return kept


def _draw_line(ax: Axes, ramp: _Ramp, quantity: Quantity, *, is_bright: bool) -> list[Artist]:
    """Draw the line and the band of an option, or a grey line; return its part of the key."""
    drawn = ramp.drawn
    x = [point.rate for point in drawn]
    intervals = [quantity.interval(point.interval) for point in drawn]
    y = [interval.estimate for interval in intervals]
    if not is_bright:
        ax.plot(x, y, color=_OTHERS, linewidth=1.0, zorder=2)
        return []
    low, high = ax.get_ylim()
    ends = np.clip([(interval.low, interval.high) for interval in intervals], low, high).reshape(-1, 2)
    colour = ramp.subject.colour
    ax.fill_between(x, ends[:, 0], ends[:, 1], color=colour, alpha=0.2, linewidth=0.0, zorder=3)
    label = f"{ramp.subject.label}{' (today)' if ramp.subject.is_today else ''}"
    look: dict[str, Any] = {"color": colour, "linestyle": ramp.subject.dashes, "linewidth": 1.6, "label": label}
    return [*ax.plot(x, y, marker="o", markersize=3.5, zorder=4, **look)]


def _draw_crossing(ax: Axes, crossing: Crossing, y: float, subject: ScenarioSubject) -> placing.Spot:
    left, right = ax.get_xlim()
    at = crossing.at
    ends = [max(at.low, left), min(at.high, right)]
    ax.plot(ends, [y, y], color=subject.colour, linewidth=3.0, alpha=0.6, solid_capstyle="butt", zorder=5)
    ax.plot(at.estimate, y, marker="|", markersize=12.0, markeredgewidth=1.8, color=subject.colour, zorder=6)
    return placing.Spot(f"{subjects.written(at)} per s", at.estimate, y, subject.ink)


def _draw_stop(ax: Axes, ramp: _Ramp, quantity: Quantity) -> placing.Spot:
    """Draw a stop sign: at the end of a line that ends, else at the first load at which the workers are saturated."""
    stop = ramp.stop
    assert stop is not None
    at = ramp.drawn[-1] if ramp.ends else stop
    x, y = at.rate, quantity.scaled(at.interval.estimate)
    sign: dict[str, Any] = {"linestyle": "", "clip_on": False}
    ax.plot(x, y, marker="8", markersize=11.0, color="#B00020", markeredgecolor="white", zorder=7, **sign)
    ax.plot(x, y, marker="_", markersize=5.0, markeredgewidth=1.8, color="white", zorder=8, **sign)
    return placing.Spot(f"saturated at {_TIMES}{stop.subject.scale:g}", x, y, ramp.subject.ink)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a curve crosses a limit.

    Attributes
    ----------
    at : Interval
        Where the estimates cross it; from end to end the limit lies in the curve's band. An end is infinite where it
        still does at the last point.
    is_rising : bool
        Whether the curve goes up there.
    """

    at: Interval
    is_rising: bool


def crossings(x: Sequence[float], intervals: Sequence[Interval], bound: float, *, log: bool = True) -> list[Crossing]:
    """Return where a curve through intervals crosses a bound, straight between its points on the axes that are shown.

    Parameters
    ----------
    x : sequence of float
        Where the points are, ascending, > 0; the axis is a log axis.
    intervals : sequence of Interval
        The curve's values.
    bound : float
        The limit.
    log : bool
        Whether the axis of values is a log axis too.

    Notes
    -----
    A place belongs to the stretch of a crossing unless the interval there excludes the limit: the inversion of a test,
    so that the stretch holds the crossing with the confidence of the intervals, as far as the curve is straight between
    its points.

    Examples
    --------
    >>> values = [Interval(y, 0.5 * y, 2.0 * y, 0.95, 30, "t") for y in (1.0, 10.0, 100.0)]
    >>> [crossing] = crossings([1.0, 10.0, 100.0], values, 10.0)
    >>> print(crossing.at)
    10 [5, 20]
    """
    along = np.log(np.asarray(x, dtype=np.float64))
    low, middle, high = (
        _shown([getattr(interval, end) for interval in intervals], log=log) for end in ("low", "estimate", "high")
    )
    level = math.log(bound) if log else bound
    edges = np.array([at for curve in (low, high) for at, _ in _where(along, curve, level)])
    found = []
    for at, is_rising in _where(along, middle, level):
        before, after = edges[edges <= at + _SLACK], edges[edges >= at - _SLACK]
        estimate = math.exp(at)
        first = math.exp(before.max()) if len(before) else -math.inf
        last = math.exp(after.min()) if len(after) else math.inf
        ends = min(first, estimate), max(last, estimate)
        stretch = Interval(estimate, *ends, intervals[0].confidence, intervals[0].n, "where the band holds the limit")
        found.append(Crossing(stretch, is_rising))
    return found


def _shown(values: Sequence[float], *, log: bool) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if not log:
        return array
    return np.log(array, out=np.full_like(array, -np.inf), where=array > 0.0)


def _where(x: FloatArray, y: FloatArray, level: float) -> list[tuple[float, bool]]:
    """Return where a line crosses a level, and whether it rises there.

    Where one end is infinite it may cross anywhere: the place is that of the other end.
    """
    found = []
    for index in range(len(x) - 1):
        start, end = y[index], y[index + 1]
        # a point on the level belongs to the line on which it is the end, but the first point of all
        if not (min(start, end) < level <= max(start, end) or min(start, end) <= level < max(start, end)):
            continue
        if start == level and index > 0:
            continue
        if math.isinf(start) or math.isinf(end):
            at = x[index] if math.isinf(end) else x[index + 1]
        else:
            at = x[index] + (level - start) / (end - start) * (x[index + 1] - x[index])
        found.append((float(at), bool(end > start)))
    return found
