"""The load ramp: how much more load each policy bears."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bufsim.model.flush_policy import FlushPolicy
from bufsim.results.plots import style
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.formulas import limit as read_limit
from bufsim.studies.limits import Limit
from bufsim.studies.plots import bounds, closed_forms, quantities, ramp_marks, subjects
from bufsim.studies.plots.ramps import Ramp, ramps
from bufsim.studies.quantities import Quantity, limit_in_words

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

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
    about = subjects.about(study_result, confidence)
    quantity = Quantity.of(asked, [point.interval.estimate for ramp in found for point in ramp.drawn])
    if not any(ramp.drawn for ramp in found):
        style.head(one, f"{quantity.name} under rising load", subtitle=about)
        style.blank(one, "The workers are saturated at every load that was run, so that there is no steady value.")
        return one
    ramp_marks.set_view(one, found, quantity, bound)
    if bound is not None:
        bounds.draw(one, "y", quantity, [bound])
    bright = _bright(found, bound)
    key: list[Artist] = []
    for ramp in found:
        key += ramp_marks.draw_line(one, ramp, quantity, is_bright=ramp in bright)
    if len(bright) < len(found):
        key += one.plot([], [], color=ramp_marks.OTHERS, linewidth=1.0, label=f"{len(found) - len(bright)} others")
    key += _draw_theory(one, bright, quantity, study_result, theory)
    style.head(one, _title(found, quantity, bound), subtitle=about, key=key)
    ramp_marks.mark(one, bright, quantity, bound)
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
    return f"{'up to' if ramp.breaking(bound) else 'from'} {quantities.written(times)} times today's load"


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
    forms = [closed_forms.by_rate(simulation, quantity.expression) for simulation in simulations]
    return [form for form in forms if form is not None]
