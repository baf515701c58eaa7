"""The tallies of a study's replications, and its metrics with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.results.tallies import Tally
from bufsim.simulation import Simulation
from bufsim.studies import summaries
from bufsim.studies.estimates import Floats
from bufsim.studies.evaluations import Evaluation
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.options import Coordinates
from bufsim.studies.replicating import Replicating
from bufsim.studies.statistics import Interval


class IncompleteError(InvalidValueError):
    """A study was interrupted before there was enough to answer what is asked."""


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

    @property
    def coordinates(self) -> Coordinates:
        """Of the scenarios of a grid, the value of each field that was varied."""


@dataclass(frozen=True, repr=False, eq=False)
class StudyNumbers:
    """What came out of a study, in numbers.

    Attributes
    ----------
    scenarios : mapping of str to Simulation
        What ran, by name.
    seed : int
        The root seed.
    baseline : str or None
        The scenario that stands for what is done today.
    coordinates : mapping
        Of the scenarios of a grid, the value of each field that was varied.
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
    coordinates: Coordinates
    engines: Mapping[str, str]
    tallies: Mapping[str, Mapping[int, Tally]]
    failures: pd.DataFrame
    complete: bool

    @classmethod
    def of(cls, study: Planned, run: Replicating, replications: Iterable[int]) -> Self:
        """Return what came out of these replications of a study, in order, however they came in."""
        numbers = list(replications)
        tallies = {name: {r: found[r] for r in numbers if r in found} for name, found in run.tallies.items()}
        errors = sorted(run.errors, key=lambda outcome: (outcome.replication, outcome.scenario))
        rows = [(outcome.scenario, outcome.replication, outcome.error) for outcome in errors]
        failures = pd.DataFrame(rows, columns=["scenario", "replication", "error"])
        return cls(
            dict(run.scenarios),
            study.seed,
            study.baseline if study.baseline in run.scenarios else None,
            {name: study.coordinates[name] for name in run.scenarios if name in study.coordinates},
            dict(run.engines),
            tallies,
            failures,
            run.complete,
        )

    def without(self, *scenarios: str) -> Self:
        """Return this result without some scenarios, such as one in which a metric that is asked for has no value.

        Parameters
        ----------
        *scenarios : str
            Their names.

        Raises
        ------
        InvalidValueError
            If there is no such scenario, or none is left.
        """
        for name in scenarios:
            checks.one_of("a scenario to leave out", name, self.scenarios)
        left = [name for name in self.scenarios if name not in scenarios]
        if not left:
            raise InvalidValueError(f"without must leave a scenario, got all {len(self.scenarios)}")
        return replace(
            self,
            scenarios={name: self.scenarios[name] for name in left},
            baseline=self.baseline if self.baseline in left else None,
            coordinates={name: found for name, found in self.coordinates.items() if name in left},
            engines={name: found for name, found in self.engines.items() if name in left},
            tallies={name: found for name, found in self.tallies.items() if name in left},
            failures=self.failures[self.failures["scenario"].isin(left)].reset_index(drop=True),
        )

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
            error = InvalidValueError if self.complete else IncompleteError
            raise error("the study has no scenario with 2 finished replications; " + self._why_not())
        sets = [set(self.tallies[name]) for name in self.finished]
        return sorted(set.intersection(*sets))

    def _why_not(self) -> str:
        if len(self.failures):
            first = self.failures.iloc[0]
            return f"scenario {first['scenario']!r} failed: {first['error']}"
        return "it was interrupted too soon: run it again (with the same store, if it had one)"

    def _own(self, scenario: str) -> list[int]:
        """Return the replications that a scenario is estimated from: of a part that cannot be paired, all it has."""
        common = self._common()
        return common if len(common) >= 2 else sorted(self.tallies[scenario])

    def _check_paired(self, *scenarios: str | None) -> None:
        """Raise if an interrupt left too little to pair, or not these scenarios."""
        if self.complete:
            return
        common = self._common()
        missing = [name for name in scenarios if name is not None and name in self.scenarios]
        missing = [name for name in missing if name not in self.finished]
        if len(common) >= 2 and len(self.finished) >= 2 and not missing:
            return
        raise IncompleteError(
            "the study is INCOMPLETE: it was interrupted with too little to compare (finished replications: "
            f"{summaries.counts(self.tallies)}; in common: {len(common)}); "
            "run it again (with the same store, if it had one)"
        )

    # numbers

    def measured(self, metric: str | Expression, scenario: str, *, of: str | None = None) -> Evaluation:
        """Return a metric or an expression of one scenario over the replications, for values and intervals."""
        checks.one_of("scenario", scenario, self.finished)
        tallies = self.tallies[scenario]
        return Evaluation(expression(metric, of), [tallies[number] for number in self._own(scenario)], scenario)

    def values(self, metric: str | Expression, *, of: str | None = None) -> pd.DataFrame:
        """Return a metric or an expression in every replication: a row a replication, a column a scenario.

        Each is the metric of that run by itself. Means of them are biased for ratios and quantiles: ask `intervals`.
        """
        if len(self.finished) > 1:
            self._check_paired()
        columns = {name: self.measured(metric, name, of=of).raw() for name in self.finished}
        return pd.DataFrame(columns, index=pd.Index(self._common(), name="replication"))

    def samples(self, metric: str | Expression, *, of: str | None = None) -> dict[str, Floats]:
        """Return one value per replication and scenario whose means can be compared in pairs."""
        if len(self.finished) > 1:
            self._check_paired()
        return {name: self.measured(metric, name, of=of).values() for name in self.finished}

    def interval(
        self, metric: str | Expression, scenario: str, *, of: str | None = None, confidence: float = 0.95
    ) -> Interval:
        """Return a metric or an expression of one scenario with its confidence interval over replications.

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

    def quantile_over_runs(
        self, metric: str | Expression, scenario: str, q: float, *, of: str | None = None, confidence: float = 0.95
    ) -> Interval:
        """Return a quantile over runs: what a metric of one run stays at or below with probability `q`.

        Such as the peak that 95 % of runs do not exceed, where `interval` has the mean of the peaks. Where so many runs
        cannot bound it, that end is open, and the interval's note says how many could.

        Examples
        --------
        >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer
        >>> from bufsim.studies.study import Study
        >>> buffers = [JobBuffer("search", policy=FlushEvery("5s"))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="10min")
        >>> result = Study({"today": today}, seed=1).run(replications=30, progress=False)
        >>> result.quantile_over_runs("peak_buffer_size", "today", 0.99).note
        'no upper bound at 95 % from 30 observations (368 needed)'
        """
        return self.measured(metric, scenario, of=of).over_runs(q, confidence)

    def intervals(self, *metrics: str | Expression, of: str | None = None, confidence: float = 0.95) -> pd.DataFrame:
        """Return metrics or expressions of all scenarios with their intervals.

        Parameters
        ----------
        *metrics : str or Expression
            What; by default the usual metrics.
        of : str, optional
            Of which buffer or queue; None: all together.
        confidence : float
            Of each interval by itself.

        Returns
        -------
        DataFrame
            scenario, metric, estimate, low, high, unit, confidence, n, method. Where a metric is undefined, such as the
            wait where nothing is flushed, the numbers are missing, and the method says why. After an interrupt that
            left no replications in common, each scenario's are all that it has: intervals need no pairs.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> result = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7).run(5, progress=False)
        >>> result.intervals("mean_wait", "flush_rate")["metric"].unique().tolist()
        ['mean_wait_s', 'flush_rate_per_s']
        """
        rows = [
            summaries.row(name, self.measured(asked, name), confidence)
            for asked in self._asked(metrics, of)
            for name in self.finished
        ]
        return pd.DataFrame(rows, columns=summaries.COLUMNS)

    def metrics(self, *metrics: str | Expression, of: str | None = None) -> pd.DataFrame:
        """Return metrics of every replication, tidy: scenario, replication, metric, value, unit."""
        frames = []
        for asked in self._asked(metrics, of):
            wide = self.values(asked).reset_index()
            table = wide.melt("replication", var_name="scenario", value_name="value")
            frames.append(table.assign(metric=asked.name, unit=asked.unit))
        columns = ["scenario", "replication", "metric", "value", "unit"]
        return pd.concat(frames, ignore_index=True)[columns]

    def _asked(self, metrics: Sequence[str | Expression], of: str | None = None) -> list[Expression]:
        return [expression(metric, of) for metric in metrics or summaries.USUAL]

    def _kept(self) -> dict[str, list[Tally]]:
        return {name: [self.tallies[name][number] for number in self._own(name)] for name in self.finished}
