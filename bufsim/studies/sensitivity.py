"""Sensitivity: which assumption of a model moves an answer most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.simulation import Simulation
from bufsim.statistics import Interval
from bufsim.statistics.differences import UNSEEN
from bufsim.studies.answers import Answer
from bufsim.studies.estimates import UndefinedError
from bufsim.studies.expressions import Expression, Limit, LimitVerdict
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult
from bufsim.studies.what_if import OtherScaling, Variation, scaled_otherwise, variations

BASE = "as assumed"
OTHERWISE = "recorded jobs scaled otherwise"
COLUMNS = ["assumption", "value", "moved", "metric", "difference", "low", "high", "unit", "limits", "confidence", "n"]


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of one assumption on a metric.

    Parameters
    ----------
    variation : Variation
        The assumption.
    expression : Expression
        The metric.
    lower, higher : Interval
        How much the metric is above that of the model as assumed, with the assumption divided and multiplied.
    verdicts : tuple of str
        Whether all limits are kept then: "pass", "fail" or "undecided", of both.
    """

    variation: Variation
    expression: Expression
    lower: Interval
    higher: Interval
    verdicts: tuple[LimitVerdict, LimitVerdict]

    @property
    def moves(self) -> bool:
        """Whether the metric is another in any replication."""
        return any(
            # an open end says nothing, nor does how far events may go that no run saw
            gap.estimate != 0.0 or (gap.method != UNSEEN and any(map(_is_moved, (gap.low, gap.high))))
            for gap in (self.lower, self.higher)
        )

    @property
    def reach(self) -> float:
        """The larger of the two movements, whatever its sign."""
        return max(abs(self.lower.estimate), abs(self.higher.estimate))


@dataclass(frozen=True, slots=True)
class OtherKeep:
    """The effect on a metric of scaling the recorded jobs in the other way.

    Parameters
    ----------
    scaling : OtherScaling
        What stays of the recordings as assumed, and otherwise.
    expression : Expression
        The metric.
    difference : Interval
        How much the metric is above that of the model as assumed.
    verdict : str
        Whether all limits are kept then: "pass", "fail" or "undecided".
    """

    scaling: OtherScaling
    expression: Expression
    difference: Interval
    verdict: LimitVerdict

    def sentence(self, has_limits: bool) -> str:
        """The effect in words; whether limits are kept where there are some."""
        unit = f" {self.expression.unit}".rstrip()
        verdict = {"pass": "all limits are kept", "fail": "a limit is broken", "undecided": "the limits are undecided"}
        return (
            f"With keep={self.scaling.other!r} for the recorded jobs, in place of keep={self.scaling.keep!r}, "
            f"{self.expression.name} differs by {self.difference}{unit}"
            f"{f': {verdict[self.verdict]}' if has_limits else ''}."
        )


@dataclass(frozen=True, slots=True, repr=False)
class Sensitivity(Answer):
    """The effects of all assumptions of a model on some metrics.

    Parameters
    ----------
    factor : float
        By how much each assumption was divided and multiplied.
    base : mapping of Expression to Interval
        The metrics of the model as assumed.
    effects : tuple of Effect
        Metric by metric, and in each the one that moves it most first.
    undefined : tuple of str
        Why effects, or metrics, are left out that have no value.
    otherwise : tuple of OtherKeep
        Metric by metric, where recorded jobs were scaled: the effect of the other way to do it.
    limits : tuple of Limit
        What was to be kept.
    """

    factor: float
    base: Mapping[Expression, Interval]
    effects: tuple[Effect, ...]
    undefined: tuple[str, ...] = ()
    otherwise: tuple[OtherKeep, ...] = ()
    limits: tuple[Limit, ...] = ()

    def moving(self, expression: Expression) -> tuple[Effect, ...]:
        """The effects on one metric that are any at all, the largest first."""
        return tuple(effect for effect in self.of(expression) if effect.moves)

    def of(self, expression: Expression) -> tuple[Effect, ...]:
        """The effects on one metric, the largest first."""
        return tuple(effect for effect in self.effects if effect.expression == expression)

    def sentences(self) -> list[str]:
        """The assumption that moves each metric most, and what the other scaling of recorded jobs would make of it."""
        moving = [self._sentence(expression) for expression in self.base]
        otherwise = [other.sentence(bool(self.limits)) for other in self.otherwise]
        return [*moving, *otherwise, *(f"{reason}." for reason in self.undefined)]

    def _sentence(self, expression: Expression) -> str:
        first = self.of(expression)[0]
        unit = f" {expression.unit}".rstrip()
        return (
            f"{expression.name} ({self.base[expression]}{unit}) moves most with {first.variation.name} "
            f"({first.variation.value}): by {first.lower}{unit} where it is divided by {self.factor:g}, by "
            f"{first.higher}{unit} where it is multiplied by it."
        )

    def table(self) -> pd.DataFrame:
        """Two rows for each assumption and metric: the columns `COLUMNS`; `moved` is "lower" or "higher".

        Where recorded jobs were scaled, a row more for each metric: `moved` is the other `keep`.
        """
        rows: list[tuple[Any, ...]] = []
        for effect in self.effects:
            for moved, gap, verdict in zip(
                ("lower", "higher"), (effect.lower, effect.higher), effect.verdicts, strict=True
            ):
                numbers = (gap.estimate, gap.low, gap.high, effect.expression.unit)
                what = (effect.variation.name, effect.variation.value, moved, effect.expression.name)
                rows.append((*what, *numbers, verdict, gap.confidence, gap.n))
        for one in self.otherwise:
            gap, about = one.difference, ("scaling of recorded jobs", f"keep={one.scaling.keep!r}", one.scaling.other)
            numbers = (gap.estimate, gap.low, gap.high, one.expression.unit)
            rows.append((*about, one.expression.name, *numbers, one.verdict, gap.confidence, gap.n))
        return pd.DataFrame(rows, columns=COLUMNS)


def sensitivity(
    simulation: Simulation,
    expressions: Sequence[Expression],
    *,
    seed: int,
    limits: Sequence[Limit] = (),
    factor: float = 1.25,
    replications: int = 30,
    first: int = 0,
    confidence: float = 0.95,
    **how: Any,
) -> Sensitivity:
    """Move every assumption of a model down and up, one at a time, under common random numbers.

    Parameters
    ----------
    simulation : Simulation
        The model as assumed.
    expressions : sequence of Expression
        The metrics that are looked at.
    seed : int
        The root seed.
    limits : sequence of Limit
        What must be kept: whether it still is, stands beside each variation.
    factor : float
        By how much each assumption is divided and multiplied.
    replications, first, **how
        As for `Study.run`.
    confidence : float
        Of each interval by itself.

    Raises
    ------
    KeyboardInterrupt
        If it was interrupted: a part of it would not tell which assumption matters most.
    """
    moved = variations(simulation, factor)
    scenarios = {BASE: simulation}
    for variation in moved:
        for name, model in zip(_names(variation), (variation.lower, variation.higher), strict=True):
            scenarios[name] = model
    other = scaled_otherwise(simulation)
    if other is not None:
        scenarios[OTHERWISE] = other.simulation
    result = Study(scenarios, seed=seed).run(replications, first=first, **how)
    if not result.complete:
        raise KeyboardInterrupt
    if len(result.failures):
        failed = result.failures.iloc[0]
        raise InvalidValueError(f"with {failed['scenario']} the model failed: {failed['error']}")
    effects, undefined = _effects(result, moved, expressions, limits, confidence)
    order = {expression: index for index, expression in enumerate(expressions)}
    effects.sort(key=lambda effect: (order[effect.expression], -effect.reach))
    defined = dict.fromkeys(effect.expression for effect in effects)
    base = {expression: result.interval(expression, BASE, confidence=confidence) for expression in defined}
    otherwise = () if other is None else _otherwise(result, other, list(base), limits, confidence)
    return Sensitivity(factor, base, tuple(effects), undefined, otherwise, tuple(limits))


def _otherwise(
    result: StudyResult,
    scaling: OtherScaling,
    expressions: Sequence[Expression],
    limits: Sequence[Limit],
    confidence: float,
) -> tuple[OtherKeep, ...]:
    """The effect of the other scaling on each metric that has a value both ways."""
    verdict = joint(check_limits(limits, [OTHERWISE], result.measured, confidence=confidence))
    found = []
    for expression in expressions:
        try:
            base = result.measured(expression, BASE)
            gap = result.measured(expression, OTHERWISE).against(base, names=(OTHERWISE, BASE), confidence=confidence)
        except UndefinedError:
            continue
        found.append(OtherKeep(scaling, expression, gap.interval(confidence), verdict))
    return tuple(found)


def _effects(
    result: StudyResult,
    moved: Sequence[Variation],
    expressions: Sequence[Expression],
    limits: Sequence[Limit],
    confidence: float,
) -> tuple[list[Effect], tuple[str, ...]]:
    """The effects that have a value, and why others have none."""
    effects, undefined = [], []
    for expression in expressions:
        for variation in moved:
            try:
                effects.append(_effect(result, variation, expression, limits, confidence))
            except UndefinedError as error:
                undefined.append(error.reason)
    return effects, tuple(dict.fromkeys(undefined))


def _effect(
    result: StudyResult, variation: Variation, expression: Expression, limits: Sequence[Limit], confidence: float
) -> Effect:
    names = _names(variation)
    base = result.measured(expression, BASE)
    pairs = [
        result.measured(expression, name).against(base, names=(name, BASE), confidence=confidence) for name in names
    ]
    gaps = [gap.interval(confidence) for gap in pairs]
    lower, higher = (joint(check_limits(limits, [name], result.measured, confidence=confidence)) for name in names)
    return Effect(variation, expression, gaps[0], gaps[1], (lower, higher))


def _is_moved(end: float) -> bool:
    return end != 0.0 and math.isfinite(end)


def _names(variation: Variation) -> tuple[str, str]:
    return f"{variation.name}, lower", f"{variation.name}, higher"
