"""The warm-up: whether the start of the runs is gone from what is counted."""

from __future__ import annotations

import math
import textwrap
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks, formats
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results.measures import Window
from bufsim.results.tallies import Tally
from bufsim.statistics import WarmUpCheck, mean_interval
from bufsim.statistics.intervals import critical_value, inner_probability
from bufsim.studies.warnings import LEVELS, levels, warm_up_check

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

FloatArray = npt.NDArray[np.float64]
Level = Literal["buffered", "unfinished"]

_CALLED = {"buffered": "jobs in buffers", "unfinished": "jobs in queues and in service"}
_LETTERS, _BELOW = 84, -34.0
_REACH = 5
"""So many bins on either side are in a moving average."""


@dataclass(frozen=True, eq=False)
class WarmUp:
    """A level over time in the mean over replications, with what the warm-up cuts and what is left of the start.

    The thin line is the mean over replications in each part of the time, the thick one its moving average (Welch), the
    band its interval. The hatched part is the warm-up that was set; the dashed line is where MSER-5 would cut.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    scenario : str or FlushPolicy, optional
        Whose; None: what is done today, or the first.
    level : {"buffered", "unfinished"}, optional
        Jobs in buffers, or jobs in queues and in service. None: the one whose start does more harm.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    confidence : float
        Of the band, at each time by itself.

    References
    ----------
    Welch (1983), The statistical analysis of simulation results, in The Computer Performance Modeling Handbook; on
    MSER-5 and the sentence see `bufsim.statistics.check_warm_up`.
    """

    study_result: StudyResult
    _: KW_ONLY
    scenario: str | FlushPolicy | None = None
    level: Level | None = None
    load: float | None = None
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return a level over time, in the mean over replications.

        Returns
        -------
        DataFrame
            One row per bin of the time: scenario, level, start, end (s), mean, low, high (of the mean over
            replications, jobs), moving_average (over the bins around), counted (whether it lies after the warm-up),
            suggested (where MSER-5 would cut, s, nan if the runs are too short; the same in all rows), n.
        """
        low, high = self._band
        return pd.DataFrame(
            {
                "scenario": self._subject.name,
                "level": self._level,
                "start": self._edges[:-1],
                "end": self._edges[1:],
                "mean": self._means,
                "low": low,
                "high": high,
                "moving_average": moving_average(self._means),
                "counted": self._is_counted,
                "suggested": np.nan if self._check.warm_up is None else self._check.warm_up,
                "n": len(self._table),
            }
        )

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure."""
        window = self._window
        (axes,) = style.axes(ax, 1)
        time = formats.time_unit(window.end)
        key = style.shade_warm_up(axes, window.start / time.size)
        key += self._draw_lines(axes, time)
        self._draw_cuts(axes, time)
        axes.set(xlabel=f"time, {time.name}", ylabel=_CALLED[self._level], xlim=(0.0, window.end / time.size))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        what = "band, at each time by itself"
        about = subjects.about_study(self.study_result, self.confidence, load=self._subject.scale, what=what)
        style.head(axes, self._title(), subtitle=f"{self._subject.label} · {about}", key=key)
        look: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8.5, "color": style.INK}
        text = textwrap.fill(self._sentence(), _LETTERS)
        axes.annotate(text, (0.5, 0.0), (0.0, _BELOW), "axes fraction", "offset points", **look)
        return axes

    @cached_property
    def _subject(self) -> ScenarioSubject:
        return subjects.chosen(self.study_result, self.scenario, self.load)

    @property
    def _tallies(self) -> list[Tally]:
        return list(self.study_result.tallies[self._subject.name].values())

    @property
    def _window(self) -> Window:
        return self._tallies[0].window

    @cached_property
    def _checks(self) -> dict[Level, WarmUpCheck]:
        tallies = self._tallies
        if self.level is not None:
            checks.one_of("level", self.level, LEVELS)
        names: tuple[Level, ...] = ("buffered", "unfinished") if self.level is None else (self.level,)
        return {name: warm_up_check(tallies, name) for name in names}

    @property
    def _level(self) -> Level:
        """The level that is asked for, else the one whose start does more harm."""
        return max(
            self._checks, key=lambda name: (bool(self._checks[name].warning), abs(self._checks[name].relative_bias))
        )

    @property
    def _check(self) -> WarmUpCheck:
        return self._checks[self._level]

    @cached_property
    def _table(self) -> FloatArray:
        """The level over the whole run: a row a replication, a column a bin."""
        return levels(self._tallies, self._level)

    @property
    def _means(self) -> FloatArray:
        """The mean over replications in each bin."""
        means: FloatArray = self._table.mean(axis=0)
        return means

    @property
    def _edges(self) -> FloatArray:
        """The bounds of the bins, s."""
        return np.linspace(0.0, self._window.end, self._table.shape[1] + 1)

    @property
    def _is_counted(self) -> npt.NDArray[np.bool_]:
        """Whether each bin lies after the warm-up."""
        return np.asarray(self._edges[:-1] >= self._window.start - 1e-9 * self._window.end)

    @cached_property
    def _band(self) -> tuple[FloatArray, FloatArray]:
        """The ends of the intervals of the means."""
        # by t in every bin: a band that bends where one bin's values happen to be skewed would show bins, not the start
        means, n = self._means, len(self._table)
        reach = (
            critical_value(inner_probability("confidence", self.confidence), n)
            * self._table.std(axis=0, ddof=1)
            / math.sqrt(n)
        )
        return means - reach, means + reach

    def _draw_lines(self, ax: Axes, time: formats.Unit) -> list[Artist]:
        middles = (self._edges[1:] + self._edges[:-1]) / 2.0 / time.size
        low, high = self._band
        look: dict[str, Any] = {"color": style.LINE, "linewidth": 0.0, "alpha": 0.2}
        label = f"{formats.level(self.confidence)} band"
        band = ax.fill_between(middles, np.maximum(low, 0.0), high, label=label, **look)
        means = ax.plot(middles, self._means, color=style.LINE, linewidth=0.7, label="mean")
        smooth = ax.plot(middles, moving_average(self._means), color=style.INK, linewidth=2.0, label="moving average")
        ax.set_ylim(0.0, 1.12 * float(high.max()) or 1.0)
        return [band, *means, *smooth]

    def _draw_cuts(self, ax: Axes, time: formats.Unit) -> None:
        """Mark the warm-up that was set, and where MSER-5 would cut."""
        start, cut, top = self._window.start, self._check.warm_up, ax.get_ylim()[1]
        if start > 0.0:
            style.tag(ax, f"warm-up {formats.duration(start)}", start / time.size, top, below=True)
        if cut is None or not self._table.any():
            return
        text = "MSER-5 cuts no more" if cut == start else f"MSER-5 cuts at {formats.duration(cut)}"
        ax.axvline(cut / time.size, color="black", linewidth=0.9, linestyle=(0, (5, 3)), zorder=3)
        style.tag(ax, text, cut / time.size, top, below=True, row=int(start > 0.0))

    def _title(self) -> str:
        name, warning = _CALLED[self._level], self._check.warning
        if not self._table.any():
            return f"{name}: none at any time"
        if "when the run ended" in warning:
            return f"{name}: still moving when the runs end"
        if "cannot be judged" in warning:
            return f"{name}: too few flush cycles to judge the start"
        return f"{name}: {'the runs start away from their level' if warning else 'the start does no harm that shows'}"

    def _sentence(self) -> str:
        """A sentence about what is left of the start in the mean."""
        if not self._table.any():
            return "This level is 0 throughout."
        warning, bias = self._check.warning, self._check.relative_bias
        if warning:
            return f"{warning[0].upper()}{warning[1:]}."
        mean = mean_interval(self._table[:, self._is_counted].mean(axis=1))
        # the mean over the window is (1 + relative bias) times that over its last two thirds
        moved = mean.estimate * bias / (1.0 + bias)
        share = abs(moved) / mean.half_width if mean.half_width > 0.0 else 0.0
        part = f"{100.0 * share:.0f} % of its half-width"
        return f"What is left of the start moves the mean, {mean} jobs, by about {moved:+.2g}, {part}."


def moving_average(values: FloatArray) -> FloatArray:
    """Return the averages over the bins around each, over fewer where the ends are near.

    Examples
    --------
    >>> moving_average(np.array([0.0, 3.0, 3.0, 3.0])).tolist()
    [0.0, 2.0, 3.0, 3.0]
    """
    index = np.arange(len(values))
    reach = np.minimum(np.minimum(index, len(values) - 1 - index), _REACH)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    averages: FloatArray = (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1)
    return averages
