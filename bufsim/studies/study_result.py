"""The result of a study: its numbers, and what can be decided by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bufsim.simulation import Engine, Simulation
from bufsim.statistics import Selection, select_best
from bufsim.studies.comparisons import Comparisons, Front, Pairs, compare, front
from bufsim.studies.estimates import UndefinedError
from bufsim.studies.expressions import Expression, Limit
from bufsim.studies.formulas import all_limits, expression, one_objective
from bufsim.studies.judging import Question, some
from bufsim.studies.limit_checks import LimitChecks, check_limits
from bufsim.studies.loss_rule import WAY_OUT, is_allowed
from bufsim.studies.progress import Progress
from bufsim.studies.recommendation import FollowUp, Recommendation, recommend
from bufsim.studies.running import ReplicationRunner
from bufsim.studies.study_numbers import StudyNumbers
from bufsim.studies.warnings import WarmUps, study_warnings, warm_ups

if TYPE_CHECKING:
    from bufsim.plots import StudyPlots


@dataclass(frozen=True, repr=False, eq=False)
class StudyResult(StudyNumbers):
    """The result of a study: its numbers, and what can be decided by them.

    `Study.run` makes it; its attributes and numbers are those of `bufsim.studies.study_numbers.StudyNumbers`.

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
        confidence: float | None = None,
        where_defined: bool = False,
    ) -> Comparisons:
        """Compare scenarios by paired differences under common random numbers, adjusted for all that are made.

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
        confidence : float, optional
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
        named = [name for pair in pairs for name in pair] if isinstance(pairs, list | tuple) else []
        today = baseline if baseline is not None or pairs is not None else self.baseline
        self._check_paired(today, *named)
        return compare(
            self._expressions(metrics, of),
            self.finished,
            self.measured,
            baseline=today,
            pairs=pairs,
            margin=margin,
            confidence=self._level(confidence),
            where_defined=where_defined,
        )

    def best(
        self,
        *,
        minimise: str | Expression | None = None,
        maximise: str | Expression | None = None,
        allow_loss: bool = False,
        confidence: float | None = None,
    ) -> Selection:
        """The scenario with the lowest (or highest) value, with all that are not separable from it.

        The set of these holds every truly best scenario with probability `confidence`; a single winner is named only
        where every other is separated from it. Does not depend on the order of the scenarios. One that loses jobs is
        left out, unless the objective prices a lost job (``cost(per_lost_job=...)``) or `allow_loss` is given.

        Parameters
        ----------
        minimise, maximise : str or Expression
            One of them: what is to be low, such as ``"mean_wait"`` or ``cost(per_flush=0.4)``, or high.
        allow_loss : bool
            Whether a scenario that loses jobs may be the best although the objective does not price them.
        confidence : float, optional
            Of the tie set, and of the bound on the regret.

        Returns
        -------
        Selection
            As text it is one sentence.

        Raises
        ------
        UndefinedError
            If every scenario loses jobs, or the value is undefined in one.

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
        question = Question(objective, is_cost, (), self._level(confidence), is_allowed(allow_loss))
        losses = question.check_losses(self.finished, self.scenarios, self.measured)
        losing = {check.scenario: f"{check.scenario} ({check.text()})" for check in losses}
        left = [name for name in self.finished if name not in losing]
        if not left:
            raise UndefinedError(f"none is the best, since all lose jobs: {some(list(losing.values()))}", WAY_OUT)
        if len(self.finished) > 1:
            self._check_paired()
        level = question.confidence
        samples = {name: self.measured(objective, name).sample(level) for name in left}
        selection = select_best(samples, confidence=level, lower_is_better=is_cost)
        left_out = f"left out, since they lose jobs: {some(list(losing.values()))}" if losing else ""
        return replace(selection, unit=objective.unit, left_out=left_out)

    def pareto(self, x: str | Expression, y: str | Expression, *, confidence: float | None = None) -> Front:
        """The Pareto front of two objectives: which scenarios are on it, and which are not separable from it.

        Parameters
        ----------
        x, y : str or Expression
            The objectives; less is taken as better where a metric does not say.
        confidence : float, optional
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
        return front(expression(x), expression(y), self.finished, self.measured, confidence=self._level(confidence))

    def check(self, *limits: str | Limit, confidence: float | None = None) -> LimitChecks:
        """The verdicts of all scenarios on limits: pass, fail or undecided, each with its interval.

        With probability `confidence` no scenario passes, or fails, that should not: a scenario passes if it keeps all
        limits, which needs no adjustment for their number; for the number of scenarios the intervals are adjusted
        (see `bufsim.studies.limit_checks.check_limits`).

        Parameters
        ----------
        *limits : str or Limit
            Such as ``"p99_wait <= 2s"``, or ``metric("p99_wait") <= "2s"``.
        confidence : float, optional
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
        >>> [(check.scenario, check.verdict) for check in result.check("p95_wait <= 3s").checks]
        [('FlushAtSize(20)', 'pass'), ('FlushAfterAge(5.0)', 'fail')]
        """
        return LimitChecks(
            check_limits(all_limits(limits), self.finished, self.measured, confidence=self._level(confidence))
        )

    def recommend(
        self,
        *,
        minimise: str | Expression | None = None,
        maximise: str | Expression | None = None,
        subject_to: str | Limit | Sequence[str | Limit] = (),
        allow_loss: bool = False,
        confidence: float | None = None,
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
        the limits at every load, and whose value is that at `load`. An option that loses jobs does not qualify, unless
        the objective prices a lost job (``cost(per_lost_job=...)``), a limit is on the loss (``"lost_share <= 1 %"``),
        or `allow_loss` is given.

        Parameters
        ----------
        minimise, maximise : str or Expression
            What is to be low, such as ``cost(per_flush=0.4, per_job_second=0.01)``, or high.
        subject_to : str, Limit or sequence of them
            What must be kept, such as ``["p99_wait <= 2s"]``. What is undecided counts as not kept.
        allow_loss : bool
            Whether an option that loses jobs qualifies although its loss has neither a price nor a limit.
        confidence : float, optional
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
        >>> result.recommend(minimise="flush_rate", subject_to="p95_wait <= 3s", fresh=0).choice.name
        'FlushAtSize(20)'
        """
        if len(self.finished) > 1:
            self._check_paired()
        objective, is_cost = one_objective(minimise, maximise)
        question = Question(objective, is_cost, all_limits(subject_to), self._level(confidence), is_allowed(allow_loss))

        def rerun(scenarios: Mapping[str, Simulation], replications: int) -> StudyResult:
            return self._more(scenarios, replications, executor=executor, store=store, progress=progress)

        follow_up = FollowUp.of(rerun, fresh, headroom, question, self.replications)
        return recommend(self, question, follow_up, up_to=up_to, load=load)

    def _more(self, scenarios: Mapping[str, Simulation], replications: int, **how: Any) -> StudyResult:
        """Run scenarios on replications that nobody has seen."""
        seen = [number for kept in self.tallies.values() for number in kept]
        first = max([*seen, *self.failures["replication"]]) + 1
        # "auto" unless all of the study ran on the SimPy engine
        engine: Engine = "simpy" if set(self.engines.values()) == {"simpy"} else "auto"
        run = ReplicationRunner(scenarios, self.seed, engine)
        numbers = range(first, first + replications)
        run.run(numbers, **how)
        return StudyResult.of(run, numbers, baseline=self.baseline, coordinates=self.coordinates)

    # doubts

    def warm_up(self) -> WarmUps:
        """The start of each level of each scenario: where MSER-5 would cut it, and a warning if it needs that."""
        return warm_ups(self._paired_tallies())

    def warnings(self) -> list[str]:
        """A sentence for each thing that can mislead: see `bufsim.studies.warnings.study_warnings`."""
        return study_warnings(self.scenarios, self._paired_tallies())

    # how it looks

    @property
    def plot(self) -> StudyPlots:
        """The pictures of this study result."""
        # late: the plots are made of study results, and matplotlib is slow to import
        from bufsim.plots import StudyPlots

        return StudyPlots(self)
