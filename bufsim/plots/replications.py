"""The replications: whether they are enough, and which run was odd."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats
from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.placing import beeswarm, below
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results.tallies import Tally
from bufsim.statistics import Interval, Margin, replications_for_half_width
from bufsim.statistics.intervals import critical_value
from bufsim.studies.estimates import Evaluation, UndefinedError
from bufsim.studies.expressions import Expression, expression, margin
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

FloatArray = npt.NDArray[np.float64]

_MOST_STEPS = 60
_FAR = 3.0


def replications_frame(
    study_result: StudyResult,
    metric: str | Expression = "mean_wait",
    *,
    scenario: str | FlushPolicy | None = None,
    half_width: object = None,
    load: float | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `replications` draws: a metric in each replication, and over all so far.

    Returns
    -------
    DataFrame
        One row per replication: scenario, replication (its number), value (of this run by itself, nan where it has
        none), odd (whether it lies far from the others), n (replications so far), estimate, low, high (over these; nan
        for fewer than 2 and, where there are many, between those that are drawn), needed (replications for the
        half-width that is wanted, nan without one), confidence.
    """
    shown = _Runs.of(study_result, metric, scenario, load, half_width, confidence)
    by_n = {one.n: one for one in shown.running}
    counts = np.arange(1, len(shown.runs) + 1)
    ends = {end: [getattr(by_n.get(int(n)), end, math.nan) for n in counts] for end in ("estimate", "low", "high")}
    return pd.DataFrame(
        {
            "scenario": shown.subject.name,
            "replication": shown.numbers,
            "value": shown.runs,
            "odd": odd(shown.runs),
            "n": counts,
            **ends,
            "needed": math.nan if shown.needed is None else shown.needed,
            "confidence": confidence,
        }
    )


def replications(
    study_result: StudyResult,
    metric: str | Expression = "mean_wait",
    *,
    ax: Axes | None = None,
    scenario: str | FlushPolicy | None = None,
    half_width: object = None,
    load: float | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw a metric and its interval over the first 2, 3, ... replications, and below it each replication by itself.

    The dashed lines are the half-width that is wanted, round the last estimate; the dotted ones go on with the noise
    that was seen. Below, the runs that lie far from the others (by 1.5 times the distance of the quartiles, Tukey) have
    the number of their replication, by which they can be run again.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What is drawn.
    ax : Axes, optional
        Where to draw. None: a new figure.
    scenario : str or FlushPolicy, optional
        Whose; None: what is done today, or the first.
    half_width : number, str or Margin, optional
        How far the interval may reach out: ``"1 %"`` of the value, or an amount in the metric's unit.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    confidence : float
        Of each interval. To look again and again, and to stop when an interval is narrow, makes it too narrow.

    Returns
    -------
    Axes
    """
    shown = _Runs.of(study_result, metric, scenario, load, half_width, confidence)
    (one,) = style.axes(ax, 1)
    swarm = below(one)
    key = _draw_running(one, shown)
    key += _draw_wanted(one, shown)
    about = subjects.about_study(study_result, confidence, load=shown.subject.scale)
    style.head(one, _title(shown), subtitle=f"{shown.subject.label} · {about}", key=key)
    _draw_runs(swarm, shown)
    return one


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """A metric of one scenario: in each replication, over those so far, and how near it is to what is wanted."""

    subject: ScenarioSubject
    expression: Expression
    numbers: list[int]
    runs: FloatArray
    running: list[Interval]
    deviation: float
    wanted: Margin | None

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        metric: str | Expression,
        scenario: str | FlushPolicy | None,
        load: float | None,
        half_width: object,
        confidence: float,
    ) -> _Runs:
        asked = expression(metric)
        one = subjects.chosen(study_result, scenario, load)
        kept = study_result.tallies[one.name]
        tallies = list(kept.values())
        all_of_them = Evaluation(asked, tallies, one.name)
        counts = np.unique(np.linspace(2, len(tallies), min(len(tallies) - 1, _MOST_STEPS)).round().astype(int))
        deviation = float(np.std(all_of_them.values(), ddof=1))
        running = list(_running(asked, tallies, counts, confidence))
        wanted = None if half_width is None else margin("half_width", half_width, asked.unit)
        if wanted is not None and wanted.at(running[-1].estimate) == 0.0:
            raise InvalidValueError(
                f"half_width {wanted} of {asked.name}, which is 0, is 0; give an amount in its unit"
            )
        return cls(one, asked, list(kept), all_of_them.raw(), running, deviation, wanted)

    @property
    def quantity(self) -> Quantity:
        """The metric, in the unit that fits its estimate."""
        return Quantity.of(self.expression, [self.running[-1].estimate])

    @property
    def needed(self) -> int | None:
        """The replications that would reach the half-width wanted, with this noise; None if none is wanted."""
        last = self.running[-1]
        if self.wanted is None:
            return None
        if last.half_width <= self.wanted.at(last.estimate):
            return last.n
        return replications_for_half_width(self.deviation, self.wanted.at(last.estimate), confidence=last.confidence)


def _running(
    asked: Expression, tallies: Sequence[Tally], counts: Iterable[int], confidence: float
) -> Iterator[Interval]:
    """Yield the intervals over the first replications, where there are any; that over all raises if there is none."""
    for count in counts:
        try:
            yield Evaluation(asked, tallies[:count]).interval(confidence)
        except UndefinedError:
            if count == len(tallies):
                raise


def odd(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which values lie beyond the quartiles by more than 1.5 times their distance.

    References
    ----------
    Tukey (1977), Exploratory Data Analysis, section 2C.

    Examples
    --------
    >>> odd(np.array([1.0, 2.0, 3.0, 2.0, 9.0])).tolist()
    [False, False, False, False, True]
    """
    low, high = np.nanquantile(values, [0.25, 0.75])
    # values that differ by rounding only are the same
    reach = 1.5 * (high - low) + 1e-9 * max(abs(low), abs(high))
    beyond: npt.NDArray[np.bool_] = (values < low - reach) | (values > high + reach)
    return beyond


def _title(shown: _Runs) -> str:
    last, quantity = shown.running[-1], shown.quantity
    if shown.wanted is None or shown.needed is None:
        return f"{quantity.name}: {subjects.written(quantity.interval(last))} {quantity.unit.name}".rstrip()
    wanted = str(shown.wanted) if shown.wanted.relative else quantity.written(shown.wanted.size)
    if shown.needed <= last.n:
        return f"{last.n} replications are enough for {quantity.name} ± {wanted}"
    return f"About {formats.number(shown.needed, 2)} replications are needed for {quantity.name} ± {wanted}"


def _draw_running(ax: Axes, shown: _Runs) -> list[Artist]:
    quantity, colour = shown.quantity, shown.subject.colour
    counts = [one.n for one in shown.running]
    scaled = [quantity.interval(one) for one in shown.running]
    low, high = _view(scaled)
    ends = np.clip([(one.low, one.high) for one in scaled], low, high)
    band = ax.fill_between(counts, ends[:, 0], ends[:, 1], color=colour, alpha=0.2, linewidth=0.0, label="interval")
    line = ax.plot(counts, [one.estimate for one in scaled], color=colour, linewidth=1.8, label="over all so far")
    ax.set_ylim(low, high)
    ax.set_xlim(min(2.0, counts[-1] - 1.0), counts[-1])
    style.count_axis(ax, "x")
    ax.set(xlabel="replications", ylabel=quantity.label)
    return [*line, band]


def _view(scaled: list[Interval]) -> tuple[float, float]:
    """Return what is worth seeing: the first intervals may reach very far."""
    later = scaled[min(len(scaled) // 5, 8) :]
    ends = subjects.ends(later) + [one.estimate for one in scaled]
    room = 0.08 * (max(ends) - min(ends)) or 0.1 * abs(max(ends)) or 1.0
    return min(ends) - room, max(ends) + room


def _draw_runs(swarm: Axes, shown: _Runs) -> None:
    """Draw each replication by itself."""
    quantity, known = shown.quantity, np.isfinite(shown.runs)
    names = [str(number) for number, is_known in zip(shown.numbers, known, strict=True) if is_known]
    runs = [quantity.scaled(value) for value in shown.runs[known].tolist()]
    swarm.set_xlabel(f"{quantity.label}: each replication by itself", fontsize=9.0)
    beeswarm(swarm, runs, names=names, named=odd(shown.runs[known]))


def _draw_wanted(ax: Axes, shown: _Runs) -> list[Artist]:
    """Draw the half-width that is wanted, and how the interval would go on."""
    last, quantity, needed = shown.running[-1], shown.quantity, shown.needed
    if shown.wanted is None or needed is None:
        return []
    middle, reach = quantity.scaled(last.estimate), quantity.scaled(shown.wanted.at(last.estimate))
    look: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": (0, (5, 3))}
    lines = [ax.axhline(middle + sign * reach, **look) for sign in (-1.0, 1.0)]
    lines[0].set_label("half-width wanted")
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, middle - 1.2 * reach), max(high, middle + 1.2 * reach))
    return [lines[0], *(_draw_onwards(ax, shown, middle, needed) if needed > last.n else [])]


def _draw_onwards(ax: Axes, shown: _Runs, middle: float, needed: int) -> list[Artist]:
    last, quantity = shown.running[-1], shown.quantity
    until = min(needed, round(_FAR * last.n))
    counts = np.unique(np.linspace(last.n, until, 40).round().astype(int))
    spread = quantity.scaled(shown.deviation)
    reach = [critical_value(last.confidence, int(count)) * spread / math.sqrt(count) for count in counts]
    look: dict[str, Any] = {"color": shown.subject.colour, "linewidth": 1.2, "linestyle": (0, (1, 1.5))}
    lines = [*ax.plot(counts, middle - np.array(reach), **look), *ax.plot(counts, middle + np.array(reach), **look)]
    ax.axvline(last.n, color=style.FAINT, linewidth=0.8)
    ax.set_xlim(ax.get_xlim()[0], 1.04 * until)
    said = f"n ≈ {formats.number(needed, 2)}{'' if until == needed else ' →'}"
    style.tag(ax, said, until, middle + reach[-1], left=True)
    lines[0].set_label("with this noise")
    return [lines[0]]
