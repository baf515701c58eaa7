"""The batch sizes: whether flushes are driven by size or by age, and how hard one flush hits."""

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
from bufsim.results.measures import rank
from bufsim.results.result import Result

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_FEWEST_BARS, _MOST_BARS = 12, 60
# the height of the bars below the axis, for 1 above it; and the room over both
_DEPTH = 0.45
_HEAD = 1.15
_UP_TO = "share up to this size (right axis)"
_EDGE: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.3}


@dataclass(frozen=True, eq=False)
class BatchSizes:
    """The distribution of batch sizes: bars by cause, their distribution function, mean and 95th percentile.

    The dashed outline is the distribution of the batch that a job is in: larger batches hold more jobs. Below the axis,
    on a scale of its own, stands what reduce left. There is a panel for each buffer; several results are drawn over
    each other, without causes.

    Parameters
    ----------
    results : Result, or several
        What is drawn.
    labels : sequence of str, optional
        One for each result; None: their flush policies.
    buffer : str, optional
        The buffer to show; None: all.
    """

    results: Result | Sequence[Result]
    _: KW_ONLY
    labels: Sequence[str] | None = None
    buffer: str | None = None

    def frame(self) -> pd.DataFrame:
        """Number of flushes by batch size, as taken and after reduce, and by cause.

        Returns
        -------
        DataFrame
            One row per run (the result's label), buffer, stage ("taken", or "reduced" for what reduce left), size
            (jobs) and cause, with flushes (their number), share (of the buffer's flushes at that stage) and job_share
            (of the jobs at that stage: the chance that a job is in such a batch). Flushes that start in the warm-up are
            left out; flushes without an end have no reduced size.
        """
        tables = [_Batches.of(subject).table() for subject in self._subjects()]
        frame = pd.concat(tables, ignore_index=True).astype(dict.fromkeys(("run", "buffer", "stage"), "category"))
        return frame[["run", "buffer", "stage", "size", "cause", "flushes", "share", "job_share"]]

    @style.closes_what_fails
    def draw(self, ax: Axes | Sequence[Axes] | None = None) -> Axes | npt.NDArray[np.object_]:
        """Draw on `ax`, or on a new figure; return an array of Axes if there are several buffers."""
        groups = subjects.by_part(self._subjects())
        all_axes = style.axes(ax, len(groups), sharex=False)
        for axes, group in zip(all_axes, groups, strict=True):
            _draw(axes, [_Batches.of(subject) for subject in group])
        return style.one_or_all(all_axes)

    def _subjects(self) -> list[Subject]:
        return subjects.of_buffers(self.results, self.labels, self.buffer)


@dataclass(frozen=True, slots=True, eq=False)
class _Batches:
    """The batches of one buffer of one result, after the warm-up; `reduced` and its causes of flushes with an end."""

    subject: Subject
    causes: Causes
    taken: IntArray
    ended: npt.NDArray[np.bool_]
    reduced: IntArray

    @classmethod
    def of(cls, subject: Subject) -> _Batches:
        flushes = levels.rows_of(subject.result.flushes, "buffer", subject.part)
        flushes = flushes[flushes["start"] >= subject.result.window.start]
        ended = flushes["reduced_size"].notna().to_numpy()
        reduced = flushes["reduced_size"].to_numpy(dtype=np.int64, na_value=0)[ended]
        return cls(subject, Causes.of(flushes["cause"]), flushes["batch_size"].to_numpy(), ended, reduced)

    @property
    def are_reduced(self) -> bool:
        return not np.array_equal(self.taken[self.ended], self.reduced)

    def table(self) -> pd.DataFrame:
        """Return the rows of the frame."""
        texts = np.asarray(self.causes.texts, dtype=object)
        stages = (("taken", self.taken, texts), ("reduced", self.reduced, texts[self.ended]))
        tables = [_counts(sizes, cause).assign(stage=stage) for stage, sizes, cause in stages]
        return pd.concat(tables).assign(run=self.subject.label, buffer=self.subject.part)

    def by_family(self, edges: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return each family's bars, above and below the axis, as shares of all flushes."""
        places = range(len(self.causes.families))
        return [
            (
                _counts_in(self.taken[self.causes.place == index], edges) / len(self.taken),
                _counts_in(self.reduced[self.causes.place[self.ended] == index], edges) / max(len(self.reduced), 1),
            )
            for index in places
        ]


def _counts(sizes: IntArray, cause: npt.NDArray[np.object_]) -> pd.DataFrame:
    table = pd.DataFrame({"size": sizes, "cause": cause})
    counts = table.groupby(["size", "cause"]).size().rename("flushes").reset_index()
    jobs = counts["size"] * counts["flushes"]
    return counts.assign(share=counts["flushes"] / max(len(sizes), 1), job_share=jobs / max(int(jobs.sum()), 1))


def _draw(ax: Axes, batches: list[_Batches]) -> None:
    part = batches[0].subject.part
    drawn = [batch for batch in batches if len(batch.taken)]
    flushes = sum(len(batch.taken) for batch in drawn)
    subtitle = f"{flushes:,} flushes · {subjects.about_results([batch.subject.result for batch in batches], part)}"
    ax.set(xlabel="batch size, jobs", ylabel="share of flushes")
    if not drawn:
        style.head(ax, f"Batch sizes of {part}", subtitle=subtitle)
        style.blank(ax, "No flush started after the warm-up, so there is no batch.")
        return
    alone = len(batches) == 1
    edges = _edges(drawn)
    ax.set_xlim(edges[0], edges[-1])
    style.count_axis(ax, "x")
    below = _set_height(ax, drawn, edges)
    key = _draw_causes(ax, drawn[0], edges, below) if alone else _draw_overlaid(ax, drawn, edges, below)
    key += _draw_distribution(ax, drawn, alone=alone)
    title = f"Batch sizes of {part}"
    if alone:
        _draw_numbers(ax, drawn[0])
        title += f": mean {formats.number(float(drawn[0].taken.mean()))}, p95 {formats.jobs(_p95(drawn[0].taken))}"
    style.head(ax, title, subtitle=subtitle, key=key)


def _edges(batches: list[_Batches]) -> FloatArray:
    """Return the edges of the bars, half-way between whole numbers: one number a bar, or a round number of them."""
    sizes = np.concatenate(
        [batch.taken for batch in batches] + [batch.reduced for batch in batches if batch.are_reduced]
    )
    low, high = int(sizes.min()), int(sizes.max())
    # one size alone must look like a bar, not like a wall
    low, high = max(min(low, high - _FEWEST_BARS // 2), 0), max(high, low + _FEWEST_BARS // 2)
    most = np.clip(3.0 * np.sqrt(len(sizes)), _FEWEST_BARS, _MOST_BARS)
    widths = (factor * 10**power for power in range(18) for factor in (1, 2, 5))
    width = next(width for width in widths if (high - low) // width <= most)
    edges: FloatArray = np.arange(low // width * width, high + width + 1, width) - 0.5
    return edges


def _counts_in(sizes: IntArray, edges: FloatArray) -> FloatArray:
    counts: FloatArray = np.histogram(sizes, edges)[0].astype(np.float64)
    return counts


def _p95(sizes: IntArray) -> int:
    return int(np.sort(sizes)[rank(0.95, len(sizes))])


def _set_height(ax: Axes, batches: list[_Batches], edges: FloatArray) -> float:
    """Set the y axis, with a scale of its own below 0 if reduce changed a batch; return that scale, 0 without one."""
    top = max(float(_counts_in(batch.taken, edges).max()) / len(batch.taken) for batch in batches)
    reduced = [batch for batch in batches if batch.are_reduced]
    ticks = _ticks(top)
    below = 0.0
    if reduced:
        most = max(float(_counts_in(batch.reduced, edges).max()) / len(batch.reduced) for batch in reduced)
        below = _DEPTH * top / most
        foot = [tick for tick in _ticks(most, 2) if tick > 0.0]
        ax.set_yticks([-below * tick for tick in foot] + ticks, [formats.percent(tick) for tick in foot + ticks])
        ax.axhline(0.0, color=style.INK, linewidth=0.8)
    else:
        ax.set_yticks(ticks, [formats.percent(tick) for tick in ticks])
    ax.set_ylim(-_HEAD * _DEPTH * top if reduced else 0.0, _HEAD * top)
    return below


def _ticks(top: float, count: int = 5) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    return [float(tick) for tick in MaxNLocator(count).tick_values(0.0, top) if tick <= _HEAD * top]


def _draw_causes(ax: Axes, batch: _Batches, edges: FloatArray, below: float) -> list[Artist]:
    """Draw the bars of one result, stacked by cause, and the outline of the batch that a job is in."""
    key: list[Artist] = []
    foot, roof = np.zeros((2, len(edges) - 1))
    width, counts = np.diff(edges), batch.causes.counts()
    for index, (taken, reduced) in enumerate(batch.by_family(edges)):
        colour = batch.causes.families[index].colour
        label = f"{batch.causes.names[index]}: {formats.percent(float(counts[index] / len(batch.taken)))}"
        key.append(ax.bar(edges[:-1], taken, width, roof, align="edge", color=colour, label=label, **_EDGE)[0])
        key[-1].set_label(label)
        ax.bar(edges[:-1], -below * reduced, width, foot, align="edge", color=colour, alpha=0.5, **_EDGE)
        roof, foot = roof + taken, foot - below * reduced
    if below:
        _say_reduced(ax, f"after reduce: mean {formats.jobs(float(batch.reduced.mean()))}")
    jobs = np.histogram(batch.taken, edges, weights=batch.taken)[0] / batch.taken.sum()
    label = "batch that a job is in"
    key.append(ax.stairs(jobs, edges, color=style.INK, linewidth=0.9, linestyle=(0, (3, 2)), label=label))
    return key


def _draw_overlaid(ax: Axes, batches: list[_Batches], edges: FloatArray, below: float) -> list[Artist]:
    """Draw the bars of several results over each other."""
    from matplotlib.lines import Line2D

    key: list[Artist] = []
    for batch in batches:
        colour, dashes = style.policy_colour(batch.subject.place), style.policy_dashes(batch.subject.place)
        mean = formats.number(float(batch.taken.mean()))
        label = f"{batch.subject.label}: mean {mean}, p95 {formats.jobs(_p95(batch.taken))}"
        taken = _counts_in(batch.taken, edges) / len(batch.taken)
        reduced = _counts_in(batch.reduced, edges) / max(len(batch.reduced), 1)
        ax.stairs(taken, edges, color=colour, alpha=0.3, fill=True)
        if below:
            ax.stairs(-below * reduced, edges, color=colour, alpha=0.3, fill=True)
        key.append(Line2D([], [], color=colour, linestyle=dashes, label=label))
    if below:
        _say_reduced(ax, "after reduce")
    return key


def _say_reduced(ax: Axes, text: str) -> None:
    ax.annotate(
        text, (1.0, 0.0), (-3.0, 3.0), "axes fraction", "offset points", ha="right", fontsize=8.0, color=style.INK
    )


def _draw_distribution(ax: Axes, batches: list[_Batches], *, alone: bool) -> list[Artist]:
    """Draw the share of flushes up to each size, on an axis of its own at the right."""
    twin = ax.twinx()
    low, high = ax.get_ylim()
    twin.set_ylim(low / high * _HEAD, _HEAD)
    for batch in batches:
        sizes, counts = np.unique(batch.taken, return_counts=True)
        colour = style.INK if alone else style.policy_colour(batch.subject.place)
        x, y = np.append(ax.get_xlim()[0], sizes), np.append(0.0, np.cumsum(counts) / len(batch.taken))
        x, y = np.append(x, ax.get_xlim()[1]), np.append(y, 1.0)
        dashes = "-" if alone else style.policy_dashes(batch.subject.place)
        (line,) = twin.step(x, y, where="post", color=colour, linestyle=dashes, linewidth=1.2, label=_UP_TO)
    twin.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    twin.set_ylabel("share up to this size", color=style.INK, fontsize=9.0)
    twin.tick_params(labelsize=8.0, colors=style.INK)
    twin.spines["top"].set_visible(False)
    twin.spines["right"].set_color(style.INK)
    return [line] if alone else []


def _draw_numbers(ax: Axes, batch: _Batches) -> None:
    """Mark the mean and the 95th percentile, one above the other so that they never meet."""
    high = ax.get_ylim()[1]
    mean, p95 = float(batch.taken.mean()), _p95(batch.taken)
    for row, (x, text) in enumerate(((p95, f"p95 {p95:,}"), (mean, f"mean {formats.number(mean)}"))):
        ax.vlines(x, 0.0, high, color="black", linewidth=0.9, linestyle=(0, (5, 3)))
        style.tag(ax, text, x, high, below=True, row=row)
