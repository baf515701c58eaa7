"""The numbers of a study: metrics of its scenarios over the replications that they have in common."""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.results.losses import SURVIVORS, can_lose, loss_text
from bufsim.results.shown import shown_of_study
from bufsim.results.tallies import Tally
from bufsim.simulation import Simulation
from bufsim.statistics import Interval
from bufsim.studies.estimates import Evaluation, Floats, UndefinedError, is_deterministic
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.running import ReplicationRunner
from bufsim.studies.scenarios import Coordinates

COLUMNS = ["scenario", "metric", "estimate", "low", "high", "unit", "confidence", "n", "method"]
_MOST_COUNTED = 6
_AGAIN = "run it again (with the same store, if it had one)"


class IncompleteError(InvalidValueError):
    """A question that a study cannot answer, because it was interrupted too soon."""


@dataclass(frozen=True, repr=False, eq=False)
class StudyNumbers:
    """The numbers of a study: its scenarios, and what is kept of each finished replication.

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
    confidence : float
        What is taken where none is asked for: 0.95, or that of the look at which a sequential study stopped.
    """

    scenarios: Mapping[str, Simulation]
    seed: int
    baseline: str | None
    coordinates: Coordinates
    engines: Mapping[str, str]
    tallies: Mapping[str, Mapping[int, Tally]]
    failures: pd.DataFrame
    complete: bool
    confidence: float = 0.95

    @classmethod
    def of(
        cls, run: ReplicationRunner, replications: Iterable[int], *, baseline: str | None, coordinates: Coordinates
    ) -> Self:
        """The numbers of these replications of a run, in order, however they came in.

        Parameters
        ----------
        run : ReplicationRunner
            What ran.
        replications : iterable of int
            Their numbers.
        baseline, coordinates
            Those of the study; the run may hold a part of its scenarios, or others.
        """
        numbers = list(replications)
        errors = sorted(run.errors, key=lambda outcome: (outcome.replication, outcome.scenario))
        rows = [(outcome.scenario, outcome.replication, outcome.error) for outcome in errors]
        return cls(
            scenarios=dict(run.scenarios),
            seed=run.seed,
            baseline=baseline if baseline in run.scenarios else None,
            coordinates={name: coordinates[name] for name in run.scenarios if name in coordinates},
            engines=dict(run.engines),
            tallies={name: {r: kept[r] for r in numbers if r in kept} for name, kept in run.tallies.items()},
            failures=pd.DataFrame(rows, columns=["scenario", "replication", "error"]),
            complete=run.complete,
        )

    def without(self, *scenarios: str) -> Self:
        """The result without some scenarios, such as one in which a metric has no value.

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
            coordinates={name: self.coordinates[name] for name in left if name in self.coordinates},
            engines={name: self.engines[name] for name in left},
            tallies={name: self.tallies[name] for name in left},
            failures=self.failures[self.failures["scenario"].isin(left)].reset_index(drop=True),
        )

    @functools.cached_property
    def finished(self) -> tuple[str, ...]:
        """The scenarios with at least 2 finished replications and no failed one, in the study's order."""
        failed = set(self.failures["scenario"])
        return tuple(name for name, kept in self.tallies.items() if len(kept) >= 2 and name not in failed)

    @property
    def replications(self) -> int:
        """The number of replications that every finished scenario has."""
        return len(self._common)

    def replication_counts(self) -> str:
        """The finished replications of each scenario, as "A 3, B 0"; of many, from how many to how many."""
        numbers = self._numbers()
        if len(numbers) > _MOST_COUNTED:
            return f"from {min(numbers.values())} to {max(numbers.values())} of {len(numbers)} scenarios"
        return ", ".join(f"{name} {number}" for name, number in numbers.items())

    @functools.cached_property
    def _common(self) -> list[int]:
        """The replications that every finished scenario has: only these can be paired."""
        if not self.finished:
            error = InvalidValueError if self.complete else IncompleteError
            raise error("the study has no scenario with 2 finished replications; " + self._why_not())
        sets = [set(self.tallies[name]) for name in self.finished]
        return sorted(set.intersection(*sets))

    def _why_not(self) -> str:
        if len(self.failures):
            first = self.failures.iloc[0]
            return f"scenario {first['scenario']!r} failed: {first['error']}"
        return f"it was interrupted too soon: {_AGAIN}"

    def _own(self, scenario: str) -> list[int]:
        """The replications that a scenario is estimated from: of a part that cannot be paired, all it has."""
        common = self._common
        return common if len(common) >= 2 else sorted(self.tallies[scenario])

    def _check_paired(self, *scenarios: str | None) -> None:
        """Raise if an interrupt left too little to pair, or not these scenarios."""
        if self.complete:
            return
        common = self._common
        missing = [name for name in scenarios if name is not None and name in self.scenarios]
        missing = [name for name in missing if name not in self.finished]
        if len(common) >= 2 and len(self.finished) >= 2 and not missing:
            return
        raise IncompleteError(
            "the study is INCOMPLETE: it was interrupted with too little to compare (finished replications: "
            f"{self.replication_counts()}; in common: {len(common)}); {_AGAIN}"
        )

    # numbers

    def _level(self, confidence: float | None) -> float:
        """Return the confidence asked for, or what is taken where none is."""
        return self.confidence if confidence is None else confidence

    def measured(self, metric: str | Expression, scenario: str, *, of: str | None = None) -> Evaluation:
        """A metric or an expression of one scenario over the replications, for values and intervals."""
        checks.one_of("scenario", scenario, self.finished)
        tallies = self.tallies[scenario]
        own = [tallies[number] for number in self._own(scenario)]
        return Evaluation(expression(metric, of), own, scenario, self.scenarios[scenario])

    def is_deterministic(self, scenario: str) -> bool:
        """Return whether nothing is drawn at random in a scenario, so that its numbers are exact."""
        return is_deterministic(list(self.tallies[scenario].values()), self.scenarios[scenario])

    def values(self, metric: str | Expression, *, of: str | None = None) -> pd.DataFrame:
        """A metric or an expression in every replication: a row a replication, a column a scenario.

        Each is the metric of that run by itself. Means of them are biased for ratios and quantiles: ask `intervals`.
        """
        if len(self.finished) > 1:
            self._check_paired()
        columns = {name: self.measured(metric, name, of=of).raw() for name in self.finished}
        return pd.DataFrame(columns, index=pd.Index(self._common, name="replication"))

    def samples(self, metric: str | Expression, *, of: str | None = None) -> dict[str, Floats]:
        """One value per replication and scenario whose means can be compared in pairs."""
        if len(self.finished) > 1:
            self._check_paired()
        return {name: self.measured(metric, name, of=of).values() for name in self.finished}

    def interval(
        self, metric: str | Expression, scenario: str, *, of: str | None = None, confidence: float | None = None
    ) -> Interval:
        """A metric or an expression of one scenario with its confidence interval over replications.

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
        return self.measured(metric, scenario, of=of).interval(self._level(confidence))

    def quantile_over_runs(
        self,
        metric: str | Expression,
        scenario: str,
        q: float,
        *,
        of: str | None = None,
        confidence: float | None = None,
    ) -> Interval:
        """A quantile over runs: what a metric of one run stays at or below with probability `q`.

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
        return self.measured(metric, scenario, of=of).over_runs(q, self._level(confidence))

    def intervals(
        self, *metrics: str | Expression, of: str | None = None, confidence: float | None = None
    ) -> pd.DataFrame:
        """The metrics or expressions of all scenarios with their intervals.

        Parameters
        ----------
        *metrics : str or Expression
            What; by default the usual metrics.
        of : str, optional
            Of which buffer or queue; None: all together.
        confidence : float, optional
            Of each interval by itself; by default that of the result.

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
        requested = self._expressions(metrics, of)
        level = self._level(confidence)
        rows = [_row(self.measured(metric, name), level) for metric in requested for name in self.finished]
        return pd.DataFrame(rows, columns=COLUMNS)

    def metrics(self, *metrics: str | Expression, of: str | None = None) -> pd.DataFrame:
        """The metrics of every replication, tidy: scenario, replication, metric, value, unit."""
        frames = []
        for metric in self._expressions(metrics, of):
            table = self.values(metric).reset_index().melt("replication", var_name="scenario", value_name="value")
            frames.append(table.assign(metric=metric.name, unit=metric.unit))
        columns = ["scenario", "replication", "metric", "value", "unit"]
        return pd.concat(frames, ignore_index=True)[columns]

    def _expressions(self, metrics: Sequence[str | Expression], of: str | None = None) -> list[Expression]:
        """The metrics as expressions; the usual ones without any."""
        return [expression(metric, of) for metric in metrics or self.shown]

    @property
    def shown(self) -> tuple[str, ...]:
        """The usual metrics; the loss is one where any scenario can lose jobs."""
        return shown_of_study(loses=any(map(can_lose, self.scenarios.values())))

    def _paired_tallies(self) -> dict[str, list[Tally]]:
        """The tallies that each finished scenario is estimated from."""
        return {name: [self.tallies[name][number] for number in self._own(name)] for name in self.finished}

    # how it looks

    def __repr__(self) -> str:
        return "\n".join([self._header(), *([self._overview().to_string()] if self.finished else []), *self._losses()])

    def _repr_html_(self) -> str:
        header, *losses = [f"<p>{html.escape(text)}</p>" for text in (self._header(), *self._losses())]
        return "".join([header, *([self._overview().to_html()] if self.finished else []), *losses])

    def _losses(self) -> list[str]:
        """A line for each scenario that lost jobs; of many, one for all of them."""
        texts = {name: loss_text(kept) for name, kept in (self._paired_tallies() if self.finished else {}).items()}
        lost = [f"lost: {name}: {text}" for name, text in texts.items() if text]
        if len(lost) > _MOST_COUNTED:
            lost = [f"lost: {len(lost)} of {_counted(len(texts))} lose jobs, see lost_share and .warnings()"]
        return [*lost[:-1], f"{lost[-1]}; {SURVIVORS}"] if lost else []

    def _header(self) -> str:
        """The line of what ran."""
        parts = [f"Study  seed {self.seed}", _counted(len(self.scenarios))]
        if self.finished and (self.complete or self.replications >= 2):
            parts.append(f"{self.replications} replications each, common random numbers")
        if not self.complete:
            even = len(self.finished) == len(self.tallies) and {self.replications} == set(self._numbers().values())
            so_far = "" if even else f" (replications: {self.replication_counts()})"
            parts.append(f"INCOMPLETE: interrupted, this is what was finished{so_far}")
        if len(self.failures):
            parts.append(f"{_counted(self.failures['scenario'].nunique())} failed, see .failures")
        return " · ".join(parts)

    def _numbers(self) -> dict[str, int]:
        """The number of finished replications of each scenario."""
        return {name: len(kept) for name, kept in self.tallies.items()}

    def _overview(self) -> pd.DataFrame:
        """The usual metrics, a row a scenario, as "estimate [low, high]"."""
        return pd.DataFrame(
            {name: {metric: self._cell(metric, name) for metric in self.shown} for name in self.finished}
        ).T

    def _cell(self, metric: str, scenario: str) -> str:
        try:
            return str(self.interval(metric, scenario))
        except UndefinedError:
            return "undefined"  # such as the wait where nothing is flushed


def _row(evaluation: Evaluation, confidence: float) -> tuple[Any, ...]:
    """A row of the table of intervals."""
    what = (evaluation.scenario, evaluation.expression.name)
    unit = evaluation.expression.unit
    try:
        interval = evaluation.interval(confidence)
    except UndefinedError as error:
        return (*what, math.nan, math.nan, math.nan, unit, confidence, len(evaluation.tallies), error.reason)
    ends = (interval.estimate, interval.low, interval.high)
    return (*what, *ends, unit, interval.confidence, interval.n, interval.method)


def _counted(scenarios: int) -> str:
    return "1 scenario" if scenarios == 1 else f"{scenarios:,} scenarios"
