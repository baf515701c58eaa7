"""The replications: whether they are enough, and which run was odd."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
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
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression, margin
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

FloatArray = npt.NDArray[np.float64]

_MOST_STEPS = 60
_FAR = 3.0


@dataclass(frozen=True, eq=False)
class Replications:
    """A metric and its interval over the first 2, 3, ... replications, and below it each replication by itself.

    The dashed lines are the half-width that is wanted, round the last estimate; the dotted ones go on with the noise
    that was seen. Below, the runs that lie far from the others (by 1.5 times the distance of the quartiles, Tukey) have
    the number of their replication, by which they can be run again.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What is drawn.
    scenario : str or FlushPolicy, optional
        Whose; None: what is done today, or the first.
    half_width : number, str or Margin, optional
        How far the interval may reach out: ``"1 %"`` of the value, or an amount in the metric's unit.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    confidence : float
        Of each interval. To look again and again, and to stop when an interval is narrow, makes it too narrow.
    """

    study_result: StudyResult
    metric: str | Expression = "mean_wait"
    _: KW_ONLY
    scenario: str | FlushPolicy | None = None
    half_width: object = None
    load: float | None = None
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return a metric in each replication, and over all so far.

        Returns
        -------
        DataFrame
            One row per replication: scenario, replication (its number), value (of this run by itself, nan where it has
            none), odd (whether it lies far from the others), n (replications so far), estimate, low, high (over these;
            nan for fewer than 2 and, where there are many, between those that are drawn), needed (replications for the
            half-width that is wanted, nan without one), confidence.
        """
        runs, needed = self._evaluation.raw(), self._needed
        by_n = {interval.n: interval for interval in self._running}
        counts = np.arange(1, len(runs) + 1)
        ends = {end: [getattr(by_n.get(int(n)), end, math.nan) for n in counts] for end in ("estimate", "low", "high")}
        return pd.DataFrame(
            {
                "scenario": self._subject.name,
                "replication": list(self.study_result.tallies[self._subject.name]),
                "value": runs,
                "odd": odd(runs),
                "n": counts,
                **ends,
                "needed": math.nan if needed is None else needed,
                "confidence": self.confidence,
            }
        )

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure; the Axes below have the replications by themselves."""
        (axes,) = style.axes(ax, 1)
        swarm = below(axes)
        key = self._draw_running(axes)
        key += self._draw_wanted(axes)
        about = subjects.about_study(self.study_result, self.confidence, load=self._subject.scale)
        style.head(axes, self._title(), subtitle=f"{self._subject.label} · {about}", key=key)
        self._draw_runs(swarm)
        return axes

    @cached_property
    def _subject(self) -> ScenarioSubject:
        return subjects.chosen(self.study_result, self.scenario, self.load)

    @cached_property
    def _evaluation(self) -> Evaluation:
        tallies = list(self.study_result.tallies[self._subject.name].values())
        return self._evaluated(tallies)

    def _evaluated(self, tallies: list[Tally]) -> Evaluation:
        name = self._subject.name
        return Evaluation(expression(self.metric), tallies, name, self.study_result.scenarios[name])

    @cached_property
    def _running(self) -> list[Interval]:
        """The intervals over the first replications, where there are any; that over all raises if there is none."""
        tallies = list(self.study_result.tallies[self._subject.name].values())
        most = len(tallies)
        found = []
        for count in np.unique(np.linspace(2, most, min(most - 1, _MOST_STEPS)).round().astype(int)).tolist():
            try:
                found.append(self._evaluated(tallies[:count]).interval(self.confidence))
            except UndefinedError:
                if count == most:
                    raise
        return found

    @cached_property
    def _quantity(self) -> Quantity:
        """The metric, in the unit that fits its estimate."""
        return Quantity.of(expression(self.metric), [self._running[-1].estimate])

    @property
    def _deviation(self) -> float:
        return float(np.std(self._evaluation.values(), ddof=1))

    @cached_property
    def _wanted(self) -> Margin | None:
        if self.half_width is None:
            return None
        metric = expression(self.metric)
        wanted = margin("half_width", self.half_width, metric.unit)
        if wanted.at(self._running[-1].estimate) == 0.0:
            raise InvalidValueError(
                f"half_width {wanted} of {metric.name}, which is 0, is 0; give an amount in its unit"
            )
        return wanted

    @cached_property
    def _needed(self) -> int | None:
        """The replications that would reach the half-width wanted, with this noise; None if none is wanted."""
        last = self._running[-1]
        if self._wanted is None:
            return None
        wanted = self._wanted.at(last.estimate)
        if last.half_width <= wanted:
            return last.n
        return replications_for_half_width(self._deviation, wanted, confidence=last.confidence)

    def _title(self) -> str:
        last, quantity = self._running[-1], self._quantity
        if self._wanted is None or self._needed is None:
            return f"{quantity.name}: {subjects.written(quantity.interval(last))} {quantity.unit.name}".rstrip()
        wanted = str(self._wanted) if self._wanted.relative else quantity.written(self._wanted.size)
        if self._needed <= last.n:
            return f"{last.n} replications are enough for {quantity.name} ± {wanted}"
        return f"About {formats.number(self._needed, 2)} replications are needed for {quantity.name} ± {wanted}"

    def _draw_running(self, ax: Axes) -> list[Artist]:
        quantity, colour = self._quantity, self._subject.colour
        counts = [interval.n for interval in self._running]
        scaled = [quantity.interval(interval) for interval in self._running]
        low, high = _view(scaled)
        ends = np.clip([(interval.low, interval.high) for interval in scaled], low, high)
        band = ax.fill_between(counts, ends[:, 0], ends[:, 1], color=colour, alpha=0.2, linewidth=0.0, label="interval")
        estimates = [interval.estimate for interval in scaled]
        line = ax.plot(counts, estimates, color=colour, linewidth=1.8, label="over all so far")
        ax.set_ylim(low, high)
        ax.set_xlim(min(2.0, counts[-1] - 1.0), counts[-1])
        style.count_axis(ax, "x")
        ax.set(xlabel="replications", ylabel=quantity.label)
        return [*line, band]

    def _draw_runs(self, swarm: Axes) -> None:
        """Draw each replication by itself."""
        quantity, values = self._quantity, self._evaluation.raw()
        known = np.isfinite(values)
        numbers = self.study_result.tallies[self._subject.name]
        names = [str(number) for number, is_known in zip(numbers, known, strict=True) if is_known]
        runs = [quantity.scaled(value) for value in values[known].tolist()]
        swarm.set_xlabel(f"{quantity.label}: each replication by itself", fontsize=9.0)
        beeswarm(swarm, runs, names=names, named=odd(values[known]))

    def _draw_wanted(self, ax: Axes) -> list[Artist]:
        """Draw the half-width that is wanted, and how the interval would go on."""
        last, quantity, needed = self._running[-1], self._quantity, self._needed
        if self._wanted is None or needed is None:
            return []
        middle, reach = quantity.scaled(last.estimate), quantity.scaled(self._wanted.at(last.estimate))
        look: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": (0, (5, 3))}
        lines = [ax.axhline(middle + sign * reach, **look) for sign in (-1.0, 1.0)]
        lines[0].set_label("half-width wanted")
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, middle - 1.2 * reach), max(high, middle + 1.2 * reach))
        return [lines[0], *(self._draw_onwards(ax, middle, needed) if needed > last.n else [])]

    def _draw_onwards(self, ax: Axes, middle: float, needed: int) -> list[Artist]:
        last, quantity = self._running[-1], self._quantity
        until = min(needed, round(_FAR * last.n))
        counts = np.unique(np.linspace(last.n, until, 40).round().astype(int))
        spread = quantity.scaled(self._deviation)
        reach = [critical_value(last.confidence, int(count)) * spread / math.sqrt(count) for count in counts]
        look: dict[str, Any] = {"color": self._subject.colour, "linewidth": 1.2, "linestyle": (0, (1, 1.5))}
        lines = [*ax.plot(counts, middle - np.array(reach), **look), *ax.plot(counts, middle + np.array(reach), **look)]
        ax.axvline(last.n, color=style.FAINT, linewidth=0.8)
        ax.set_xlim(ax.get_xlim()[0], 1.04 * until)
        text = f"n ≈ {formats.number(needed, 2)}{'' if until == needed else ' →'}"
        style.tag(ax, text, until, middle + reach[-1], left=True)
        lines[0].set_label("with this noise")
        return [lines[0]]


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


def _view(scaled: list[Interval]) -> tuple[float, float]:
    """Range worth seeing: the first intervals may reach very far."""
    later = scaled[min(len(scaled) // 5, 8) :]
    ends = subjects.ends(later) + [interval.estimate for interval in scaled]
    room = 0.08 * (max(ends) - min(ends)) or 0.1 * abs(max(ends)) or 1.0
    return min(ends) - room, max(ends) + room
