"""The warm-up: whether the start of the runs is gone from what is counted."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks, formats
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.results.measures import Window
from bufsim.statistics import WarmUpCheck, mean_interval
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


def warm_up_frame(
    study_result: StudyResult,
    *,
    scenario: str | FlushPolicy | None = None,
    level: Level | None = None,
    load: float | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `warm_up` draws: a level over time, in the mean over replications.

    Returns
    -------
    DataFrame
        One row per bin of the time: scenario, level, start, end (s), mean, low, high (of the mean over replications,
        jobs), moving_average (over the bins around), counted (whether it lies after the warm-up), suggested (where
        MSER-5 would cut, s, nan if the runs are too short; the same in all rows), n.
    """
    shown = _Level.of(study_result, scenario, level, load)
    edges, bands = shown.edges, shown.bands(confidence)
    suggested = np.nan if shown.check.warm_up is None else shown.check.warm_up
    return pd.DataFrame(
        {
            "scenario": shown.subject.name,
            "level": shown.level,
            "start": edges[:-1],
            "end": edges[1:],
            "mean": shown.means,
            "low": bands[0],
            "high": bands[1],
            "moving_average": moving_average(shown.means),
            "counted": edges[:-1] >= shown.window.start - 1e-9 * shown.window.end,
            "suggested": suggested,
            "n": len(shown.table),
        }
    )


def warm_up(
    study_result: StudyResult,
    *,
    ax: Axes | None = None,
    scenario: str | FlushPolicy | None = None,
    level: Level | None = None,
    load: float | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw a level over time in the mean over replications, with what the warm-up cuts and what is left of the start.

    The thin line is the mean over replications in each part of the time, the thick one its moving average (Welch), the
    band its interval. The hatched part is the warm-up that was set; the dashed line is where MSER-5 would cut.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    ax : Axes, optional
        Where to draw. None: a new figure.
    scenario : str or FlushPolicy, optional
        Whose; None: what is done today, or the first.
    level : {"buffered", "unfinished"}, optional
        Jobs in buffers, or jobs in queues and in service. None: the one whose start does more harm.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    confidence : float
        Of the band, at each time by itself.

    Returns
    -------
    Axes

    References
    ----------
    Welch (1983), The statistical analysis of simulation results, in The Computer Performance Modeling Handbook; on
    MSER-5 and the sentence see `bufsim.statistics.check_warm_up`.
    """
    shown = _Level.of(study_result, scenario, level, load)
    (one,) = style.axes(ax, 1)
    time = formats.time_unit(shown.window.end)
    key = style.shade_warm_up(one, shown.window.start / time.size)
    key += _draw_lines(one, shown, time, confidence)
    _draw_cuts(one, shown, time)
    one.set(xlabel=f"time, {time.name}", ylabel=_CALLED[shown.level], xlim=(0.0, shown.window.end / time.size))
    one.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    about = subjects.about_study(
        study_result, confidence, load=shown.subject.scale, what="band, at each time by itself"
    )
    style.head(one, _title(shown), subtitle=f"{shown.subject.label} · {about}", key=key)
    look: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8.5, "color": style.INK}
    said = textwrap.fill(_sentence(shown), _LETTERS)
    one.annotate(said, (0.5, 0.0), (0.0, _BELOW), "axes fraction", "offset points", **look)
    return one


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """A level over the whole run: a row a replication, a column a bin."""

    subject: ScenarioSubject
    level: Level
    table: FloatArray
    window: Window
    check: WarmUpCheck

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        scenario: str | FlushPolicy | None,
        level: Level | None,
        load: float | None,
    ) -> _Level:
        one = subjects.chosen(study_result, scenario, load)
        tallies = list(study_result.tallies[one.name].values())
        if level is not None:
            checks.one_of("level", level, LEVELS)
        known: tuple[Level, ...] = ("buffered", "unfinished") if level is None else (level,)
        found = {name: warm_up_check(tallies, name) for name in known}
        worst = max(found, key=lambda name: (bool(found[name].warning), abs(found[name].relative_bias)))
        return cls(one, worst, levels(tallies, worst), tallies[0].window, found[worst])

    @property
    def means(self) -> FloatArray:
        """The mean over replications in each bin."""
        means: FloatArray = self.table.mean(axis=0)
        return means

    @property
    def edges(self) -> FloatArray:
        """The bounds of the bins, s."""
        return np.linspace(0.0, self.window.end, self.table.shape[1] + 1)

    def bands(self, confidence: float) -> FloatArray:
        """Return the ends of the intervals of the means: two rows."""
        intervals = [mean_interval(column, confidence=confidence) for column in self.table.T]
        return np.array([[one.low for one in intervals], [one.high for one in intervals]])

    @property
    def counted(self) -> FloatArray:
        """The mean of each replication over the bins after the warm-up."""
        means: FloatArray = self.table[:, self.edges[:-1] >= self.window.start - 1e-9 * self.window.end].mean(axis=1)
        return means


def moving_average(values: FloatArray) -> FloatArray:
    """Return the averages over the bins around each, over fewer where the ends are near.

    Examples
    --------
    >>> moving_average(np.array([0.0, 3.0, 3.0, 3.0])).tolist()
    [0.0, 2.0, 3.0, 3.0]
    """
    place = np.arange(len(values))
    reach = np.minimum(np.minimum(place, len(values) - 1 - place), _REACH)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    averages: FloatArray = (sums[place + reach + 1] - sums[place - reach]) / (2 * reach + 1)
    return averages


def _draw_lines(ax: Axes, shown: _Level, time: formats.Unit, confidence: float) -> list[Artist]:
    middles = (shown.edges[1:] + shown.edges[:-1]) / 2.0 / time.size
    low, high = shown.bands(confidence)
    look: dict[str, Any] = {"color": style.LINE, "linewidth": 0.0, "alpha": 0.2}
    band = ax.fill_between(middles, np.maximum(low, 0.0), high, label=f"{formats.level(confidence)} band", **look)
    means = ax.plot(middles, shown.means, color=style.LINE, linewidth=0.7, label="mean")
    smooth = ax.plot(middles, moving_average(shown.means), color=style.INK, linewidth=2.0, label="moving average")
    ax.set_ylim(0.0, 1.12 * float(high.max()) or 1.0)
    return [band, *means, *smooth]


def _draw_cuts(ax: Axes, shown: _Level, time: formats.Unit) -> None:
    """Mark the warm-up that was set, and where MSER-5 would cut."""
    start, cut, top = shown.window.start, shown.check.warm_up, ax.get_ylim()[1]
    if start > 0.0:
        style.tag(ax, f"warm-up {formats.duration(start)}", start / time.size, top, below=True)
    if cut is None or not shown.table.any():
        return
    said = "MSER-5 cuts no more" if cut == start else f"MSER-5 cuts at {formats.duration(cut)}"
    ax.axvline(cut / time.size, color="black", linewidth=0.9, linestyle=(0, (5, 3)), zorder=3)
    style.tag(ax, said, cut / time.size, top, below=True, row=int(start > 0.0))


def _title(shown: _Level) -> str:
    name = _CALLED[shown.level]
    warning = shown.check.warning
    if not shown.table.any():
        return f"{name}: none at any time"
    if "when the run ended" in warning:
        return f"{name}: still moving when the runs end"
    if "cannot be judged" in warning:
        return f"{name}: too few flush cycles to judge the start"
    return f"{name}: {'the runs start away from their level' if warning else 'the start does no harm that shows'}"


def _sentence(shown: _Level) -> str:
    """Return what is left of the start in the mean."""
    if not shown.table.any():
        return "This level is 0 throughout."
    if shown.check.warning:
        return f"{shown.check.warning[0].upper()}{shown.check.warning[1:]}."
    mean = mean_interval(shown.counted)
    # the mean over the window is (1 + relative bias) times that over its last two thirds
    bias = mean.estimate * shown.check.relative_bias / (1.0 + shown.check.relative_bias)
    share = abs(bias) / mean.half_width if mean.half_width > 0.0 else 0.0
    part = f"{100.0 * share:.0f} % of its half-width"
    return f"What is left of the start moves the mean, {mean} jobs, by about {bias:+.2g}, {part}."
