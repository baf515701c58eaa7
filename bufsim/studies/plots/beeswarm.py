"""A beeswarm: every value a dot, none over another, some with their names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from bufsim.results.plots import style
from bufsim.studies.plots import placing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ODD = "#B00020"
_DOT = 4.2
_SHARE = 0.3
_MOST_NAMES = 8


def below(ax: Axes) -> Axes:
    """Return new Axes that take the lower part of the room of others."""
    figure, spec = ax.figure, ax.get_subplotspec()
    if spec is not None:
        rows = spec.subgridspec(2, 1, height_ratios=(1.0, _SHARE))
        ax.set_subplotspec(rows[0])
        return figure.add_subplot(rows[1])
    box = ax.get_position()
    ax.set_position((box.x0, box.y0 + 2.0 * _SHARE * box.height, box.width, (1.0 - 2.0 * _SHARE) * box.height))
    return figure.add_axes((box.x0, box.y0, box.width, _SHARE * box.height))


def beeswarm(
    ax: Axes, values: Sequence[float], *, names: Sequence[str], named: npt.NDArray[np.bool_], colour: str = style.LINE
) -> None:
    """Draw values along the x axis, a dot each; those `named` are larger, and have their names beside them.

    At most 8 names are written, those of the values farthest from the median.
    """
    x = np.asarray(values, dtype=np.float64)
    low, high = float(x.min()), float(x.max())
    # values that differ by rounding only are the same
    room = 0.06 * (high - low) if high - low > 1e-9 * abs(high) else 0.1 * abs(high) or 1.0
    ax.set_xlim(low - room, high + room)
    figure = cast("Figure", ax.get_figure(root=True))
    width = figure.get_figwidth() * 0.8 * 72.0
    rows = stacked(x * (width / (high - low + 2.0 * room)), _DOT)
    tall = max(np.abs(rows).max(), 2.0) + 1.0
    ax.set_ylim(-tall, tall)
    plain = ~named
    ax.plot(
        x[plain], rows[plain], linestyle="", marker="o", markersize=_DOT, color=colour, alpha=0.75, markeredgewidth=0.0
    )
    ax.plot(x[named], rows[named], linestyle="", marker="D", markersize=4.5, color="#B00020")
    far = np.argsort(-np.abs(x - np.median(x)), kind="stable")
    written = [place for place in far if named[place]][:_MOST_NAMES]
    spots = [placing.Spot(f"#{names[place]}", float(x[place]), float(rows[place])) for place in written]
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(labelsize=8.0, color=style.FAINT)
    placing.write(ax, spots, size=7.5)


def stacked(x: npt.NDArray[np.float64], size: float) -> npt.NDArray[np.float64]:
    """Return a height for each dot, in dots from the middle, so that dots of one size do not lie over each other.

    Examples
    --------
    >>> stacked(np.array([0.0, 1.0, 50.0]), 4.0).tolist()
    [0.0, 1.0, 0.0]
    """
    rows = np.zeros(len(x))
    last: dict[float, float] = {}
    for place in np.argsort(x, kind="stable"):
        # from the middle outwards: 0, 1, -1, 2, -2, ...
        free = (sign * step for step in itertools.count() for sign in (1.0, -1.0))
        row = next(row for row in free if x[place] - last.get(row, -np.inf) >= size)
        last[row] = float(x[place])
        rows[place] = row
    return rows
