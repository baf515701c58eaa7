"""Whether the workers of a scenario can do the work that comes."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats, theory
from bufsim.errors import InvalidValueError
from bufsim.model.arrivals import Poisson
from bufsim.model.buffers import CollectAll, DrainAll, FlushTime, Storage
from bufsim.model.distributions import Constant
from bufsim.model.flush_policy import AnyOf, FlushPolicy
from bufsim.model.policies import FlushAfterAge, FlushAtSize, FlushEvery
from bufsim.model.producers import UniformKeys, Zipf
from bufsim.model.reducers import Merge, UniqueByKey
from bufsim.plots import placing, style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results.metrics import find
from bufsim.results.tallies import Tally
from bufsim.results.warnings import cautions
from bufsim.simulation import Simulation
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, Limit, expression
from bufsim.studies.expressions import limit as read_limit
from bufsim.studies.quantities import Quantity, limit_in_words
from bufsim.theory import ClosedForm

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult


def is_saturated(simulation: Simulation, tallies: Sequence[Tally]) -> bool:
    """Whether more work comes to a queue than its workers can do, in most of the replications."""
    unstable = sum(any(said.startswith("unstable") for said in cautions(simulation, tally)) for tally in tallies)
    return 2 * unstable > len(tallies)


def is_of_queue(expression: Expression) -> bool:
    """Whether an expression has a metric of the queue, which has no steady value when the workers are saturated."""
    return any(find(term.metric).kind == "queue" for term in expression.terms)


_SLACK = 1e-12

FloatArray = npt.NDArray[np.float64]


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
        _shown([getattr(one, end) for one in intervals], log=log) for end in ("low", "estimate", "high")
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
    for place in range(len(x) - 1):
        start, end = y[place], y[place + 1]
        # a point on the level belongs to the line on which it is the end, but the first point of all
        if not (min(start, end) < level <= max(start, end) or min(start, end) <= level < max(start, end)):
            continue
        if start == level and place > 0:
            continue
        if math.isinf(start) or math.isinf(end):
            at = x[place] if math.isinf(end) else x[place + 1]
        else:
            at = x[place] + (level - start) / (end - start) * (x[place + 1] - x[place])
        found.append((float(at), bool(end > start)))
    return found


_QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "mean_wait_s": ("mean_wait",),
    "p95_wait_s": ("wait_p95",),
    "p99_wait_s": ("wait_p99",),
    "mean_buffer_size_jobs": ("time_avg_buffer",),
    # of the flushes on a clock a run records those that take a job
    "mean_batch_size_jobs": ("mean_batch_nonempty", "mean_batch"),
    "flush_rate_per_s": ("nonempty_flush_rate", "flush_rate"),
    "mean_batch_size_seen_jobs": ("job_seen_batch",),
}
_MOST_KEYS = 2000


def by_rate(simulation: Simulation, expression: Expression) -> Callable[[float], float] | None:
    """Return an expression's steady value as a function of the arrival rate, jobs/s; None where no form is known.

    Known are single metrics of one buffer that takes everything, at flushes that take no time, under a size, an age,
    both, or a period, with Poisson arrivals.
    """
    if not expression.is_metric or not _is_simple(simulation):
        return None
    form = _form(simulation.buffers[0].policy)
    names = _QUANTITIES.get(expression.terms[0].metric, ())
    if form is None or not any(name in form(1.0).quantities for name in names):
        return None

    def value(rate: float) -> float:
        known = form(rate).quantities
        return next(known[name] for name in names if name in known)

    return value


def saved_by_batch(simulations: Sequence[Simulation]) -> Callable[[float], float] | None:
    """Return the share of the jobs that a reduce to one job per key saves, as a function of the mean batch size.

    None where no form is known. A batch merged into one job saves all jobs but one, under every policy. The others are
    for keys by Zipf's law, or all equally likely, of one Poisson producer and one simple buffer, flushed at a size
    (batches of exactly so many jobs), or on a clock (a Poisson number of jobs).
    """
    if all(_merges(simulation) for simulation in simulations):
        return lambda batch: 1.0 - 1.0 / batch
    laws = {_law(simulation) for simulation in simulations}
    if len(laws) != 1 or None in laws:
        return None
    (law,) = laws
    assert law is not None
    policy, keys, exponent = law
    if policy is FlushEvery:
        return lambda batch: (
            theory.unique_keys_periodic(rate=1.0, period=batch, keys=keys, exponent=exponent).saved_fraction
        )
    # its variance takes keys² steps
    if policy is not FlushAtSize or keys > _MOST_KEYS:
        return None

    def saved(batch: float) -> float:
        return 1.0 - theory.unique_keys_of_batch(batch_size=round(batch), keys=keys, exponent=exponent).dedupe_ratio

    return saved


def _merges(simulation: Simulation) -> bool:
    """Whether each batch becomes one job: those of one queue do."""
    queues = {queue for producer in simulation.producers for queue in producer.queues}
    return len(queues) == 1 and all(buffer.reduce == Merge() for buffer in simulation.buffers)


def _law(simulation: Simulation) -> tuple[type[FlushPolicy], int, float] | None:
    """Return the kind of policy, the number of keys and the exponent of their law; None for another model."""
    keys = simulation.producers[0].keys
    if not _is_simple(simulation) or len(simulation.producers) > 1 or simulation.buffers[0].reduce != UniqueByKey():
        return None
    if isinstance(keys, Zipf):
        return type(simulation.buffers[0].policy), keys.n, keys.exponent
    return (type(simulation.buffers[0].policy), keys.n, 0.0) if isinstance(keys, UniformKeys) else None


def _is_simple(simulation: Simulation) -> bool:
    """Whether one buffer holds all jobs, which are Poisson, until flushes that take no time take them all."""
    if len(simulation.buffers) > 1 or simulation.stops is not None or simulation.storage != Storage():
        return False
    buffer = simulation.buffers[0]
    is_plain = buffer.drain == DrainAll() and buffer.capacity is None and buffer.flush_time == FlushTime(Constant(0.0))
    are_poisson = all(isinstance(producer.arrivals, Poisson) for producer in simulation.producers)
    return is_plain and buffer.collect == CollectAll() and are_poisson


def _form(policy: FlushPolicy) -> Callable[[float], ClosedForm] | None:
    """Return the closed form of a policy, as a function of the arrival rate."""
    if isinstance(policy, FlushAtSize):
        return lambda rate: theory.size_only(rate=rate, size=policy.size)
    if isinstance(policy, FlushAfterAge):
        return lambda rate: theory.age_only(rate=rate, age=policy.age)
    if isinstance(policy, FlushEvery) and policy.anchor == "clock":
        return lambda rate: theory.periodic(rate=rate, period=policy.period)
    bounds = size_and_age(policy)
    if bounds is None:
        return None
    size, age = bounds
    return lambda rate: theory.size_or_age(rate=rate, size=size, age=age)


def size_and_age(policy: FlushPolicy) -> tuple[int, float] | None:
    """Return the size and the age of ``FlushAtSize(size) | FlushAfterAge(age)``; None for another policy."""
    if not isinstance(policy, AnyOf) or len(policy.members) != 2:
        return None
    sizes = [member.size for member in policy.members if isinstance(member, FlushAtSize)]
    ages = [member.age for member in policy.members if isinstance(member, FlushAfterAge)]
    return (sizes[0], ages[0]) if sizes and ages else None


@dataclass(frozen=True, slots=True)
class Point:
    """An option at one load.

    Attributes
    ----------
    subject : Subject
        The scenario.
    rate : float
        Jobs that arrive a second.
    interval : Interval
        The metric.
    is_saturated : bool
        Whether its workers cannot do the work that comes.
    """

    subject: ScenarioSubject
    rate: float
    interval: Interval
    is_saturated: bool


@dataclass(frozen=True, slots=True)
class Ramp:
    """An option at rising loads.

    Attributes
    ----------
    points : tuple of Point
        The lowest load first; at least two.
    ends : bool
        Whether the metric has no steady value once the workers are saturated.
    """

    points: tuple[Point, ...]
    ends: bool

    @property
    def subject(self) -> ScenarioSubject:
        """The option, at its lowest load."""
        return self.points[0].subject

    @property
    def drawn(self) -> tuple[Point, ...]:
        """The points that have a steady value."""
        stop = self.stop
        return self.points if stop is None or not self.ends else self.points[: self.points.index(stop)]

    @property
    def stop(self) -> Point | None:
        """The lowest load at which the workers are saturated; None if they never are."""
        return next((point for point in self.points if point.is_saturated), None)

    def crossings(self, limit: Limit) -> list[Crossing]:
        """Return where the line crosses a limit, the lowest rate first."""
        drawn = self.drawn
        if len(drawn) < 2:
            return []
        values = [point.interval for point in drawn]
        log = limit.bound > 0.0 and all(one.estimate > 0.0 for one in values)
        return crossings([point.rate for point in drawn], values, limit.bound, log=log)

    def breaking(self, limit: Limit) -> Crossing | None:
        """Return where the line first goes beyond a limit that it keeps at the lowest load; None if it does nowhere."""
        found = self.crossings(limit)
        return found[0] if found and found[0].is_rising == (limit.side == "<=") else None

    @property
    def today(self) -> float:
        """The rate at a scale of 1."""
        return self.points[0].rate / self.subject.scale


def ramps(
    study_result: StudyResult, expression: Expression, scenarios: Sequence[str | FlushPolicy] | None, confidence: float
) -> list[Ramp]:
    """Return the options of a study that were run at several loads, or those of them that are asked for."""
    by_option: dict[str, list[ScenarioSubject]] = {}
    for one in subjects.every(study_result):
        by_option.setdefault(one.option, []).append(one)
    several = {option: found for option, found in by_option.items() if len(found) > 1}
    if not several:
        loads = sum(map(len, by_option.values()))
        raise InvalidValueError(
            f"load_ramp needs a policy at several loads, got {loads} scenarios at one load each; "
            "give the study arrivals_scale=[1, 2, 4]"
        )
    if scenarios is not None:
        lowest = [found[0] for found in several.values()]
        asked = [subjects.find(one, lowest, study_result).option for one in subjects.listed(scenarios)]
        several = {option: several[option] for option in asked}
    return [_ramp(study_result, expression, found, confidence) for found in several.values()]


def _ramp(
    study_result: StudyResult, expression: Expression, found: Sequence[ScenarioSubject], confidence: float
) -> Ramp:
    points = []
    for one in found:
        tallies = list(study_result.tallies[one.name].values())
        rate = subjects.arrival_rate(study_result, one.name)
        interval = study_result.interval(expression, one.name, confidence=confidence)
        saturated = is_saturated(study_result.scenarios[one.name], tallies)
        points.append(Point(one, rate, interval, saturated))
    return Ramp(tuple(points), is_of_queue(expression))


OTHERS = "#BDBDBD"
"""The colour of the lines that get no colour of their own."""
_TIMES = "\N{MULTIPLICATION SIGN}"
_FAR = 30.0


def set_view(ax: Axes, found: Sequence[Ramp], quantity: Quantity, bound: Limit | None) -> None:
    """Set the axes: the loads that were run, and the metric with its limit, if that is not far away."""
    values = subjects.ends(point.interval for ramp in found for point in ramp.drawn)
    estimates = [point.interval.estimate for ramp in found for point in ramp.drawn]
    # a band may reach far beyond what is worth seeing
    seen = [value for value in values if min(estimates) / 3.0 <= value <= 3.0 * max(estimates)] or estimates
    if bound is not None and min(estimates) / _FAR <= bound.bound <= _FAR * max(estimates):
        seen.append(bound.bound)
    subjects.set_axis(ax, "y", quantity, seen, log=min(seen) > 0.0)
    _set_loads(ax, found)


def _set_loads(ax: Axes, found: Sequence[Ramp]) -> None:
    """Let the x axis show the loads that were run, as rates and as multiples of today's."""
    by_scale = {point.subject.scale: point.rate for ramp in found for point in ramp.points}
    scales = sorted(by_scale)
    rates = [by_scale[scale] for scale in scales]
    spread = (rates[-1] / rates[0]) ** 0.07
    ax.set_xscale("log")
    ax.set_xlim(rates[0] / spread, rates[-1] * spread)
    kept = _apart(rates)
    texts = [f"{formats.number(by_scale[scale], 3)}\n{_TIMES}{scale:g}" for scale in scales]
    ax.set_xticks([rates[place] for place in kept], [texts[place] for place in kept])
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
    for place in range(1, len(rates)):
        if math.log(rates[place] / rates[kept[-1]]) >= least:
            kept.append(place)
    return kept


def draw_line(ax: Axes, ramp: Ramp, quantity: Quantity, *, is_bright: bool) -> list[Artist]:
    """Draw the line and the band of an option, or a grey line; return its part of the key."""
    drawn = ramp.drawn
    x = [point.rate for point in drawn]
    intervals = [quantity.interval(point.interval) for point in drawn]
    y = [one.estimate for one in intervals]
    if not is_bright:
        ax.plot(x, y, color=OTHERS, linewidth=1.0, zorder=2)
        return []
    low, high = ax.get_ylim()
    ends = np.clip([(one.low, one.high) for one in intervals], low, high).reshape(-1, 2)
    colour = ramp.subject.colour
    ax.fill_between(x, ends[:, 0], ends[:, 1], color=colour, alpha=0.2, linewidth=0.0, zorder=3)
    label = f"{ramp.subject.label}{' (today)' if ramp.subject.is_today else ''}"
    look: dict[str, Any] = {"color": colour, "linestyle": ramp.subject.dashes, "linewidth": 1.6, "label": label}
    return [*ax.plot(x, y, marker="o", markersize=3.5, zorder=4, **look)]


def mark(ax: Axes, found: Sequence[Ramp], quantity: Quantity, bound: Limit | None) -> None:
    """Draw stop signs, and a tick with its interval where a line crosses the limit."""
    spots, lines = [], []
    for ramp in found:
        lines += [_line(a, b, quantity) for a, b in pairwise(ramp.drawn)]
        if bound is not None:
            y = quantity.scaled(bound.bound)
            spots += [_draw_crossing(ax, crossing, y, ramp.subject) for crossing in ramp.crossings(bound)]
        if ramp.stop is not None and ramp.drawn:
            spots.append(_draw_stop(ax, ramp, quantity))
    placing.write(ax, spots, lines=lines)


def _line(a: Point, b: Point, quantity: Quantity) -> placing.Line:
    return (a.rate, quantity.scaled(a.interval.estimate), b.rate, quantity.scaled(b.interval.estimate))


def _draw_crossing(ax: Axes, crossing: Crossing, y: float, subject: ScenarioSubject) -> placing.Spot:
    left, right = ax.get_xlim()
    at = crossing.at
    ends = [max(at.low, left), min(at.high, right)]
    ax.plot(ends, [y, y], color=subject.colour, linewidth=3.0, alpha=0.6, solid_capstyle="butt", zorder=5)
    ax.plot(at.estimate, y, marker="|", markersize=12.0, markeredgewidth=1.8, color=subject.colour, zorder=6)
    return placing.Spot(f"{subjects.written(at)} per s", at.estimate, y, subject.ink)


def _draw_stop(ax: Axes, ramp: Ramp, quantity: Quantity) -> placing.Spot:
    """Draw a stop sign: at the end of a line that ends, else at the first load at which the workers are saturated."""
    stop = ramp.stop
    assert stop is not None
    at = ramp.drawn[-1] if ramp.ends else stop
    x, y = at.rate, quantity.scaled(at.interval.estimate)
    sign: dict[str, Any] = {"linestyle": "", "clip_on": False}
    ax.plot(x, y, marker="8", markersize=11.0, color="#B00020", markeredgecolor="white", zorder=7, **sign)
    ax.plot(x, y, marker="_", markersize=5.0, markeredgewidth=1.8, color="white", zorder=8, **sign)
    return placing.Spot(f"saturated at {_TIMES}{stop.subject.scale:g}", x, y, ramp.subject.ink)


Bound = float | str | dt.timedelta | Limit
Theory = bool | Callable[[float], float] | Mapping[str, Callable[[float], float]]


def load_ramp_frame(
    study_result: StudyResult,
    metric: str | Expression = "p99_wait",
    *,
    limit: Bound | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `load_ramp` draws: a metric of each option at each load, and where it crosses the limit.

    Returns
    -------
    DataFrame
        One row per option and load: option, label, scale (of the arrivals), rate (jobs that arrive a second), scenario,
        estimate, low, high (in the metric's unit), saturated (whether the workers cannot do the work that comes),
        crosses_at, crosses_low, crosses_high (the rate at which the option first crosses the limit, jobs per second,
        nan without one; the same in all of its rows), beyond ("breaks" or "keeps": the limit, at higher rates; "" where
        it is not crossed), confidence, n.
    """
    asked = expression(metric)
    bound = _limit(asked, limit)
    rows = []
    for ramp in ramps(study_result, asked, scenarios, confidence):
        ends = _first_crossing(ramp, bound)
        for point in ramp.points:
            one, interval = point.subject, point.interval
            values = (interval.estimate, interval.low, interval.high, point.is_saturated)
            where = (one.option, one.label, one.scale, point.rate, one.name)
            rows.append((*where, *values, *ends, confidence, interval.n))
    columns = ["option", "label", "scale", "rate", "scenario", "estimate", "low", "high", "saturated"]
    columns += ["crosses_at", "crosses_low", "crosses_high", "beyond", "confidence", "n"]
    return pd.DataFrame(rows, columns=columns)


def _first_crossing(ramp: Ramp, bound: Limit | None) -> tuple[float, float, float, str]:
    found = [] if bound is None else ramp.crossings(bound)
    if bound is None or not found:
        return math.nan, math.nan, math.nan, ""
    at = found[0].at
    return at.estimate, at.low, at.high, "breaks" if ramp.breaking(bound) else "keeps"


def load_ramp(
    study_result: StudyResult,
    metric: str | Expression = "p99_wait",
    *,
    ax: Axes | None = None,
    limit: Bound | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    theory: Theory = True,
    confidence: float = 0.95,
) -> Axes:
    """Draw a metric against the arrival rate, a line and a band for each policy, with where each crosses a limit.

    The study must have been run at several loads (``arrivals_scale=[1, 2, 4]``). Between them lines are straight on the
    axes that are shown, and so is what is said about crossings. A stop sign stands where the workers cannot do the work
    that comes: there a metric of the queue has no steady value, and its line ends before it.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What is drawn.
    ax : Axes, optional
        Where to draw. None: a new figure.
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

    Returns
    -------
    Axes
    """
    asked = expression(metric)
    bound = _limit(asked, limit)
    found = ramps(study_result, asked, scenarios, confidence)
    (one,) = style.axes(ax, 1)
    about = subjects.about_study(study_result, confidence)
    quantity = Quantity.of(asked, [point.interval.estimate for ramp in found for point in ramp.drawn])
    if not any(ramp.drawn for ramp in found):
        style.head(one, f"{quantity.name} under rising load", subtitle=about)
        style.blank(one, "The workers are saturated at every load that was run, so that there is no steady value.")
        return one
    set_view(one, found, quantity, bound)
    if bound is not None:
        subjects.draw_limits(one, "y", quantity, [bound])
    bright = _bright(found, bound)
    key: list[Artist] = []
    for ramp in found:
        key += draw_line(one, ramp, quantity, is_bright=ramp in bright)
    if len(bright) < len(found):
        key += one.plot([], [], color=OTHERS, linewidth=1.0, label=f"{len(found) - len(bright)} others")
    key += _draw_theory(one, bright, quantity, study_result, theory)
    style.head(one, _title(found, quantity, bound), subtitle=about, key=key)
    mark(one, bright, quantity, bound)
    return one


def _limit(asked: Expression, limit: Bound | None) -> Limit | None:
    """Return a limit on the metric; an amount is one on the side that is worse."""
    if limit is None or isinstance(limit, Limit):
        return limit
    if isinstance(limit, str) and ("<=" in limit or ">=" in limit):
        return read_limit(limit)
    return Limit(asked, ">=" if asked.better == "higher" else "<=", limit)  # type: ignore[arg-type]  # it reads amounts


def _bright(found: Sequence[Ramp], bound: Limit | None) -> list[Ramp]:
    """Return those that get a colour: all, if there are enough; else today's, and those that bear the most."""
    if len(found) <= subjects.MOST_COLOURS:
        return list(found)

    def bears(ramp: Ramp) -> float:
        """Return the rate up to which a ramp keeps the limit."""
        if bound is None or not bound.allows(ramp.points[0].interval.estimate):
            return -math.inf
        crossing = ramp.breaking(bound)
        return ramp.drawn[-1].rate if crossing is None else crossing.at.estimate

    ranked = sorted(found, key=lambda ramp: (not ramp.subject.is_today, -bears(ramp)))
    return [ramp for ramp in found if ramp in ranked[: subjects.MOST_COLOURS]]


def _title(found: Sequence[Ramp], quantity: Quantity, bound: Limit | None) -> str:
    today = next((ramp for ramp in found if ramp.subject.is_today and ramp.drawn), None)
    if bound is None or today is None:
        return f"{quantity.name} under rising load"
    return f"Today's policy keeps {limit_in_words(bound)} {_keeps(today, bound)}"


def _keeps(ramp: Ramp, bound: Limit) -> str:
    """Return at which loads a limit is kept."""
    crossing = next(iter(ramp.crossings(bound)), None)
    if crossing is None:
        if not bound.allows(ramp.drawn[0].interval.estimate):
            return "at no load that was run"
        stop = ramp.stop if ramp.ends else None
        end = ", the most that ran" if stop is None else f", and is saturated at {stop.subject.scale:g}"
        last = ramp.drawn[-1].subject.scale
        return f"up to {'' if last == 1.0 else f'{last:g} times '}today's load{end}"
    at, today = crossing.at, ramp.today
    times = replace(at, estimate=at.estimate / today, low=at.low / today, high=at.high / today)
    return f"{'up to' if ramp.breaking(bound) else 'from'} {subjects.written(times)} times today's load"


def _draw_theory(
    ax: Axes, found: Sequence[Ramp], quantity: Quantity, study_result: StudyResult, theory: Theory
) -> list[Artist]:
    rates = [point.rate for ramp in found for point in ramp.points]
    x = np.geomspace(min(rates), max(rates), 60)
    entry: list[Artist] = []
    for function in _functions(found, quantity, study_result, theory):
        y = [quantity.scaled(function(float(rate))) for rate in x]
        entry = [*ax.plot(x, y, color="black", linestyle=(0, (1, 1.6)), linewidth=1.2, label="closed form", zorder=5)]
    return entry


def _functions(
    found: Sequence[Ramp], quantity: Quantity, study_result: StudyResult, theory: Theory
) -> list[Callable[[float], float]]:
    if callable(theory):
        return [theory]
    if isinstance(theory, Mapping):
        lowest = [ramp.subject for ramp in found]
        for name in theory:
            subjects.find(name, lowest, study_result)
        return list(theory.values())
    simulations = [study_result.scenarios[ramp.subject.name] for ramp in found] if theory else []
    forms = [by_rate(simulation, quantity.expression) for simulation in simulations]
    return [form for form in forms if form is not None]
