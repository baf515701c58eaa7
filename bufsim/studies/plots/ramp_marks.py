"""What stands in a picture of a load ramp: lines and bands, ticks where they cross a limit, and stop signs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from bufsim.results.plots import style, units
from bufsim.studies.limits import Limit
from bufsim.studies.plots import placing, quantities
from bufsim.studies.plots.crossings import Crossing
from bufsim.studies.plots.ramps import Point, Ramp
from bufsim.studies.plots.subjects import Subject
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

OTHERS = "#BDBDBD"
"""The colour of the lines that get no colour of their own."""
_TIMES = "\N{MULTIPLICATION SIGN}"
_FAR = 30.0


def set_view(ax: Axes, found: Sequence[Ramp], quantity: Quantity, bound: Limit | None) -> None:
    """Set the axes: the loads that were run, and the metric with its limit, if that is not far away."""
    values = quantities.ends(point.interval for ramp in found for point in ramp.drawn)
    estimates = [point.interval.estimate for ramp in found for point in ramp.drawn]
    # a band may reach far beyond what is worth seeing
    seen = [value for value in values if min(estimates) / 3.0 <= value <= 3.0 * max(estimates)] or estimates
    if bound is not None and min(estimates) / _FAR <= bound.bound <= _FAR * max(estimates):
        seen.append(bound.bound)
    quantities.set_axis(ax, "y", quantity, seen, log=min(seen) > 0.0)
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
    texts = [f"{units.number(float(f'{by_scale[scale]:.3g}'))}\n{_TIMES}{scale:g}" for scale in scales]
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


def _draw_crossing(ax: Axes, crossing: Crossing, y: float, subject: Subject) -> placing.Spot:
    left, right = ax.get_xlim()
    at = crossing.at
    ends = [max(at.low, left), min(at.high, right)]
    ax.plot(ends, [y, y], color=subject.colour, linewidth=3.0, alpha=0.6, solid_capstyle="butt", zorder=5)
    ax.plot(at.estimate, y, marker="|", markersize=12.0, markeredgewidth=1.8, color=subject.colour, zorder=6)
    return placing.Spot(f"{quantities.written(at)} per s", at.estimate, y, subject.ink)


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
