"""Limits in a picture: a dashed line with its value on it, and a shade over what they forbid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bufsim.studies.formulas import limit
from bufsim.studies.limits import Limit
from bufsim.studies.plots.quantities import Which
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

_FORBIDDEN: dict[str, Any] = {
    "facecolor": "#EFEFEF",
    "edgecolor": "#CFCFCF",
    "hatch": "///",
    "linewidth": 0.0,
    "zorder": 0,
}


def read(limits: str | Limit | Sequence[str | Limit]) -> list[Limit]:
    """Return the limits that were given, one or several."""
    return [limit(one) for one in ([limits] if isinstance(limits, str | Limit) else limits)]


def values(limits: Sequence[Limit], quantity: Quantity) -> list[float]:
    """Return the bounds on a quantity."""
    return [one.bound for one in limits if one.expression == quantity.expression]


def draw(ax: Axes, which: Which, quantity: Quantity, limits: Sequence[Limit]) -> list[Annotation]:
    """Draw the limits on the quantity that an axis shows, and return what is written; the axis must have its limits."""
    found = [_draw(ax, which, quantity, one) for one in limits if one.expression == quantity.expression]
    return [note for note in found if note is not None]


def _draw(ax: Axes, which: Which, quantity: Quantity, one: Limit) -> Annotation | None:
    bound = quantity.scaled(one.bound)
    low, high = ax.get_xlim() if which == "x" else ax.get_ylim()
    forbidden = (min(bound, high), high) if one.side == "<=" else (low, max(bound, low))
    (ax.axvspan if which == "x" else ax.axhspan)(*forbidden, **_FORBIDDEN)
    (ax.axvline if which == "x" else ax.axhline)(bound, color="black", linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)
    amount = quantity.written(one.bound)
    look: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8.0, "zorder": 2.5}
    if which == "x":
        where = ax.get_xaxis_transform()
        look |= {"ha": "right", "va": "top", "rotation": 90}
        return ax.annotate(f"limit {amount}", (bound, 1.0), (-3.0, -3.0), where, **look)
    if low <= bound <= high:
        # outside, where no line runs
        return ax.annotate(f"limit\n{amount}", (1.0, bound), (3.0, 0.0), ax.get_yaxis_transform(), va="center", **look)
    return None
