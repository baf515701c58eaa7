"""What each problem asks for, and whether the scores reach it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.decisions.problems import problems
from benchmarks.decisions.repetitions import METRICS, Seen
from benchmarks.decisions.scarce import SCARCE

BAND = (0.895, 0.990)
TYPE_I = 0.105
FULL = 200
"""So many repetitions are what the bounds were made for."""
_CHANCE = 1e-3
_SLACK = 1.25


@dataclass(frozen=True)
class Criterion:
    """A score's bounds: of a share of the repetitions, or of a mean over them.

    Parameters
    ----------
    quantity : str
        What was seen in each repetition.
    low, high : float
        The score must lie between them.
    is_mean : bool
        Whether it is a mean of numbers, and not a share.
    """

    quantity: str
    low: float = 0.0
    high: float = float("inf")
    is_mean: bool = False

    def met(self, score: float, repetitions: int) -> bool:
        """Whether a score meets it; after few repetitions, whether it is not shown to miss it."""
        if repetitions >= FULL:
            return self.low <= score <= self.high
        if self.is_mean:
            return score <= self.high * _SLACK
        from scipy.stats import binom

        hits = round(score * repetitions)
        not_few = binom.cdf(hits, repetitions, self.low) > _CHANCE if self.low > 0.0 else True
        not_many = binom.sf(hits - 1, repetitions, self.high) > _CHANCE if self.high < 1.0 else True
        return bool(not_few and not_many)

    @property
    def asks(self) -> bool:
        """Whether it asks for anything; the score of another way of computing is for comparison alone."""
        return self.is_mean or self.low > 0.0 or self.high < 1.0

    def bound(self) -> str:
        """Return the bounds in words."""
        if not self.asks:
            return "for comparison"
        if self.low > 0.0 and self.high < float("inf"):
            return f"{self.low:.3f} to {self.high:.3f}"
        return f"≥ {self.low:.3f}" if self.low > 0.0 else f"≤ {self.high:.3f}"


@dataclass(frozen=True)
class Score:
    """A criterion with what was reached.

    Parameters
    ----------
    problem : int
        Which.
    criterion : Criterion
        What it asks.
    value : float
        What was reached.
    repetitions : int
        In how many repetitions.
    """

    problem: int
    criterion: Criterion
    value: float
    repetitions: int

    @property
    def passes(self) -> bool:
        """Whether the criterion is met."""
        return self.criterion.met(self.value, self.repetitions)

    def row(self) -> list[str]:
        """Return it as cells."""
        verdict = "" if not self.criterion.asks else "pass" if self.passes else "FAIL"
        return [str(self.problem), self.criterion.quantity, f"{self.value:.3f}", self.criterion.bound(), verdict]


def scores(number: int, seen: Sequence[Seen]) -> list[Score]:
    """Return how a problem's repetitions score."""
    found = []
    for criterion in criteria(number):
        values = [_value(criterion.quantity, one) for one in seen]
        found.append(Score(number, criterion, sum(values) / len(values), len(values)))
    return found


def _value(quantity: str, seen: Seen) -> float:
    # of problem 4's short run either will do: a warning, or an interval that covers
    return max(seen[name] for name in quantity.split(" or "))


def criteria(number: int) -> list[Criterion]:
    """Return what a problem asks for."""
    if number in SCARCE:
        return [Criterion(quantity, *bounds) for quantity, bounds in SCARCE[number].bounds.items()]
    return list({5: _of_5, 6: _of_6, 7: _of_optimum, 8: _of_optimum}.get(number, _of_coverage)(number))


def _of_coverage(number: int) -> Iterator[Criterion]:
    for name in METRICS[number]:
        if number == 4:
            yield Criterion(f"covers {name}", low=0.88)
        elif number == 9 and not name.endswith("mean"):
            yield Criterion(f"covers {name}", low=0.91)
        else:
            yield Criterion(f"covers {name}", *BAND)
    if number == 3:
        yield Criterion("covers A-B.work_rate", *BAND)
        yield Criterion("A-B.work_rate has the right sign", low=0.99)
    if number == 4:
        yield Criterion("warns of the short run", low=0.80)
    if number == 10:
        yield Criterion("nothing is cut by default", low=1.0)


def _of_5(number: int) -> Iterator[Criterion]:
    pairs = [f"{first}-{second}" for first, second in combinations(problems()[number]["policies"], 2)]
    yield from (Criterion(f"rejects {pair}", high=TYPE_I) for pair in pairs)
    yield Criterion("rejects any pair, adjusted", high=TYPE_I)
    yield from (Criterion(f"equivalent {pair}", low=0.95) for pair in pairs)


def _of_6(number: int) -> Iterator[Criterion]:
    reference = problems()[number]["reference"]["mean_wait"]
    yield Criterion("shows mean_wait, n = 10", low=reference["power_10_crn"] - 0.08)
    for name in ("mean_wait", "mean_batch"):
        yield Criterion(f"covers B-A.{name}", *BAND)
        for n in (10, 30):
            yield Criterion(f"wrong sign of {name}, n = {n}", high=0.01)
    yield Criterion("equivalent at a margin as large as the difference", high=TYPE_I)
    most = 2.0 * reference["replications_for_80pct_power_crn"] + 5.0
    yield Criterion("replications until the difference is shown", high=most, is_mean=True)


def _of_optimum(number: int) -> Iterator[Criterion]:
    reference = problems()[number]["reference"]
    yield Criterion("chooses within 1 %", low=reference["p_within_1pct_crn_30"] - 0.08)
    yield Criterion("tie set holds every best", low=0.93)
    yield Criterion("size of the tie set", high=1.5 * reference["mean_subset_size"], is_mean=True)
    yield Criterion("wrong single winner", high=0.02)
    yield Criterion("sequential: right", low=0.93)
    most = 3.0 * reference["replications_for_95pct_against_next_crn"] + 10.0
    yield Criterion("sequential: replications", high=most, is_mean=True)
