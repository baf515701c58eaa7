"""Levels: the step functions of time that plots show, made from the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks, formats
from bufsim.engines.randomness import stop_times as engines_stop_times
from bufsim.plots import style, subjects
from bufsim.plots.style import envelope, rows_to_draw
from bufsim.plots.subjects import Subject
from bufsim.results.causes import Causes, Family
from bufsim.results.measures import Window
from bufsim.results.steps import Steps, level

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


# stops


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


# levels


def buffered(result: Result, buffer: str, column: str = "size") -> Steps:
    """Return how many jobs, or with the column ``"nbytes"`` bytes, are in a buffer."""
    rows = rows_of(result.buffer_size, "buffer", buffer)
    return Steps(rows["time"].to_numpy(), rows[column].to_numpy())


def in_flight(result: Result) -> Steps:
    """Return how many jobs are taken from a buffer but not yet in the queue, in all buffers."""
    start, end, jobs = (result.flushes[name].to_numpy() for name in ("start", "end", "batch_size"))
    end = np.where(np.isnan(end), next_stop(result, start), end)
    ended = np.isfinite(end)
    return Steps.of_changes((start, jobs), (end[ended], -jobs[ended]))


def queued(result: Result) -> Steps:
    """Return how many jobs lie in the queues or are in service; each of the jobs that a work carries counts."""
    jobs, flushes = result.jobs, result.flushes
    # the last place is for jobs without a flush, and a flush that handed over nothing brought no job to a queue
    end = np.append(flushes["end"].to_numpy(), np.nan)
    handed = result.work["flush_id"].dropna().to_numpy(dtype=np.int64)
    end[np.setdiff1d(np.arange(len(flushes)), handed)] = np.nan
    passed_by = jobs["buffer"].isna().to_numpy() & jobs["work_id"].notna().to_numpy()
    flush = jobs["flush_id"].to_numpy(dtype=np.int64, na_value=-1)
    entered = np.where(passed_by, jobs["created_at"].to_numpy(), end[flush])
    lost = np.where((jobs["loss_cause"] == "queue").to_numpy(), jobs["lost_at"].to_numpy(), np.nan)
    return _between(entered, np.where(np.isnan(lost), jobs["finished_at"].to_numpy(), lost))


def waiting(result: Result, queue: str) -> Steps:
    """Return how many jobs of a queue have not been started yet, a step an instant."""
    work = rows_of(result.work, "queue", queue)
    return lasting(_between(work["queued_at"].to_numpy(), _else_lost(result, work, "started_at")))


def in_service(result: Result, queue: str) -> Steps:
    """Return how many jobs of a queue have been started and are not finished, a step an instant."""
    work = rows_of(result.work, "queue", queue)
    return lasting(_between(work["started_at"].to_numpy(), _else_lost(result, work, "finished_at")))


def _else_lost(result: Result, work: pd.DataFrame, end: str) -> FloatArray:
    """Return the times in a column of `work`; where there is none, that of the stop that lost the work, or NaN."""
    times = work[end].to_numpy()
    lost = np.isnan(times) & (work["outcome"] == "lost").to_numpy()
    return np.where(lost, next_stop(result, work["queued_at"].to_numpy()), times)


def _between(start: FloatArray, end: FloatArray) -> Steps:
    """Return how many intervals are open; NaN starts none, or ends none."""
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


# time


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
    """Return how much of the gaps, which do not overlap, has passed at each of the times."""
    if not len(gaps):
        return np.zeros_like(times)
    lengths = np.array([[0.0, end - start] for start, end in gaps])
    gone: FloatArray = np.interp(times, np.ravel(gaps), np.cumsum(lengths))
    return gone


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
        label=f"flush in progress, longest {formats.readable_duration(length.max())}",
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


SizeUnit = Literal["jobs", "bytes"]
_COLUMN = {"jobs": "size", "bytes": "nbytes"}


def buffer_size_frame(*results: Result, labels: Sequence[str] | None = None, buffer: str | None = None) -> pd.DataFrame:
    """Return what `buffer_size` draws: the exact step function, and the flushes and stops marked on it.

    Returns
    -------
    DataFrame
        One row per change, flush or stop: run (the result's label), buffer, mark ("size", "flush" or "stop"), time (s),
        size (jobs), nbytes, cause. A "size" row holds what is in the buffer from then on; a "flush" or "stop" row what
        was in it before. Equal times are kept.
    """
    tables = [_table(_Panel.of(subject, "jobs")) for subject in subjects.of_buffers(results, labels, buffer)]
    frame = pd.concat(tables, ignore_index=True)
    return frame.astype({"run": "category", "buffer": "category", "mark": "category", "cause": "category"})


def buffer_size(
    *results: Result,
    ax: Axes | Sequence[Axes] | None = None,
    labels: Sequence[str] | None = None,
    buffer: str | None = None,
    unit: SizeUnit = "jobs",
    limit: float | None = None,
) -> Axes | npt.NDArray[np.object_]:
    """Draw the buffer size over time, with a mark at each flush at the size that it found, coloured by its cause.

    The step function is exact. A run with more than 250 flushes shows the range and the average of the size in 300
    equal parts of the time; with more than 2,000 flushes a strip with one lane a cause takes the place of the marks.
    Grey spans: a flush is in progress. Black crosses: the server stops. Hatched: the warm-up, or the server is down.

    Parameters
    ----------
    *results : Result
        One or several.
    ax : Axes, or several, optional
        Where to draw: as many as there are panels. None: a new figure.
    labels : sequence of str, optional
        One for each result; None: their flush policies.
    buffer : str, optional
        The buffer to show; None: all.
    unit : {"jobs", "bytes"}
        What to count.
    limit : float, optional
        A limit of your own to draw, in `unit`; the buffer's capacity is drawn anyway.

    Returns
    -------
    Axes, or array of Axes
        An array if there are several panels: one for each buffer of each result, on one time axis.
    """
    checks.one_of("unit", unit, ("jobs", "bytes"))
    panels = [_Panel.of(subject, unit) for subject in subjects.of_buffers(results, labels, buffer)]
    all_axes = style.axes(ax, len(panels))
    time = formats.time_unit(max(panel.until for panel in panels))
    scale = formats.Unit("jobs", 1.0) if unit == "jobs" else formats.byte_unit(max(panel.peak for panel in panels))
    drawn = [_draw(one, panel, time, scale) for one, panel in zip(all_axes, panels, strict=True)]
    for one, panel, (_, key) in zip(all_axes, panels, drawn, strict=True):
        # one height for one buffer, so that results can be compared
        same = [place for place, other in enumerate(panels) if other.subject.part == panel.subject.part]
        _set_height(one, [panels[place] for place in same], max(drawn[place][0] for place in same), scale, limit)
        _label_values(one, panel, time, scale, limit)
        _label(one, panel, scale, key, _title(panel, panels))
    all_axes[-1].set_xlabel(f"time, {time.name}")
    return all_axes[0] if len(panels) == 1 else np.array(all_axes, dtype=object)


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """One buffer of one result, in jobs or bytes."""

    subject: Subject
    unit: SizeUnit
    steps: Steps
    average: float
    peak: int
    flushes: pd.DataFrame

    @classmethod
    def of(cls, subject: Subject, unit: SizeUnit) -> _Panel:
        steps = buffered(subject.result, subject.part, _COLUMN[unit])
        window = subject.result.window
        seen = level(steps, window)
        flushes = heights(subject.result, subject.part)
        return cls(subject, unit, steps, seen.integral / window.span, seen.peak, flushes)

    @property
    def column(self) -> str:
        return _COLUMN[self.unit]

    @property
    def until(self) -> float:
        return self.subject.result.window.end

    @property
    def warm_up(self) -> float:
        return self.subject.result.window.start

    @property
    def capacity(self) -> float | None:
        declared = subjects.declared_buffer(self.subject.result, self.subject.part)
        if declared is None or declared.capacity is None:
            return None
        return declared.capacity.jobs if self.unit == "jobs" else declared.capacity.nbytes

    def limits(self, own: float | None) -> list[tuple[str, float]]:
        """Return the names and values of the limits to draw."""
        named = (("capacity", self.capacity), ("limit", own))
        return [(name, float(value)) for name, value in named if value is not None]

    def stops(self) -> pd.DataFrame:
        """Return the stops: time, and the size and bytes that the buffer held just before."""
        result, buffer = self.subject.result, self.subject.part
        times = [stop for stop, _ in stop_times(result)]
        held = {name: before(buffered(result, buffer, name), times) for name in ("size", "nbytes")}
        return pd.DataFrame({"time": np.array(times, dtype=np.float64)} | held)


def _table(panel: _Panel) -> pd.DataFrame:
    rows = rows_of(panel.subject.result.buffer_size, "buffer", panel.subject.part)
    size = rows[["time", "size", "nbytes"]].assign(mark="size", cause=None)
    flushes = panel.flushes.drop(columns="end").assign(mark="flush").astype({"cause": object})
    tables = [size, flushes, panel.stops().assign(mark="stop", cause=None)]
    together = pd.concat([table for table in tables if len(table)], ignore_index=True)
    columns = ["run", "buffer", "mark", "time", "size", "nbytes", "cause"]
    return together.assign(run=panel.subject.label, buffer=panel.subject.part)[columns]


def _draw(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit) -> tuple[float, list[Artist]]:
    """Draw the level and what happens to it; return the share of the height below 0, and the key."""
    causes = Causes.of(panel.flushes["cause"])
    starts = panel.flushes["time"].to_numpy()
    key: list[Artist] = [*marks_key(causes)]
    foot = 0.0
    ax.set_xlim(0.0, panel.until / time.size)
    key += (_draw_steps if len(panel.flushes) <= MOST_TEETH else _draw_envelope)(ax, panel, time, scale)
    if len(panel.flushes) > MOST_MARKS:
        foot = height(len(causes.families))
        strip(ax, starts / time.size, causes, panel.until / time.size)
    else:
        ends = panel.flushes["end"].to_numpy()
        ends = np.where(np.isnan(ends), next_stop(panel.subject.result, starts), ends)
        ends = np.minimum(ends, panel.until)
        key += shade_blocked(ax, starts, ends, time)
        heights = panel.flushes[panel.column].to_numpy()
        draw(ax, starts / time.size, heights / scale.size, causes)
    key += draw_stops(ax, panel.subject.result, panel.stops()[panel.column].to_numpy() / scale.size, time)
    key += style.shade_warm_up(ax, panel.warm_up / time.size)
    return foot, key


def _draw_steps(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit) -> list[Artist]:
    rows = rows_to_draw(panel.steps.times, panel.steps.levels)
    x = np.append(panel.steps.times[rows], panel.until) / time.size
    y = np.append(panel.steps.levels[rows], panel.steps.levels[-1]) / scale.size
    ax.fill_between(x, y, step="post", color=style.LINE, alpha=0.13, linewidth=0.0)
    ax.step(x, y, where="post", color=style.LINE, linewidth=style.tooth_width(len(panel.flushes)))
    return []


def _draw_envelope(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit) -> list[Artist]:
    columns = COLUMNS
    seen = envelope(panel.steps.times, panel.steps.levels, start=0.0, end=panel.until, columns=columns)
    x = seen.edges / time.size
    low, high, mean = (np.append(part, part[-1]) / scale.size for part in (seen.low, seen.high, seen.mean))
    each = formats.readable_duration(panel.until / columns)
    band = ax.fill_between(
        x, low, high, step="post", color=style.LINE, alpha=0.3, linewidth=0.4, label=f"least to most in each {each}"
    )
    line = ax.step(x, mean, where="post", color=style.LINE, linewidth=1.1, label=f"average of each {each}")
    return [band, *line]


def _set_height(ax: Axes, panels: list[_Panel], foot: float, scale: formats.Unit, own: float | None) -> None:
    """Set the y axis: room for the peaks and for limits near them, and for the strip of causes below 0."""
    # an axis needs a height, even if nothing came
    peak = max(panel.peak for panel in panels) / scale.size or 1.0
    near = [value / scale.size for panel in panels for _, value in panel.limits(own)]
    top = 1.13 * max([peak, *(value for value in near if value <= 2.0 * peak)])
    ax.set_ylim(-top * foot / (1.0 - foot), top)


def _label_values(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit, own: float | None) -> None:
    """Write the peak at its place, and the limits on their lines; a limit out of sight at the top."""
    reached = panel.steps.times[panel.steps.levels == panel.peak]
    reached = reached[np.searchsorted(reached, panel.warm_up) :]
    x = (reached[0] if len(reached) else panel.warm_up) / time.size
    late = x > 0.5 * panel.until / time.size
    for name, value in panel.limits(own):
        style.limit(ax, value / scale.size, f"{name} {_amount(value, scale)}", side="left" if late else "right")
    if panel.peak:
        again = f", {len(reached):,} times" if len(reached) > 1 else ""
        style.tag(ax, f"peak {_amount(panel.peak, scale)}{again}", x, panel.peak / scale.size)


def _label(ax: Axes, panel: _Panel, scale: formats.Unit, key: list[Artist], title: str) -> None:
    peak, average = formats.full_number(panel.peak / scale.size), formats.full_number(panel.average / scale.size)
    ax.set_ylabel(f"buffer size, {scale.name}")
    if panel.unit == "jobs":
        style.count_axis(ax, "y")
    # a title that is the policy need not be said again
    subtitle = subjects.about_results([panel.subject.result], panel.subject.part).removesuffix(f" · {title}")
    style.head(ax, f"{title}: peak {peak}, average {average} {scale.name}", subtitle=subtitle, key=key)
    if not panel.steps.levels.any():
        style.note(ax, f"No {panel.unit} came into this buffer.", 0.5, 0.5)
    elif not len(panel.flushes):
        style.note(ax, "No flush: the policy never came due, and the buffer only fills.", 0.3, 0.9)


def _title(panel: _Panel, panels: list[_Panel]) -> str:
    """Return what tells this panel from the others: the result's label, the buffer, or both."""
    names = [panel.subject.label] if len({other.subject.label for other in panels}) > 1 else []
    names += [panel.subject.part] if len({other.subject.part for other in panels}) > 1 else []
    return ", ".join(names) if names else f"Buffer size of {panel.subject.part}"


def _amount(value: float, scale: formats.Unit) -> str:
    if scale.name == "jobs":
        return formats.jobs(value)
    return f"{formats.full_number(value / scale.size)} {scale.name}"
