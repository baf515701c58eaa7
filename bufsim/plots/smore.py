"""SMORE picture of scenarios: the spread from job to job, and the mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results import metrics
from bufsim.statistics import Interval, order_statistic_interval
from bufsim.studies.comparisons import compare
from bufsim.studies.expressions import Expression
from bufsim.studies.expressions import metric as as_expression
from bufsim.studies.formulas import expression
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

_APART = ("better", "worse", "lower", "higher")
_PERCENTS = {"p5": "5", "median": "50", "p95": "95"}
_WHOM = {"job-weighted": "jobs", "time-weighted": "the time", "flush-weighted": "flushes", "work-weighted": "tasks"}
_LANE = 0.02
_ARROW = 15.0


@dataclass(frozen=True, slots=True)
class _Row:
    """A scenario: the intervals of its mean, p5, median and p95, by these names."""

    subject: ScenarioSubject
    parts: dict[str, Interval]


@dataclass(frozen=True, eq=False)
class Smore:
    """The mean, the median and the 5 % and 95 % quantiles of each scenario, each with its interval.

    The best mean stands on top. A bracket joins scenarios of which no two are separable by their means (all pairs,
    adjusted by Holm's method). An arrow is an interval that the data leave open.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What varies from job to job, as ``"wait"`` or ``"end_to_end"``, or over time, as ``"buffer_size"``; or a metric
        or an expression, which varies from replication to replication.
    of : str, optional
        Of which buffer or queue; None: all together.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    scenarios : sequence of str or FlushPolicy, optional
        Those to show; None: all.
    log : bool, optional
        Whether the values are on a log axis; None: where they span much.
    confidence : float
        Of each interval by itself, and of the brackets together.

    References
    ----------
    Nelson (2008), The MORE plot: displaying measures of risk and error from simulation output, Proc. Winter Simulation
    Conference, 413-416.
    """

    study_result: StudyResult
    metric: str | Expression = "wait"
    _: KW_ONLY
    of: str | None = None
    load: float | None = None
    scenarios: Sequence[str | FlushPolicy] | None = None
    log: bool | None = None
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return mean, median and the 5 % and 95 % quantiles of each scenario, with their intervals.

        Returns
        -------
        DataFrame
            One row per scenario, the best mean first: scenario, label, mean, mean_low, mean_high, and likewise p5,
            median, p95 (in the metric's unit), ties (the numbers, from 0, of the brackets that it is in), today,
            confidence, n.
        """
        rows = []
        for index, row in enumerate(self._rows):
            ends: dict[str, float] = {}
            for part, interval in row.parts.items():
                ends |= subjects.columns(part, interval)
            tied = tuple(number for number, (first, last) in enumerate(self._ties) if first <= index <= last)
            about = {"ties": tied, "today": row.subject.is_today, "confidence": self.confidence}
            n = row.parts["mean"].n
            rows.append({"scenario": row.subject.name, "label": row.subject.label, **ends, **about, "n": n})
        return pd.DataFrame(rows)

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure."""
        ends = subjects.ends(interval for row in self._rows for interval in row.parts.values())
        quantity = Quantity.of(self._mean, ends)
        (axes,) = style.axes(ax, 1, rows=len(self._rows))
        subjects.set_axis(axes, "x", quantity, ends, log=self.log)
        self._set_rows(axes, quantity)
        is_coloured = subjects.told_apart([row.subject for row in self._rows])
        for index, row in enumerate(self._rows):
            _draw_glyph(axes, row, quantity, index, row.subject.colour if is_coloured else style.LINE)
        self._draw_ties(axes)
        about = subjects.about_study(self.study_result, self.confidence, load=self._rows[0].subject.scale)
        style.wide_head(axes, self._title(quantity), subtitle=about, key=self._key())
        return axes

    @cached_property
    def _stem(self) -> str | None:
        """Column behind a name with quantiles, such as "wait": "wait_s"; None for a metric or an expression."""
        if not isinstance(self.metric, str):
            return None
        try:
            known = metrics.find(f"p50_{self.metric}")
        except InvalidValueError:
            return None
        return None if known.quantile is None else known.quantile.of

    @cached_property
    def _mean(self) -> Expression:
        """The expression that is averaged."""
        return expression(self.metric, self.of) if self._stem is None else as_expression(f"mean_{self._stem}", self.of)

    @cached_property
    def _rows(self) -> list[_Row]:
        """The scenarios, the best mean first."""
        rows = []
        for subject in subjects.at_load(self.study_result, self.load, self.scenarios):
            mean = self.study_result.interval(self._mean, subject.name, confidence=self.confidence)
            rows.append(_Row(subject, {"mean": mean, **self._quantiles(subject.name)}))
        sign = -1.0 if self._mean.better == "higher" else 1.0
        return sorted(rows, key=lambda row: (sign * row.parts["mean"].estimate, row.subject.name))

    def _quantiles(self, scenario: str) -> dict[str, Interval]:
        result, confidence = self.study_result, self.confidence
        if self._stem is not None:
            return {
                part: result.interval(
                    as_expression(f"p{percent}_{self._stem}", self.of), scenario, confidence=confidence
                )
                for part, percent in _PERCENTS.items()
            }
        values = result.measured(self._mean, scenario).raw()
        return {
            part: order_statistic_interval(values, float(percent) / 100.0, confidence=confidence)
            for part, percent in _PERCENTS.items()
        }

    @cached_property
    def _ties(self) -> list[tuple[int, int]]:
        """The first and the last row of each longest stretch of rows of which no two are shown to differ."""
        names = [row.subject.name for row in self._rows]
        if len(names) < 2:
            return []
        compared = compare(
            [self._mean],
            names,
            self.study_result.measured,
            pairs="all",
            confidence=self.confidence,
        )
        apart = {frozenset((row.first, row.second)) for row in compared.rows if row.verdict in _APART}
        return stretches([[frozenset((a, b)) not in apart for b in names] for a in names])

    def _title(self, quantity: Quantity) -> str:
        what = f"the {'highest' if self._mean.better == 'higher' else 'lowest'} {quantity.name}"
        if len(self._rows) == 1:
            return f"{quantity.name} of {self._rows[0].subject.label}"
        tied = next((last + 1 for first, last in self._ties if first == 0), 1)
        return (
            f"{tied} of {len(self._rows)} tie for {what}" if tied > 1 else f"{self._rows[0].subject.label} has {what}"
        )

    def _key(self) -> list[Artist]:
        from matplotlib.lines import Line2D

        def mark(label: str, marker: str, size: float, **look: Any) -> Line2D:
            return Line2D([], [], linestyle="", marker=marker, markersize=size, color=style.LINE, label=label, **look)

        median = mark("median", "D", 4.5, markerfacecolor="white", markeredgewidth=1.2)
        entries: list[Artist] = [mark("mean", "o", 6.0), median, mark("p5 and p95", "|", 9.0, markeredgewidth=2.0)]
        if self._ties:
            entries.append(Line2D([], [], linestyle="", marker="$]$", color=style.INK, label="not separable"))
        return entries

    def _set_rows(self, ax: Axes, quantity: Quantity) -> None:
        labels = [f"{row.subject.label}{' (today)' if row.subject.is_today else ''}" for row in self._rows]
        ax.set_yticks(range(len(labels)), [style.plain(text, style.LABEL) for text in labels])
        ax.set_ylim(len(labels) - 0.5, -0.5)
        whom = "replications" if self._stem is None else _WHOM[metrics.find(f"p50_{self._stem}").average]
        ax.set_xlabel(f"{quantity.label.removeprefix('mean ')}; p5 and p95 over {whom}")
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0.0, labelsize=8.0)

    def _draw_ties(self, ax: Axes) -> None:
        """Draw a bracket beside each stretch of rows that are not separable; those that overlap side by side."""
        lanes: list[int] = []
        for first, last in self._ties:
            lane = next((lane for lane, end in enumerate(lanes) if end < first), len(lanes))
            lanes[lane : lane + 1] = [last]
            edge = 1.02 + _LANE * lane
            rows = [first - 0.25, first - 0.25, last + 0.25, last + 0.25]
            across = [edge - _LANE / 2.0, edge, edge, edge - _LANE / 2.0]
            look: dict[str, Any] = {"color": style.INK, "linewidth": 1.2, "clip_on": False}
            ax.plot(across, rows, transform=ax.get_yaxis_transform(), **look)


def stretches(together: Sequence[Sequence[bool]]) -> list[tuple[int, int]]:
    """Return the longest stretches of places of which every two go together, as their first and last places.

    Examples
    --------
    >>> stretches([[True, True, False], [True, True, True], [False, True, True]])
    [(0, 1), (1, 2)]
    """
    found: list[tuple[int, int]] = []
    for first in range(len(together)):
        last = first
        while last + 1 < len(together) and all(together[last + 1][index] for index in range(first, last + 1)):
            last += 1
        # a stretch within the one before says nothing new
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _draw_glyph(ax: Axes, row: _Row, quantity: Quantity, y: int, colour: str) -> None:
    mean, p5, median, p95 = (quantity.interval(row.parts[part]) for part in ("mean", *_PERCENTS))
    ax.hlines(y, p5.estimate, p95.estimate, color=colour, linewidth=1.0, zorder=2)
    for end in (p5, p95):
        _draw_interval(ax, end, y, colour, width=7.0, alpha=0.3)
        ax.plot(end.estimate, y, marker="|", markersize=11.0, markeredgewidth=2.0, color=colour, clip_on=False)
    _draw_interval(ax, mean, y, colour, width=3.4, alpha=1.0)
    look: dict[str, Any] = {"color": colour, "markeredgewidth": 1.2, "zorder": 5, "clip_on": False}
    ax.plot(median.estimate, y, marker="D", markersize=4.5, markerfacecolor="white", **look)
    ax.plot(mean.estimate, y, marker="o", markersize=6.0, **look | {"zorder": 6})


def _draw_interval(ax: Axes, interval: Interval, y: int, colour: str, *, width: float, alpha: float) -> None:
    """Draw an interval as a bar; an end that is open is an arrow from the estimate."""
    low, high = (end if math.isfinite(end) else interval.estimate for end in (interval.low, interval.high))
    ax.hlines(y, low, high, linewidth=width, zorder=3, color=colour, alpha=alpha)
    for end, way in ((interval.low, -1.0), (interval.high, 1.0)):
        if math.isinf(end):
            arrow = {"arrowstyle": "<-", "color": colour, "linewidth": 1.1, "shrinkA": 0.0, "shrinkB": 0.0}
            ax.annotate("", (interval.estimate, y), (_ARROW * way, 0.0), textcoords="offset points", arrowprops=arrow)
