"""The tornado: which assumption moves a metric most, the longest bar on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from bufsim.results.plots import style
from bufsim.studies.expressions import Expression
from bufsim.studies.limits import Limit
from bufsim.studies.quantities import Quantity
from bufsim.studies.sensitivity import Effect, Sensitivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 5
"""As many assumptions are shown."""
_LOWER, _HIGHER = "#88CCEE", "#332288"
_HEIGHT = 0.36


def tornado_frame(sensitivity: Sensitivity, expression: Expression) -> pd.DataFrame:
    """Return what `tornado` draws: the rows of one metric, of those assumptions that are shown."""
    table, shown = sensitivity.table(), [effect.variation.name for effect in sensitivity.moving(expression)[:MOST]]
    return table[(table["metric"] == expression.name) & table["assumption"].isin(shown)]


def tornado(
    sensitivity: Sensitivity, expression: Expression, *, ax: Axes | None = None, limit: Limit | None = None
) -> Axes:
    """Draw how far each assumption, divided and multiplied by a factor, moves a metric from its value as assumed.

    The bars are the estimates, the thin lines across their ends the intervals of the differences, each by itself. An
    assumption that does not move it in any replication has none.

    Parameters
    ----------
    sensitivity : Sensitivity
        What was found.
    expression : Expression
        Which of its metrics.
    ax : Axes, optional
        Where to draw. None: a new figure.
    limit : Limit, optional
        What the metric must not exceed, or must reach.

    Returns
    -------
    Axes
    """
    from matplotlib.patches import Patch

    (one,) = style.axes(ax, 1)
    effects, base = sensitivity.moving(expression)[:MOST], sensitivity.base[expression]
    quantity = Quantity.of(expression, [base.estimate])
    zero = quantity.scaled(base.estimate)
    for place, effect in enumerate(effects):
        _bars(one, effect, quantity, zero, place)
    one.axvline(zero, color=style.INK, linewidth=1.0)
    _limit(one, limit, quantity)
    one.set_yticks(range(len(effects)), [f"{effect.variation.name}\n{effect.variation.value}" for effect in effects])
    one.set_ylim(len(effects) - 0.4, -0.6)
    one.set_xlabel(quantity.label)
    factor = f"{sensitivity.factor:g}"
    key = [
        Patch(facecolor=_LOWER, edgecolor=style.INK, hatch="///", label=f"divided by {factor}"),
        Patch(facecolor=_HIGHER, edgecolor=style.INK, label=f"multiplied by {factor}"),
    ]
    about = f"n = {base.n} replications · {100.0 * base.confidence:g} % intervals of the differences, each by itself"
    style.head(one, f"{quantity.name}, as assumed {quantity.written(base.estimate)}", subtitle=about, key=key)
    one.spines["left"].set_visible(False)
    one.tick_params(axis="y", length=0.0, labelsize=8.0)
    return one


def _bars(ax: Axes, effect: Effect, quantity: Quantity, zero: float, place: int) -> None:
    looks = ((effect.lower, _LOWER, "///", -1.0), (effect.higher, _HIGHER, "", 1.0))
    for gap, colour, hatch, side in looks:
        shown = quantity.interval(gap)
        y = place + side * _HEIGHT / 2.0
        ax.barh(y, shown.estimate, _HEIGHT, left=zero, color=colour, edgecolor=style.INK, linewidth=0.6, hatch=hatch)
        ax.plot([zero + shown.low, zero + shown.high], [y, y], color="black", linewidth=1.4, solid_capstyle="butt")


def _limit(ax: Axes, limit: Limit | None, quantity: Quantity) -> None:
    """Draw the limit, or say at the edge where it is."""
    if limit is None:
        return
    bound, (low, high) = quantity.scaled(limit.bound), ax.get_xlim()
    text = f"limit {quantity.written(limit.bound)}"
    if low <= bound <= high:
        ax.axvline(bound, color="black", linewidth=0.9, linestyle=(0, (5, 3)))
        x, said = bound, text
    else:
        x, said = (high, f"{text} →") if bound > high else (low, f"← {text}")
    left = x > (low + high) / 2.0
    place: dict[str, Any] = {"ha": "right" if left else "left", "va": "bottom", "fontsize": 8.0}
    ax.annotate(said, (x, 0.0), (-4.0 if left else 4.0, 3.0), ax.get_xaxis_transform(), "offset points", **place)
