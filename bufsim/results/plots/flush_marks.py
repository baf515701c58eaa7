"""Flushes and stops on a time axis: a mark for each; a strip of causes when flushes are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim.results.plots import levels, style, units
from bufsim.results.plots.causes import Causes, Family

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from bufsim.results.result import Result

MOST_MARKS = 2000
"""A picture with more flushes than this shows a strip of causes in place of marks."""

MOST_TEETH = 250
"""A picture with more flushes than this shows a level's range and average: its teeth would merge into a block."""

COLUMNS = 300
"""In how many columns a picture with many flushes shows them."""

_LANE = 0.035
_GAP = 0.012


def heights(result: Result, buffer: str) -> pd.DataFrame:
    """Return the flushes of a buffer: time, end, cause, and the size and bytes that the buffer had before.

    A flush whose step is not found in the `buffer_size` table (a storage strategy of the user's own lost jobs in it)
    has the size and bytes of its batch.
    """
    flushes = levels.rows_of(result.flushes, "buffer", buffer)
    sizes = levels.rows_of(result.buffer_size, "buffer", buffer)
    size, nbytes = sizes["size"].to_numpy(), sizes["nbytes"].to_numpy()
    drops = np.flatnonzero(np.diff(size) < 0)
    steps = pd.DataFrame({"time": sizes["time"].to_numpy()[drops + 1], "jobs": size[drops] - size[drops + 1]})
    taken = pd.DataFrame({"time": flushes["start"].to_numpy(), "jobs": flushes["batch_size"].to_numpy()})
    for table in (steps, taken):
        # the k-th step of so many jobs at an instant belongs to the k-th flush of as many
        table["number"] = table.groupby(["time", "jobs"]).cumcount()
    steps = steps.assign(size=size[drops], nbytes=nbytes[drops])
    found = taken.merge(steps, how="left", on=["time", "jobs", "number"])
    return pd.DataFrame(
        {
            "time": taken["time"],
            "end": flushes["end"].to_numpy(),
            "cause": flushes["cause"].array,
            "size": found["size"].fillna(taken["jobs"]).astype(np.int64),
            "nbytes": found["nbytes"].fillna(pd.Series(flushes["nbytes"].to_numpy())).astype(np.int64),
        }
    )


def key(causes: Causes) -> list[Line2D]:
    """Return the key's entries: each family's mark, its causes and how many flushes they started."""
    return [
        _mark(family, f"{name}: {count:,}")
        for family, name, count in zip(causes.families, causes.names, causes.counts(), strict=True)
    ]


def _mark(family: Family, label: str) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="", marker=family.marker, color=family.colour, markersize=6.0, label=label)


def draw(ax: Axes, times: npt.NDArray[np.float64], y: npt.ArrayLike, causes: Causes) -> None:
    """Draw a mark at each flush, its colour and shape those of its cause."""
    y = np.asarray(y)
    size = 6.0 if len(times) <= 60 else 4.5 if len(times) <= 300 else 3.0
    for place, family in enumerate(causes.families):
        rows = causes.place == place
        ax.plot(
            times[rows],
            y[rows],
            linestyle="",
            marker=family.marker,
            color=family.colour,
            markersize=size,
            markeredgecolor="white",
            markeredgewidth=0.4 if size > 4.0 else 0.2,
            zorder=5,
            clip_on=False,
        )


def height(lanes: int) -> float:
    """Return the part of the plot's height that a strip of so many lanes takes."""
    return _GAP + lanes * (_LANE + _GAP)


def strip(ax: Axes, times: npt.NDArray[np.float64], causes: Causes, end: float) -> None:
    """Draw a lane for each cause at the foot of the plot, darker where its flushes are denser."""
    edges = np.linspace(0.0, end, COLUMNS + 1)
    counts = np.zeros((len(causes.families), COLUMNS))
    column = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, COLUMNS - 1)
    np.add.at(counts, (causes.place, column), 1.0)
    for place, family in enumerate(causes.families):
        # in the order of the key, from the top
        foot = height(len(causes.families) - 1 - place)
        _lane(ax, edges, counts[place] / counts.max(), family.colour, foot)
        (mark,) = ax.plot(1.01, foot + _LANE / 2.0, transform=ax.transAxes, clip_on=False)
        mark.set(marker=family.marker, color=family.colour, markersize=4.0)


def _lane(ax: Axes, edges: npt.NDArray[np.float64], share: npt.NDArray[np.float64], colour: str, foot: float) -> None:
    from matplotlib.colors import to_rgba

    there = np.flatnonzero(share > 0.0)
    # a single flush must be seen too
    colours = [to_rgba(colour, 0.25 + 0.75 * strength) for strength in share[there]]
    ax.broken_barh(
        [(edges[column], edges[column + 1] - edges[column]) for column in there],
        (foot, _LANE),
        facecolors=colours,
        linewidth=0.0,
        antialiased=False,
        transform=ax.get_xaxis_transform(),
    )


def shade_blocked(
    ax: Axes, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], time: units.Unit
) -> list[Artist]:
    """Shade the time from each flush's start to its end, in which the server is blocked; return its part of the key."""
    long = end > start
    if not long.any():
        return []
    length = end[long] - start[long]
    spans = ax.broken_barh(
        list(zip(start[long] / time.size, length / time.size, strict=True)),
        (0.0, 1.0),
        facecolor=style.SHADE,
        linewidth=0.0,
        # spans of less than a pixel must look as light as they are short
        snap=False,
        transform=ax.get_xaxis_transform(),
        zorder=0.5,
        label=f"flush in progress, longest {units.duration(length.max())}",
    )
    return [spans]


def draw_stops(ax: Axes, result: Result, y: npt.ArrayLike, time: units.Unit) -> list[Artist]:
    """Draw a line and a cross at each stop, at the height `y`, and shade the time in which the server is down.

    Return their part of the key.
    """
    stops = levels.stop_times(result)
    if not stops:
        return []
    until = result.window.end
    for stop, restart in stops:
        if restart > stop:
            style.shade_down(ax, stop / time.size, min(restart, until) / time.size)
    x = np.array([stop for stop, _ in stops]) / time.size
    ax.vlines(x, 0.0, 1.0, transform=ax.get_xaxis_transform(), color="black", linewidth=0.6, zorder=2)
    return [*ax.plot(x, np.asarray(y), linestyle="", label=f"server stops: {len(stops):,}", **style.CROSS)]
