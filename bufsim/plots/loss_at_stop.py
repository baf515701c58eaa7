"""The loss at a stop: how many jobs go if the server stops at a random moment, and how sure one can be of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats
from bufsim.errors import BufsimError
from bufsim.model.declaration import Declaration
from bufsim.plots import levels, style, subjects
from bufsim.results.result import Result
from bufsim.results.steps import Steps

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_PARTS = {"buffered": "in the buffers", "in_flight": "in flight", "queue": "in the queue"}
_DASHES = ((0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))


@dataclass(frozen=True, eq=False)
class LossAtStop:
    """The chance that more than so many jobs are lost if the server stops at a random moment.

    A stop whose moment does not depend on the buffer finds it as it is on average over time (Wolff, 1982), so that one
    run without a stop tells the distribution: it is that of the buffer size, weighted by time. Jobs in flight go with
    every storage, jobs in the buffers with a volatile one, jobs in the queue with a volatile queue. A job in two
    buffers counts twice. The time in which the server is down does not count. The bar at 0 is the chance that nothing
    is lost. Black crosses are the stops of the run itself. Several results are drawn over each other.

    Parameters
    ----------
    results : Result, or several
        What is drawn.
    labels : sequence of str, optional
        One for each result; None: their flush policies.
    log : bool
        Draw the chance on a log axis, where rare large losses show.

    References
    ----------
    R. W. Wolff, "Poisson arrivals see time averages", Operations Research 30 (1982).
    """

    results: Result | Sequence[Result]
    _: KW_ONLY
    labels: Sequence[str] | None = None
    log: bool = False

    def frame(self) -> pd.DataFrame:
        """Return the distribution of the loss if the server stops at a random moment.

        Returns
        -------
        DataFrame
            One row per run (the result's label), part and number of jobs lost, in order, with share (of the time in
            which a stop would lose so many) and share_more (in which it would lose more). The parts: "buffered" (of
            volatile storages), "in_flight", "queue" (of volatile queues), and "total"; "observed" holds the stops of
            the run itself, with shares of their number.
        """
        tables = [
            pd.DataFrame({"lost": jobs, "share": shares, "share_more": _more(shares)}).assign(run=label, part=part)
            for label, loss in self._losses().items()
            for part, (jobs, shares) in loss.parts.items()
        ]
        frame = pd.concat(tables, ignore_index=True).astype({"run": "category", "part": "category"})
        return frame[["run", "part", "lost", "share", "share_more"]]

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure."""
        losses = self._losses()
        (axes,) = style.axes(ax, 1)
        title, subtitle = "Loss at a random stop", self._subtitle(losses)
        if not all(len(loss.parts["total"][0]) for loss in losses.values()):
            axes.set(xlabel="jobs lost", ylabel="chance that more are lost")
            style.head(axes, title, subtitle=subtitle)
            style.blank(axes, "The server was down from the warm-up on, so that it could not stop.")
            return axes
        _set_view(axes, list(losses.values()), log=self.log)
        (first, *others) = losses.values()
        key = _draw_totals(axes, losses) if others else _draw_parts(axes, first)
        if not any(loss.most for loss in losses.values()):
            style.note(axes, "A stop at any moment would lose nothing.", 0.6, 0.5)
        elif not others:
            title += f": {first.summary}"
            _draw_numbers(axes, first)
        style.head(axes, title, subtitle=subtitle, key=key)
        return axes

    def _losses(self) -> dict[str, _Loss]:
        results = subjects.listed_results(self.results)
        labels = subjects.label(results, self.labels)
        return {label: _Loss.of(result) for label, result in zip(labels, results, strict=True)}

    def _subtitle(self, losses: Mapping[str, _Loss]) -> str:
        kinds = {loss.kind for loss in losses.values()}
        about = subjects.about_results(subjects.listed_results(self.results))
        return f"{kinds.pop()} · {about}" if len(kinds) == 1 else about


@dataclass(frozen=True, slots=True, eq=False)
class _Loss:
    """The distributions of what a stop loses: of each part, the numbers of jobs in order and their shares."""

    parts: dict[str, tuple[IntArray, FloatArray]]
    stops: int
    kind: str
    """What survives a stop."""

    @classmethod
    def of(cls, result: Result) -> _Loss:
        window, stops = result.window, levels.stop_times(result)
        parts = {part: levels.shares(steps, window, stops) for part, steps in _at_risk(result).items()}
        observed = _observed(result)
        if len(observed):
            jobs, counts = np.unique(observed, return_counts=True)
            parts["observed"] = jobs, counts / len(observed)
        return cls(parts, len(observed), _kind(_declared(result)))

    @property
    def most(self) -> int:
        return max(int(jobs[-1]) for jobs, _ in self.parts.values() if len(jobs))

    @property
    def mean(self) -> float:
        jobs, shares = self.parts["total"]
        return float(np.dot(jobs, shares))

    @property
    def p99(self) -> int:
        jobs, shares = self.parts["total"]
        # rounding of the sum must not move the percentile to the next number
        return int(jobs[np.searchsorted(np.cumsum(shares), 0.99 - 1e-12)])

    @property
    def summary(self) -> str:
        return f"mean {formats.number(self.mean)}, p99 {formats.jobs(self.p99)}"


def _declared(result: Result) -> Declaration:
    """The model of a result that knows it."""
    declared = result.simulation
    if isinstance(declared, str):
        raise BufsimError(
            "loss_at_stop must know whether the storage and the queue are durable, and this result was loaded, with "
            "its simulation as text; plot the result that run() returned"
        )
    return declared


def _kind(declared: Declaration) -> str:
    """In words, whether the storages and the queues of a model outlive a stop."""
    storages = {declared.storage_of(buffer).durable for buffer in declared.buffers}
    queues = set(map(declared.is_durable, declared.queues))
    storage, queue = (
        "partly durable" if len(each) > 1 else "durable" if True in each else "volatile" for each in (storages, queues)
    )
    return f"{storage} storage, {queue} queue"


def _at_risk(result: Result) -> dict[str, Steps]:
    """Jobs that a stop would lose, over time: of each part that it would lose, and in total."""
    declared = _declared(result)
    parts: dict[str, Steps] = {}
    buffers = [buffer.id for buffer in declared.buffers if not declared.storage_of(buffer).durable]
    if buffers:
        parts["buffered"] = Steps.of_changes(*(levels.buffered(result, name).changes() for name in buffers))
    parts["in_flight"] = levels.in_flight(result)
    queues = [name for name in result.work["queue"].cat.categories if not declared.is_durable(name)]
    if queues:
        parts["queue"] = levels.queued(result, queues)
    return parts | {"total": Steps.of_changes(*(part.changes() for part in parts.values()))}


def _observed(result: Result) -> IntArray:
    """Jobs that each stop after the warm-up lost in the run."""
    stops = np.array([stop for stop, _ in levels.stop_times(result)], dtype=np.float64)
    times, counts = levels.losses(result)
    lost = np.zeros(len(stops), np.int64)
    lost[np.searchsorted(stops, times)] = counts
    return lost[stops >= result.window.start]


def _more(shares: FloatArray) -> FloatArray:
    """Return the share above each number; the last is exactly 0."""
    return np.append(np.cumsum(shares[:0:-1])[::-1], 0.0)[: len(shares)]


def _set_view(ax: Axes, losses: list[_Loss], *, log: bool) -> None:
    most = max(max(loss.most for loss in losses), 1)
    ax.set_xlim(-0.03 * most, 1.2 * most)
    style.count_axis(ax, "x")
    ax.set(xlabel="jobs lost", ylabel="chance that more are lost")
    if log:
        ax.set_yscale("log")
        ax.set_ylim(1e-4, 2.0)
        style.percent_axis(ax)
    else:
        ax.set_ylim(0.0, 1.08)
        ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
        ax.set_yticks(ticks, [formats.percent(tick) for tick in ticks])


def _draw_curve(ax: Axes, jobs: IntArray, shares: FloatArray, **settings: Any) -> Artist:
    floor = ax.get_ylim()[0]
    x, y = np.append(0, jobs), np.append(1.0, np.maximum(_more(shares), floor))
    line: Artist
    (line,) = ax.step(x, y, where="post", **settings)
    return line


def _draw_parts(ax: Axes, loss: _Loss) -> list[Artist]:
    """Draw the loss of one result and its parts, and the stops of the run itself."""
    jobs, shares = loss.parts["total"]
    at_risk = [part for part in loss.parts if part in _PARTS and loss.parts[part][0][-1] > 0]
    label = "lost" if len(at_risk) != 1 else f"lost: what is {_PARTS[at_risk[0]]}"
    key = [_draw_curve(ax, jobs, shares, color=style.INK, linewidth=2.0, label=label)]
    # the area is the mean: E[X] is the sum of P(X > x)
    ax.fill_between(np.append(0, jobs), np.append(1.0, _more(shares)), step="post", color=style.LINE, alpha=0.13)
    for part, dashes in zip(at_risk if len(at_risk) > 1 else [], _DASHES, strict=False):
        label = f"of which {_PARTS[part]}"
        key.append(_draw_curve(ax, *loss.parts[part], color=style.LINE, linestyle=dashes, linewidth=1.2, label=label))
    _draw_nothing(ax, float(shares[0]) if jobs[0] == 0 else 0.0)
    return key + (_draw_observed(ax, *loss.parts["observed"], loss.stops) if loss.stops else [])


def _draw_nothing(ax: Axes, share: float) -> None:
    """Draw the chance that nothing is lost as a bar at 0."""
    if share > 0.0:
        ax.vlines(0.0, 1.0 - share, 1.0, color=style.LINE, linewidth=7.0, zorder=4)
        # a long bar has its number in the middle, a short one above it
        y = 1.0 - share / 2.0 if share > 0.15 else 1.0
        style.tag(ax, f"nothing lost: {formats.percent(share)}", 0.0, y, left=False)


def _draw_observed(ax: Axes, jobs: IntArray, shares: FloatArray, stops: int) -> list[Artist]:
    """Draw the stops of the run: the step function of their losses, a cross in the middle of each step."""
    _draw_curve(ax, jobs, shares, color="black", linewidth=0.8)
    middle = _more(shares) + shares / 2.0
    label = f"stops of this run: {stops:,}"
    return [*ax.plot(jobs, middle, linestyle="", label=label, **style.CROSS)]


def _draw_totals(ax: Axes, losses: Mapping[str, _Loss]) -> list[Artist]:
    """Draw the losses of several results over each other."""
    key = []
    for index, (name, loss) in enumerate(losses.items()):
        look = {"color": style.policy_colour(index), "linestyle": style.policy_dashes(index), "linewidth": 1.6}
        key.append(_draw_curve(ax, *loss.parts["total"], label=f"{name}: {loss.summary}", **look))
    return key


def _draw_numbers(ax: Axes, loss: _Loss) -> None:
    high = ax.get_ylim()[1]
    ax.vlines(loss.mean, ax.get_ylim()[0], high, color="black", linewidth=0.9, linestyle=(0, (5, 3)))
    style.tag(ax, f"mean {formats.number(loss.mean)}", loss.mean, high, below=True, left=False)
    jobs, shares = loss.parts["total"]
    y = max(float(_more(shares)[np.searchsorted(jobs, loss.p99)]), ax.get_ylim()[0])
    ax.plot(loss.p99, y, marker="o", markersize=5.0, color=style.INK, zorder=6, clip_on=False)
    style.tag(ax, f"p99 {loss.p99:,}", loss.p99, y, left=False)
