"""What an axis of a study's picture shows: values of a quantity, with some room."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from bufsim.errors import InvalidValueError
from bufsim.studies.quantities import Quantity
from bufsim.studies.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Which = Literal["x", "y"]

_WIDE, _TOO_WIDE = 20.0, 1e5
_ROOM = 0.12


def ends(intervals: Iterable[Interval]) -> list[float]:
    """Return the estimates of intervals, and their ends as far as they are not open."""
    return [end for one in intervals for end in (one.low, one.estimate, one.high) if math.isfinite(end)]


def written(interval: Interval) -> str:
    """Return an interval as text, in which an end that is not known is called open.

    Examples
    --------
    >>> written(Interval(99.0, 97.0, math.inf, 0.95, 30, "order statistics"))
    '99 [97, open]'
    """
    return str(interval).replace("-inf", "open").replace("inf", "open")


def is_wide(values: Sequence[float]) -> bool:
    """Whether values are best shown on a log scale: the largest many times the smallest, and none as good as 0."""
    return min(values) > 0.0 and _WIDE * min(values) < max(values) < _TOO_WIDE * min(values)


def set_axis(ax: Axes, which: Which, quantity: Quantity, values: Iterable[float], *, log: bool | None = None) -> None:
    """Let an axis show values of a quantity, with some room; on a log axis, or (None) where the values span much.

    Parameters
    ----------
    values : iterable of float
        In the unit of the expression.
    """
    shown = [quantity.scaled(value) for value in values]
    low, high = min(shown), max(shown)
    if log and low <= 0.0:
        raise InvalidValueError(f"log needs values above 0, got {low:g} of {quantity.name}; leave log out")
    set_limits, set_label = (ax.set_xlim, ax.set_xlabel) if which == "x" else (ax.set_ylim, ax.set_ylabel)
    if log or (log is None and is_wide(shown)):
        margin = max(high / low, 1.5) ** _ROOM
        set_limits(low / margin, high * margin)
        log_axis(ax, which)
    else:
        room = _ROOM * (high - low) or 0.1 * abs(high) or 1.0
        # an axis of amounts does not go below 0 for the sake of room
        set_limits(max(low - room, 0.0) if low >= 0.0 else low - room, high + room)
    set_label(quantity.label)


def log_axis(ax: Axes, which: Which) -> None:
    """Make an axis a log axis whose ticks are plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = axis.get_view_interval()
    # few decades need the ticks between them
    subs = (1.0,) if high > 1000.0 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000.0 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
