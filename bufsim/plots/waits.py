"""The waits: whether jobs wait longer than they may, by how much, and what flushed those that do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks, formats
from bufsim.plots import levels, style, subjects
from bufsim.plots.style import rows_to_draw
from bufsim.plots.subjects import Subject
from bufsim.results.causes import Causes
from bufsim.results.measures import rank
from bufsim.results.result import Result

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]

_FIRST_ROW = -32.0


@dataclass(frozen=True, eq=False)
class Waits:
    """The distribution of the waits: the share of jobs that wait at most so long, in exact steps.

    Under the time axis stand, at each tick, the numbers of jobs that wait longer, by cause of the flush that took them
    (of several results, by result). There is a panel for each buffer; several results are drawn over each other.

    Parameters
    ----------
    results : Result, or several
        What is drawn.
    labels : sequence of str, optional
        One for each result; None: their flush policies.
    buffer : str, optional
        The buffer to show; None: all.
    slo : float, str or timedelta, optional
        The longest wait that is wanted, s, > 0; the share of jobs beyond it is written on its line.
    tail : bool
        Draw the share of jobs that wait longer, on a log axis, where the long waits show.
    log : bool
        Draw the waits on a log axis. A wait of 0 then lies at its left end.
    """

    results: Result | Sequence[Result]
    _: KW_ONLY
    labels: Sequence[str] | None = None
    buffer: str | None = None
    slo: float | str | dt.timedelta | None = None
    tail: bool = False
    log: bool = False

    def frame(self) -> pd.DataFrame:
        """Return the distribution of the waits, flush start − arrival, by cause of the flush.

        Returns
        -------
        DataFrame
            One row per run (the result's label), buffer, wait (s) and cause, in order of the wait, with jobs (their
            number) and share (of the buffer's jobs that wait so long or shorter). The jobs are those whose flush
            started after the warm-up.
        """
        tables = [_Waits.of(subject).table() for subject in self._subjects()]
        frame = pd.concat(tables, ignore_index=True).astype({"run": "category", "buffer": "category"})
        return frame[["run", "buffer", "wait", "cause", "jobs", "share"]]

    @style.closes_what_fails
    def draw(self, ax: Axes | Sequence[Axes] | None = None) -> Axes | npt.NDArray[np.object_]:
        """Draw on `ax`, or on a new figure; return an array of Axes if there are several buffers."""
        groups = subjects.by_part(self._subjects())
        all_axes = style.axes(ax, len(groups), sharex=False, share_of_height=0.85)
        for axes, group in zip(all_axes, groups, strict=True):
            _draw(axes, [_Waits.of(subject) for subject in group], self)
        return style.one_or_all(all_axes)

    @cached_property
    def longest(self) -> float | None:
        """The longest wait that is wanted, s."""
        return None if self.slo is None else checks.positive("slo", checks.seconds("slo", self.slo))

    def _subjects(self) -> list[Subject]:
        return subjects.of_buffers(self.results, self.labels, self.buffer)


@dataclass(frozen=True, slots=True, eq=False)
class _Waits:
    """The waits of one buffer of one result, sorted, and the causes of the flushes that ended them."""

    subject: Subject
    waits: FloatArray
    causes: Causes

    @classmethod
    def of(cls, subject: Subject) -> _Waits:
        jobs = levels.rows_of(subject.result.jobs, "buffer", subject.part)
        flushed_at = jobs["flushed_at"].to_numpy()
        # a comparison with NaN is False: jobs without a flush have no wait
        counted = np.flatnonzero(flushed_at >= subject.result.window.start)
        waits = flushed_at[counted] - jobs["created_at"].to_numpy()[counted]
        order = np.argsort(waits, kind="stable")
        flush = jobs["flush_id"].to_numpy(dtype=np.int64, na_value=-1)[counted[order]]
        return cls(subject, waits[order], Causes.of(subject.result.flushes["cause"].iloc[flush]))

    def table(self) -> pd.DataFrame:
        """Return the rows of the frame."""
        waits = pd.DataFrame({"wait": self.waits, "cause": np.asarray(self.causes.texts, dtype=object)})
        counts = waits.groupby(["wait", "cause"]).size().rename("jobs").reset_index()
        at_most = np.searchsorted(self.waits, counts["wait"].to_numpy(), side="right")
        counts = counts.assign(share=at_most / max(len(self.waits), 1))
        return counts.assign(run=self.subject.label, buffer=self.subject.part)

    def share_beyond(self, wait: float) -> float:
        """Return the share of jobs that wait longer."""
        return float(_longer(self.waits, np.array([wait]))[0]) / len(self.waits)

    def quantile(self, share: float) -> float:
        """Return the least wait that at least this share of the jobs does not exceed."""
        return float(self.waits[rank(share, len(self.waits))])


def _longer(waits: FloatArray, than: FloatArray) -> npt.NDArray[np.intp]:
    """Number of the sorted waits that are longer; a wait that is equal up to rounding is not."""
    return len(waits) - np.searchsorted(waits, than * (1.0 + 1e-9), side="right")


def _draw(ax: Axes, all_waits: list[_Waits], view: Waits) -> None:
    part = all_waits[0].subject.part
    drawn = [sample for sample in all_waits if len(sample.waits)]
    alone = len(all_waits) == 1
    jobs = sum(len(sample.waits) for sample in drawn)
    subtitle = f"{jobs:,} jobs · {subjects.about_results([sample.subject.result for sample in all_waits], part)}"
    if not drawn:
        ax.set(xlabel="wait, s", ylabel="share of jobs")
        style.head(ax, f"Waits in {part}", subtitle=subtitle)
        style.blank(ax, "No job was flushed after the warm-up, so none has a wait.")
        return
    unit = _set_view(ax, drawn, view)
    key: list[Artist] = [line for sample in drawn for line in _draw_curve(ax, sample, view, unit, alone=alone)]
    if view.longest is not None:
        _draw_slo(ax, drawn if alone else [], view, unit)
    _draw_counts(ax, drawn, unit)
    summary = _summary(drawn[0], view)
    style.head(ax, f"Waits in {part}{f': {summary}' if alone else ''}", subtitle=subtitle, key=[] if alone else key)


def _summary(sample: _Waits, view: Waits) -> str:
    if view.longest is None:
        p50, p99 = (formats.duration(sample.quantile(share)) for share in (0.5, 0.99))
        return f"p50 {p50}, p99 {p99}"
    share, slo = formats.percent(sample.share_beyond(view.longest)), formats.duration(view.longest)
    return f"{share} of the jobs wait longer than {slo}"


def _set_view(ax: Axes, drawn: list[_Waits], view: Waits) -> formats.Unit:
    """Set the axes; return the unit of the waits."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    longest = max(max(sample.waits[-1] for sample in drawn), view.longest or 0.0) or 1.0
    unit = formats.time_unit(longest)
    ax.set_xlabel(f"wait, {unit.name}")
    ax.set_ylabel("share of jobs that wait longer" if view.tail else "share of jobs with at most this wait")
    if view.log:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda wait, _: f"{wait:g}"))
        ax.set_xlim(_shortest(drawn, longest) / unit.size, 1.1 * longest / unit.size)
    else:
        ax.set_xlim(0.0, 1.03 * longest / unit.size)
        # a count of jobs must fit under each tick
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6))
    if view.tail:
        ax.set_yscale("log")
        ax.set_ylim(0.5 / max(len(sample.waits) for sample in drawn), 4.0)
        style.percent_axis(ax)
    else:
        ax.set_ylim(0.0, 1.17)
        ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
        ax.set_yticks(ticks, [formats.percent(tick) for tick in ticks])
    return unit


def _shortest(drawn: list[_Waits], longest: float) -> float:
    """Return where a log axis begins: where the shortest half percent of the waits above 0 end."""
    positive = (sample.waits[np.searchsorted(sample.waits, 0.0, side="right") :] for sample in drawn)
    return min((float(np.quantile(waits, 0.005)) for waits in positive if len(waits)), default=0.1 * longest)


def _draw_curve(ax: Axes, sample: _Waits, view: Waits, unit: formats.Unit, *, alone: bool) -> list[Artist]:
    left, right = ax.get_xlim()
    x = np.maximum(sample.waits / unit.size, left)
    y = np.arange(1, len(x) + 1) / len(x)
    rows = rows_to_draw(np.log(x) if view.log else x, y)
    # the step at the first wait comes from 0, and the last level holds to the edge
    x, y = np.concatenate(([left], x[rows], [right])), np.concatenate(([0.0], y[rows], [1.0]))
    if view.tail:
        # a log axis has no 0: the line ends with its fall at the longest wait
        x, y = x[:-1], np.maximum(1.0 - y[:-1], ax.get_ylim()[0])
    colour = style.LINE if alone else style.policy_colour(sample.subject.place)
    dashes = "-" if alone else style.policy_dashes(sample.subject.place)
    label = f"{sample.subject.label}: {_summary(sample, view)}"
    line = ax.step(x, y, where="post", color=colour, linestyle=dashes, linewidth=1.6, label=label)
    if alone:
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            wait = sample.quantile(share)
            _mark(ax, f"{name} {formats.duration(wait)}", wait / unit.size, share, view)
    return [*line]


def _mark(ax: Axes, text: str, x: float, share: float, view: Waits) -> None:
    """Mark a quantile on the curve, its value on the side where the curve is not."""
    x, y = max(x, ax.get_xlim()[0]), 1.0 - share if view.tail else share
    ax.plot(x, y, marker="o", markersize=5.0, color=style.INK, zorder=6)
    style.tag(ax, text, x, y, rising=not view.tail)


def _draw_slo(ax: Axes, drawn: list[_Waits], view: Waits, unit: formats.Unit) -> None:
    assert view.longest is not None
    x = view.longest / unit.size
    ax.axvline(x, color="black", linewidth=0.9, linestyle=(0, (5, 3)), zorder=3)
    text = f"SLO {formats.duration(view.longest)}"
    if drawn:
        text += f": {formats.percent(drawn[0].share_beyond(view.longest))} wait longer"
    style.tag(ax, text, x, ax.get_ylim()[1], below=True)


def _draw_counts(ax: Axes, drawn: list[_Waits], unit: formats.Unit) -> None:
    """Write under each tick how many jobs wait longer, by cause; of several results, by result."""
    left, right = ax.get_xlim()
    ticks = [float(tick) for tick in ax.get_xticks() if left <= tick <= right]
    ax.set_xticks(ticks)
    rows: list[tuple[str, str, FloatArray]] = []
    if len(drawn) > 1:
        rows = [("", style.policy_colour(sample.subject.place), sample.waits) for sample in drawn]
    else:
        causes = drawn[0].causes
        for index, family in enumerate(causes.families):
            rows.append((family.name, family.colour, drawn[0].waits[causes.place == index]))
    _write(ax, "jobs that wait longer", 0.0, _FIRST_ROW, ha="left", color=style.FAINT)
    for row, (name, colour, waits) in enumerate(rows):
        foot = _FIRST_ROW - 11.0 * (row + 1)
        _write(ax, name, 0.0, foot, shift=-27.0, ha="right", color=colour, fontweight="bold")
        for tick, count in zip(ticks, _longer(waits, np.array(ticks) * unit.size), strict=True):
            _write(ax, f"{count:,}", tick, foot, on_axis=True, ha="center", color=colour if not name else style.INK)


def _write(
    ax: Axes, text: str, x: float, y: float, *, shift: float = 0.0, on_axis: bool = False, **settings: Any
) -> None:
    """Write below the plot: x in data or in parts of the width, y in points below the axis."""
    where = ax.get_xaxis_transform() if on_axis else ax.transAxes
    ax.annotate(text, (x, 0.0), (shift, y), where, "offset points", va="top", fontsize=8.0, **settings)
