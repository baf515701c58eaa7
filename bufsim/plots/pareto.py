"""Scenarios by two objectives, and the front of those that none dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import placing, style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results.losses import loss_text
from bufsim.studies.comparisons import FrontPoint, front
from bufsim.studies.expressions import Expression, Limit, LimitVerdict
from bufsim.studies.formulas import all_limits, expression
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation, Text

    from bufsim.studies.study_result import StudyResult

# the places, the best first, and what they are called in the key
_PLACES = {"on the front": "on the front", "not separable": "not separable from it", "dominated": "dominated"}
# more labels than this are written small, without what they have in common
_CROWD = 8
_MARKS: dict[LimitVerdict, str] = {"pass": "", "fail": " ✗", "undecided": " ?"}
_LOSES = " †"
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


@dataclass(frozen=True, eq=False)
class Pareto:
    """Scenarios by two objectives, a cross of two intervals each, and the front of those that none dominates.

    Filled points are on the front of the means. Hollow ones are not separable from it: no other scenario is shown to be
    better in both. The rest are dominated. The star is what is done today, and a ring is about the choice. What limits
    on the two objectives forbid is shaded; a scenario that breaks a limit, on whatever metric, is crossed out, and one
    of which that is undecided has a question mark. One that loses jobs has a dagger: waits are those of the survivors.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    x, y : str or Expression
        The objectives, such as ``"p99_wait"`` and ``cost(per_flush=0.4, per_job_second=0.01)``.
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
    """

    study_result: StudyResult
    x: str | Expression = "p99_wait"
    y: str | Expression = "flush_rate"
    _: KW_ONLY
    limits: str | Limit | Sequence[str | Limit] = ()
    choice: str | FlushPolicy | None = None
    load: float | None = None
    scenarios: Sequence[str | FlushPolicy] | None = None
    log: bool | None = None
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return two objectives of each scenario, and its place with respect to the front.

        Returns
        -------
        DataFrame
            One row per scenario: scenario, label, place ("on the front", "not separable" from it, "dominated"),
            dominated_by, x, x_low, x_high, y, y_low, y_high (in the units of the metrics), limits ("pass", "fail" or
            "undecided"; of all of them together), today (whether it is what is done today), confidence (of each
            interval by itself), n.
        """
        return pd.DataFrame(
            {
                "scenario": subject.name,
                "label": subject.label,
                "place": point.place,
                "dominated_by": point.dominated_by,
                **subjects.columns("x", point.x),
                **subjects.columns("y", point.y),
                "limits": self._verdicts[subject.name],
                "today": subject.is_today,
                "confidence": self.confidence,
                "n": point.x.n,
            }
            for subject, point in self._points
        )

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure."""
        limits = self._limits
        (axes,) = style.axes(ax, 1)
        which: subjects.Which
        written: list[Annotation] = []
        for which, quantity in (("x", self._x), ("y", self._y)):
            known = subjects.ends(getattr(point, which) for _, point in self._points)
            subjects.set_axis(axes, which, quantity, known + subjects.limit_values(limits, quantity), log=self.log)
            written += subjects.draw_limits(axes, which, quantity, limits)
        steps = self._draw_front(axes)
        self._draw_points(axes)
        chosen = None if self.choice is None else subjects.find(self.choice, self._subjects, self.study_result)
        if chosen is not None:
            axes.plot(*self._at(dict(self._points)[chosen]), zorder=7, clip_on=False, **_RING)
        texts, template = self._texts()
        about = subjects.about_study(self.study_result, self.confidence, load=self._subjects[0].scale)
        style.head(axes, self._title(), subtitle=f"{about}{template}{self._legend()}", key=self._key(chosen))
        self._write_labels(axes, texts, steps, written)
        return axes

    @cached_property
    def _subjects(self) -> list[ScenarioSubject]:
        return subjects.several_at_load("pareto", self.study_result, self.load, self.scenarios)

    @cached_property
    def _points(self) -> list[tuple[ScenarioSubject, FrontPoint]]:
        """The scenarios with their places."""
        names = [subject.name for subject in self._subjects]
        objectives = expression(self.x), expression(self.y)
        found = front(*objectives, names, self.study_result.measured, confidence=self.confidence)
        return list(zip(self._subjects, found.points, strict=True))

    @cached_property
    def _x(self) -> Quantity:
        return Quantity.of(expression(self.x), subjects.ends(point.x for _, point in self._points))

    @cached_property
    def _y(self) -> Quantity:
        return Quantity.of(expression(self.y), subjects.ends(point.y for _, point in self._points))

    @cached_property
    def _limits(self) -> Sequence[Limit]:
        return all_limits(self.limits)

    @cached_property
    def _verdicts(self) -> dict[str, LimitVerdict]:
        """By scenario, of all limits together."""
        names = [subject.name for subject in self._subjects]
        checked = check_limits(self._limits, names, self.study_result.measured, confidence=self.confidence)
        return {name: joint(check for check in checked if check.scenario == name) for name in names}

    @cached_property
    def _losing(self) -> set[str]:
        """The scenarios that lost jobs."""
        tallies = {subject.name: list(self.study_result.tallies[subject.name].values()) for subject in self._subjects}
        return {name for name, kept in tallies.items() if loss_text(kept)}

    @cached_property
    def _is_coloured(self) -> bool:
        return subjects.told_apart(self._subjects)

    def _at(self, point: FrontPoint) -> tuple[float, float]:
        """Return where a point lies, in the units that are shown."""
        return self._x.scaled(point.x.estimate), self._y.scaled(point.y.estimate)

    def _draw_front(self, ax: Axes) -> list[placing.Line]:
        """Draw the steps of the front, out to the edges where everything is dominated; return them as lines."""
        from_right = self._x.expression.better == "higher"
        on_front = (self._at(point) for _, point in self._points if point.place == "on the front")
        best_first = sorted(on_front, reverse=from_right)
        left, right = ax.get_xlim()
        bottom, top = ax.get_ylim()
        path = [(best_first[0][0], bottom if self._y.expression.better == "higher" else top), best_first[0]]
        for before, after in pairwise(best_first):
            path += [(after[0], before[1]), after]
        path.append((left if from_right else right, best_first[-1][1]))
        ax.plot(*zip(*path, strict=True), color=style.LINE, linewidth=1.2, alpha=0.8, zorder=3)
        return [(*start, *end) for start, end in pairwise(path)]

    def _draw_points(self, ax: Axes) -> None:
        """Draw a cross and a mark at each scenario."""
        for subject, point in self._points:
            colour = self._colour(point.place)
            if subject.is_today or self._is_coloured:
                colour = subject.colour
            self._draw_cross(ax, point, colour)
            look = _look(point.place, colour, is_today=subject.is_today)
            ax.plot(*self._at(point), zorder=5 if point.place == "dominated" else 6, clip_on=False, **look)

    def _colour(self, place: str) -> str:
        """Return the colour of a mark that does not have its scenario's."""
        return _GREY if place == "dominated" and not self._is_coloured else style.LINE

    def _draw_cross(self, ax: Axes, point: FrontPoint, colour: str) -> None:
        """Draw both intervals; an end that is open, or out of sight, is an arrow at the edge."""
        x, y = self._at(point)
        look: dict[str, Any] = {"color": colour, "linewidth": 1.1, "zorder": 4}
        across, along = self._x.interval(point.x), self._y.interval(point.y)
        style.span(ax, across.low, across.high, y, **look)
        style.span(ax, along.low, along.high, x, which="y", **look)

    def _key(self, chosen: ScenarioSubject | None) -> list[Artist]:
        from matplotlib.lines import Line2D

        there = {point.place for _, point in self._points}
        entries: list[Artist] = [
            Line2D([], [], label=label, **_look(place, self._colour(place), is_today=False))
            for place, label in _PLACES.items()
            if place in there
        ]
        if any(subject.is_today for subject in self._subjects):
            look = _look("on the front", style.TODAY, is_today=True) | {"markersize": 9.0}
            entries.append(Line2D([], [], label="today", **look))
        if chosen is not None:
            entries.append(Line2D([], [], label="choice", **_RING | {"markersize": 10.0}))
        return entries

    def _write_labels(
        self, ax: Axes, texts: Sequence[str], steps: Sequence[placing.Line], written: Sequence[Text]
    ) -> None:
        """Write the labels, those of the front first, so that they get the best places; one where points coincide."""
        spots: dict[tuple[float, float], placing.Spot] = {}
        lines = list(steps)
        order = list(_PLACES)
        labelled = zip(texts, self._points, strict=True)
        for text, (subject, point) in sorted(labelled, key=lambda row: order.index(row[1][1].place)):
            x, y = self._at(point)
            pixel = ax.transData.transform((x, y))
            near = next((at for at in spots if np.hypot(*(ax.transData.transform(at) - pixel)) < _SAME), None)
            if near is not None:
                spots[near] = replace(spots[near], text=f"{spots[near].text}\n{text}")
                continue
            is_faint = point.place == "dominated" and not subject.is_today
            spots[x, y] = placing.Spot(text, x, y, style.FAINT if is_faint else style.INK)
            across, along = subjects.ends([self._x.interval(point.x)]), subjects.ends([self._y.interval(point.y)])
            lines += [(across[0], y, across[-1], y), (x, along[0], x, along[-1])]
        size = 8.0 if len(texts) <= _CROWD else 7.0
        placing.write(ax, list(spots.values()), lines=lines, texts=written, size=size)

    def _title(self) -> str:
        count = [sum(point.place == place for _, point in self._points) for place in _PLACES]
        near = f", {count[1]} more not separable" if count[1] else ""
        return f"Pareto front: {count[0]} of {len(self._points)} scenarios{near}"

    def _texts(self) -> tuple[list[str], str]:
        """Return the labels, and what was left out of all of them where points are a crowd."""
        texts, template = [subject.label for subject in self._subjects], ""
        if len(texts) > _CROWD:
            texts, template = subjects.shortened(self._subjects)
        marks = [
            _MARKS[self._verdicts[subject.name]] + _LOSES * (subject.name in self._losing) for subject in self._subjects
        ]
        marked = [f"{text}{mark}" for text, mark in zip(texts, marks, strict=True)]
        return marked, f" · labels: {template}" if template else ""

    def _legend(self) -> str:
        """Meaning of the marks behind the labels."""
        verdicts = set(self._verdicts.values())
        meanings: dict[LimitVerdict, str] = {"fail": "breaks a limit", "undecided": "limit undecided"}
        words = [f" · {_MARKS[verdict].strip()} {text}" for verdict, text in meanings.items() if verdict in verdicts]
        return "".join([*words, *([f" ·{_LOSES} loses jobs"] if self._losing else [])])


def _look(place: str, colour: str, *, is_today: bool) -> dict[str, Any]:
    size = 13.0 if is_today else 4.0 if place == "dominated" else 7.0
    return {
        "linestyle": "",
        "marker": "*" if is_today else "o",
        "color": colour,
        "markerfacecolor": "white" if place == "not separable" else colour,
        "markersize": size,
        "markeredgewidth": 1.3,
    }
