"""The buffer size over time: how high it gets, how often it empties, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks
from bufsim.results.plots import flush_marks, levels, style, subjects, units
from bufsim.results.plots.causes import Causes
from bufsim.results.plots.subjects import Subject
from bufsim.results.plots.thinning import envelope, rows_to_draw
from bufsim.results.steps import Steps, level

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.results.result import Result

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
    time = units.time_unit(max(panel.until for panel in panels))
    scale = units.Unit("jobs", 1.0) if unit == "jobs" else units.byte_unit(max(panel.peak for panel in panels))
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
        steps = levels.buffered(subject.result, subject.part, _COLUMN[unit])
        window = subject.result.window
        seen = level(steps, window)
        flushes = flush_marks.heights(subject.result, subject.part)
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
        times = [stop for stop, _ in levels.stop_times(result)]
        held = {name: levels.before(levels.buffered(result, buffer, name), times) for name in ("size", "nbytes")}
        return pd.DataFrame({"time": np.array(times, dtype=np.float64)} | held)


def _table(panel: _Panel) -> pd.DataFrame:
    rows = levels.rows_of(panel.subject.result.buffer_size, "buffer", panel.subject.part)
    size = rows[["time", "size", "nbytes"]].assign(mark="size", cause=None)
    flushes = panel.flushes.drop(columns="end").assign(mark="flush").astype({"cause": object})
    tables = [size, flushes, panel.stops().assign(mark="stop", cause=None)]
    together = pd.concat([table for table in tables if len(table)], ignore_index=True)
    columns = ["run", "buffer", "mark", "time", "size", "nbytes", "cause"]
    return together.assign(run=panel.subject.label, buffer=panel.subject.part)[columns]


def _draw(ax: Axes, panel: _Panel, time: units.Unit, scale: units.Unit) -> tuple[float, list[Artist]]:
    """Draw the level and what happens to it; return the share of the height below 0, and the key."""
    causes = Causes.of(panel.flushes["cause"])
    starts = panel.flushes["time"].to_numpy()
    key: list[Artist] = [*flush_marks.key(causes)]
    foot = 0.0
    ax.set_xlim(0.0, panel.until / time.size)
    key += (_draw_steps if len(panel.flushes) <= flush_marks.MOST_TEETH else _draw_envelope)(ax, panel, time, scale)
    if len(panel.flushes) > flush_marks.MOST_MARKS:
        foot = flush_marks.height(len(causes.families))
        flush_marks.strip(ax, starts / time.size, causes, panel.until / time.size)
    else:
        ends = panel.flushes["end"].to_numpy()
        ends = np.where(np.isnan(ends), levels.next_stop(panel.subject.result, starts), ends)
        ends = np.minimum(ends, panel.until)
        key += flush_marks.shade_blocked(ax, starts, ends, time)
        heights = panel.flushes[panel.column].to_numpy()
        flush_marks.draw(ax, starts / time.size, heights / scale.size, causes)
    key += flush_marks.draw_stops(ax, panel.subject.result, panel.stops()[panel.column].to_numpy() / scale.size, time)
    key += style.shade_warm_up(ax, panel.warm_up / time.size)
    return foot, key


def _draw_steps(ax: Axes, panel: _Panel, time: units.Unit, scale: units.Unit) -> list[Artist]:
    rows = rows_to_draw(panel.steps.times, panel.steps.levels)
    x = np.append(panel.steps.times[rows], panel.until) / time.size
    y = np.append(panel.steps.levels[rows], panel.steps.levels[-1]) / scale.size
    ax.fill_between(x, y, step="post", color=style.LINE, alpha=0.13, linewidth=0.0)
    ax.step(x, y, where="post", color=style.LINE, linewidth=style.tooth_width(len(panel.flushes)))
    return []


def _draw_envelope(ax: Axes, panel: _Panel, time: units.Unit, scale: units.Unit) -> list[Artist]:
    columns = flush_marks.COLUMNS
    seen = envelope(panel.steps.times, panel.steps.levels, start=0.0, end=panel.until, columns=columns)
    x = seen.edges / time.size
    low, high, mean = (np.append(part, part[-1]) / scale.size for part in (seen.low, seen.high, seen.mean))
    each = units.duration(panel.until / columns)
    band = ax.fill_between(
        x, low, high, step="post", color=style.LINE, alpha=0.3, linewidth=0.4, label=f"least to most in each {each}"
    )
    line = ax.step(x, mean, where="post", color=style.LINE, linewidth=1.1, label=f"average of each {each}")
    return [band, *line]


def _set_height(ax: Axes, panels: list[_Panel], foot: float, scale: units.Unit, own: float | None) -> None:
    """Set the y axis: room for the peaks and for limits near them, and for the strip of causes below 0."""
    # an axis needs a height, even if nothing came
    peak = max(panel.peak for panel in panels) / scale.size or 1.0
    near = [value / scale.size for panel in panels for _, value in panel.limits(own)]
    top = 1.13 * max([peak, *(value for value in near if value <= 2.0 * peak)])
    ax.set_ylim(-top * foot / (1.0 - foot), top)


def _label_values(ax: Axes, panel: _Panel, time: units.Unit, scale: units.Unit, own: float | None) -> None:
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


def _label(ax: Axes, panel: _Panel, scale: units.Unit, key: list[Artist], title: str) -> None:
    peak, average = units.number(panel.peak / scale.size), units.number(panel.average / scale.size)
    ax.set_ylabel(f"buffer size, {scale.name}")
    if panel.unit == "jobs":
        style.count_axis(ax, "y")
    # a title that is the policy need not be said again
    subtitle = subjects.about([panel.subject.result], panel.subject.part).removesuffix(f" · {title}")
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


def _amount(value: float, scale: units.Unit) -> str:
    if scale.name == "jobs":
        return units.jobs(value)
    return f"{units.number(value / scale.size)} {scale.name}"
