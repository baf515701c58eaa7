"""The buffer size over time: how high a buffer gets, and what each flush takes from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks, formats
from bufsim.plots import levels, style, subjects
from bufsim.plots.subjects import Subject
from bufsim.results.causes import Causes
from bufsim.results.measures import Level, Window
from bufsim.results.result import Result
from bufsim.results.steps import Steps, level

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SizeUnit = Literal["jobs", "bytes"]
_COLUMN = {"jobs": "size", "bytes": "nbytes"}


@dataclass(frozen=True, eq=False)
class BufferSize:
    """The buffer size over time, with a mark at each flush at the size that it found, coloured by its cause.

    The step function is exact. A run with more than 250 flushes shows the range and the average of the size in 300
    equal parts of the time; with more than 2,000 flushes a strip with one lane a cause takes the place of the marks.
    Grey spans: a flush is in progress. Black crosses: the server stops. Hatched: the warm-up, or the server is down.
    There is a panel for each buffer of each result, on one time axis.

    Parameters
    ----------
    results : Result, or several
        What is drawn.
    labels : sequence of str, optional
        One for each result; None: their flush policies.
    buffer : str, optional
        The buffer to show; None: all.
    unit : {"jobs", "bytes"}
        What to count.
    limit : float, optional
        A limit of your own to draw, in `unit`; the buffer's capacity is drawn anyway.
    """

    results: Result | Sequence[Result]
    _: KW_ONLY
    labels: Sequence[str] | None = None
    buffer: str | None = None
    unit: SizeUnit = "jobs"
    limit: float | None = None

    def frame(self) -> pd.DataFrame:
        """Return the exact step function, and the flushes and stops marked on it.

        Returns
        -------
        DataFrame
            One row per change, flush or stop: run (the result's label), buffer, mark ("size", "flush" or "stop"), time
            (s), size (jobs), nbytes, cause. A "size" row holds what is in the buffer from then on; a "flush" or "stop"
            row what was in it before. Equal times are kept.
        """
        frame = pd.concat([panel.table() for panel in self._panels()], ignore_index=True)
        return frame.astype({"run": "category", "buffer": "category", "mark": "category", "cause": "category"})

    @style.closes_what_fails
    def draw(self, ax: Axes | Sequence[Axes] | None = None) -> Axes | npt.NDArray[np.object_]:
        """Draw on `ax`, or on a new figure; return an array of Axes if there are several panels."""
        panels = self._panels()
        all_axes = style.axes(ax, len(panels))
        time = formats.time_unit(max(panel.window.end for panel in panels))
        most = max(panel.seen.peak for panel in panels)
        scale = formats.Unit("jobs", 1.0) if self.unit == "jobs" else formats.byte_unit(most)
        drawn = [_draw(axes, panel, time, scale) for axes, panel in zip(all_axes, panels, strict=True)]
        for axes, panel, (_, key) in zip(all_axes, panels, drawn, strict=True):
            # one height for one buffer, so that results can be compared
            same = [index for index, other in enumerate(panels) if other.subject.part == panel.subject.part]
            _set_height(axes, [panels[index] for index in same], max(drawn[index][0] for index in same), scale)
            _label_values(axes, panel, time, scale)
            _label(axes, panel, scale, key, _title(panel, panels))
        all_axes[-1].set_xlabel(f"time, {time.name}")
        return style.one_or_all(all_axes)

    def _panels(self) -> list[_Panel]:
        checks.one_of("unit", self.unit, ("jobs", "bytes"))
        return [
            _Panel(subject, self.unit, self.limit)
            for subject in subjects.of_buffers(self.results, self.labels, self.buffer)
        ]


@dataclass(frozen=True, eq=False)
class _Panel:
    """One buffer of one result, in jobs or bytes."""

    subject: Subject
    unit: SizeUnit
    limit: float | None

    @cached_property
    def steps(self) -> Steps:
        return levels.buffered(self.subject.result, self.subject.part, _COLUMN[self.unit])

    @cached_property
    def flushes(self) -> pd.DataFrame:
        return levels.heights(self.subject.result, self.subject.part)

    @property
    def window(self) -> Window:
        return self.subject.result.window

    @cached_property
    def seen(self) -> Level:
        return level(self.steps, self.window)

    @property
    def limits(self) -> list[tuple[str, float]]:
        """The names and values of the limits to draw."""
        buffer = subjects.declared_buffer(self.subject.result, self.subject.part)
        capacity = None if buffer is None else buffer.capacity
        most = None if capacity is None else capacity.jobs if self.unit == "jobs" else capacity.nbytes
        return [
            (name, checks.finite(name, value))
            for name, value in (("capacity", most), ("limit", self.limit))
            if value is not None
        ]

    def stops(self) -> pd.DataFrame:
        """Return the stops: time, and the size and bytes that the buffer held just before."""
        result, buffer = self.subject.result, self.subject.part
        times = [stop for stop, _ in levels.stop_times(result)]
        held = {name: levels.before(levels.buffered(result, buffer, name), times) for name in ("size", "nbytes")}
        return pd.DataFrame({"time": np.array(times, dtype=np.float64)} | held)

    def table(self) -> pd.DataFrame:
        """Return the rows of the frame."""
        rows = levels.rows_of(self.subject.result.buffer_size, "buffer", self.subject.part)
        size = rows[["time", "size", "nbytes"]].assign(mark="size", cause=None)
        flushes = self.flushes.drop(columns="end").assign(mark="flush").astype({"cause": object})
        tables = [size, flushes, self.stops().assign(mark="stop", cause=None)]
        together = pd.concat([table for table in tables if len(table)], ignore_index=True)
        columns = ["run", "buffer", "mark", "time", "size", "nbytes", "cause"]
        return together.assign(run=self.subject.label, buffer=self.subject.part)[columns]


def _draw(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit) -> tuple[float, list[Artist]]:
    """Draw the level and what happens to it; return the share of the height below 0, and the key."""
    causes = Causes.of(panel.flushes["cause"])
    starts = panel.flushes["time"].to_numpy()
    key: list[Artist] = [*levels.marks_key(causes)]
    foot = 0.0
    ax.set_xlim(0.0, panel.window.end / time.size)
    key += (_draw_steps if len(panel.flushes) <= levels.MOST_TEETH else _draw_envelope)(ax, panel, time, scale)
    if len(panel.flushes) > levels.MOST_MARKS:
        foot = levels.height(len(causes.families))
        levels.strip(ax, starts / time.size, causes, panel.window.end / time.size)
    else:
        ends = panel.flushes["end"].to_numpy()
        ends = np.where(np.isnan(ends), levels.next_stop(panel.subject.result, starts), ends)
        key += levels.shade_blocked(ax, starts, np.minimum(ends, panel.window.end), time)
        heights = panel.flushes[_COLUMN[panel.unit]].to_numpy()
        levels.draw(ax, starts / time.size, heights / scale.size, causes)
    held = panel.stops()[_COLUMN[panel.unit]].to_numpy()
    key += levels.draw_stops(ax, panel.subject.result, held / scale.size, time)
    key += style.shade_warm_up(ax, panel.window.start / time.size)
    return foot, key


def _draw_steps(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit) -> list[Artist]:
    x, y = levels.line(panel.steps, panel.window.end)
    x, y = x / time.size, y / scale.size
    ax.fill_between(x, y, step="post", color=style.LINE, alpha=0.13, linewidth=0.0)
    ax.step(x, y, where="post", color=style.LINE, linewidth=style.tooth_width(len(panel.flushes)))
    return []


def _draw_envelope(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit) -> list[Artist]:
    x, *curves = levels.range_and_average(panel.steps, panel.window.end)
    low, high, mean = (curve / scale.size for curve in curves)
    each = formats.duration(panel.window.end / levels.COLUMNS)
    look: dict[str, Any] = {"color": style.LINE, "alpha": 0.3, "linewidth": 0.4}
    band = ax.fill_between(x / time.size, low, high, step="post", label=f"least to most in each {each}", **look)
    label = f"average of each {each}"
    line = ax.step(x / time.size, mean, where="post", color=style.LINE, linewidth=1.1, label=label)
    return [band, *line]


def _set_height(ax: Axes, panels: list[_Panel], foot: float, scale: formats.Unit) -> None:
    """Set the y axis: room for the peaks and for limits near them, and for the strip of causes below 0."""
    # an axis needs a height, even if nothing came
    peak = max(panel.seen.peak for panel in panels) / scale.size or 1.0
    near = [value / scale.size for panel in panels for _, value in panel.limits]
    top = 1.13 * max([peak, *(value for value in near if value <= 2.0 * peak)])
    ax.set_ylim(-top * foot / (1.0 - foot), top)


def _label_values(ax: Axes, panel: _Panel, time: formats.Unit, scale: formats.Unit) -> None:
    """Write the peak at its place, and the limits on their lines; a limit out of sight at the top."""
    peak, window = panel.seen.peak, panel.window
    reached = panel.steps.times[panel.steps.levels == peak]
    reached = reached[np.searchsorted(reached, window.start) :]
    x = (reached[0] if len(reached) else window.start) / time.size
    late = x > 0.5 * window.end / time.size
    for name, value in panel.limits:
        style.limit(ax, value / scale.size, f"{name} {_amount(value, scale)}", side="left" if late else "right")
    if peak:
        again = f", {len(reached):,} times" if len(reached) > 1 else ""
        style.tag(ax, f"peak {_amount(peak, scale)}{again}", x, peak / scale.size)


def _label(ax: Axes, panel: _Panel, scale: formats.Unit, key: list[Artist], title: str) -> None:
    average = panel.seen.integral / panel.window.span
    peak, mean = (formats.number(value / scale.size) for value in (panel.seen.peak, average))
    ax.set_ylabel(f"buffer size, {scale.name}")
    if panel.unit == "jobs":
        style.count_axis(ax, "y")
    # a title that is the policy need not be said again
    subtitle = subjects.about_results([panel.subject.result], panel.subject.part).removesuffix(f" · {title}")
    style.head(ax, f"{title}: peak {peak}, average {mean} {scale.name}", subtitle=subtitle, key=key)
    if not panel.steps.levels.any():
        style.note(ax, f"No {panel.unit} came into this buffer.", 0.5, 0.5)
    elif not len(panel.flushes):
        style.note(ax, "No flush: the policy never came due, and the buffer only fills.", 0.3, 0.9)


def _title(panel: _Panel, panels: list[_Panel]) -> str:
    """Title that tells this panel from the others: the result's label, the buffer, or both."""
    names = [panel.subject.label] if len({other.subject.label for other in panels}) > 1 else []
    names += [panel.subject.part] if len({other.subject.part for other in panels}) > 1 else []
    return ", ".join(names) if names else f"Buffer size of {panel.subject.part}"


def _amount(value: float, scale: formats.Unit) -> str:
    if scale.name == "jobs":
        return formats.jobs(value)
    return f"{formats.number(value / scale.size)} {scale.name}"
