"""The queue behind the flush: how hard each flush hits it, and how long the workers take to get over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats
from bufsim.plots import levels, style, subjects
from bufsim.plots.style import envelope, rows_to_draw
from bufsim.plots.subjects import Subject
from bufsim.results.causes import Causes
from bufsim.results.steps import Steps, level

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.results.result import Result

# the height of the workers' strip, and what it leaves to the queue above it, in parts of the plot
_STRIP, _FOOT = 0.17, 0.24


def queue_frame(*results: Result, labels: Sequence[str] | None = None, queue: str | None = None) -> pd.DataFrame:
    """Return what `queue` draws: how many jobs wait and are in service, and the flushes that brought them.

    Returns
    -------
    DataFrame
        One row per run (the result's label), queue, mark and time (s), with jobs and cause. The marks: "waiting" and
        "in_service" rows hold the number of jobs from then on, one row an instant; a "flush" row the number of jobs
        that a flush brought to the queue at its end.
    """
    tables = [_Queue.of(subject).table() for subject in subjects.of_queues(results, labels, queue)]
    frame = pd.concat(tables, ignore_index=True)
    frame = frame.astype(dict.fromkeys(("run", "queue", "mark", "cause"), "category"))
    return frame[["run", "queue", "mark", "time", "jobs", "cause"]]


def queue(
    *results: Result,
    ax: Axes | Sequence[Axes] | None = None,
    labels: Sequence[str] | None = None,
    queue: str | None = None,
) -> Axes | npt.NDArray[np.object_]:
    """Draw how many jobs wait in a queue over time, how many workers are busy, and the flushes that brought the jobs.

    A mark stands at each flush's end, at the queue that it leaves behind; a black cross at each stop of the server. At
    the foot, on a scale of its own, are the busy workers. Jobs that back off after a failure count as in service. A
    queue behind more than 250 flushes is shown as its range and average in 300 equal parts of the time.

    Parameters
    ----------
    *results : Result
        One or several, drawn over each other, then without marks.
    ax : Axes, or several, optional
        Where to draw: as many as there are queues. None: a new figure.
    labels : sequence of str, optional
        One for each result; None: their flush policies.
    queue : str, optional
        The queue to show; None: all.

    Returns
    -------
    Axes, or array of Axes
        An array if there are several queues: a panel for each, on one time axis.
    """
    groups = subjects.by_part(subjects.of_queues(results, labels, queue))
    all_axes = style.axes(ax, len(groups))
    until = max(result.window.end for result in results)
    for one, group in zip(all_axes, groups, strict=True):
        _draw(one, [_Queue.of(subject) for subject in group], until)
    all_axes[-1].set_xlabel(f"time, {formats.time_unit(until).name}")
    return all_axes[0] if len(groups) == 1 else np.array(all_axes, dtype=object)


@dataclass(frozen=True, slots=True, eq=False)
class _Queue:
    """One queue of one result: its levels, and the flushes that brought its jobs, at their ends."""

    subject: Subject
    waiting: Steps
    in_service: Steps
    ends: npt.NDArray[np.float64]
    brought: npt.NDArray[np.int64]
    causes: Causes

    @classmethod
    def of(cls, subject: Subject) -> _Queue:
        result = subject.result
        flush_id = levels.rows_of(result.work, "queue", subject.part)["flush_id"]
        rows, brought = np.unique(flush_id.dropna().to_numpy(dtype=np.int64), return_counts=True)
        flushes = result.flushes.iloc[rows]
        waiting, busy = levels.waiting(result, subject.part), levels.in_service(result, subject.part)
        return cls(subject, waiting, busy, flushes["end"].to_numpy(), brought, Causes.of(flushes["cause"]))

    @property
    def concurrency(self) -> int:
        """The number of workers; 0 without workers."""
        return subjects.concurrency(self.subject.result, self.subject.part)

    @property
    def peak(self) -> int:
        return level(self.waiting, self.subject.result.window).peak

    @property
    def busy(self) -> float:
        """The share of the workers that are busy, over time."""
        window = self.subject.result.window
        return level(self.in_service, window).integral / window.span / self.concurrency

    def table(self) -> pd.DataFrame:
        """Return the rows of the frame."""
        parts = [
            pd.DataFrame({"time": steps.times, "jobs": steps.levels}).assign(mark=mark, cause=None)
            for mark, steps in (("waiting", self.waiting), ("in_service", self.in_service))
        ]
        texts = np.asarray(self.causes.texts, dtype=object)
        parts.append(pd.DataFrame({"time": self.ends, "jobs": self.brought, "cause": texts}).assign(mark="flush"))
        together = pd.concat([part for part in parts if len(part)], ignore_index=True)
        return together.assign(run=self.subject.label, queue=self.subject.part)


def _draw(ax: Axes, queues: list[_Queue], until: float) -> None:
    time = formats.time_unit(until)
    alone = len(queues) == 1
    name = queues[0].subject.part
    ax.set_xlim(0.0, until / time.size)
    ax.set_ylabel("waiting, jobs")
    foot = _foot(queues)
    key = [artist for one in queues for artist in _draw_waiting(ax, one, time, alone=alone)]
    top = 1.15 * max(max(one.peak for one in queues), 1)
    ax.set_ylim(-top * foot / (1.0 - foot), top)
    style.count_axis(ax, "y")
    ax.set_yticks([tick for tick in ax.get_yticks() if 0.0 <= tick <= top])
    if any(one.concurrency for one in queues):
        _draw_workers(ax, queues, time)
    title = f"Queue {name}" if alone else f"Queue {name} behind the flush"
    subtitle = subjects.about_results([one.subject.result for one in queues])
    if alone:
        title += f": {_summary(queues[0])}"
        key += style.shade_warm_up(ax, queues[0].subject.result.window.start / time.size)
        _label_peak(ax, queues[0], time)
    style.head(ax, title, subtitle=subtitle, key=key)
    if not any(one.waiting.levels.any() or one.in_service.levels.any() for one in queues):
        style.note(ax, "No job came to this queue.", 0.5, 0.6)


def _foot(queues: list[_Queue]) -> float:
    """Return the part of the height below the queue: the workers' strip, and the strip of causes below it."""
    strip = _FOOT if any(one.concurrency for one in queues) else 0.0
    return strip + _lanes(queues)


def _lanes(queues: list[_Queue]) -> float:
    dense = len(queues) == 1 and len(queues[0].ends) > levels.MOST_MARKS
    return levels.height(len(queues[0].causes.families)) if dense else 0.0


def _summary(one: _Queue) -> str:
    text = f"peak {one.peak:,} waiting"
    return f"{text}, workers {formats.careful_percent(one.busy)} busy" if one.concurrency else f"{text}, no workers"


def _draw_waiting(ax: Axes, one: _Queue, time: formats.Unit, *, alone: bool) -> list[Artist]:
    look: dict[str, Any] = {"color": style.LINE, "linewidth": style.tooth_width(len(one.ends))}
    if not alone:
        label = f"{one.subject.label}: {_summary(one)}"
        look = {"color": style.policy_colour(one.subject.place), "linewidth": 0.9, "label": label}
    dense = len(one.ends) > levels.MOST_TEETH
    line = _draw_band(ax, one.waiting, one, time, look) if dense else _draw_steps(ax, one.waiting, one, time, look)
    if not alone:
        return line
    key: list[Artist] = [*levels.marks_key(one.causes)]
    if len(one.ends) > levels.MOST_MARKS:
        levels.strip(ax, one.ends / time.size, one.causes, one.subject.result.window.end / time.size)
    else:
        after = levels.before(one.waiting, np.nextafter(one.ends, np.inf))
        levels.draw(ax, one.ends / time.size, after, one.causes)
    key += line if dense else []
    waited = levels.before(one.waiting, [stop for stop, _ in levels.stop_times(one.subject.result)])
    return key + levels.draw_stops(ax, one.subject.result, waited, time)


def _draw_steps(ax: Axes, steps: Steps, one: _Queue, time: formats.Unit, look: dict[str, Any]) -> list[Artist]:
    rows = rows_to_draw(steps.times, steps.levels)
    x = np.append(steps.times[rows], one.subject.result.window.end) / time.size
    y = np.append(steps.levels[rows], steps.levels[-1])
    ax.fill_between(x, y, step="post", color=look["color"], alpha=0.13, linewidth=0.0)
    return [*ax.step(x, y, where="post", **look)]


def _draw_band(ax: Axes, steps: Steps, one: _Queue, time: formats.Unit, look: dict[str, Any]) -> list[Artist]:
    until = one.subject.result.window.end
    seen = envelope(steps.times, steps.levels, start=0.0, end=until, columns=levels.COLUMNS)
    x = seen.edges / time.size
    low, high, mean = (np.append(part, part[-1]) for part in (seen.low, seen.high, seen.mean))
    each = formats.readable_duration(until / levels.COLUMNS)
    label = f"average and range in each {each}"
    ax.fill_between(x, low, high, step="post", color=look["color"], alpha=0.25, linewidth=0.4)
    return [*ax.step(x, mean, where="post", **({"label": label} | look | {"linewidth": 1.1}))]


def _draw_workers(ax: Axes, queues: list[_Queue], time: formats.Unit) -> None:
    """Draw the busy workers in a strip at the foot of the plot."""
    most = max(one.concurrency for one in queues)
    strip = ax.inset_axes((0.0, 0.02 + _lanes(queues), 1.0, _STRIP), sharex=ax)
    for one in queues:
        look: dict[str, Any] = {"color": style.LINE, "linewidth": 0.8}
        if len(queues) > 1:
            look["color"] = style.policy_colour(one.subject.place)
        # what would be a block of ink is an average
        dense = len(one.in_service.times) > 4 * levels.COLUMNS
        (_draw_average if dense else _draw_steps)(strip, one.in_service, one, time, look)
    strip.set_ylim(0.0, 1.12 * most)
    strip.set_yticks([0, most], ["0", f"{most:,}"])
    strip.axhline(most, color="black", linewidth=0.7, linestyle=(0, (5, 3)))
    strip.set_ylabel("busy\nworkers", fontsize=7.5, color=style.FAINT)
    strip.tick_params(labelsize=7.5, labelbottom=False, bottom=False)
    strip.spines[["top", "right"]].set_visible(False)


def _draw_average(ax: Axes, steps: Steps, one: _Queue, time: formats.Unit, look: dict[str, Any]) -> list[Artist]:
    until = one.subject.result.window.end
    seen = envelope(steps.times, steps.levels, start=0.0, end=until, columns=levels.COLUMNS)
    x, mean = seen.edges / time.size, np.append(seen.mean, seen.mean[-1])
    ax.fill_between(x, mean, step="post", color=look["color"], alpha=0.25, linewidth=0.0)
    return [*ax.step(x, mean, where="post", **look)]


def _label_peak(ax: Axes, one: _Queue, time: formats.Unit) -> None:
    start = one.subject.result.window.start
    reached = one.waiting.times[(one.waiting.levels == one.peak) & (one.waiting.times >= start)]
    if one.peak:
        style.tag(ax, f"peak {formats.jobs(one.peak)}", (reached[0] if len(reached) else start) / time.size, one.peak)
