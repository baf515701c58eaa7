"""Selection under common random numbers: the Pareto front of several objectives, and the best in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bufsim.errors import InvalidValueError
from bufsim.statistics.comparisons import Comparison, Margin, Verdict, way_out_of_rare
from bufsim.statistics.differences import PairedDifference, paired_differences
from bufsim.statistics.families import holm
from bufsim.statistics.intervals import Interval, critical_value, inner_probability
from bufsim.statistics.quantiles import worst_of
from bufsim.statistics.samples import Sample

Place = Literal["on the front", "not separable", "dominated"]


@dataclass(frozen=True, slots=True)
class ParetoPoint:
    """A scenario's place: on the front of the means, not separable from it, or shown to be dominated.

    Parameters
    ----------
    name : str
        The scenario.
    intervals : tuple of Interval
        One an objective, each at the confidence by itself.
    place : {"on the front", "not separable", "dominated"}
        On the front: no other scenario's means are at least as good in every objective, and better in one. Dominated:
        another scenario is shown to be better in every objective (or identical, but not in all). Not separable:
        neither.
    dominated_by : str or None
        The scenario that shows it most clearly.
    p_value : float
        Of being dominated, adjusted over scenarios.
    """

    name: str
    intervals: tuple[Interval, ...]
    place: Place
    dominated_by: str | None
    p_value: float


def pareto_front(
    samples: Mapping[str, Sequence[Sample | ArrayLike]],
    *,
    confidence: float = 0.95,
    lower_is_better: bool | Sequence[bool] = True,
) -> tuple[ParetoPoint, ...]:
    """The places of scenarios with respect to the Pareto front of their means, under common random numbers.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (objectives, n), or sequence of Sample
        For each scenario a row an objective, one value per replication, in the same order of replications.
    confidence : float, default 0.95
        Probability that no scenario is wrongly called dominated.
    lower_is_better : bool or sequence of bool, default True
        For all objectives, or for each.

    Returns
    -------
    tuple of ParetoPoint
        In the order given; the places do not depend on it.

    Notes
    -----
    That one scenario dominates another is shown by an intersection-union test: the largest of the one-sided paired
    p-values of the objectives. A scenario's p-value is the smallest over the others, times their number, and Holm's
    method adjusts these over scenarios. Values that are identical, such as those in one bin of a histogram, part no
    scenarios; nothing is shown by quantiles of too few flushes, and rare events count as far as they may go.

    References
    ----------
    Berger (1982), Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 295-300; Holm (1979).

    Examples
    --------
    >>> small, large = [[1.0, 1.1, 0.9], [5.0, 5.1, 5.2]], [[2.0, 2.1, 1.9], [3.0, 3.1, 3.2]]
    >>> [point.place for point in pareto_front({"small": small, "large": large})]
    ['on the front', 'on the front']
    """
    tables = {name: _objectives(name, values) for name, values in samples.items()}
    signs = _signs(tables, lower_is_better)
    names = list(tables)
    if len(names) < 2:
        raise InvalidValueError(f"samples must hold at least 2 scenarios, got {len(names)}")
    pairs = [(a, b) for a in names for b in names if a != b]
    columns = [
        paired_differences({name: rows[index] for name, rows in tables.items()}, pairs) for index in range(len(signs))
    ]
    gaps = {
        pair: list(zip(signs, row, strict=True)) for pair, row in zip(pairs, zip(*columns, strict=True), strict=True)
    }
    return _points(names, tables, gaps, confidence)


Gaps = Sequence[tuple[float, PairedDifference]]
"""The differences of one scenario from another, an objective each, with the sign of what is worse."""


def _points(
    names: Sequence[str],
    tables: Mapping[str, Sequence[Sample]],
    gaps: Mapping[tuple[str, str], Gaps],
    confidence: float,
) -> tuple[ParetoPoint, ...]:
    threats = {a: min((_dominated(gaps[a, b]), b) for b in names if b != a) for a in names}
    adjustment = holm([min(1.0, threats[a][0] * (len(names) - 1)) for a in names], confidence=confidence)
    points = []
    for index, name in enumerate(names):
        worse = any(_is_behind(gaps[name, other]) for other in names if other != name)
        place: Place = "dominated" if adjustment.separated[index] else "not separable" if worse else "on the front"
        intervals = tuple(sample.interval(confidence) for sample in tables[name])
        rival = threats[name][1] if worse else None
        points.append(ParetoPoint(name, intervals, place, rival, adjustment.p_values[index]))
    return tuple(points)


def _dominated(gaps: Gaps) -> float:
    """The p-value of a test that the first is worse in every objective that is not identical."""
    tails = [gap.tail(sign) for sign, gap in gaps if not gap.is_identical]
    return max(tails, default=1.0)


def _is_behind(gaps: Gaps) -> bool:
    """Whether the first is better in no objective, and worse in one; those that are identical do not count."""
    worse = [sign * gap.estimate for sign, gap in gaps if not gap.is_identical]
    return all(size >= 0.0 for size in worse) and any(size > 0.0 for size in worse)


def _objectives(name: str, values: Sequence[Sample | ArrayLike]) -> list[Sample]:
    rows = [row if isinstance(row, Sample) else np.asarray(row, np.float64) for row in values]
    shape = (len(rows), *next((row.shape for row in rows if not isinstance(row, Sample)), (1,)))
    if len(rows) < 2 or len(shape) != 2:
        raise InvalidValueError(
            f"{name} must have a row for each of at least 2 objectives and a column per replication, got shape {shape}"
        )
    return [Sample.of(name, row) for row in rows]


def _signs(tables: Mapping[str, Sequence[Sample]], lower_is_better: bool | Sequence[bool]) -> list[float]:
    counts = {name: len(rows) for name, rows in tables.items()}
    if len(set(counts.values())) > 1:
        raise InvalidValueError(f"samples must have the same objectives in every scenario, got {counts}")
    count = max(counts.values(), default=0)
    directions = [lower_is_better] * count if isinstance(lower_is_better, bool) else list(lower_is_better)
    if len(directions) != count:
        raise InvalidValueError(
            f"lower_is_better must be one for all or one for each of {count} objectives, got {len(directions)}"
        )
    return [1.0 if low else -1.0 for low in directions]


@dataclass(frozen=True, slots=True)
class Selection:
    """The scenario with the best mean, and those that are not separable from it.

    Parameters
    ----------
    chosen : str
        The scenario with the best mean; of exactly equal means the first name in alphabetical order.
    tie_set : tuple of str
        It and all scenarios not separable from it, the best mean first. It holds every truly best scenario with
        probability ≥ `confidence`.
    estimate : Interval
        Of the chosen one's mean, on the replications that chose it, and therefore too good on average.
    rivals : tuple of Comparison
        Every other scenario against the chosen one, the best mean first, adjusted.
    regret : float
        Upper bound, at `confidence`, of what the chosen one may cost beyond the best, ≥ 0.
    confidence : float
        Level of the tie set and of the regret, each.
    unit : str
        Of the values, for the sentence.
    left_out : str
        Which scenarios were not looked at, and why; "" if all were.
    """

    chosen: str
    tie_set: tuple[str, ...]
    estimate: Interval
    rivals: tuple[Comparison, ...]
    regret: float
    confidence: float
    unit: str = ""
    left_out: str = ""

    @property
    def winner(self) -> str | None:
        """The single best scenario; None unless every other is separated from it."""
        return self.chosen if len(self.tie_set) == 1 else None

    @property
    def ties(self) -> tuple[Comparison, ...]:
        """The rivals that are not separable from the chosen one."""
        return tuple(rival for rival in self.rivals if rival.first in self.tie_set)

    @property
    def open(self) -> str:
        """Why some are not separable from the chosen one: too few flushes, or events that few runs saw; or ""."""
        gaps = [tie.difference for tie in self.ties]
        few = {gap.unbounded.scenario: gap.unbounded for gap in gaps if gap.unbounded}
        if few:
            return str(worst_of(few))
        rare = next((gap.rare.text(self.confidence) for gap in gaps if gap.rare), "")
        return "; ".join(filter(None, (rare, self.way_out)))

    @property
    def way_out(self) -> str:
        """What would part those that are not separable since few runs saw what a part of the value counts; or ""."""
        return way_out_of_rare(self.ties)

    def sentence(self, unit: str | None = None) -> str:
        """The selection in one sentence: the best, or the one with the best mean and what is not separable from it.

        Parameters
        ----------
        unit : str, optional
            What follows each number; by default the unit of the values.
        """
        shown = f"{self.estimate} {self.unit if unit is None else unit}".rstrip()
        left_out = f"; {self.left_out}" if self.left_out else ""
        if self.winner is not None:
            return f"{self.chosen} is the best, with {shown}{left_out}"
        others = ", ".join(self.tie_set[1:])
        why = f"; {self.open}" if self.open else ""
        return f"{self.chosen} has the best mean, {shown}; not separable from it: {others}{why}{left_out}"

    def __str__(self) -> str:
        return self.sentence()

    def is_settled(self, indifference: Margin) -> bool:
        """Whether there is a single winner, or the chosen one is shown to be within `indifference` of the best."""
        return self.winner is not None or self.regret <= indifference.at(self.estimate.estimate)


def select_best(
    samples: Mapping[str, Sample | ArrayLike], *, confidence: float = 0.95, lower_is_better: bool = True
) -> Selection:
    """The best of several scenarios under common random numbers; the order of listing does not matter.

    Parameters
    ----------
    samples : mapping of str to array_like, shape (n,), or Sample
        One value per replication and scenario, in the same order of replications.
    confidence : float, default 0.95
        Probability that the tie set holds every truly best scenario; where all are equal, that nobody is left out.
    lower_is_better : bool, default True
        Whether a low value is good (a cost) or bad (work saved).

    Notes
    -----
    Scenarios leave the set step by step: those that a paired t test shows to be worse than the one with the best
    mean leave, then the rest is tested again at a level that counts the rest only. With s scenarios left and k at
    the start the two-sided level is α / max(s(s − 1)/2, k − 1): all pairs are counted, because any pair may turn out to
    be "the best and a rival", and never fewer than the k − 1 comparisons that are printed. The comparison of a
    rival has the level at which it left, or the last level, so that its interval agrees with the tie set.

    The regret bound is that of multiple comparisons with the best, within the tie set: Bonferroni's one-sided
    α / (s − 1) over the s scenarios left. Counting only these is not proved to keep α; in simulations with 3 to 20
    scenarios, all or one of them just beyond the indifference, a wrong one was called settled in at most 5 %.

    References
    ----------
    Hansen, Lunde and Nason (2011), The model confidence set, Econometrica 79, 453-497 (the elimination);
    Hsu (1984), Constrained simultaneous confidence intervals for multiple comparisons with the best, Annals of
    Statistics 12, 1136-1144, and Nelson and Matejcik (1995), Using common random numbers for indifference-zone
    selection and multiple comparisons in simulation, Management Science 41, 1935-1945 (the regret).

    Examples
    --------
    >>> nineteen, twenty, forty = [19.0, 19.4, 18.8, 19.1], [19.1, 19.3, 18.9, 19.0], [23.5, 23.7, 23.4, 23.8]
    >>> select_best({"size 19": nineteen, "size 20": twenty, "size 40": forty}).tie_set
    ('size 19', 'size 20')
    """
    level = inner_probability("confidence", confidence)
    if not samples:
        raise InvalidValueError("samples must hold at least one scenario")
    sign = 1.0 if lower_is_better else -1.0
    known = {name: Sample.of(name, sample) for name, sample in samples.items()}
    ranked = sorted(known, key=lambda name: (sign * known[name].mean, name))
    chosen, others = ranked[0], ranked[1:]
    gaps = {gap.first: gap for gap in paired_differences(known, [(name, chosen) for name in others])}
    tied, levels = _eliminate(gaps, 1.0 - level)
    return Selection(
        chosen=chosen,
        tie_set=(chosen, *tied),
        estimate=known[chosen].interval(level),
        rivals=tuple(_rival(gaps[name], name not in tied, levels[name], level, len(others)) for name in others),
        regret=_regret([gaps[name] for name in tied], sign, level),
        confidence=level,
    )


def _eliminate(gaps: Mapping[str, PairedDifference], alpha: float) -> tuple[list[str], dict[str, float]]:
    """The rivals that stay, in order of the means, and the level at which each left or was last tested.

    `gaps` are the rivals' differences from the scenario with the best mean.
    """
    # Worked example: α = 0.05 and four rivals (k = 5 scenarios) with p-values 0.001, 0.006, 0.02 and 0.4.
    #     5 left: α / max(5·4/2, 4) = 0.005    the first leaves
    #     4 left: α / max(4·3/2, 4) = 0.0083   the second leaves
    #     3 left: α / max(3·2/2, 4) = 0.0125   none leaves: the tie set is the best and the last two
    # A single test of all at 0.005 would have kept the second as well.
    left, levels = list(gaps), dict.fromkeys(gaps, alpha)
    p_values = {name: gap.p_value for name, gap in gaps.items()}
    while left:
        level = alpha / max((len(left) + 1) * len(left) // 2, len(gaps))
        levels.update(dict.fromkeys(left, level))
        stay = [name for name in left if p_values[name] > level]
        if len(stay) == len(left):
            break
        left = stay
    return left, levels


def _rival(difference: PairedDifference, separated: bool, level: float, confidence: float, count: int) -> Comparison:
    verdict: Verdict = "worse" if separated else "identical" if difference.is_identical else "not separable"
    method = "paired t, adjusted for the selection"
    return Comparison(
        difference=difference,
        interval=difference.interval(1.0 - level, method=method, family=confidence),
        p_value=min(1.0, difference.p_value * (1.0 - confidence) / level),
        verdict=verdict,
        family=max(round((1.0 - confidence) / level), count),
    )


def _regret(gaps: Sequence[PairedDifference], sign: float, confidence: float) -> float:
    """The largest that chosen − rival may be, one-sided at α / (s − 1) each."""
    return max([0.0, *(_bound(gap, sign, (1.0 - confidence) / len(gaps)) for gap in gaps)])


def _bound(gap: PairedDifference, sign: float, alpha: float) -> float:
    if gap.unbounded:
        return inf
    if gap.rare:
        interval = gap.interval(1.0 - 2.0 * alpha)
        return -min(sign * interval.low, sign * interval.high)
    if gap.is_chance:
        return 2.0 * abs(gap.estimate)
    nearest = min(sign * (gap.estimate - gap.below), sign * (gap.estimate + gap.above))
    return critical_value(1.0 - 2.0 * alpha, gap.n) * sqrt(gap.variance / gap.n) - nearest
