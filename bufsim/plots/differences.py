"""Paired differences of scenarios, a row each, with the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from bufsim import checks, formats
from bufsim.errors import InvalidValueError, quoted
from bufsim.formats import Unit
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.statistics import Interval
from bufsim.studies.comparisons import Compared, compare
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bufsim.studies.study_result import StudyResult

Pairs = Sequence[tuple[str | FlushPolicy, str | FlushPolicy]] | Literal["all"]

_SEPARATE = ("better", "worse", "lower", "higher")
_ORDER = (*_SEPARATE, "equivalent", "identical", "not separable")
_ROOMY = 9
_TEXT, _LEAST_TEXT, _LEADING = 8.0, 5.0, 1.4
"""The size of texts and the least that can be read, in points; and a line's height in these."""
_MANY = 1_000_000
_BAND = "#DEDEDE"


@dataclass(frozen=True, slots=True)
class _Row:
    """A paired difference, first − second, and the unit in which it is drawn."""

    compared: Compared
    first: ScenarioSubject
    second: ScenarioSubject
    unit: Unit

    @property
    def quantity(self) -> Quantity:
        return Quantity(self.compared.expression, self.unit)

    @property
    def margin(self) -> float:
        """The difference that does not matter, in the unit that is drawn; nan without it."""
        test, mean = self.compared.comparison.equivalence, self.compared.comparison.difference.second_mean
        return math.nan if test is None else self.quantity.scaled(test.margin.at(mean))

    @property
    def interval(self) -> Interval:
        """The interval on which the verdict rests, in the unit that is drawn."""
        return self.quantity.interval(_verdict_interval(self.compared))

    @property
    def raw(self) -> Interval:
        """The interval of the difference by itself, not adjusted, at the same level, in the unit that is drawn."""
        return self.quantity.interval(_raw(self.compared))

    @property
    def is_separate(self) -> bool:
        """Whether a difference is shown."""
        return self.compared.verdict in _SEPARATE

    @property
    def needed(self) -> int | None:
        """The replications that would show a difference as large as the one estimated."""
        return self.compared.comparison.replications_needed()


@dataclass(frozen=True, slots=True)
class _Fit:
    """How rows are written on axes that may be small.

    Parameters
    ----------
    height : float
        Of a row, in points.
    size : float
        Of texts, in points.
    every : int
        Of so many rows one is named, where they are too low for a line each.
    """

    height: float
    size: float
    every: int

    @classmethod
    def of(cls, ax: Axes, rows: int) -> _Fit:
        """The fit of so many rows."""
        figure = ax.get_figure(root=True)
        assert figure is not None
        height = 72.0 * figure.get_figheight() * ax.get_position().height / rows
        size = min(max(height / _LEADING, _LEAST_TEXT), _TEXT)
        return cls(height, size, math.ceil(_LEADING * size / height - 1e-9))

    def lines(self, name: str) -> str:
        """A name in as many lines as a row has room for: all, or one."""
        lines = 1 + name.count("\n")
        # two lines stand closer
        return name if lines == 1 or self.height >= 1.1 * self.size * lines else name.replace("\n", " ")


@dataclass(frozen=True, eq=False)
class Differences:
    """Paired differences of scenarios under common random numbers, a row each, with the verdict in words.

    The thin line is the interval that the verdict rests on, adjusted for all comparisons in the picture (Holm's
    method); the thick one is that of the difference by itself. The mark is filled where a difference is shown. The grey
    band is what does not matter. A difference that is not shown has beside it how many replications would show one as
    large as the estimate; one of quantiles of too few flushes, which is open to both edges, how many flushes it needs;
    one that counts losses which none or few of the runs saw says so, and of losses alone how many runs without any
    would bound those that lose jobs at 1 %. On axes that are too low for a line each, only some of the
    rows are named, which the subtitle says; `frame` names all.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metrics : str or Expression, or several
        What is compared.
    baseline : str or FlushPolicy, optional
        Compare every other scenario with this one; None: with what is done today, or without it all pairs.
    pairs : sequence of pairs, or "all", optional
        Compare these scenarios, or policies, instead.
    margin : number, str, Margin or mapping, optional
        What does not matter: ``"5 %"``, an amount in the metric's unit, or either by the metric's name.
    relative : bool, optional
        Whether differences are drawn as shares of the second one's mean. None: if there are several metrics.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    scenarios : sequence of str or FlushPolicy, optional
        Those to compare; None: all.
    confidence : float
        Of all comparisons together.
    """

    study_result: StudyResult
    metrics: str | Expression | Sequence[str | Expression] = "mean_wait"
    _: KW_ONLY
    baseline: str | FlushPolicy | None = None
    pairs: Pairs | None = None
    margin: object = None
    relative: bool | None = None
    load: float | None = None
    scenarios: Sequence[str | FlushPolicy] | None = None
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return the paired differences with their verdicts.

        Returns
        -------
        DataFrame
            One row per metric and pair: row (as it is called in the picture), metric, first, second, difference
            (first − second), low, high (adjusted, as the verdict is), raw_low, raw_high (of this difference by itself),
            margin (what does not matter), all in `unit` (that of the picture, "%" for shares of the mean of second),
            verdict, replications_needed, confidence, n.
        """
        return pd.DataFrame(
            {
                "row": self._name(row),
                "metric": row.compared.expression.name,
                "first": row.first.name,
                "second": row.second.name,
                "difference": row.interval.estimate,
                "low": row.interval.low,
                "high": row.interval.high,
                "raw_low": row.raw.low,
                "raw_high": row.raw.high,
                "margin": row.margin,
                "unit": row.unit.name,
                "verdict": row.compared.verdict,
                "replications_needed": math.nan if row.needed is None else row.needed,
                "confidence": row.interval.confidence,
                "n": row.interval.n,
            }
            for row in self._rows
        )

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure."""
        rows = self._rows
        (axes,) = style.axes(ax, 1, rows=len(rows))
        fit = _Fit.of(axes, len(rows))
        self._set_view(axes, fit)
        for y, row in enumerate(rows):
            _draw_row(axes, row, y, fit)
            if y % fit.every == 0:
                _write_verdict(axes, row, y, fit, is_roomy=len(rows) <= _ROOMY)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0.0, pad=6.0, labelsize=fit.size)
        # at which level a difference is called equivalent, where one is
        levels = {row.interval.confidence for row in rows if row.compared.verdict == "equivalent"}
        at_margin = f" ({formats.level(levels.pop())} if equivalent)" if levels else ""
        named = "" if fit.every == 1 else f"; 1 of {fit.every} rows is named"
        what = f"intervals: thin adjusted over {len(rows)}, thick each alone{at_margin}{named}"
        about = subjects.about_study(self.study_result, self.confidence, load=rows[0].first.scale, what=what)
        style.wide_head(axes, self._title(), subtitle=about)
        # the head has a size of its own for the labels of every axis
        axes.tick_params(axis="y", labelsize=fit.size)
        return axes

    @cached_property
    def _expressions(self) -> list[Expression]:
        if isinstance(self.metrics, str | Expression):
            return [expression(self.metrics)]
        return [expression(metric) for metric in checks.several("metrics", self.metrics, kind="a list of metrics")]

    @property
    def _is_relative(self) -> bool:
        return len(self._expressions) > 1 if self.relative is None else self.relative

    @cached_property
    def _rows(self) -> list[_Row]:
        """The differences, metric by metric."""
        shown = subjects.several_at_load("differences", self.study_result, self.load, self.scenarios)
        by_name = {subject.name: subject for subject in shown}
        compared = compare(
            self._expressions,
            list(by_name),
            self.study_result.measured,
            baseline=self._baseline_of(shown) if self.pairs is None else None,
            pairs=self._pairs_of(shown),
            margin=self.margin,
            confidence=self.confidence,
        ).rows
        units = [_share(difference) for difference in compared] if self._is_relative else _units(compared)
        return [
            _Row(difference, by_name[difference.first], by_name[difference.second], unit)
            for difference, unit in zip(compared, units, strict=True)
        ]

    def _baseline_of(self, shown: Sequence[ScenarioSubject]) -> str | None:
        if self.baseline is not None:
            return subjects.find(self.baseline, shown, self.study_result).name
        return next((subject.name for subject in shown if subject.is_today), None)

    def _pairs_of(self, shown: Sequence[ScenarioSubject]) -> list[tuple[str, str]] | Literal["all"] | None:
        if self.pairs is None or self.pairs == "all":
            return self.pairs
        pairs = checks.several("pairs", self.pairs, kind="'all' or a list of pairs of scenarios")
        for pair in pairs:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise InvalidValueError(f"pairs must be 'all' or hold pairs of two scenarios, got {quoted(pair)}")
        result = self.study_result
        return [(subjects.find(a, shown, result).name, subjects.find(b, shown, result).name) for a, b in pairs]

    @property
    def _quantities(self) -> list[Quantity]:
        """The metrics, each once."""
        return list({row.compared.expression: row.quantity for row in self._rows}.values())

    @property
    def _second(self) -> ScenarioSubject | None:
        """With what all are compared; None if that differs."""
        seconds = list(dict.fromkeys(row.second for row in self._rows))
        return seconds[0] if len(seconds) == 1 else None

    def _name(self, row: _Row) -> str:
        """Name of a row: its scenario, its pair, or its metric."""
        pair = row.first.label if self._second else f"{row.first.label}\nvs {row.second.label}"
        if len(self._quantities) == 1:
            return pair
        alone = len({(other.first, other.second) for other in self._rows}) == 1
        return row.quantity.name if alone else f"{row.quantity.name}: {pair}"

    def _title(self) -> str:
        verdicts = [row.compared.verdict for row in self._rows]
        counted = ", ".join(f"{word} {verdicts.count(word)}" for word in _ORDER if word in verdicts)
        if self._second is None:
            return f"Differences: {counted}"
        return f"Against {'today' if self._second.is_today else self._second.label}: {counted}"

    def _set_view(self, ax: Axes, fit: _Fit) -> None:
        rows = self._rows
        ends = subjects.ends(row.interval for row in rows)
        ends += [0.0, *(sign * row.margin for row in rows for sign in (-1.0, 1.0) if math.isfinite(row.margin))]
        room = 0.06 * (max(ends) - min(ends)) or 1.0
        ax.set_xlim(min(ends) - room, max(ends) + room)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        named = range(0, len(rows), fit.every)
        ax.set_yticks(named, [style.plain(fit.lines(self._name(rows[y])), style.LABEL) for y in named])
        ax.axvline(0.0, color="black", linewidth=0.9, zorder=2)
        ax.set_xlabel(self._label())

    def _label(self) -> str:
        quantities, second = self._quantities, self._second
        if self._is_relative:
            base, unit = "", f"% of {second.label if second else 'the second'}"
        else:
            base, unit = f" from {second.label}" if second else "", quantities[0].unit.name
        if len(quantities) > 1:
            return f"difference{base}, {unit}"
        what = f"{quantities[0].name}: difference{base}, {unit}".rstrip(", ")
        better = quantities[0].expression.better
        if better is None:
            return what
        return f"← better    {what}    worse →" if better == "lower" else f"← worse    {what}    better →"


def _verdict_interval(compared: Compared) -> Interval:
    """Return the adjusted interval on which a verdict rests, in the metric's unit.

    For "equivalent" that is the one of the two one-sided tests, at 1 − 2α, which lies within the margin.
    """
    comparison = compared.comparison
    test = comparison.equivalence
    if comparison.verdict != "equivalent" or test is None:
        return comparison.interval
    size = abs(comparison.difference.second_mean) if test.margin.relative else 1.0
    of_test = test.interval
    return replace(of_test, estimate=size * of_test.estimate, low=size * of_test.low, high=size * of_test.high)


def _raw(compared: Compared) -> Interval:
    return compared.comparison.difference.interval(_verdict_interval(compared).confidence)


def _units(compared: Sequence[Compared]) -> list[Unit]:
    """Return for each difference the unit that fits those of its metric."""
    ends: dict[Expression, list[float]] = {}
    for difference in compared:
        ends.setdefault(difference.expression, []).extend(subjects.ends([_raw(difference)]))
    return [Quantity.of(difference.expression, ends[difference.expression]).unit for difference in compared]


def _share(compared: Compared) -> Unit:
    """Return one per cent of the second one's mean."""
    mean = abs(compared.comparison.difference.second_mean)
    if mean == 0.0:
        raise InvalidValueError(
            f"{compared.expression.name} of {compared.second!r} is 0, so that no difference is a share of it; "
            "give relative=False"
        )
    return Unit("%", 0.01 * mean)


def _draw_row(ax: Axes, row: _Row, y: int, fit: _Fit) -> None:
    if math.isfinite(row.margin):
        band: dict[str, Any] = {"color": _BAND, "linewidth": 0.0, "zorder": 0.5}
        ax.fill_betweenx([y - 0.5, y + 0.5], -row.margin, row.margin, **band)
    colour = row.first.colour
    style.span(ax, row.interval.low, row.interval.high, y, color=colour, linewidth=1.0, zorder=3)
    if not row.compared.comparison.difference.unbounded:
        style.span(ax, row.raw.low, row.raw.high, y, color=colour, linewidth=min(3.4, 0.4 * fit.height), zorder=3)
    fill = colour if row.is_separate else "white"
    look: dict[str, Any] = {"marker": "o", "color": colour, "markerfacecolor": fill, "zorder": 4}
    size = min(6.5, 0.7 * fit.height)
    ax.plot(row.interval.estimate, y, markersize=size, markeredgewidth=0.215 * size, **look)


def _write_verdict(ax: Axes, row: _Row, y: int, fit: _Fit, *, is_roomy: bool) -> None:
    """Write the verdict beside the row, and under it, where there is room, what it rests on."""
    verdict = row.compared.verdict
    needed = f" ({_needed(row)})" if verdict == "not separable" else ""
    bold: dict[str, Any] = {"color": style.INK, "fontweight": "bold"}
    faint: dict[str, Any] = {"color": style.FAINT}
    texts = [(verdict + needed, bold if row.is_separate else faint)]
    is_roomy = is_roomy and fit.height >= 2.0 * _LEADING * fit.size
    if is_roomy:
        texts.append((f"{subjects.written(row.interval)} {row.unit.name}".rstrip(), faint | {"fontsize": 7.0}))
    for (text, look), va in zip(texts, ("bottom", "top") if is_roomy else ("center",), strict=True):
        note = ax.annotate(text, (1.0, y), (6.0, 0.0), ax.get_yaxis_transform(), "offset points", va=va)
        note.set(**{"fontsize": fit.size, "annotation_clip": False} | look)


def _needed(row: _Row) -> str:
    gap, count = row.compared.comparison.difference, row.needed
    if gap.unbounded:
        return gap.unbounded.short
    seen = "" if gap.rare is None else "seldom seen, " if gap.rare.most_seen() else "none seen, "
    if gap.rare and count is None:
        runs = gap.runs_to_bound(row.interval.confidence)
        return "seldom seen" if runs is None else f"{seen}n ≈ {formats.number(runs, 2)} bounds it"
    if count is None:
        return "no n would do"
    return seen + ("n > 1 million" if count > _MANY else f"n ≈ {formats.number(count, 2)}")
