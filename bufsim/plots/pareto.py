"""Scenarios by two objectives: what a picture of the Pareto front shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import placing, style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.statistics import Interval
from bufsim.studies.comparisons import FrontPoint, front
from bufsim.studies.expressions import Expression, Limit, LimitVerdict, expression
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation, Text

    from bufsim.studies.study_result import StudyResult


@dataclass(frozen=True, slots=True, eq=False)
class Objectives:
    """Scenarios by two objectives, with their places on the Pareto front, and whether they keep limits.

    Attributes
    ----------
    subjects : list of Subject
        The scenarios.
    points : tuple of FrontPoint
        Their places.
    x, y : Quantity
        The objectives.
    limits : list of Limit
        What must be kept.
    verdicts : dict of str to {"pass", "fail", "undecided"}
        By scenario, of all limits together.
    """

    subjects: list[ScenarioSubject]
    points: tuple[FrontPoint, ...]
    x: Quantity
    y: Quantity
    limits: list[Limit]
    verdicts: dict[str, LimitVerdict]

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        x: str | Expression,
        y: str | Expression,
        limits: Sequence[str | Limit],
        load: float | None,
        scenarios: Sequence[str | FlushPolicy] | None,
        confidence: float,
    ) -> Objectives:
        """Return the scenarios of a study at one load."""
        shown = subjects.at_load(study_result, load, scenarios)
        if len(shown) < 2:
            raise InvalidValueError(
                f"pareto needs at least 2 finished scenarios at one load, got {len(shown)}: {shown[0].name!r}; "
                "give the study more policies"
            )
        names = [one.name for one in shown]
        axes = expression(x), expression(y)
        points = front(*axes, names, study_result.measured, confidence=confidence).points
        kept = subjects.read_limits(limits)
        checked = check_limits(kept, names, study_result.measured, confidence=confidence)
        return cls(
            shown,
            points,
            Quantity.of(axes[0], subjects.ends(point.x for point in points)),
            Quantity.of(axes[1], subjects.ends(point.y for point in points)),
            kept,
            {name: joint(check for check in checked if check.scenario == name) for name in names},
        )

    def at(self, point: FrontPoint) -> tuple[float, float]:
        """Return where a point lies, in the units that are shown."""
        return self.x.scaled(point.x.estimate), self.y.scaled(point.y.estimate)


PLACES = {"on the front": "on the front", "not separable": "not separable from it", "dominated": "dominated"}
"""The places, the best first, and what they are called in the key."""
CROWD = 8
"""More labels than this are written small, without what they have in common."""
_RING: dict[str, Any] = {
    "linestyle": "",
    "marker": "o",
    "markersize": 15.0,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "markeredgewidth": 1.3,
}
_SAME = 4.0
_GREY = "#9A9A9A"


def draw_front(ax: Axes, shown: Objectives) -> list[placing.Line]:
    """Draw the steps of the front, out to the edges where everything is dominated; return them as lines."""
    from_right = shown.x.expression.better == "higher"
    best_first = sorted(
        (shown.at(point) for point in shown.points if point.place == "on the front"), reverse=from_right
    )
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    path = [(best_first[0][0], bottom if shown.y.expression.better == "higher" else top), best_first[0]]
    for before, after in pairwise(best_first):
        path += [(after[0], before[1]), after]
    path.append((left if from_right else right, best_first[-1][1]))
    ax.plot(*zip(*path, strict=True), color=style.LINE, linewidth=1.2, alpha=0.8, zorder=3)
    return [(*start, *end) for start, end in pairwise(path)]


def draw_points(ax: Axes, shown: Objectives) -> None:
    """Draw a cross and a mark at each scenario."""
    for one, point in zip(shown.subjects, shown.points, strict=True):
        colour = _colour(shown, one, point)
        _draw_cross(ax, shown, point, colour)
        look = _look(point.place, colour, is_today=one.is_today)
        ax.plot(*shown.at(point), zorder=5 if point.place == "dominated" else 6, clip_on=False, **look)


def _colour(shown: Objectives, one: subjects.ScenarioSubject, point: FrontPoint) -> str:
    if one.is_today or subjects.told_apart(shown.subjects):
        return one.colour
    return _GREY if point.place == "dominated" else style.LINE


def _draw_cross(ax: Axes, shown: Objectives, point: FrontPoint, colour: str) -> None:
    """Draw both intervals; an end that is open, or out of sight, is an arrow at the edge."""
    x, y = shown.at(point)
    look: dict[str, Any] = {"color": colour, "linewidth": 1.1, "zorder": 4}
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    across, along = shown.x.interval(point.x), shown.y.interval(point.y)
    ax.hlines(y, max(across.low, left), min(across.high, right), **look)
    ax.vlines(x, max(along.low, bottom), min(along.high, top), **look)
    for marker, is_beyond, at in (
        ("<", across.low < left, (left, y)),
        (">", across.high > right, (right, y)),
        ("v", along.low < bottom, (x, bottom)),
        ("^", along.high > top, (x, top)),
    ):
        if is_beyond:
            ax.plot(*at, marker=marker, markersize=4.0, color=colour, clip_on=False, zorder=4)


def _look(place: str, colour: str, *, is_today: bool) -> dict[str, Any]:
    size = 13.0 if is_today else 4.0 if place == "dominated" else 7.0
    fill = "white" if place == "not separable" else colour
    return {
        "linestyle": "",
        "marker": "*" if is_today else "o",
        "color": colour,
        "markerfacecolor": fill,
        "markersize": size,
        "markeredgewidth": 1.3,
    }


def draw_choice(ax: Axes, shown: Objectives, chosen: str) -> None:
    """Draw a ring about the choice."""
    for one, point in zip(shown.subjects, shown.points, strict=True):
        if one.name == chosen:
            ax.plot(*shown.at(point), zorder=7, clip_on=False, **_RING)


def key(shown: Objectives, chosen: str | None = None) -> list[Artist]:
    """Return the entries of the key."""
    from matplotlib.lines import Line2D

    def mark(label: str, place: str, colour: str, **look: Any) -> Line2D:
        return Line2D([], [], label=label, **_look(place, colour, is_today=bool(look)) | look)

    there = {point.place for point in shown.points}
    crowd = not subjects.told_apart(shown.subjects)
    entries: list[Artist] = [
        mark(label, place, _GREY if crowd and place == "dominated" else style.LINE)
        for place, label in PLACES.items()
        if place in there
    ]
    if any(one.is_today for one in shown.subjects):
        entries.append(mark("today", "on the front", style.TODAY, markersize=9.0))
    if chosen is not None:
        entries.append(Line2D([], [], label="choice", **_RING | {"markersize": 10.0}))
    return entries


def write_labels(
    ax: Axes, shown: Objectives, texts: Sequence[str], steps: Sequence[placing.Line], written: Sequence[Text]
) -> None:
    """Write the labels, those of the front first, so that they get the best places; one for points that coincide."""
    spots: dict[tuple[float, float], placing.Spot] = {}
    lines = list(steps)
    order = list(PLACES)
    for place in sorted(range(len(texts)), key=lambda place: order.index(shown.points[place].place)):
        point = shown.points[place]
        x, y = shown.at(point)
        pixel = ax.transData.transform((x, y))
        near = next((at for at in spots if np.hypot(*(ax.transData.transform(at) - pixel)) < _SAME), None)
        if near is not None:
            spots[near] = replace(spots[near], text=f"{spots[near].text}\n{texts[place]}")
            continue
        faint = point.place == "dominated" and not shown.subjects[place].is_today
        colour = style.FAINT if faint else style.INK
        spots[x, y] = placing.Spot(texts[place], x, y, colour)
        lines += _cross_lines(shown, point)
    placing.write(ax, list(spots.values()), lines=lines, texts=written, size=8.0 if len(texts) <= CROWD else 7.0)


def _cross_lines(shown: Objectives, point: FrontPoint) -> list[placing.Line]:
    x, y = shown.at(point)
    across, along = subjects.ends([shown.x.interval(point.x)]), subjects.ends([shown.y.interval(point.y)])
    return [(across[0], y, across[-1], y), (x, along[0], x, along[-1])]


_MARKS: dict[LimitVerdict, str] = {"pass": "", "fail": " ✗", "undecided": " ?"}


def pareto_frame(
    study_result: StudyResult,
    x: str | Expression = "p99_wait",
    y: str | Expression = "flush_rate",
    *,
    limits: Sequence[str | Limit] = (),
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `pareto` draws: two objectives of each scenario, and its place with respect to the front.

    Returns
    -------
    DataFrame
        One row per scenario: scenario, label, place ("on the front", "not separable" from it, "dominated"),
        dominated_by, x, x_low, x_high, y, y_low, y_high (in the units of the metrics), limits ("pass", "fail" or
        "undecided"; of all of them together), today (whether it is what is done today), confidence (of each interval
        by itself), n.
    """
    shown = Objectives.of(study_result, x, y, limits, load, scenarios, confidence)
    rows = [
        {
            "scenario": one.name,
            "label": one.label,
            "place": point.place,
            "dominated_by": point.dominated_by,
            **_ends("x", point.x),
            **_ends("y", point.y),
            "limits": shown.verdicts[one.name],
            "today": one.is_today,
            "confidence": confidence,
            "n": point.x.n,
        }
        for one, point in zip(shown.subjects, shown.points, strict=True)
    ]
    return pd.DataFrame(rows)


def pareto(
    study_result: StudyResult,
    x: str | Expression = "p99_wait",
    y: str | Expression = "flush_rate",
    *,
    ax: Axes | None = None,
    limits: Sequence[str | Limit] = (),
    choice: str | FlushPolicy | None = None,
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    log: bool | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw scenarios by two objectives, a cross of two intervals each, and the front of those that none dominates.

    Filled points are on the front of the means. Hollow ones are not separable from it: no other scenario is shown to be
    better in both. The rest are dominated. The star is what is done today, and a ring is about the choice. What limits
    on the two objectives forbid is shaded; a scenario that breaks a limit, on whatever metric, is crossed out, and one
    of which that is undecided has a question mark.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    x, y : str or Expression
        The objectives, such as ``"p99_wait"`` and ``cost(per_flush=0.4, per_job_second=0.01)``.
    ax : Axes, optional
        Where to draw. None: a new figure.
    limits : sequence of str or Limit
        What must be kept, such as ``"p99_wait <= 2s"``.
    choice : str or FlushPolicy, optional
        The scenario that is chosen, such as ``recommendation.choice.name``.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    scenarios : sequence of str or FlushPolicy, optional
        Those to show; None: all.
    log : bool, optional
        Whether the axes are log axes; None: each where its values span much.
    confidence : float
        Of each interval by itself, and of no scenario being wrongly called dominated.

    Returns
    -------
    Axes
    """
    shown = Objectives.of(study_result, x, y, limits, load, scenarios, confidence)
    (one,) = style.axes(ax, 1)
    which: subjects.Which
    written: list[Annotation] = []
    for which, quantity in (("x", shown.x), ("y", shown.y)):
        known = subjects.ends(getattr(point, which) for point in shown.points)
        subjects.set_axis(one, which, quantity, known + subjects.limit_values(shown.limits, quantity), log=log)
        written += subjects.draw_limits(one, which, quantity, shown.limits)
    steps = draw_front(one, shown)
    draw_points(one, shown)
    chosen = None if choice is None else subjects.find(choice, shown.subjects, study_result).name
    if chosen is not None:
        draw_choice(one, shown, chosen)
    texts, template = _texts(shown)
    about = subjects.about_study(study_result, confidence, load=shown.subjects[0].scale)
    style.head(one, _title(shown), subtitle=f"{about}{template}{_legend(shown)}", key=key(shown, chosen))
    write_labels(one, shown, texts, steps, written)
    return one


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _title(shown: Objectives) -> str:
    count = [sum(point.place == place for point in shown.points) for place in PLACES]
    near = f", {count[1]} more not separable" if count[1] else ""
    return f"Pareto front: {count[0]} of {len(shown.points)} scenarios{near}"


def _texts(shown: Objectives) -> tuple[list[str], str]:
    """Return the labels, and what was left out of all of them where points are a crowd."""
    texts, template = [one.label for one in shown.subjects], ""
    if len(texts) > CROWD:
        texts, template = subjects.shortened(shown.subjects)
    marked = [f"{text}{_MARKS[shown.verdicts[one.name]]}" for text, one in zip(texts, shown.subjects, strict=True)]
    return marked, f" · labels: {template}" if template else ""


def _legend(shown: Objectives) -> str:
    """Return what the marks behind the labels mean."""
    verdicts = set(shown.verdicts.values())
    meanings: dict[LimitVerdict, str] = {"fail": "breaks a limit", "undecided": "limit undecided"}
    return "".join(f" · {_MARKS[one].strip()} {text}" for one, text in meanings.items() if one in verdicts)
