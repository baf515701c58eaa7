"""The queue behind the flush: how hard each flush hits it, and how long the workers take to get over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats
from bufsim.plots import levels, style, subjects
from bufsim.plots.subjects import Subject
from bufsim.results.causes import Causes
from bufsim.results.result import Result
from bufsim.results.steps import Steps, level

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# the height of the workers' strip, and what it leaves to the queue above it, in parts of the plot
_STRIP, _FOOT = 0.17, 0.24


@dataclass(frozen=True, eq=False)
class Queue:
    """The jobs that wait in a queue over time, the workers that are busy, and the flushes that brought the jobs.

    A mark stands at each flush's end, at the queue that it leaves behind; a black cross at each stop of the server. At
    the foot, on a scale of its own, are the busy workers. A queue behind more than 250 flushes is shown as its range
    and average in 300 equal parts of the time. There is a panel for each queue, on one time axis; several results are
    drawn over each other, then without marks.

    Parameters
    ----------
    results : Result, or several
        What is drawn.
    labels : sequence of str, optional
        One for each result; None: their flush policies.
    queue : str, optional
        The queue to show; None: all.
    """

    results: Result | Sequence[Result]
    _: KW_ONLY
    labels: Sequence[str] | None = None
    queue: str | None = None

    def frame(self) -> pd.DataFrame:
        """Jobs that wait and are in service over time, and the flushes that brought them.

        Returns
        -------
        DataFrame
            One row per run (the result's label), queue, mark and time (s), with jobs and cause. The marks: "waiting"
            and "in_service" rows hold the number of jobs from then on, one row an instant; a "flush" row the number of
            jobs that a flush brought to the queue at its end.
        """
        frame = pd.concat([_Queue.of(subject).table() for subject in self._subjects()], ignore_index=True)
        frame = frame.astype(dict.fromkeys(("run", "queue", "mark", "cause"), "category"))
        return frame[["run", "queue", "mark", "time", "jobs", "cause"]]

    @style.closes_what_fails
    def draw(self, ax: Axes | Sequence[Axes] | None = None) -> Axes | npt.NDArray[np.object_]:
        """Draw on `ax`, or on a new figure; return an array of Axes if there are several queues."""
        groups = subjects.by_part(self._subjects())
        all_axes = style.axes(ax, len(groups))
        until = max(subject.result.window.end for group in groups for subject in group)
        for axes, group in zip(all_axes, groups, strict=True):
            _draw(axes, [_Queue.of(subject) for subject in group], until)
        all_axes[-1].set_xlabel(f"time, {formats.time_unit(until).name}")
        return style.one_or_all(all_axes)

    def _subjects(self) -> list[Subject]:
        return subjects.of_queues(self.results, self.labels, self.queue)


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
    def until(self) -> float:
        return self.subject.result.window.end

    @property
    def concurrency(self) -> int:
        """The number of workers; 0 without workers."""
        return subjects.concurrency(self.subject.result, self.subject.part)

    @property
    def peak(self) -> int:
        return level(self.waiting, self.subject.result.window).peak

    @property
    def summary(self) -> str:
        window = self.subject.result.window
        text = f"peak {self.peak:,} waiting"
        if not self.concurrency:
            return f"{text}, no workers"
        busy = level(self.in_service, window).integral / window.span / self.concurrency
        return f"{text}, workers {formats.percent(busy)} busy"

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
    # below the queue: the strip of causes, and the workers' strip above it
    foot = _lanes(queues) + (_FOOT if any(queue.concurrency for queue in queues) else 0.0)
    key = [artist for queue in queues for artist in _draw_waiting(ax, queue, time, alone=alone)]
    top = 1.15 * max(max(queue.peak for queue in queues), 1)
    ax.set_ylim(-top * foot / (1.0 - foot), top)
    style.count_axis(ax, "y")
    ax.set_yticks([tick for tick in ax.get_yticks() if 0.0 <= tick <= top])
    if any(queue.concurrency for queue in queues):
        _draw_workers(ax, queues, time)
    title = f"Queue {name}" if alone else f"Queue {name} behind the flush"
    subtitle = subjects.about_results([queue.subject.result for queue in queues])
    if alone:
        title += f": {queues[0].summary}"
        key += style.shade_warm_up(ax, queues[0].subject.result.window.start / time.size)
        _label_peak(ax, queues[0], time)
    style.head(ax, title, subtitle=subtitle, key=key)
    if not any(queue.waiting.levels.any() or queue.in_service.levels.any() for queue in queues):
        style.note(ax, "No job came to this queue.", 0.5, 0.6)


def _lanes(queues: list[_Queue]) -> float:
    dense = len(queues) == 1 and len(queues[0].ends) > levels.MOST_MARKS
    return levels.height(len(queues[0].causes.families)) if dense else 0.0


def _draw_waiting(ax: Axes, queue: _Queue, time: formats.Unit, *, alone: bool) -> list[Artist]:
    look: dict[str, Any] = {"color": style.LINE, "linewidth": style.tooth_width(len(queue.ends))}
    if not alone:
        label = f"{queue.subject.label}: {queue.summary}"
        look = {"color": style.policy_colour(queue.subject.place), "linewidth": 0.9, "label": label}
    dense = len(queue.ends) > levels.MOST_TEETH
    line = (_draw_band if dense else _draw_steps)(ax, queue.waiting, queue.until, time, look)
    if not alone:
        return line
    key: list[Artist] = [*levels.marks_key(queue.causes)]
    if len(queue.ends) > levels.MOST_MARKS:
        levels.strip(ax, queue.ends / time.size, queue.causes, queue.until / time.size)
    else:
        after = levels.before(queue.waiting, np.nextafter(queue.ends, np.inf))
        levels.draw(ax, queue.ends / time.size, after, queue.causes)
    key += line if dense else []
    waited = levels.before(queue.waiting, [stop for stop, _ in levels.stop_times(queue.subject.result)])
    return key + levels.draw_stops(ax, queue.subject.result, waited, time)


def _draw_steps(ax: Axes, steps: Steps, until: float, time: formats.Unit, look: dict[str, Any]) -> list[Artist]:
    x, y = levels.line(steps, until)
    ax.fill_between(x / time.size, y, step="post", color=look["color"], alpha=0.13, linewidth=0.0)
    return [*ax.step(x / time.size, y, where="post", **look)]


def _draw_band(ax: Axes, steps: Steps, until: float, time: formats.Unit, look: dict[str, Any]) -> list[Artist]:
    x, low, high, mean = levels.range_and_average(steps, until)
    label = f"average and range in each {formats.duration(until / levels.COLUMNS)}"
    ax.fill_between(x / time.size, low, high, step="post", color=look["color"], alpha=0.25, linewidth=0.4)
    return [*ax.step(x / time.size, mean, where="post", **({"label": label} | look | {"linewidth": 1.1}))]


def _draw_average(ax: Axes, steps: Steps, until: float, time: formats.Unit, look: dict[str, Any]) -> list[Artist]:
    x, _, _, mean = levels.range_and_average(steps, until)
    ax.fill_between(x / time.size, mean, step="post", color=look["color"], alpha=0.25, linewidth=0.0)
    return [*ax.step(x / time.size, mean, where="post", **look)]


def _draw_workers(ax: Axes, queues: list[_Queue], time: formats.Unit) -> None:
    """Draw the busy workers in a strip at the foot of the plot."""
    most = max(queue.concurrency for queue in queues)
    strip = ax.inset_axes((0.0, 0.02 + _lanes(queues), 1.0, _STRIP), sharex=ax)
    for queue in queues:
        look: dict[str, Any] = {"color": style.LINE, "linewidth": 0.8}
        if len(queues) > 1:
            look["color"] = style.policy_colour(queue.subject.place)
        # what would be a block of ink is an average
        dense = len(queue.in_service.times) > 4 * levels.COLUMNS
        (_draw_average if dense else _draw_steps)(strip, queue.in_service, queue.until, time, look)
    strip.set_ylim(0.0, 1.12 * most)
    strip.set_yticks([0, most], ["0", f"{most:,}"])
    strip.axhline(most, color="black", linewidth=0.7, linestyle=(0, (5, 3)))
    strip.set_ylabel("busy\nworkers", fontsize=7.5, color=style.FAINT)
    strip.tick_params(labelsize=7.5, labelbottom=False, bottom=False)
    strip.spines[["top", "right"]].set_visible(False)


def _label_peak(ax: Axes, queue: _Queue, time: formats.Unit) -> None:
    start = queue.subject.result.window.start
    reached = queue.waiting.times[(queue.waiting.levels == queue.peak) & (queue.waiting.times >= start)]
    if queue.peak:
        x = (reached[0] if len(reached) else start) / time.size
        style.tag(ax, f"peak {formats.jobs(queue.peak)}", x, queue.peak)
