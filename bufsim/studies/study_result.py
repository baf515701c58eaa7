"""What came out of a study: the tallies of its replications, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.results import metrics
from bufsim.results.tallies import Tally
from bufsim.simulation import Simulation
from bufsim.studies import summaries
from bufsim.studies.estimates import Floats, Measured
from bufsim.studies.replication import Outcome
from bufsim.studies.statistics import Interval


class Planned(Protocol):
    """What a study result takes from its study."""

    @property
    def scenarios(self) -> Mapping[str, Simulation]:
        """The simulations by name."""

    @property
    def seed(self) -> int:
        """The root seed."""

    @property
    def baseline(self) -> str | None:
        """The scenario that stands for what is done today."""


@dataclass(frozen=True, repr=False, eq=False)
class StudyResult:
    """What came out of a study.

    Attributes
    ----------
    scenarios : mapping of str to Simulation
        What ran, by name.
    seed : int
        The root seed.
    baseline : str or None
        The scenario that stands for what is done today.
    engines : mapping of str to str
        What ran each scenario.
    tallies : mapping of str to mapping of int to Tally
        What is kept of each finished replication.
    failures : DataFrame
        scenario, replication, error: what did not finish, and why.
    complete : bool
        False after an interrupt: then this is a part of the study.
    """

    scenarios: Mapping[str, Simulation]
    seed: int
    baseline: str | None
    engines: Mapping[str, str]
    tallies: Mapping[str, Mapping[int, Tally]]
    failures: pd.DataFrame
    complete: bool

    @classmethod
    def of(
        cls,
        study: Planned,
        replications: range,
        engines: Mapping[str, str],
        tallies: Mapping[str, Mapping[int, Tally]],
        errors: Sequence[Outcome],
        complete: bool,
    ) -> StudyResult:
        """Return the result of a study, its replications in order, however they came in."""
        ordered = {name: {r: found[r] for r in replications if r in found} for name, found in tallies.items()}
        rows = [(outcome.scenario, outcome.replication, outcome.error) for outcome in errors]
        failures = pd.DataFrame(rows, columns=["scenario", "replication", "error"])
        return cls(study.scenarios, study.seed, study.baseline, dict(engines), ordered, failures, complete)

    @property
    def finished(self) -> tuple[str, ...]:
        """The scenarios with at least 2 finished replications and no failed one, in the study's order."""
        failed = set(self.failures["scenario"])
        return tuple(name for name, found in self.tallies.items() if len(found) >= 2 and name not in failed)

    @property
    def replications(self) -> int:
        """The number of replications that every finished scenario has."""
        return len(self._common())

    def _common(self) -> list[int]:
        """Return the replications that every finished scenario has: only these can be paired."""
        if not self.finished:
            raise InvalidValueError("the study has no scenario with 2 finished replications; " + self._why_not())
        sets = [set(self.tallies[name]) for name in self.finished]
        return sorted(set.intersection(*sets))

    def _why_not(self) -> str:
        if len(self.failures):
            first = self.failures.iloc[0]
            return f"scenario {first['scenario']!r} failed: {first['error']}"
        return "it was interrupted too soon: run it again (with the same store, if it had one)"

    # numbers

    def measured(self, metric: str, scenario: str, *, of: str | None = None) -> Measured:
        """Return a metric of one scenario over the replications, for values and intervals."""
        checks.one_of("scenario", scenario, self.finished)
        tallies = self.tallies[scenario]
        return Measured(metrics.find(metric), of, [tallies[number] for number in self._common()])

    def values(self, metric: str, *, of: str | None = None) -> pd.DataFrame:
        """Return a metric of every replication: a row a replication, a column a scenario.

        Each is the metric of that run by itself. Means of them are biased for ratios and quantiles: ask `intervals`.
        """
        columns = {name: self.measured(metric, name, of=of).raw() for name in self.finished}
        return pd.DataFrame(columns, index=pd.Index(self._common(), name="replication"))

    def samples(self, metric: str, *, of: str | None = None) -> dict[str, Floats]:
        """Return one value per replication and scenario whose means can be compared in pairs."""
        return {name: self.measured(metric, name, of=of).values() for name in self.finished}

    def interval(self, metric: str, scenario: str, *, of: str | None = None, confidence: float = 0.95) -> Interval:
        """Return a metric of one scenario with its confidence interval over replications.

        Examples
        --------
        >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer
        >>> from bufsim.studies.study import Study
        >>> buffers = [JobBuffer("search", policy=FlushEvery("5s"))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="10min")
        >>> result = Study({"today": today}, seed=1).run(replications=10, progress=False)
        >>> 2.5 in result.interval("mean_wait", "today", confidence=0.99)
        True
        """
        return self.measured(metric, scenario, of=of).interval(confidence)

    def intervals(self, *names: str, of: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
        """Return metrics of all scenarios with their intervals.

        Returns
        -------
        DataFrame
            scenario, metric, estimate, low, high, unit, confidence, n, method.
        """
        asked = names or summaries.USUAL
        rows = [
            summaries.row(name, metrics.find(metric), self.interval(metric, name, of=of, confidence=confidence))
            for metric in asked
            for name in self.finished
        ]
        return pd.DataFrame(rows, columns=summaries.COLUMNS)

    def metrics(self, *names: str, of: str | None = None) -> pd.DataFrame:
        """Return metrics of every replication, tidy: scenario, replication, metric, value, unit."""
        frames = []
        for asked in names or summaries.USUAL:
            metric = metrics.find(asked)
            table = self.values(asked, of=of).stack().rename("value").reset_index(names=["replication", "scenario"])
            frames.append(table.assign(metric=metric.name, unit=metric.unit))
        columns = ["scenario", "replication", "metric", "value", "unit"]
        return pd.concat(frames, ignore_index=True)[columns]

    def __repr__(self) -> str:
        return summaries.text(self)

    def _repr_html_(self) -> str:
        return summaries.page(self)
