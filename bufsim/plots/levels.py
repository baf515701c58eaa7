"""The levels of a run over time, made from its tables, and the marks of flushes and stops on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats
from bufsim.engines.randomness import stop_times as engines_stop_times
from bufsim.plots import style
from bufsim.plots.style import envelope, rows_to_draw
from bufsim.results.causes import Causes, Family
from bufsim.results.measures import Window
from bufsim.results.steps import Steps

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from bufsim.results.result import Result

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_LOST_AT_A_STOP = ("buffer", "in_flight", "queue")


def rows_of(table: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """Return the rows of a table whose category in `column` is `name`."""
    codes = table[column].cat.codes.to_numpy()
    wanted = codes == table[column].cat.categories.get_indexer(pd.Index([name]))[0]
    return table if wanted.all() else table[wanted]


def stop_times(result: Result) -> list[tuple[float, float]]:
    """Return when the server stopped and restarted in the run, s.

    A result that was loaded knows its simulation as text only: then the stops are those that lost a job, and the
    restarts, which are not known, the same times.
    """
    if isinstance(result.simulation, str):
        times, _ = losses(result)
        return [(time, time) for time in np.unique(times).tolist()]
    return engines_stop_times(
        result.simulation.stops, seed=result.seed, replication=result.replication, until=result.window.end
    )


def losses(result: Result) -> tuple[FloatArray, IntArray]:
    """Return the times of the stops that lost jobs, s, and how many jobs each lost."""
    jobs = result.jobs
    times = jobs["lost_at"].to_numpy()[jobs["loss_cause"].isin(_LOST_AT_A_STOP).to_numpy()]
    return np.unique(times, return_counts=True)


def next_stop(result: Result, times: FloatArray) -> FloatArray:
    """Return the first stop after each of the `times`, or infinity, s."""
    stops = np.array([stop for stop, _ in stop_times(result)] + [np.inf])
    # what happens at the instant of a stop comes after it
    return stops[np.searchsorted(stops, times, side="right")]


def before(steps: Steps, times: npt.ArrayLike) -> IntArray:
    """Return the levels just before the `times`."""
    return np.append(0, steps.levels)[np.searchsorted(steps.times, times)]


def buffered(result: Result, buffer: str, column: str = "size") -> Steps:
    """Jobs, or with the column ``"nbytes"`` bytes, in a buffer over time."""
    rows = rows_of(result.buffer_size, "buffer", buffer)
    return Steps(rows["time"].to_numpy(), rows[column].to_numpy())


def in_flight(result: Result) -> Steps:
    """Jobs over time that are taken from a buffer but not yet in the queue, of all buffers."""
    start, end, jobs = (result.flushes[name].to_numpy() for name in ("start", "end", "batch_size"))
    end = np.where(np.isnan(end), next_stop(result, start), end)
    ended = np.isfinite(end)
    return Steps.of_changes((start, jobs), (end[ended], -jobs[ended]))


def queued(result: Result, queues: Collection[str]) -> Steps:
    """Jobs over time that lie in some queues or are in service; each of the jobs that a task carries counts."""
    jobs, flushes = result.jobs, result.flushes
    work = result.work[result.work["queue"].isin(list(queues)).to_numpy()]
    # the last place is for jobs without a flush, and a flush that handed over nothing brought no job to a queue
    end = np.append(flushes["end"].to_numpy(), np.nan)
    handed = work["flush_id"].dropna().to_numpy(dtype=np.int64)
    end[np.setdiff1d(np.arange(len(flushes)), handed)] = np.nan
    bypassed, known = jobs["buffer"].isna().to_numpy(), jobs["work_id"].notna().to_numpy()
    flush = jobs["flush_id"].to_numpy(dtype=np.int64, na_value=-1)
    entered = np.where(bypassed & known, jobs["created_at"].to_numpy(), end[flush])
    # a job whose task is not known is where the tasks of its flush are
    entered[known & ~jobs["work_id"].isin(work.index).to_numpy(dtype=bool)] = np.nan
    last = np.append(work.groupby("flush_id")["finished_at"].max().reindex(range(len(flushes))).to_numpy(), np.nan)
    last[work.loc[work["finished_at"].isna(), "flush_id"].dropna().to_numpy(dtype=np.int64)] = np.nan
    finished = np.where(known, jobs["finished_at"].to_numpy(), last[flush])
    lost = np.where((jobs["loss_cause"] == "queue").to_numpy(), jobs["lost_at"].to_numpy(), np.nan)
    return _between(entered, np.where(np.isnan(lost), finished, lost))


def waiting(result: Result, queue: str) -> Steps:
    """Jobs of a queue over time that have not been started yet, a step an instant."""
    work = rows_of(result.work, "queue", queue)
    return lasting(_between(work["queued_at"].to_numpy(), _else_lost(result, work, "started_at")))


def in_service(result: Result, queue: str) -> Steps:
    """Workers of a queue that are in service over time, a step an instant."""
    queues = result.work["queue"]
    served = queues.cat.codes.to_numpy() == queues.cat.categories.get_indexer(pd.Index([queue]))[0]
    attempts = result.attempts[served[result.attempts["work_id"].to_numpy()]]
    return lasting(_between(attempts["started_at"].to_numpy(), attempts["ended_at"].to_numpy()))


def _else_lost(result: Result, work: pd.DataFrame, end: str) -> FloatArray:
    """Return the times in a column of `work`; where there is none, that of the stop that lost the work, or NaN."""
    times = work[end].to_numpy()
    lost = np.isnan(times) & (work["outcome"] == "lost").to_numpy()
    return np.where(lost, next_stop(result, work["queued_at"].to_numpy()), times)


def _between(start: FloatArray, end: FloatArray) -> Steps:
    """Number of open intervals over time; NaN starts none, or ends none."""
    end = end[~np.isnan(start) & ~np.isnan(end)]
    start = start[~np.isnan(start)]
    return Steps.of_changes((start, np.ones(len(start), np.int64)), (end, -np.ones(len(end), np.int64)))


def lasting(steps: Steps) -> Steps:
    """Return the level from 0 s on with one step an instant: the last, which holds."""
    last = np.append(steps.times[1:] != steps.times[:-1], np.ones(min(len(steps.times), 1), dtype=bool))
    times, levels = steps.times[last], steps.levels[last]
    if len(times) and times[0] == 0.0:
        return Steps(times, levels)
    return Steps(np.append(0.0, times), np.append(np.int64(0), levels))


def shares(steps: Steps, window: Window, gaps: Sequence[tuple[float, float]] = ()) -> tuple[IntArray, FloatArray]:
    """Return the levels of a window that last, in order, and the share of the time without the gaps spent at each.

    Both are empty if the gaps leave no time.
    """
    levels, bounds = steps.within(window)
    spans = np.diff(bounds) - np.diff(_gone(bounds, gaps))
    heights, place = np.unique(levels, return_inverse=True)
    weights = np.bincount(place, weights=spans, minlength=len(heights))
    # a level that lasts for the rounding of a gap's bounds does not last
    held = weights > 1e-12 * window.span
    return heights[held], weights[held] / weights[held].sum()


def _gone(times: FloatArray, gaps: Sequence[tuple[float, float]]) -> FloatArray:
    """Part of the gaps, which do not overlap, that has passed at each of the times, s."""
    if not len(gaps):
        return np.zeros_like(times)
    lengths = np.array([[0.0, end - start] for start, end in gaps])
    gone: FloatArray = np.interp(times, np.ravel(gaps), np.cumsum(lengths))
    return gone


def line(steps: Steps, until: float) -> tuple[FloatArray, FloatArray]:
    """Return the corners of a step function to the end, those that a picture can show."""
    rows = rows_to_draw(steps.times, steps.levels)
    return np.append(steps.times[rows], until), np.append(steps.levels[rows], steps.levels[-1]).astype(np.float64)


def range_and_average(steps: Steps, until: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the bounds of `COLUMNS` equal parts of the time, and in each the least, greatest and average level."""
    seen = envelope(steps.times, steps.levels, start=0.0, end=until, columns=COLUMNS)
    low, high, mean = (np.append(part, part[-1]) for part in (seen.low, seen.high, seen.mean))
    return seen.edges, low, high, mean


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
    flushes = rows_of(result.flushes, "buffer", buffer)
    sizes = rows_of(result.buffer_size, "buffer", buffer)
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


def marks_key(causes: Causes) -> list[Line2D]:
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
    for index, family in enumerate(causes.families):
        rows = causes.place == index
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
    for index, family in enumerate(causes.families):
        # in the order of the key, from the top
        foot = height(len(causes.families) - 1 - index)
        _lane(ax, edges, counts[index] / counts.max(), family.colour, foot)
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
    ax: Axes, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], time: formats.Unit
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
        label=f"flush in progress, longest {formats.duration(length.max())}",
    )
    return [spans]


def draw_stops(ax: Axes, result: Result, y: npt.ArrayLike, time: formats.Unit) -> list[Artist]:
    """Draw a line and a cross at each stop, at the height `y`, and shade the time in which the server is down.

    Return their part of the key.
    """
    stops = stop_times(result)
    if not stops:
        return []
    until = result.window.end
    for stop, restart in stops:
        if restart > stop:
            style.shade_down(ax, stop / time.size, min(restart, until) / time.size)
    x = np.array([stop for stop, _ in stops]) / time.size
    ax.vlines(x, 0.0, 1.0, transform=ax.get_xaxis_transform(), color="black", linewidth=0.6, zorder=2)
    return [*ax.plot(x, np.asarray(y), linestyle="", label=f"server stops: {len(stops):,}", **style.CROSS)]
