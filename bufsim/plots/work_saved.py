"""The work saved: where larger batches stop paying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.policies import FlushEvery
from bufsim.plots import placing, style, subjects
from bufsim.plots.closed_forms import saved_by_batch
from bufsim.plots.subjects import ScenarioSubject
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, metric
from bufsim.studies.formulas import expression
from bufsim.studies.quantities import PERCENT, Quantity
from bufsim.studies.scenarios import differ_in_one

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

Along = Literal["batch", "period"]
Which = Literal["saved", "largest"]

_SAVED, _LARGEST = "#0072B2", "#D55E00"


@dataclass(frozen=True, slots=True)
class _Point:
    """A scenario: where it stands on the x axis, what it saves, and its largest job."""

    subject: ScenarioSubject
    x: float
    saved: Interval
    largest: Interval


@dataclass(frozen=True, eq=False)
class WorkSaved:
    """The share of jobs that reduce saves, and the largest job that it makes for a worker, over the batch size.

    The larger the batches, the more jobs are saved (left), and the larger is what comes to the workers at once (right).
    The dashed line is the closed form, where there is one: for merged batches, and for unique keys by Zipf's law.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    along : {"batch", "period"}
        What runs along the x axis: the mean batch size; or the period, of policies that are `FlushEvery`.
    against : str or Expression, optional
        What stands on the right. None: the longest job of a worker, if items take time; the most items of a job, if
        jobs have several; else the jobs that reach the queue at once. Of a run, in the mean over replications.
    choice : str or FlushPolicy, optional
        A scenario to mark beside today's.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    scenarios : sequence of str or FlushPolicy, optional
        Those to show; None: all.
    confidence : float
        Of each interval by itself.
    """

    study_result: StudyResult
    _: KW_ONLY
    along: Along = "batch"
    against: str | Expression | None = None
    choice: str | FlushPolicy | None = None
    load: float | None = None
    scenarios: Sequence[str | FlushPolicy] | None = None
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return of each scenario the share of jobs saved and the largest job of a worker.

        Returns
        -------
        DataFrame
            One row per scenario, in order of x: scenario, label, x (the mean batch size, jobs, or the period, s),
            saved, saved_low, saved_high (share of the jobs that reduce spares the queue), largest, largest_low,
            largest_high (what grows with the batches, see `against`: of a run, in the mean), metric (what that is),
            unit, today, confidence, n.
        """
        return pd.DataFrame(
            {
                "scenario": point.subject.name,
                "label": point.subject.label,
                "x": point.x,
                **subjects.columns("saved", point.saved),
                **subjects.columns("largest", point.largest),
                "metric": self._largest.name,
                "unit": self._largest.unit,
                "today": point.subject.is_today,
                "confidence": self.confidence,
                "n": point.saved.n,
            }
            for point in self._points
        )

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure; return the Axes on the left."""
        points, is_family = self._points, self._is_family
        (left,) = style.axes(ax, 1)
        about = subjects.about_study(self.study_result, self.confidence, load=points[0].subject.scale)
        texts, template = subjects.shortened([point.subject for point in points])
        about += f" · labels: {template}" if template and not is_family else ""
        self._set_x(left)
        right = left.twinx()
        key = self._draw_curve(left, "saved", _SAVED, "o")
        key += self._draw_theory(left)
        key += self._draw_curve(right, "largest", _LARGEST, "s")
        self._set_y(left, right)
        self._mark(left)
        style.head(left, self._title(), subtitle=about, key=key)
        if not is_family:
            self._write_labels(left, right, texts)
        return left

    @cached_property
    def _subjects(self) -> list[ScenarioSubject]:
        return subjects.at_load(self.study_result, self.load, self.scenarios)

    @cached_property
    def _chosen(self) -> ScenarioSubject | None:
        return None if self.choice is None else subjects.find(self.choice, self._subjects, self.study_result)

    @cached_property
    def _points(self) -> list[_Point]:
        """The scenarios in order of x."""
        result, confidence = self.study_result, self.confidence
        points = [
            _Point(
                subject,
                _x(result, subject, self.along),
                result.interval("work_saved_share", subject.name, confidence=confidence),
                result.interval(self._largest, subject.name, confidence=confidence),
            )
            for subject in self._subjects
        ]
        return sorted(points, key=lambda point: point.x)

    @property
    def _is_family(self) -> bool:
        """Whether the scenarios differ in one number only, so that a line joins them."""
        return differ_in_one([subject.label for subject in self._subjects])

    @cached_property
    def _largest(self) -> Expression:
        """The cost that grows with the batches."""
        return _grows(self.study_result, self._subjects) if self.against is None else expression(self.against)

    @cached_property
    def _quantities(self) -> dict[Which, Quantity]:
        """The share, in per cent, and the largest job, in a unit that fits it."""
        largest = Quantity.of(self._largest, subjects.ends(point.largest for point in self._points))
        return {"saved": Quantity(metric("work_saved_share"), PERCENT), "largest": largest}

    def _set_x(self, ax: Axes) -> None:
        x = [point.x for point in self._points]
        spread = max((max(x) / min(x)) ** 0.07, 1.05)
        ax.set_xlim(min(x) / spread, max(x) * spread)
        if max(x) > 4.0 * min(x):
            subjects.log_axis(ax, "x")
        ax.set_xlabel("mean batch size, jobs" if self.along == "batch" else "period, s")

    def _draw_curve(self, ax: Axes, which: Which, colour: str, marker: str) -> list[Artist]:
        """Draw one of the curves with its intervals; return its part of the key."""
        quantity = self._quantities[which]
        intervals = [quantity.interval(getattr(point, which)) for point in self._points]
        x, y = [point.x for point in self._points], [interval.estimate for interval in intervals]
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5.0}
        # hollow above filled: both are seen where they meet
        look |= {"linewidth": 1.6 if self._is_family else 0.0, "fillstyle": "full" if which == "saved" else "none"}
        side = "left" if which == "saved" else "right"
        line = ax.plot(x, y, zorder=4, label=f"{quantity.name} ({side})", **look)
        low, high = ([getattr(interval, end) for interval in intervals] for end in ("low", "high"))
        ax.vlines(x, low, high, color=colour, linewidth=1.6, zorder=4)
        ax.set_ylabel(quantity.label, color=colour, fontsize=9.0)
        return [*line]

    def _draw_theory(self, ax: Axes) -> list[Artist]:
        """Draw the closed form of the share that is saved, where there is one."""
        form = saved_by_batch([self.study_result.scenarios[point.subject.name] for point in self._points])
        if form is None or self.along != "batch":
            return []
        x = np.unique(np.round(np.geomspace(max(self._points[0].x, 1.0), max(self._points[-1].x, 1.0), 25)))
        y = [100.0 * form(float(batch)) for batch in x]
        look: dict[str, Any] = {"color": "black", "linewidth": 1.1, "linestyle": (0, (4, 2)), "zorder": 5}
        return [*ax.plot(x, y, label="closed form (left)", **look)]

    def _set_y(self, left: Axes, right: Axes) -> None:
        """Set the heights, with room for tags above the curves, and give each axis the colour of its curve."""
        top = max(self._quantities["saved"].scaled(point.saved.estimate) for point in self._points) or 100.0
        left.set_ylim(0.0, 1.35 * top)
        left.set_yticks([tick for tick in left.get_yticks() if 0.0 <= tick <= 100.0])
        right.set_ylim(0.0, 1.15 * right.get_ylim()[1])
        for ax, side, colour in ((left, "left", _SAVED), (right, "right", _LARGEST)):
            ax.tick_params(axis="y", colors=colour, labelsize=8.0)
            ax.spines[side].set_color(colour)
        right.spines[["top", "left", "bottom"]].set_visible(False)

    def _mark(self, ax: Axes) -> None:
        """Mark today's scenario and the choice by lines from top to bottom, and every one by a tick at the foot."""
        row = 0
        for point in self._points:
            is_choice = point.subject == self._chosen
            ax.plot(point.x, 0.0, marker="|", markersize=6.0, color=style.FAINT, clip_on=False)
            if not (point.subject.is_today or is_choice):
                continue
            words = [word for word, holds in (("today", point.subject.is_today), ("choice", is_choice)) if holds]
            ax.axvline(point.x, color=style.INK, linewidth=1.0, linestyle=(0, (1, 1)) if is_choice else "-", zorder=1)
            style.tag(ax, f"{', '.join(words)}: {point.subject.label}", point.x, ax.get_ylim()[1], below=True, row=row)
            row += 1

    def _write_labels(self, left: Axes, right: Axes, texts: Sequence[str]) -> None:
        """Write what the points are called that are not marked already, off the points of the other curve."""
        saved, largest = self._quantities["saved"], self._quantities["largest"]
        spots, lines = [], []
        ratio = left.get_ylim()[1] / right.get_ylim()[1]
        for text, point in zip(texts, self._points, strict=True):
            x, height = point.x, saved.scaled(point.saved.estimate)
            if not point.subject.is_today and point.subject != self._chosen:
                spots.append(placing.Spot(text, x, height, _SAVED))
            low, high = (ratio * largest.scaled(end) for end in (point.largest.low, point.largest.high))
            lines += [(x, height, x, height), (x, low, x, high)]
        placing.write(left, spots, lines=lines, texts=left.texts, size=7.0)

    def _title(self) -> str:
        if not any(point.saved.estimate > 0.0 for point in self._points):
            return "Reduce saves nothing: no two jobs of a batch become one"
        marked = next((point for point in self._points if point.subject == self._chosen), None)
        marked = marked or next((point for point in self._points if point.subject.is_today), None)
        if marked is None:
            return "Work saved by reduce, and what larger batches cost"
        saved = self._quantities["saved"].interval(marked.saved)
        largest = self._quantities["largest"]
        grown = f"{largest.interval(marked.largest):.3g} {largest.unit.name}"
        who = "The choice" if self._chosen is not None else "Today's policy"
        return f"{who} saves {saved:.3g} % of the jobs; {largest.name}: {grown}"


def _grows(study_result: StudyResult, shown: Sequence[ScenarioSubject]) -> Expression:
    """The cost that grows with the batches, as said of `against`."""
    names = [subject.name for subject in shown]
    most = max(study_result.interval("largest_work_items", name).estimate for name in names)
    if most <= 1.0:
        return metric("largest_reduced_size_jobs").named("most jobs at once after reduce")
    if all(any(pool.per_item > 0.0 for pool in study_result.scenarios[name].workers) for name in names):
        return metric("longest_service_s").named("longest job of a worker")
    return metric("largest_work_items").named("largest job of a worker")


def _x(study_result: StudyResult, subject: ScenarioSubject, along: Along) -> float:
    if along == "batch":
        return study_result.interval("mean_batch_size", subject.name).estimate
    policies = {buffer.policy for buffer in study_result.scenarios[subject.name].buffers}
    (policy,) = policies if len(policies) == 1 else (None,)
    if not isinstance(policy, FlushEvery):
        raise InvalidValueError(
            f"along='period' needs scenarios under FlushEvery, got {subject.option!r}; "
            "leave along out, or choose scenarios"
        )
    return policy.period
