"""The Pareto front: which few policies are worth discussing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from bufsim.model.flush_policy import FlushPolicy
from bufsim.results.plots import style
from bufsim.studies.expressions import Expression
from bufsim.studies.limits import Limit, LimitVerdict
from bufsim.studies.plots import bounds, pareto_marks, quantities, subjects
from bufsim.studies.plots.objectives import Objectives
from bufsim.studies.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

    from bufsim.studies.study_result import StudyResult

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
    which: quantities.Which
    written: list[Annotation] = []
    for which, quantity in (("x", shown.x), ("y", shown.y)):
        known = quantities.ends(getattr(point, which) for point in shown.points)
        quantities.set_axis(one, which, quantity, known + bounds.values(shown.limits, quantity), log=log)
        written += bounds.draw(one, which, quantity, shown.limits)
    steps = pareto_marks.draw_front(one, shown)
    pareto_marks.draw_points(one, shown)
    chosen = None if choice is None else subjects.find(choice, shown.subjects, study_result).name
    if chosen is not None:
        pareto_marks.draw_choice(one, shown, chosen)
    texts, template = _texts(shown)
    about = subjects.about(study_result, confidence, load=shown.subjects[0].scale)
    style.head(one, _title(shown), subtitle=f"{about}{template}{_legend(shown)}", key=pareto_marks.key(shown, chosen))
    pareto_marks.write_labels(one, shown, texts, steps, written)
    return one


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _title(shown: Objectives) -> str:
    count = [sum(point.place == place for point in shown.points) for place in pareto_marks.PLACES]
    near = f", {count[1]} more not separable" if count[1] else ""
    return f"Pareto front: {count[0]} of {len(shown.points)} scenarios{near}"


def _texts(shown: Objectives) -> tuple[list[str], str]:
    """Return the labels, and what was left out of all of them where points are a crowd."""
    texts, template = [one.label for one in shown.subjects], ""
    if len(texts) > pareto_marks.CROWD:
        texts, template = subjects.shortened(shown.subjects)
    marked = [f"{text}{_MARKS[shown.verdicts[one.name]]}" for text, one in zip(texts, shown.subjects, strict=True)]
    return marked, f" · labels: {template}" if template else ""


def _legend(shown: Objectives) -> str:
    """Return what the marks behind the labels mean."""
    verdicts = set(shown.verdicts.values())
    meanings: dict[LimitVerdict, str] = {"fail": "breaks a limit", "undecided": "limit undecided"}
    return "".join(f" · {_MARKS[one].strip()} {text}" for one, text in meanings.items() if one in verdicts)
