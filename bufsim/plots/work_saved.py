"""The work saved: where larger batches stop paying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.policies import FlushEvery
from bufsim.plots import placing, style, subjects
from bufsim.plots.load_ramp import saved_by_batch
from bufsim.plots.subjects import ScenarioSubject
from bufsim.statistics import Interval
from bufsim.studies import scenarios as labels
from bufsim.studies.expressions import Expression, expression, metric
from bufsim.studies.quantities import PERCENT, Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

Along = Literal["batch", "period"]

_SAVED, _LARGEST = "#0072B2", "#D55E00"


def work_saved_frame(
    study_result: StudyResult,
    *,
    along: Along = "batch",
    against: str | Expression | None = None,
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `work_saved` draws: of each scenario the share of jobs saved and the largest job of a worker.

    Returns
    -------
    DataFrame
        One row per scenario, in order of x: scenario, label, x (the mean batch size, jobs, or the period, s), saved,
        saved_low, saved_high (share of the jobs that reduce spares the queue), largest, largest_low, largest_high (what
        grows with the batches, see `work_saved`: of a run, in the mean), metric (what that is), unit, today,
        confidence, n.
    """
    shown = _Saved.of(study_result, along, against, load, scenarios, confidence)
    rows = [
        {
            "scenario": one.subject.name,
            "label": one.subject.label,
            "x": one.x,
            **_ends("saved", one.saved),
            **_ends("largest", one.largest),
            "metric": shown.largest.name,
            "unit": shown.largest.unit,
            "today": one.subject.is_today,
            "confidence": confidence,
            "n": one.saved.n,
        }
        for one in shown.points
    ]
    return pd.DataFrame(rows)


def work_saved(
    study_result: StudyResult,
    *,
    ax: Axes | None = None,
    along: Along = "batch",
    against: str | Expression | None = None,
    choice: str | FlushPolicy | None = None,
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw the share of jobs that reduce saves, and the largest job that it makes for a worker, over the batch size.

    The larger the batches, the more jobs are saved (left), and the larger is what comes to the workers at once (right).
    The dashed line is the closed form, where there is one: for merged batches, and for unique keys by Zipf's law.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    ax : Axes, optional
        Where to draw. None: a new figure.
    along : {"batch", "period"}
        What runs along the x axis: the mean batch size; or the period, of policies that are `FlushEvery`.
    against : str or Expression, optional
        What stands on the right. None: the longest job of a worker, if items take time; the most items of a job, if
        jobs have several; else the jobs that reach the queue at once. Of a run, in the mean over replications.
    choice : str or FlushPolicy, optional
        A scenario to mark beside today's.
    load, scenarios, confidence
        As for `pareto`.

    Returns
    -------
    Axes
        The left ones.
    """
    shown = _Saved.of(study_result, along, against, load, scenarios, confidence)
    chosen = None if choice is None else subjects.find(choice, [one.subject for one in shown.points], study_result)
    (left,) = style.axes(ax, 1)
    about = subjects.about_study(study_result, confidence, load=shown.points[0].subject.scale)
    texts, template = subjects.shortened([one.subject for one in shown.points])
    about += f" · labels: {template}" if template and not shown.is_family else ""
    _set_x(left, shown)
    right = left.twinx()
    key = _draw_curve(left, shown, "saved", _SAVED, "o")
    key += _draw_theory(left, shown, study_result)
    key += _draw_curve(right, shown, "largest", _LARGEST, "s")
    _set_y(left, right, shown)
    _mark(left, shown, chosen)
    style.head(left, _title(shown, chosen), subtitle=about, key=key)
    if not shown.is_family:
        _write_labels(left, right, shown, texts, chosen)
    return left


@dataclass(frozen=True, slots=True)
class _Point:
    """A scenario: where it stands on the x axis, what it saves, and its largest job."""

    subject: ScenarioSubject
    x: float
    saved: Interval
    largest: Interval


@dataclass(frozen=True, slots=True)
class _Saved:
    """Scenarios in order of x; a family if they differ in one number only, so that a line joins them."""

    along: Along
    points: list[_Point]
    largest: Expression
    is_family: bool

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        along: Along,
        against: str | Expression | None,
        load: float | None,
        scenarios: Sequence[str | FlushPolicy] | None,
        confidence: float,
    ) -> _Saved:
        shown = subjects.at_load(study_result, load, scenarios)
        largest = _largest(study_result, shown) if against is None else expression(against)
        points = [
            _Point(
                one,
                _x(study_result, one, along),
                study_result.interval("work_saved_share", one.name, confidence=confidence),
                study_result.interval(largest, one.name, confidence=confidence),
            )
            for one in shown
        ]
        family = labels.differ_in_one([one.label for one in shown])
        return cls(along, sorted(points, key=lambda point: point.x), largest, family)

    @property
    def saved_quantity(self) -> Quantity:
        """The share, in per cent."""
        return Quantity(metric("work_saved_share"), PERCENT)

    @property
    def largest_quantity(self) -> Quantity:
        """The largest job, in a unit that fits it."""
        return Quantity.of(self.largest, subjects.ends(point.largest for point in self.points))


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _largest(study_result: StudyResult, shown: Sequence[ScenarioSubject]) -> Expression:
    """Return what grows with the batches.

    The longest job of a worker, if items take time; the most items of a job, if jobs have several; else the jobs that
    reach the queue at once.
    """
    names = [one.name for one in shown]
    most = max(study_result.interval("largest_work_items", name).estimate for name in names)
    if most <= 1.0:
        return metric("largest_reduced_size_jobs").named("most jobs at once after reduce")
    if all(any(pool.per_item > 0.0 for pool in study_result.scenarios[name].workers) for name in names):
        return metric("longest_service_s").named("longest job of a worker")
    return metric("largest_work_items").named("largest job of a worker")


def _x(study_result: StudyResult, one: ScenarioSubject, along: Along) -> float:
    if along == "batch":
        return study_result.interval("mean_batch_size", one.name).estimate
    policies = {buffer.policy for buffer in study_result.scenarios[one.name].buffers}
    (policy,) = policies if len(policies) == 1 else (None,)
    if not isinstance(policy, FlushEvery):
        raise InvalidValueError(
            f"along='period' needs scenarios under FlushEvery, got {one.option!r}; leave along out, or choose scenarios"
        )
    return policy.period


def _set_x(ax: Axes, shown: _Saved) -> None:
    x = [point.x for point in shown.points]
    spread = max((max(x) / min(x)) ** 0.07, 1.05)
    ax.set_xlim(min(x) / spread, max(x) * spread)
    if max(x) > 4.0 * min(x):
        subjects.log_axis(ax, "x")
    ax.set_xlabel("mean batch size, jobs" if shown.along == "batch" else "period, s")


def _draw_curve(ax: Axes, shown: _Saved, which: Literal["saved", "largest"], colour: str, marker: str) -> list[Artist]:
    """Draw one of the curves with its intervals; return its part of the key."""
    quantity = shown.saved_quantity if which == "saved" else shown.largest_quantity
    intervals = [quantity.interval(getattr(point, which)) for point in shown.points]
    x, y = [point.x for point in shown.points], [one.estimate for one in intervals]
    look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5.0}
    # hollow above filled: both are seen where they meet
    look |= {"linewidth": 1.6 if shown.is_family else 0.0, "fillstyle": "full" if which == "saved" else "none"}
    side = "left" if which == "saved" else "right"
    line = ax.plot(x, y, zorder=4, label=f"{quantity.name} ({side})", **look)
    ax.vlines(x, [one.low for one in intervals], [one.high for one in intervals], color=colour, linewidth=1.6, zorder=4)
    ax.set_ylabel(quantity.label, color=colour, fontsize=9.0)
    return [*line]


def _draw_theory(ax: Axes, shown: _Saved, study_result: StudyResult) -> list[Artist]:
    """Draw the closed form of the share that is saved, where there is one."""
    form = saved_by_batch([study_result.scenarios[point.subject.name] for point in shown.points])
    if form is None or shown.along != "batch":
        return []
    x = np.unique(np.round(np.geomspace(max(shown.points[0].x, 1.0), max(shown.points[-1].x, 1.0), 25)))
    y = [100.0 * form(float(batch)) for batch in x]
    look: dict[str, Any] = {"color": "black", "linewidth": 1.1, "linestyle": (0, (4, 2)), "zorder": 5}
    return [*ax.plot(x, y, label="closed form (left)", **look)]


def _set_y(left: Axes, right: Axes, shown: _Saved) -> None:
    """Set the heights, with room for tags above the curves, and give each axis the colour of its curve."""
    top = max(shown.saved_quantity.scaled(point.saved.estimate) for point in shown.points) or 100.0
    left.set_ylim(0.0, 1.35 * top)
    left.set_yticks([tick for tick in left.get_yticks() if 0.0 <= tick <= 100.0])
    right.set_ylim(0.0, 1.15 * right.get_ylim()[1])
    for ax, side, colour in ((left, "left", _SAVED), (right, "right", _LARGEST)):
        ax.tick_params(axis="y", colors=colour, labelsize=8.0)
        ax.spines[side].set_color(colour)
    right.spines[["top", "left", "bottom"]].set_visible(False)


def _mark(ax: Axes, shown: _Saved, chosen: ScenarioSubject | None) -> None:
    """Mark today's scenario and the choice by lines from top to bottom, and every scenario by a tick at the foot."""
    row = 0
    for point in shown.points:
        is_choice = chosen is not None and point.subject.name == chosen.name
        ax.plot(point.x, 0.0, marker="|", markersize=6.0, color=style.FAINT, clip_on=False)
        if not (point.subject.is_today or is_choice):
            continue
        words = [word for word, holds in (("today", point.subject.is_today), ("choice", is_choice)) if holds]
        ax.axvline(point.x, color=style.INK, linewidth=1.0, linestyle=(0, (1, 1)) if is_choice else "-", zorder=1)
        style.tag(ax, f"{', '.join(words)}: {point.subject.label}", point.x, ax.get_ylim()[1], below=True, row=row)
        row += 1


def _write_labels(left: Axes, right: Axes, shown: _Saved, texts: Sequence[str], chosen: ScenarioSubject | None) -> None:
    """Write what the points are called that are not marked already, off the points of the other curve."""
    saved, largest = shown.saved_quantity, shown.largest_quantity
    spots, lines = [], []
    ratio = left.get_ylim()[1] / right.get_ylim()[1]
    for text, one in zip(texts, shown.points, strict=True):
        height = saved.scaled(one.saved.estimate)
        if not one.subject.is_today and one.subject != chosen:
            spots.append(placing.Spot(text, one.x, height, _SAVED))
        low, high = (ratio * largest.scaled(end) for end in (one.largest.low, one.largest.high))
        lines += [(one.x, height, one.x, height), (one.x, low, one.x, high)]
    placing.write(left, spots, lines=lines, texts=left.texts, size=7.0)


def _title(shown: _Saved, chosen: ScenarioSubject | None) -> str:
    if not any(point.saved.estimate > 0.0 for point in shown.points):
        return "Reduce saves nothing: no two jobs of a batch become one"
    marked = next((point for point in shown.points if chosen is not None and point.subject.name == chosen.name), None)
    marked = marked or next((point for point in shown.points if point.subject.is_today), None)
    if marked is None:
        return "Work saved by reduce, and what larger batches cost"
    saved = shown.saved_quantity.interval(marked.saved)
    largest = shown.largest_quantity
    grown = f"{largest.interval(marked.largest):.3g} {largest.unit.name}"
    who = "The choice" if chosen is not None else "Today's policy"
    return f"{who} saves {saved:.3g} % of the jobs; {largest.name}: {grown}"
