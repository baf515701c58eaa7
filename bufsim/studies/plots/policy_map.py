"""The policy map: which sizes and ages are safe, and how near their edge one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from bufsim.model.flush_policy import FlushPolicy
from bufsim.results.plots import style
from bufsim.studies.expressions import Expression
from bufsim.studies.limits import Limit
from bufsim.studies.plots import heads, map_marks, subjects
from bufsim.studies.plots.policy_cells import Cells
from bufsim.studies.quantities import Quantity, limit_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult


def policy_map_frame(
    study_result: StudyResult,
    metric: str | Expression = "p99_wait",
    *,
    size: Sequence[int] | None = None,
    age: Sequence[float | str] | None = None,
    limits: str | Limit | Sequence[str | Limit] = (),
    load: float | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `policy_map` draws: a metric and the flush rate of each policy of a size and an age.

    Returns
    -------
    DataFrame
        One row per policy: scenario, label, size (jobs), age (s), estimate, low, high (in the metric's unit),
        flush_rate (per s), first ("size" or "age": what comes first, in the mean), limits ("pass", "fail" or
        "undecided"; of all of them together), today, confidence, n.
    """
    shown = Cells.of(study_result, metric, size, age, limits, load, confidence)
    rows = [
        {
            "scenario": cell.subject.name,
            "label": cell.subject.label,
            "size": cell.size,
            "age": cell.age,
            "estimate": cell.value.estimate,
            "low": cell.value.low,
            "high": cell.value.high,
            "flush_rate": cell.flush_rate,
            "first": shown.comes_first(cell),
            "limits": cell.verdict,
            "today": cell.subject.is_today,
            "confidence": confidence,
            "n": cell.value.n,
        }
        for cell in shown.cells
    ]
    return pd.DataFrame(rows)


def policy_map(
    study_result: StudyResult,
    metric: str | Expression = "p99_wait",
    *,
    ax: Axes | None = None,
    size: Sequence[int] | None = None,
    age: Sequence[float | str] | None = None,
    limits: str | Limit | Sequence[str | Limit] = (),
    choice: str | FlushPolicy | None = None,
    load: float | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw a metric of the policies ``FlushAtSize(size) | FlushAfterAge(age)`` as a map of sizes and ages.

    White lines join equal values of the metric, dotted ones equal flush rates. The outline is round the policies that
    keep all limits; those of which that is undecided are hatched. Above the dashed line, age = (size − 1) / arrival
    rate, the size comes first, below it the age. The star is what is done today.
    Sizes and ages stand at equal distances; between two of them the axes are log axes.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What is drawn.
    ax : Axes, optional
        Where to draw. None: a new figure.
    size, age : sequence, optional
        The sizes and ages to show; None: all.
    limits : sequence of str or Limit
        What must be kept, such as ``"p99_wait <= 2s"``.
    choice : str or FlushPolicy, optional
        A policy to mark with a circle.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    confidence : float
        Of each interval by itself, and of the verdicts on limits together.

    Returns
    -------
    Axes
    """
    shown = Cells.of(study_result, metric, size, age, limits, load, confidence)
    chosen = None
    if choice is not None:
        chosen = subjects.find(choice, [cell.subject for cell in shown.cells], study_result).name
    (one,) = style.axes(ax, 1)
    quantity = Quantity.of(shown.expression, [cell.value.estimate for cell in shown.cells])
    map_marks.set_axes(one, shown)
    mesh = map_marks.draw_heat(one, shown, quantity)
    key = map_marks.draw_lines(one, shown, quantity)
    map_marks.draw_scale(one, mesh, quantity, apart=len(key) > 0)
    key += map_marks.draw_limits(one, shown) if shown.limits else []
    if map_marks.has_numbers(shown):
        map_marks.write_numbers(one, shown, quantity, mesh)
    key += map_marks.draw_marks(one, shown, chosen)
    heads.head(one, _title(shown, quantity), subtitle=_about(study_result, shown, confidence), key=key)
    return one


def _title(shown: Cells, quantity: Quantity) -> str:
    if not shown.limits:
        return f"{quantity.name} by size and age"
    passing = sum(cell.verdict == "pass" for cell in shown.cells)
    open_ = sum(cell.verdict == "undecided" for cell in shown.cells)
    told = " and ".join(limit_in_words(one) for one in shown.limits)
    keeping = f"{passing} of {len(shown.cells)} policies {'keeps' if passing == 1 else 'keep'} {told}"
    return f"{keeping}, {open_} undecided" if open_ else keeping


def _about(study_result: StudyResult, shown: Cells, confidence: float) -> str:
    what = f"verdicts, adjusted over {len(shown.cells)} policies" if shown.limits else "intervals in the frame"
    return subjects.about(study_result, confidence, load=shown.cells[0].subject.scale, what=what)
