"""How a study result shows itself: a line of what ran, and a table of the usual metrics with their intervals."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.results.metrics import SHOWN_OF_STUDY
from bufsim.results.tallies import Tally
from bufsim.simulation import Engine, Simulation
from bufsim.statistics import Interval, Selection, select_best
from bufsim.studies.comparisons import Comparisons, Front, Pairs, compare, front
from bufsim.studies.estimates import Evaluation, Floats, UndefinedError
from bufsim.studies.expressions import Expression, Limit, all_limits, expression, one_objective
from bufsim.studies.limit_checks import LimitChecks, check_limits
from bufsim.studies.progress import Progress
from bufsim.studies.recommendation import Question, Recommendation, further, recommend
from bufsim.studies.running import ReplicationRunner
from bufsim.studies.scenarios import Coordinates
from bufsim.studies.warnings import WarmUps, study_warnings, warm_ups

if TYPE_CHECKING:
    from bufsim.plots import StudyPlots


_MOST_COUNTED = 6
COLUMNS = ["scenario", "metric", "estimate", "low", "high", "unit", "confidence", "n", "method"]


class Shown(Protocol):
    """What is shown of a study result."""

    @property
    def seed(self) -> int:
        """The root seed."""

    @property
    def complete(self) -> bool:
        """Whether all has run."""

    @property
    def failures(self) -> pd.DataFrame:
        """What did not finish."""

    @property
    def scenarios(self) -> Sized:
        """What ran."""

    @property
    def tallies(self) -> Mapping[str, Sized]:
        """What is kept of each scenario's finished replications."""

    @property
    def finished(self) -> tuple[str, ...]:
        """The scenarios that finished."""

    @property
    def replications(self) -> int:
        """How many replications each has."""

    def interval(self, metric: str, scenario: str) -> Interval:
        """Return a metric with its interval."""


def row(scenario: str, evaluation: Evaluation, confidence: float) -> tuple[Any, ...]:
    """Return a row of the table of intervals."""
    metric = evaluation.expression
    try:
        interval = evaluation.interval(confidence)
    except UndefinedError as error:
        missing = (math.nan, math.nan, math.nan, metric.unit, confidence, len(evaluation.tallies))
        return (scenario, metric.name, *missing, error.reason)
    numbers = (interval.estimate, interval.low, interval.high, metric.unit, interval.confidence, interval.n)
    return (scenario, metric.name, *numbers, interval.method)


def header(result: Shown) -> str:
    """Return the line of what ran."""
    parts = [f"Study  seed {result.seed}", _counted(len(result.scenarios))]
    if result.finished and (result.complete or result.replications >= 2):
        parts.append(f"{result.replications} replications each, common random numbers")
    if not result.complete:
        parts.append(f"INCOMPLETE: interrupted, this is what was finished{_so_far(result)}")
    if len(result.failures):
        parts.append(f"{_counted(result.failures['scenario'].nunique())} failed, see .failures")
    return " · ".join(parts)


def _so_far(result: Shown) -> str:
    """Return how many replications each scenario has, where they are not the same of all."""
    even = len(result.finished) == len(result.tallies) and all(
        len(found) == result.replications for found in result.tallies.values()
    )
    return "" if even else f" (replications: {counts(result.tallies)})"


def counts(tallies: Mapping[str, Sized]) -> str:
    """Return how many replications each scenario has, or of many from how many to how many.

    Examples
    --------
    >>> counts({"A": [1, 2, 3], "B": []})
    'A 3, B 0'
    """
    found = {name: len(kept) for name, kept in tallies.items()}
    if len(found) > _MOST_COUNTED:
        return f"from {min(found.values())} to {max(found.values())} of {len(found)} scenarios"
    return ", ".join(f"{name} {count}" for name, count in found.items())


def _counted(scenarios: int) -> str:
    return "1 scenario" if scenarios == 1 else f"{scenarios:,} scenarios"


def table(result: Shown) -> pd.DataFrame:
    """Return the usual metrics, a row a scenario, as "estimate [low, high]"."""
    return pd.DataFrame(
        {name: {metric: _cell(result, metric, name) for metric in SHOWN_OF_STUDY} for name in result.finished}
    ).T


def _cell(result: Shown, metric: str, scenario: str) -> str:
    try:
        return str(result.interval(metric, scenario))
    except UndefinedError:
        return "undefined"  # such as the wait where nothing is flushed


def text(result: Shown) -> str:
    """Return the result as text."""
    shown = header(result)
    return f"{shown}\n{table(result).to_string()}" if result.finished else shown


def page(result: Shown) -> str:
    """Return the result as HTML."""
    shown = f"<p>{html.escape(header(result))}</p>"
    return shown + table(result).to_html() if result.finished else shown


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
    def of(cls, study: Planned, run: ReplicationRunner, replications: Iterable[int]) -> Self:
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
            f"{counts(self.tallies)}; in common: {len(common)}); "
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
            row(name, self.measured(asked, name), confidence)
            for asked in self._asked(metrics, of)
            for name in self.finished
        ]
        return pd.DataFrame(rows, columns=COLUMNS)

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
        return [expression(metric, of) for metric in metrics or SHOWN_OF_STUDY]

    def _kept(self) -> dict[str, list[Tally]]:
        return {name: [self.tallies[name][number] for number in self._own(name)] for name in self.finished}


@dataclass(frozen=True, repr=False, eq=False)
class StudyResult(StudyNumbers):
    """What came out of a study: its numbers, and what can be decided by them.

    `Study.run` makes it; its attributes and numbers are those of `bufsim.studies.study_result.StudyNumbers`.

    Examples
    --------
    >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
    >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
    >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
    >>> result = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7).run(5, progress=False)
    >>> print(result.best(minimise="mean_wait"))
    FlushAtSize(20) is the best, with 0.96 [0.92, 1.00] s
    """

    # decisions

    def compare(
        self,
        *metrics: str | Expression,
        of: str | None = None,
        baseline: str | None = None,
        pairs: Pairs | Literal["all"] | None = None,
        margin: object = None,
        confidence: float = 0.95,
        where_defined: bool = False,
    ) -> Comparisons:
        """Compare scenarios by paired differences under common random numbers, adjusted for all that are asked for.

        Parameters
        ----------
        *metrics : str or Expression
            What is compared; by default the usual metrics.
        of : str, optional
            Of which buffer or queue.
        baseline : str, optional
            Compare every other scenario with this one; by default with the study's baseline, if it has one.
        pairs : sequence of (str, str), or "all", optional
            Compare these pairs instead.
        margin : number, str, Margin or mapping, optional
            What does not matter, and makes two scenarios equivalent: ``"5 %"``, an amount in the metric's unit such as
            ``"50ms"``, or either by metric.
        confidence : float
            Of all comparisons together (scenarios × metrics, Holm's method).
        where_defined : bool
            Leave out a comparison with a scenario in which the metric has no value (as the wait where nothing is
            flushed), which is an error otherwise.

        Returns
        -------
        Comparisons
            For each difference its verdict, its adjusted interval, what pairing gained and the replications needed.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> result = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7).run(5, progress=False)
        >>> [(row.first, row.second, row.verdict) for row in result.compare("mean_wait").rows]
        [('FlushAtSize(20)', 'FlushAfterAge(5.0)', 'better')]
        """
        asked = [name for pair in pairs for name in pair] if isinstance(pairs, list | tuple) else []
        today = baseline if baseline is not None or pairs is not None else self.baseline
        self._check_paired(today, *asked)
        return compare(
            self._asked(metrics, of),
            self.finished,
            lambda asked, name: self.measured(asked, name).values(),
            baseline=today,
            pairs=pairs,
            margin=margin,
            confidence=confidence,
            where_defined=where_defined,
        )

    def best(
        self,
        *,
        minimise: str | Expression | None = None,
        maximise: str | Expression | None = None,
        confidence: float = 0.95,
    ) -> Selection:
        """Return the scenario with the lowest (or highest) value, with all that are not separable from it.

        The set of these holds every truly best scenario with probability `confidence`; a single winner is named only
        where every other is separated from it. Does not depend on the order of the scenarios.

        Parameters
        ----------
        minimise, maximise : str or Expression
            One of them: what is to be low, such as ``"mean_wait"`` or ``cost(per_flush=0.4)``, or high.
        confidence : float
            Of the tie set, and of the bound on the regret.

        Returns
        -------
        Selection
            As text it is one sentence.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> result = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7).run(5, progress=False)
        >>> result.best(minimise="mean_wait").winner
        'FlushAtSize(20)'
        """
        objective, is_cost = one_objective(minimise, maximise)
        selection = select_best(self.samples(objective), confidence=confidence, lower_is_better=is_cost)
        return replace(selection, unit=objective.unit)

    def pareto(self, x: str | Expression, y: str | Expression, *, confidence: float = 0.95) -> Front:
        """Return which scenarios are on the Pareto front of two objectives, and which are not separable from it.

        Parameters
        ----------
        x, y : str or Expression
            The objectives; less is taken as better where a metric does not say.
        confidence : float
            Of each interval by itself, and of no scenario being wrongly called dominated.

        Returns
        -------
        Front
            A point a scenario: on the front, not separable from it, or dominated.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> result = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7).run(5, progress=False)
        >>> result.pareto("mean_wait", "flush_rate").named("on the front")
        ('FlushAtSize(20)', 'FlushAfterAge(5.0)')
        """
        self._check_paired()
        return front(expression(x), expression(y), self.finished, self.measured, confidence=confidence)

    def check(self, *limits: str | Limit, confidence: float = 0.95) -> LimitChecks:
        """Return which scenarios keep which limits: pass, fail or undecided, each with its interval.

        With probability `confidence` no scenario passes, or fails, that should not: a scenario passes if it keeps all
        limits, which needs no adjustment for their number; for the number of scenarios the intervals are adjusted
        (see `bufsim.studies.limit_checks.check_limits`).

        Parameters
        ----------
        *limits : str or Limit
            Such as ``"p99_wait <= 2s"``, or ``metric("p99_wait") <= "2s"``.
        confidence : float
            Of all verdicts together.

        Returns
        -------
        LimitChecks
            A verdict per scenario and limit.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> result = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7).run(5, progress=False)
        >>> [(check.scenario, check.verdict) for check in result.check("p99_wait <= 3s").checks]
        [('FlushAtSize(20)', 'pass'), ('FlushAfterAge(5.0)', 'fail')]
        """
        return LimitChecks(check_limits(all_limits(limits), self.finished, self.measured, confidence=confidence))

    # how it looks

    @property
    def plot(self) -> StudyPlots:
        """The pictures of this study result."""
        # late: the plots are made of study results, and matplotlib is slow to import
        from bufsim.plots import StudyPlots

        return StudyPlots(self)

    def recommend(
        self,
        *,
        minimise: str | Expression | None = None,
        maximise: str | Expression | None = None,
        subject_to: str | Limit | Sequence[str | Limit] = (),
        confidence: float = 0.95,
        fresh: int | None = None,
        headroom: Sequence[float] = (),
        up_to: float | None = None,
        load: float | None = None,
        executor: int | Executor | None = None,
        store: str | Path | None = None,
        progress: bool | Progress | None = None,
    ) -> Recommendation:
        """Recommend the option with the best value among those that keep every limit, and say how sure that is.

        An option is a scenario; those of a grid that differ in `arrivals_scale` only are one option, which must keep
        the limits at every load, and whose value is that at `load`.

        Parameters
        ----------
        minimise, maximise : str or Expression
            What is to be low, such as ``cost(per_flush=0.4, per_job_second=0.01)``, or high.
        subject_to : str, Limit or sequence of them
            What must be kept, such as ``["p99_wait <= 2s"]``. What is undecided counts as not kept.
        confidence : float
            Of the verdicts on limits, of the tie set, and of each interval.
        fresh : int, optional
            Replications that nobody has seen, on which the choice's value is estimated again: on those that chose it,
            it looks better than it is. None: as many as the study had; 0: none.
        headroom : sequence of float
            At how many times today's load the choice's limits are checked too.
        up_to : float, optional
            The highest load of the study at which limits must be kept; None: all.
        load : float, optional
            The load at which values count; None: today's (scale 1, or the lowest).
        executor, store, progress
            As for `Study.run`, for what is run beyond the study.

        Returns
        -------
        Recommendation
            Its `sentence()` is the answer; its `exit_status` is 1 if no option qualifies.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> result = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7).run(5, progress=False)
        >>> result.recommend(minimise="flush_rate", subject_to="p99_wait <= 3s", fresh=0).choice.name
        'FlushAtSize(20)'
        """
        if len(self.finished) > 1:
            self._check_paired()
        objective, is_cost = one_objective(minimise, maximise)
        question = Question(objective, is_cost, all_limits(subject_to), confidence)

        def rerun(scenarios: Mapping[str, Simulation], replications: int) -> StudyResult:
            return self._more(scenarios, replications, executor=executor, store=store, progress=progress)

        what = further(rerun, fresh, headroom, question, self.replications)
        return recommend(self, question, what, up_to=up_to, load=load)

    def _more(self, scenarios: Mapping[str, Simulation], replications: int, **how: Any) -> StudyResult:
        """Run scenarios on replications that nobody has seen."""
        seen = [number for found in self.tallies.values() for number in found]
        first = max([*seen, *self.failures["replication"]]) + 1
        runner = ReplicationRunner(scenarios, self.seed, self._engine)
        runner.run(range(first, first + replications), **how)
        return StudyResult.of(self, runner, range(first, first + replications))

    @property
    def _engine(self) -> Engine:
        """What ran the study: "auto" unless all of it ran on the SimPy engine."""
        return "simpy" if set(self.engines.values()) == {"simpy"} else "auto"

    # doubts

    def warm_up(self) -> WarmUps:
        """Return, for each level of each scenario, where MSER-5 would cut its start, and a warning if it needs that."""
        return warm_ups(self._kept())

    def warnings(self) -> list[str]:
        """Return a sentence for each thing that can mislead: see `bufsim.studies.warnings.study_warnings`."""
        return study_warnings(self.scenarios, self._kept())

    def __repr__(self) -> str:
        return text(self)

    def _repr_html_(self) -> str:
        return page(self)
