"""What stands in a picture of the Pareto front: its steps, a cross and a mark at each scenario, and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from bufsim.results.plots import style
from bufsim.studies.fronts import FrontPoint
from bufsim.studies.plots import placing, quantities, subjects
from bufsim.studies.plots.objectives import Objectives

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.text import Text

PLACES = {"on the front": "on the front", "not separable": "not separable from it", "dominated": "dominated"}
"""The places, the best first, and what they are called in the key."""
CROWD = 8
"""More labels than this are written small, without what they have in common."""
_RING: dict[str, Any] = {
    "linestyle": "",
    "marker": "o",
    "markersize": 15.0,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "markeredgewidth": 1.3,
}
_SAME = 4.0
_GREY = "#9A9A9A"


def draw_front(ax: Axes, shown: Objectives) -> list[placing.Line]:
    """Draw the steps of the front, out to the edges where everything is dominated; return them as lines."""
    from_right = shown.x.expression.better == "higher"
    best_first = sorted(
        (shown.at(point) for point in shown.points if point.place == "on the front"), reverse=from_right
    )
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    path = [(best_first[0][0], bottom if shown.y.expression.better == "higher" else top), best_first[0]]
    for before, after in pairwise(best_first):
        path += [(after[0], before[1]), after]
    path.append((left if from_right else right, best_first[-1][1]))
    ax.plot(*zip(*path, strict=True), color=style.LINE, linewidth=1.2, alpha=0.8, zorder=3)
    return [(*start, *end) for start, end in pairwise(path)]


def draw_points(ax: Axes, shown: Objectives) -> None:
    """Draw a cross and a mark at each scenario."""
    for one, point in zip(shown.subjects, shown.points, strict=True):
        colour = _colour(shown, one, point)
        _draw_cross(ax, shown, point, colour)
        look = _look(point.place, colour, is_today=one.is_today)
        ax.plot(*shown.at(point), zorder=5 if point.place == "dominated" else 6, clip_on=False, **look)


def _colour(shown: Objectives, one: subjects.Subject, point: FrontPoint) -> str:
    if one.is_today or subjects.told_apart(shown.subjects):
        return one.colour
    return _GREY if point.place == "dominated" else style.LINE


def _draw_cross(ax: Axes, shown: Objectives, point: FrontPoint, colour: str) -> None:
    """Draw both intervals; an end that is open, or out of sight, is an arrow at the edge."""
    x, y = shown.at(point)
    look: dict[str, Any] = {"color": colour, "linewidth": 1.1, "zorder": 4}
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    across, along = shown.x.interval(point.x), shown.y.interval(point.y)
    ax.hlines(y, max(across.low, left), min(across.high, right), **look)
    ax.vlines(x, max(along.low, bottom), min(along.high, top), **look)
    for marker, is_beyond, at in (
        ("<", across.low < left, (left, y)),
        (">", across.high > right, (right, y)),
        ("v", along.low < bottom, (x, bottom)),
        ("^", along.high > top, (x, top)),
    ):
        if is_beyond:
            ax.plot(*at, marker=marker, markersize=4.0, color=colour, clip_on=False, zorder=4)


def _look(place: str, colour: str, *, is_today: bool) -> dict[str, Any]:
    size = 13.0 if is_today else 4.0 if place == "dominated" else 7.0
    fill = "white" if place == "not separable" else colour
    return {
        "linestyle": "",
        "marker": "*" if is_today else "o",
        "color": colour,
        "markerfacecolor": fill,
        "markersize": size,
        "markeredgewidth": 1.3,
    }


def draw_choice(ax: Axes, shown: Objectives, chosen: str) -> None:
    """Draw a ring about the choice."""
    for one, point in zip(shown.subjects, shown.points, strict=True):
        if one.name == chosen:
            ax.plot(*shown.at(point), zorder=7, clip_on=False, **_RING)


def key(shown: Objectives, chosen: str | None = None) -> list[Artist]:
    """Return the entries of the key."""
    from matplotlib.lines import Line2D

    def mark(label: str, place: str, colour: str, **look: Any) -> Line2D:
        return Line2D([], [], label=label, **_look(place, colour, is_today=bool(look)) | look)

    there = {point.place for point in shown.points}
    crowd = not subjects.told_apart(shown.subjects)
    entries: list[Artist] = [
        mark(label, place, _GREY if crowd and place == "dominated" else style.LINE)
        for place, label in PLACES.items()
        if place in there
    ]
    if any(one.is_today for one in shown.subjects):
        entries.append(mark("today", "on the front", style.TODAY, markersize=9.0))
    if chosen is not None:
        entries.append(Line2D([], [], label="choice", **_RING | {"markersize": 10.0}))
    return entries


def write_labels(
    ax: Axes, shown: Objectives, texts: Sequence[str], steps: Sequence[placing.Line], written: Sequence[Text]
) -> None:
    """Write the labels, those of the front first, so that they get the best places; one for points that coincide."""
    spots: dict[tuple[float, float], placing.Spot] = {}
    lines = list(steps)
    order = list(PLACES)
    for place in sorted(range(len(texts)), key=lambda place: order.index(shown.points[place].place)):
        point = shown.points[place]
        x, y = shown.at(point)
        pixel = ax.transData.transform((x, y))
        near = next((at for at in spots if np.hypot(*(ax.transData.transform(at) - pixel)) < _SAME), None)
        if near is not None:
            spots[near] = replace(spots[near], text=f"{spots[near].text}\n{texts[place]}")
            continue
        faint = point.place == "dominated" and not shown.subjects[place].is_today
        colour = style.FAINT if faint else style.INK
        spots[x, y] = placing.Spot(texts[place], x, y, colour)
        lines += _cross_lines(shown, point)
    placing.write(ax, list(spots.values()), lines=lines, texts=written, size=8.0 if len(texts) <= CROWD else 7.0)


def _cross_lines(shown: Objectives, point: FrontPoint) -> list[placing.Line]:
    x, y = shown.at(point)
    across, along = quantities.ends([shown.x.interval(point.x)]), quantities.ends([shown.y.interval(point.y)])
    return [(across[0], y, across[-1], y), (x, along[0], x, along[-1])]
