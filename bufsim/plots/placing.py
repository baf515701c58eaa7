"""Where the labels of points go, so that they hide neither points nor each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from bufsim.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


FloatArray = npt.NDArray[np.float64]

_LETTER, _LINE = 0.56, 1.25
_NEAR = 7.0
_RINGS = (_NEAR, 13.0, 20.0, 30.0, 42.0, 56.0, 72.0)
_DIRECTIONS = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
_POINT = 4.5
_STRIDE = 3.0
_ROUNDS = 3
# what it costs to hide a square point of a label, of a mark, of the room outside; and to be far from the point
_ON_LABEL, _ON_MARK, _OUTSIDE, _FAR = 6.0, 3.0, 20.0, 1.2


@dataclass(frozen=True, slots=True)
class Spot:
    """A point that wants a label.

    Attributes
    ----------
    text : str
        The label, of one line or several.
    x, y : float
        The point, in data.
    colour : str
        Of the text.
    """

    text: str
    x: float
    y: float
    colour: str = style.INK


Line = tuple[float, float, float, float]


def write(
    ax: Axes, spots: Sequence[Spot], *, lines: Sequence[Line] = (), texts: Sequence[Text] = (), size: float = 8.0
) -> None:
    """Write labels beside their points, with a thin line to those that had to go far.

    The plot must have its final limits and its head: the places depend on its size.

    Parameters
    ----------
    ax : Axes
        The plot.
    spots : sequence of Spot
        The points; the first have the first choice.
    lines : sequence of (x0, y0, x1, y1)
        What the labels should not hide either, in data.
    texts : sequence of Text
        What is written already.
    size : float
        Of the letters, in points.
    """
    if not spots:
        return
    figure = cast("Figure", ax.get_figure(root=True))
    # a layout engine settles the size of the plot when it draws
    figure.draw_without_rendering()
    scale = 72.0 / figure.dpi
    points = ax.transData.transform([(spot.x, spot.y) for spot in spots]) * scale
    room = np.array(ax.bbox.extents) * scale
    written = [np.array(text.get_window_extent().extents) * scale for text in texts]
    marks = np.concatenate([_around(points, _POINT), _along(ax, lines, scale), np.reshape(written, (-1, 4))])
    sizes = np.array([_size(_text(spot)) for spot in spots]) * size
    for spot, point, box in zip(spots, points, _places(points, sizes, marks, room), strict=True):
        _annotate(ax, spot, point, box, size)


def _text(spot: Spot) -> str:
    return style.plain(spot.text, style.LABEL)


def _size(text: str) -> tuple[float, float]:
    """Return the width and the height of a text, for letters of size 1."""
    rows = text.split("\n")
    return max(map(len, rows)) * _LETTER, len(rows) * _LINE


def _annotate(ax: Axes, spot: Spot, point: FloatArray, box: FloatArray, size: float) -> None:
    centre = (box[:2] + box[2:]) / 2.0 - point
    nearest = np.clip(point, box[:2], box[2:]) - point
    far = float(np.hypot(*nearest)) > _NEAR + 2.0
    arrow = {"arrowstyle": "-", "color": style.FAINT, "linewidth": 0.5, "shrinkA": 0.0, "shrinkB": 3.0}
    note = ax.annotate(
        _text(spot),
        (spot.x, spot.y),
        tuple(centre),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=size,
        color=spot.colour,
        arrowprops=arrow if far else None,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.3},
        zorder=8,
    )
    note.set_in_layout(False)


def _around(points: FloatArray, reach: float) -> FloatArray:
    return np.concatenate([points - reach, points + reach], axis=1)


def _along(ax: Axes, lines: Sequence[Line], scale: float) -> FloatArray:
    """Return small boxes along lines, one every few points."""
    if not len(lines):
        return np.empty((0, 4))
    ends = ax.transData.transform(np.asarray(lines, dtype=np.float64).reshape(-1, 2)).reshape(-1, 2, 2) * scale
    counts = np.ceil(np.hypot(*(ends[:, 1] - ends[:, 0]).T) / _STRIDE).astype(np.int64) + 1
    pieces = [np.linspace(start, end, count) for (start, end), count in zip(ends, counts, strict=True)]
    return _around(np.concatenate(pieces), 1.0)


def _places(points: FloatArray, sizes: FloatArray, marks: FloatArray, room: FloatArray) -> FloatArray:
    """Return a box for each label: each in turn takes the cheapest place, given where the others are."""
    choices = [_choices(point, size) for point, size in zip(points, sizes, strict=True)]
    fixed = [_ON_MARK * _hidden(boxes, marks) + _OUTSIDE * _outside(boxes, room) + far for boxes, far in choices]
    placed = np.full((len(points), 4), np.nan)
    for _ in range(_ROUNDS):
        for index, ((boxes, _), cost) in enumerate(zip(choices, fixed, strict=True)):
            others = np.delete(placed, index, axis=0)
            others = others[~np.isnan(others[:, 0])]
            placed[index] = boxes[np.argmin(cost + _ON_LABEL * _hidden(boxes, others))]
    return placed


def _choices(point: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the boxes that a label may take round its point, and what their distance costs."""
    rings, angles = (grid.ravel() for grid in np.meshgrid(_RINGS, _DIRECTIONS, indexing="ij"))
    way = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # the box touches the ring on the side of the point
    centres = point + way * rings[:, None] + np.sign(np.round(way, 9)) * size / 2.0 * np.minimum(np.abs(way) * 1.4, 1.0)
    # to the right and above reads best
    liking = 1.5 * (way[:, 0] < 0.0) + 1.0 * (way[:, 1] < 0.0)
    return np.concatenate([centres - size / 2.0, centres + size / 2.0], axis=1), _FAR * (rings - _NEAR) + liking


def _hidden(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """Area of the others that each box hides, in square points."""
    if not len(others):
        return np.zeros(len(boxes))
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    hidden: FloatArray = np.clip(high - low, 0.0, None).prod(axis=2).sum(axis=1)
    return hidden


def _outside(boxes: FloatArray, room: FloatArray) -> FloatArray:
    beyond: FloatArray = np.clip(room[:2] - boxes[:, :2], 0.0, None).sum(axis=1)
    beyond += np.clip(boxes[:, 2:] - room[2:], 0.0, None).sum(axis=1)
    return beyond


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
    ax.plot(x[named], rows[named], linestyle="", marker="D", markersize=4.5, color=_ODD)
    far = np.argsort(-np.abs(x - np.median(x)), kind="stable")
    written = [index for index in far if named[index]][:_MOST_NAMES]
    spots = [Spot(f"#{names[index]}", float(x[index]), float(rows[index])) for index in written]
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(labelsize=8.0, color=style.FAINT)
    write(ax, spots, size=7.5)


def stacked(x: npt.NDArray[np.float64], size: float) -> npt.NDArray[np.float64]:
    """Return a height for each dot, in dots from the middle, so that dots of one size do not lie over each other.

    Examples
    --------
    >>> stacked(np.array([0.0, 1.0, 50.0]), 4.0).tolist()
    [0.0, 1.0, 0.0]
    """
    rows = np.zeros(len(x))
    last: dict[float, float] = {}
    for index in np.argsort(x, kind="stable"):
        # from the middle outwards: 0, 1, -1, 2, -2, ...
        free = (sign * step for step in itertools.count() for sign in (1.0, -1.0))
        row = next(row for row in free if x[index] - last.get(row, -np.inf) >= size)
        last[row] = float(x[index])
        rows[index] = row
    return rows
