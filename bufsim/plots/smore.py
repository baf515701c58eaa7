"""What varies, and what it is in the mean: what a SMORE picture shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results import metrics
from bufsim.statistics import Interval, order_statistic_interval
from bufsim.studies.comparisons import compare
from bufsim.studies.expressions import Expression, expression
from bufsim.studies.expressions import metric as as_expression
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bufsim.studies.study_result import StudyResult


_APART = ("better", "worse", "lower", "higher")
_PERCENTS = ("5", "50", "95")
_WHOM = {"job-weighted": "jobs", "time-weighted": "the time", "flush-weighted": "flushes", "work-weighted": "works"}


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean and the spread of one scenario.

    Attributes
    ----------
    subject : Subject
        The scenario.
    mean, p5, median, p95 : Interval
        Each with its interval.
    """

    subject: ScenarioSubject
    mean: Interval
    p5: Interval
    median: Interval
    p95: Interval


@dataclass(frozen=True, slots=True)
class Spreads:
    """Scenarios by their means, the best first.

    Attributes
    ----------
    rows : list of Spread
        The scenarios.
    mean : Expression
        What is averaged.
    of : str
        What varies: "jobs", "the time", "flushes", "works" or "replications".
    ties : list of (int, int)
        The first and the last row of each stretch of rows of which no two are separable.
    """

    rows: list[Spread]
    mean: Expression
    of: str
    ties: list[tuple[int, int]]

    @classmethod
    def of_study(
        cls,
        study_result: StudyResult,
        metric: str | Expression,
        of: str | None,
        load: float | None,
        scenarios: Sequence[str | FlushPolicy] | None,
        confidence: float,
    ) -> Spreads:
        """Return the spreads of a study's scenarios at one load."""
        shown = subjects.at_load(study_result, load, scenarios)
        stem = _stem(metric)
        mean = expression(metric, of) if stem is None else as_expression(f"mean_{stem}", of)
        rows = []
        for one in shown:
            found = study_result.interval(mean, one.name, confidence=confidence)
            rows.append(Spread(one, found, *_quantiles(study_result, one.name, mean, stem, of, confidence)))
        sign = -1.0 if mean.better == "higher" else 1.0
        ordered = sorted(rows, key=lambda row: (sign * row.mean.estimate, row.subject.name))
        whom = "replications" if stem is None else _WHOM[metrics.find(f"p50_{stem}").average]
        return cls(ordered, mean, whom, _ties(study_result, mean, ordered, confidence))


def _stem(metric: str | Expression) -> str | None:
    """Return what a name such as "wait" has quantiles of: "wait_s"; None for a metric or an expression."""
    if not isinstance(metric, str):
        return None
    try:
        found = metrics.find(f"p50_{metric}")
    except InvalidValueError:
        return None
    return None if found.quantile is None else found.quantile.of


def _quantiles(
    study_result: StudyResult, scenario: str, mean: Expression, stem: str | None, of: str | None, confidence: float
) -> list[Interval]:
    if stem is not None:
        asked = [as_expression(f"p{percent}_{stem}", of) for percent in _PERCENTS]
        return [study_result.interval(one, scenario, confidence=confidence) for one in asked]
    values = study_result.measured(mean, scenario).raw()
    return [order_statistic_interval(values, float(percent) / 100.0, confidence=confidence) for percent in _PERCENTS]


def _ties(
    study_result: StudyResult, mean: Expression, ordered: Sequence[Spread], confidence: float
) -> list[tuple[int, int]]:
    """Return the longest stretches of rows of which no two are shown to differ."""
    names = [row.subject.name for row in ordered]
    if len(names) < 2:
        return []
    compared = compare(
        [mean],
        names,
        lambda asked, name: study_result.measured(asked, name).values(),
        pairs="all",
        confidence=confidence,
    )
    apart = {frozenset((row.first, row.second)) for row in compared.rows if row.verdict in _APART}
    return stretches([[frozenset((a, b)) not in apart for b in names] for a in names])


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
        while last + 1 < len(together) and all(together[last + 1][place] for place in range(first, last + 1)):
            last += 1
        # a stretch within the one before says nothing new
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


_PARTS = ("mean", "p5", "median", "p95")
_LANE = 0.02
_ARROW = 15.0


def smore_frame(
    study_result: StudyResult,
    metric: str | Expression = "wait",
    *,
    of: str | None = None,
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `smore` draws: mean, median and the 5 % and 95 % quantiles of each scenario, with their intervals.

    Returns
    -------
    DataFrame
        One row per scenario, the best mean first: scenario, label, mean, mean_low, mean_high, and likewise p5, median,
        p95 (in the metric's unit), ties (the numbers, from 0, of the brackets that it is in), today, confidence, n.
    """
    shown = Spreads.of_study(study_result, metric, of, load, scenarios, confidence)
    rows = []
    for place, row in enumerate(shown.rows):
        ends: dict[str, float] = {}
        for part in _PARTS:
            one: Interval = getattr(row, part)
            ends |= {part: one.estimate, f"{part}_low": one.low, f"{part}_high": one.high}
        tied = tuple(number for number, (first, last) in enumerate(shown.ties) if first <= place <= last)
        about = {"ties": tied, "today": row.subject.is_today, "confidence": confidence, "n": row.mean.n}
        rows.append({"scenario": row.subject.name, "label": row.subject.label, **ends, **about})
    return pd.DataFrame(rows)


def smore(
    study_result: StudyResult,
    metric: str | Expression = "wait",
    *,
    ax: Axes | None = None,
    of: str | None = None,
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    log: bool | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw the mean, the median and the 5 % and 95 % quantiles of each scenario, each with its interval.

    The best mean stands on top. A bracket joins scenarios of which no two are separable by their means (all pairs,
    adjusted by Holm's method). An arrow is an interval that the data leave open.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What varies from job to job, as ``"wait"`` or ``"end_to_end"``, or over time, as ``"buffer_size"``; or a metric
        or an expression, which varies from replication to replication.
    ax : Axes, optional
        Where to draw. None: a new figure.
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

    Returns
    -------
    Axes

    References
    ----------
    Nelson (2008), The MORE plot: displaying measures of risk and error from simulation output, Proc. Winter Simulation
    Conference, 413-416.
    """
    shown = Spreads.of_study(study_result, metric, of, load, scenarios, confidence)
    (one,) = style.axes(ax, 1)
    if ax is None:
        cast("Figure", one.figure).set_figheight(max(4.0, 1.5 + 0.27 * len(shown.rows)))
    ends = subjects.ends(getattr(row, part) for row in shown.rows for part in _PARTS)
    quantity = Quantity.of(shown.mean, ends)
    subjects.set_axis(one, "x", quantity, ends, log=log)
    _set_rows(one, shown, quantity)
    is_coloured = subjects.told_apart([row.subject for row in shown.rows])
    for place, row in enumerate(shown.rows):
        _draw_glyph(one, row, quantity, place, is_coloured=is_coloured)
    _draw_ties(one, shown)
    about = subjects.about_study(study_result, confidence, load=shown.rows[0].subject.scale)
    style.wide_head(one, _title(shown, quantity), subtitle=about, key=_key(shown))
    return one


def _title(shown: Spreads, quantity: Quantity) -> str:
    what = f"the {'highest' if shown.mean.better == 'higher' else 'lowest'} {quantity.name}"
    if len(shown.rows) == 1:
        return f"{quantity.name} of {shown.rows[0].subject.label}"
    tied = next((last + 1 for first, last in shown.ties if first == 0), 1)
    if tied > 1:
        return f"{tied} of {len(shown.rows)} tie for {what}"
    return f"{shown.rows[0].subject.label} has {what}"


def _key(shown: Spreads) -> list[Artist]:
    from matplotlib.lines import Line2D

    def mark(label: str, marker: str, size: float, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, markersize=size, color=style.LINE, label=label, **look)

    median = mark("median", "D", 4.5, markerfacecolor="white", markeredgewidth=1.2)
    entries: list[Artist] = [mark("mean", "o", 6.0), median, mark("p5 and p95", "|", 9.0, markeredgewidth=2.0)]
    if shown.ties:
        entries.append(Line2D([], [], linestyle="", marker="$]$", color=style.INK, label="not separable"))
    return entries


def _set_rows(ax: Axes, shown: Spreads, quantity: Quantity) -> None:
    names = [f"{row.subject.label}{' (today)' if row.subject.is_today else ''}" for row in shown.rows]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    words = quantity.label.removeprefix("mean ")
    ax.set_xlabel(f"{words}; p5 and p95 over {shown.of}")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0.0, labelsize=8.0)


def _draw_glyph(ax: Axes, row: Spread, quantity: Quantity, place: int, *, is_coloured: bool) -> None:
    colour = row.subject.colour if is_coloured else style.LINE
    p5, median, p95, mean = (quantity.interval(one) for one in (row.p5, row.median, row.p95, row.mean))
    ax.hlines(place, p5.estimate, p95.estimate, color=colour, linewidth=1.0, zorder=2)
    for one in (p5, p95):
        _draw_interval(ax, one, place, colour, width=7.0, alpha=0.3)
        ax.plot(one.estimate, place, marker="|", markersize=11.0, markeredgewidth=2.0, color=colour, clip_on=False)
    _draw_interval(ax, mean, place, colour, width=3.4, alpha=1.0)
    look: dict[str, Any] = {"color": colour, "markeredgewidth": 1.2, "zorder": 5, "clip_on": False}
    ax.plot(median.estimate, place, marker="D", markersize=4.5, markerfacecolor="white", **look)
    ax.plot(mean.estimate, place, marker="o", markersize=6.0, **look | {"zorder": 6})


def _draw_interval(ax: Axes, one: Interval, place: int, colour: str, *, width: float, alpha: float) -> None:
    """Draw an interval as a bar; an end that is open is an arrow from the estimate."""
    low, high = (end if math.isfinite(end) else one.estimate for end in (one.low, one.high))
    ax.hlines(place, low, high, linewidth=width, zorder=3, color=colour, alpha=alpha)
    for end, way in ((one.low, -1.0), (one.high, 1.0)):
        if math.isinf(end):
            arrow = {"arrowstyle": "<-", "color": colour, "linewidth": 1.1, "shrinkA": 0.0, "shrinkB": 0.0}
            at = (one.estimate, place)
            ax.annotate("", at, (_ARROW * way, 0.0), textcoords="offset points", arrowprops=arrow)


def _draw_ties(ax: Axes, shown: Spreads) -> None:
    """Draw a bracket beside each stretch of rows that are not separable; those that overlap side by side."""
    lanes: list[int] = []
    for first, last in shown.ties:
        lane = next((lane for lane, end in enumerate(lanes) if end < first), len(lanes))
        lanes[lane : lane + 1] = [last]
        edge = 1.02 + _LANE * lane
        rows = [first - 0.25, first - 0.25, last + 0.25, last + 0.25]
        across = [edge - _LANE / 2.0, edge, edge, edge - _LANE / 2.0]
        look: dict[str, Any] = {"color": style.INK, "linewidth": 1.2, "clip_on": False}
        ax.plot(across, rows, transform=ax.get_yaxis_transform(), **look)
