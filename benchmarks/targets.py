"""What bufsim must reach, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.engines import CIMBA, CIMBA_OWN, COMPILED, EXPONENTIALS, PLAIN, SIMPY, SUMMARY
from benchmarks.measuring import Measurement, Results

MILLION = 10**6


@dataclass(frozen=True)
class Target:
    """A figure, and the bound that it must keep; None was not measured."""

    what: str
    value: float | None
    at_most: float | None = None
    at_least: float | None = None
    unit: str = "times"

    @property
    def met(self) -> str:
        """Whether it is met, in words."""
        if self.value is None:
            return "not measured"
        kept = (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )
        return "met" if kept else "not met"

    def row(self) -> list[str]:
        """Return the figure beside its bound."""
        value = "-" if self.value is None else f"{self.value:.3g} {self.unit}"
        bound = f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"
        return [self.what, value, f"{bound} {self.unit}", self.met]


def of_engines(results: Results) -> list[Target]:
    """Return the targets of the compiled engine."""
    return [*_speed(results), *_flatness(results)]


def _speed(results: Results) -> Iterator[Target]:
    for work, least in (("W1", 60.0), ("W4", 150.0)):
        plain, ours = (results.get((engine, work, MILLION)) for engine in (PLAIN, COMPILED))
        yield Target(f"{work}, 10⁶ jobs: {PLAIN} / {COMPILED}", _ratio(plain, ours), at_least=least)
    for work in ("W1", "W4"):
        both = [results.get((engine, work, MILLION)) for engine in (CIMBA, CIMBA_OWN)]
        cimba = min((m for m in both if m is not None), key=lambda m: m.median, default=None)
        ours = results.get((COMPILED, work, MILLION))
        yield Target(f"{work}, 10⁶ jobs: {CIMBA} (the quicker) / {COMPILED}", _ratio(cimba, ours), at_least=8.0)
    for engine, most in ((COMPILED, 4.0), (SUMMARY, 2.0)):
        ours, limit = (results.get((name, "W1", MILLION)) for name in (engine, EXPONENTIALS))
        yield Target(f"W1, 10⁶ jobs: {engine} / {EXPONENTIALS}", _ratio(ours, limit), at_most=most)


def _flatness(results: Results) -> Iterator[Target]:
    for work in ("W1", "W2", "W3", "W4"):
        few, many = (results.get((COMPILED, work, n)) for n in (10**5, 10**7))
        value = None if few is None or many is None else many.per_job / few.per_job
        yield Target(f"{work}: {COMPILED}, cost per job at 10⁷ / at 10⁵", value, at_most=1.1)


def of_simpy_engine(results: Results) -> list[Target]:
    """Return the targets of the SimPy engine."""
    ours = {n: m for (engine, work, n), m in results.items() if (engine, work) == (SIMPY, "W1") and n <= MILLION}
    costs = [m.per_job for m in ours.values()]
    most = ours.get(MILLION)
    return [
        Target(f"W1, 10⁶ jobs: {SIMPY} / {PLAIN}", _ratio(most, results.get((PLAIN, "W1", MILLION))), at_most=2.5),
        Target(f"W1, 10⁶ jobs: {SIMPY}, peak memory", most and most.peak, at_most=1500.0, unit="MB"),
        Target(
            f"W1: {SIMPY}, dearest / cheapest cost per job from 10⁴ to 10⁶",
            max(costs) / min(costs) if len(costs) > 1 else None,
            at_most=1.2,
        ),
    ]


def _ratio(above: Measurement | None, below: Measurement | None) -> float | None:
    return None if above is None or below is None else above.median / below.median
