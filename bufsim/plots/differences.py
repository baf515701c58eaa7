"""Paired differences, each in the unit in which it is drawn: what a picture of differences shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import pandas as pd

from bufsim import formats
from bufsim.errors import InvalidValueError
from bufsim.formats import Unit
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.statistics import Interval
from bufsim.studies.comparisons import Compared, compare
from bufsim.studies.expressions import Expression, expression
from bufsim.studies.quantities import Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bufsim.studies.study_result import StudyResult


Pairs = Sequence[tuple[str | FlushPolicy, str | FlushPolicy]] | Literal["all"]


@dataclass(frozen=True, slots=True)
class Gap:
    """A paired difference, first − second.

    Attributes
    ----------
    compared : Compared
        The difference and its verdict.
    first, second : Subject
        The scenarios.
    raw : Interval
        Of the difference by itself, not adjusted, at the level of `interval`, in the metric's unit.
    unit : Unit
        In which it is drawn.
    """

    compared: Compared
    first: ScenarioSubject
    second: ScenarioSubject
    raw: Interval
    unit: Unit

    @property
    def quantity(self) -> Quantity:
        """The metric."""
        return Quantity(self.compared.expression, self.unit)

    @property
    def margin(self) -> float:
        """What does not matter, in the unit that is drawn; nan without it."""
        test, mean = self.compared.comparison.equivalence, self.compared.comparison.difference.second_mean
        return math.nan if test is None else self.quantity.scaled(test.margin.at(mean))

    @property
    def interval(self) -> Interval:
        """The interval on which the verdict rests, in the unit that is drawn."""
        return self.quantity.interval(verdict_interval(self.compared))

    @property
    def needed(self) -> int | None:
        """The replications that would show a difference as large as the one estimated."""
        return self.compared.comparison.replications_needed()


def verdict_interval(compared: Compared) -> Interval:
    """Return the adjusted interval on which a verdict rests, in the metric's unit.

    For "equivalent" that is the one of the two one-sided tests, at 1 − 2α, which lies within the margin.
    """
    comparison = compared.comparison
    test = comparison.equivalence
    if comparison.verdict != "equivalent" or test is None:
        return comparison.interval
    size = abs(comparison.difference.second_mean) if test.margin.relative else 1.0
    one = test.interval
    return replace(one, estimate=size * one.estimate, low=size * one.low, high=size * one.high)


@dataclass(frozen=True, slots=True)
class Gaps:
    """The differences of one picture.

    Attributes
    ----------
    rows : list of Gap
        Metric by metric.
    is_relative : bool
        Whether they are drawn as shares of the second one's mean.
    """

    rows: list[Gap]
    is_relative: bool

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        metrics: Sequence[str | Expression],
        baseline: str | FlushPolicy | None,
        pairs: Pairs | None,
        margin: object,
        relative: bool | None,
        load: float | None,
        scenarios: Sequence[str | FlushPolicy] | None,
        confidence: float,
    ) -> Gaps:
        """Return the differences of a study's scenarios at one load."""
        shown = subjects.at_load(study_result, load, scenarios)
        if len(shown) < 2:
            raise InvalidValueError(
                f"differences needs at least 2 finished scenarios at one load, got {len(shown)}: {shown[0].name!r}; "
                "give the study more policies"
            )
        by_name = {one.name: one for one in shown}
        comparisons = compare(
            [expression(one) for one in metrics or ("mean_wait",)],
            list(by_name),
            lambda asked, name: study_result.measured(asked, name).values(),
            baseline=_baseline(study_result, shown, baseline) if pairs is None else None,
            pairs=_pairs(study_result, shown, pairs),
            margin=margin,
            confidence=confidence,
        ).rows
        is_relative = len(metrics) > 1 if relative is None else relative
        raw = [one.comparison.difference.interval(verdict_interval(one).confidence) for one in comparisons]
        units = _units(comparisons, raw, is_relative=is_relative)
        return cls(
            [
                Gap(one, by_name[one.first], by_name[one.second], alone, unit)
                for one, alone, unit in zip(comparisons, raw, units, strict=True)
            ],
            is_relative,
        )

    @property
    def quantities(self) -> list[Quantity]:
        """The metrics, each once."""
        return list({row.compared.expression: row.quantity for row in self.rows}.values())

    @property
    def baseline(self) -> ScenarioSubject | None:
        """With what all are compared; None if that differs."""
        seconds = list(dict.fromkeys(row.second for row in self.rows))
        return seconds[0] if len(seconds) == 1 else None

    def name(self, row: Gap) -> str:
        """Return what a row is called: its scenario, its pair, or its metric."""
        pair = row.first.label if self.baseline else f"{row.first.label}\nvs {row.second.label}"
        if len(self.quantities) == 1:
            return pair
        alone = len({(one.first, one.second) for one in self.rows}) == 1
        return row.quantity.name if alone else f"{row.quantity.name}: {pair}"


def _baseline(
    study_result: StudyResult, shown: Sequence[ScenarioSubject], baseline: str | FlushPolicy | None
) -> str | None:
    if baseline is not None:
        return subjects.find(baseline, shown, study_result).name
    return next((one.name for one in shown if one.is_today), None)


def _pairs(
    study_result: StudyResult, shown: Sequence[ScenarioSubject], pairs: Pairs | None
) -> list[tuple[str, str]] | Literal["all"] | None:
    if pairs is None or pairs == "all":
        return pairs
    for pair in pairs:
        if isinstance(pair, str | FlushPolicy) or len(pair) != 2:
            raise InvalidValueError(f"pairs must be 'all' or hold pairs of two scenarios, got {pair!r}")
    return [(subjects.find(a, shown, study_result).name, subjects.find(b, shown, study_result).name) for a, b in pairs]


def _units(comparisons: Sequence[Compared], raw: Sequence[Interval], *, is_relative: bool) -> list[Unit]:
    """Return the unit of each row: per cent of the second one's mean, or one that fits the metric's differences."""
    if is_relative:
        return [_share(one) for one in comparisons]
    found = []
    for one in comparisons:
        of_metric = [gap for other, gap in zip(comparisons, raw, strict=True) if other.expression == one.expression]
        found.append(Quantity.of(one.expression, [end for gap in of_metric for end in (gap.low, gap.high)]).unit)
    return found


def _share(one: Compared) -> Unit:
    mean = abs(one.comparison.difference.second_mean)
    if mean == 0.0:
        raise InvalidValueError(
            f"{one.expression.name} of {one.second!r} is 0, so that no difference is a share of it; give relative=False"
        )
    return Unit("%", 0.01 * mean)


_SHOWN = ("better", "worse", "lower", "higher")
_ORDER = (*_SHOWN, "equivalent", "identical", "not separable")
_ROOMY = 9
_MANY = 1_000_000
_BAND = "#DEDEDE"


def differences_frame(
    study_result: StudyResult,
    *metrics: str | Expression,
    baseline: str | FlushPolicy | None = None,
    pairs: Pairs | None = None,
    margin: object = None,
    relative: bool | None = None,
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `differences` draws: the paired differences with their verdicts.

    Returns
    -------
    DataFrame
        One row per metric and pair: row (as it is called in the picture), metric, first, second, difference
        (first − second), low, high (adjusted, as the verdict is), raw_low, raw_high (of this difference by itself),
        margin (what does not matter), all in `unit` (that of the picture, "%" for shares of the mean of second),
        verdict, replications_needed, confidence, n.
    """
    shown = Gaps.of(study_result, metrics, baseline, pairs, margin, relative, load, scenarios, confidence)
    return pd.DataFrame([_values(shown, row) for row in shown.rows])


def differences(
    study_result: StudyResult,
    *metrics: str | Expression,
    ax: Axes | None = None,
    baseline: str | FlushPolicy | None = None,
    pairs: Pairs | None = None,
    margin: object = None,
    relative: bool | None = None,
    load: float | None = None,
    scenarios: Sequence[str | FlushPolicy] | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw paired differences of scenarios under common random numbers, a row each, with the verdict in words.

    The thin line is the interval that the verdict rests on, adjusted for all comparisons in the picture (Holm's
    method); the thick one is that of the difference by itself. The mark is filled where a difference is shown. The grey
    band is what does not matter. A difference that is not shown has beside it how many replications would show one as
    large as the estimate.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    *metrics : str or Expression
        What is compared; by default the mean wait.
    ax : Axes, optional
        Where to draw. None: a new figure.
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

    Returns
    -------
    Axes
    """
    shown = Gaps.of(study_result, metrics, baseline, pairs, margin, relative, load, scenarios, confidence)
    (one,) = style.axes(ax, 1)
    if ax is None:
        cast("Figure", one.figure).set_figheight(max(4.0, 1.5 + 0.27 * len(shown.rows)))
    _set_view(one, shown)
    for place, row in enumerate(shown.rows):
        _draw_margin(one, row, place)
        _draw_gap(one, row, place)
        _write_verdict(one, row, place, is_roomy=len(shown.rows) <= _ROOMY)
    one.spines["left"].set_visible(False)
    one.tick_params(axis="y", length=0.0, labelsize=8.0)
    what = f"intervals: thin adjusted over {len(shown.rows)}, thick each alone{_at_margin(shown)}"
    about = subjects.about_study(study_result, confidence, load=shown.rows[0].first.scale, what=what)
    style.wide_head(one, _title(shown), subtitle=about)
    return one


def _values(shown: Gaps, row: Gap) -> dict[str, object]:
    raw = row.quantity.interval(row.raw)
    return {
        "row": shown.name(row),
        "metric": row.compared.expression.name,
        "first": row.first.name,
        "second": row.second.name,
        "difference": row.interval.estimate,
        "low": row.interval.low,
        "high": row.interval.high,
        "raw_low": raw.low,
        "raw_high": raw.high,
        "margin": row.margin,
        "unit": row.unit.name,
        "verdict": row.compared.verdict,
        "replications_needed": math.nan if row.needed is None else row.needed,
        "confidence": row.interval.confidence,
        "n": row.interval.n,
    }


def _at_margin(shown: Gaps) -> str:
    """Return at which level a difference is called equivalent, where one is."""
    levels = {row.interval.confidence for row in shown.rows if row.compared.verdict == "equivalent"}
    return f" ({formats.level(levels.pop())} if equivalent)" if levels else ""


def _title(shown: Gaps) -> str:
    verdicts = [row.compared.verdict for row in shown.rows]
    counted = ", ".join(f"{word} {verdicts.count(word)}" for word in _ORDER if word in verdicts)
    if shown.baseline is None:
        return f"Differences: {counted}"
    whom = "today" if shown.baseline.is_today else shown.baseline.label
    return f"Against {whom}: {counted}"


def _set_view(ax: Axes, shown: Gaps) -> None:
    ends = [end for row in shown.rows for end in (row.interval.low, row.interval.high)]
    ends += [0.0, *(sign * row.margin for row in shown.rows for sign in (-1.0, 1.0) if math.isfinite(row.margin))]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    ax.set_xlim(min(ends) - room, max(ends) + room)
    ax.set_ylim(len(shown.rows) - 0.5, -0.5)
    ax.set_yticks(range(len(shown.rows)), [shown.name(row) for row in shown.rows])
    ax.axvline(0.0, color="black", linewidth=0.9, zorder=2)
    ax.set_xlabel(_label(shown))


def _label(shown: Gaps) -> str:
    base = "" if shown.baseline is None else f" from {shown.baseline.label}"
    quantities = shown.quantities
    unit = f"% of {shown.baseline.label if shown.baseline else 'the second'}" if shown.is_relative else ""
    unit = unit or quantities[0].unit.name
    if len(quantities) > 1:
        return f"difference{'' if shown.is_relative else base}, {unit}"
    what = f"{quantities[0].name}: difference{'' if shown.is_relative else base}, {unit}".rstrip(", ")
    better = quantities[0].expression.better
    if better is None:
        return what
    return f"← better    {what}    worse →" if better == "lower" else f"← worse    {what}    better →"


def _draw_margin(ax: Axes, row: Gap, place: int) -> None:
    """Shade what does not matter."""
    if math.isfinite(row.margin):
        look: dict[str, Any] = {"color": _BAND, "linewidth": 0.0, "zorder": 0.5}
        ax.fill_betweenx([place - 0.5, place + 0.5], -row.margin, row.margin, **look)


def _draw_gap(ax: Axes, row: Gap, place: int) -> None:
    is_shown = row.compared.verdict in _SHOWN
    raw, colour = row.quantity.interval(row.raw), row.first.colour
    ax.hlines(place, row.interval.low, row.interval.high, color=colour, linewidth=1.0, zorder=3)
    ax.hlines(place, raw.low, raw.high, color=colour, linewidth=3.4, zorder=3)
    fill = colour if is_shown else "white"
    look: dict[str, Any] = {"marker": "o", "markersize": 6.5, "color": colour, "markerfacecolor": fill, "zorder": 4}
    ax.plot(row.interval.estimate, place, markeredgewidth=1.4, **look)


def _write_verdict(ax: Axes, row: Gap, place: int, *, is_roomy: bool) -> None:
    """Write the verdict beside the row, and under it, where there is room, what it rests on."""
    verdict = row.compared.verdict
    is_shown = verdict in _SHOWN
    needed = f" ({_needed(row.needed)})" if verdict == "not separable" else ""
    texts: list[tuple[str, dict[str, Any]]] = [
        (
            verdict + needed,
            {"color": style.INK if is_shown else style.FAINT, "fontweight": "bold" if is_shown else "normal"},
        )
    ]
    if is_roomy:
        texts.append((f"{row.interval} {row.unit.name}".rstrip(), {"color": style.FAINT, "fontsize": 7.0}))
    for (text, look), va in zip(texts, ("bottom", "top") if is_roomy else ("center",), strict=True):
        note = ax.annotate(text, (1.0, place), (6.0, 0.0), ax.get_yaxis_transform(), "offset points", va=va)
        note.set(**{"fontsize": 8.0, "annotation_clip": False} | look)


def _needed(count: int | None) -> str:
    if count is None:
        return "no n would do"
    return "n > 1 million" if count > _MANY else f"n ≈ {formats.number(count, 2)}"
