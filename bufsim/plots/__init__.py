"""The pictures of results and of studies, each a frozen value whose fields are its parameters.

``result.plot.waits(slo="5s")`` draws one result and returns matplotlib Axes; it takes ``ax=None``, and shows nothing.
``result.plot.waits.frame()`` takes the same parameters and returns the numbers that are drawn, a tidy DataFrame.
Several results are one picture as ``Waits([today, better], labels=["today", "better"]).draw()``. A policy has one
colour in all pictures of a study. In a figure of your own, ``layout="constrained"`` makes room for titles and keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots.batch_sizes import BatchSizes
from bufsim.plots.buffer_size import BufferSize
from bufsim.plots.differences import differences, differences_frame
from bufsim.plots.load_ramp import load_ramp, load_ramp_frame
from bufsim.plots.loss_at_stop import LossAtStop
from bufsim.plots.pareto import pareto, pareto_frame
from bufsim.plots.picture import Drawn, Plots
from bufsim.plots.policy_map import policy_map, policy_map_frame
from bufsim.plots.queue import Queue
from bufsim.plots.replications import replications, replications_frame
from bufsim.plots.smore import smore, smore_frame
from bufsim.plots.waits import Waits
from bufsim.plots.warm_up import warm_up, warm_up_frame
from bufsim.plots.work_saved import work_saved, work_saved_frame
from bufsim.studies.expressions import Expression, Limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bufsim.plots.differences import Pairs
    from bufsim.plots.load_ramp import Bound, Theory
    from bufsim.plots.warm_up import Level
    from bufsim.plots.work_saved import Along
    from bufsim.studies.study_result import StudyResult

__all__ = [
    "BatchSizes",
    "BufferSize",
    "LossAtStop",
    "Queue",
    "ResultPlots",
    "StudyPlots",
    "Waits",
    "differences",
    "differences_frame",
    "load_ramp",
    "load_ramp_frame",
    "pareto",
    "pareto_frame",
    "policy_map",
    "policy_map_frame",
    "replications",
    "replications_frame",
    "smore",
    "smore_frame",
    "warm_up",
    "warm_up_frame",
    "work_saved",
    "work_saved_frame",
]


class ResultPlots(Plots):
    """The pictures of one result: ``result.plot.buffer_size()`` and its siblings.

    Parameters
    ----------
    subject : Result
        What is drawn.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer, Simulation
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     until="1min",
    ... )
    >>> result = simulation.run(seed=1)
    >>> ax = result.plot.buffer_size(limit=60)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time, s', 'buffer size, jobs')
    >>> result.plot.buffer_size.frame()["mark"].value_counts().to_dict()["flush"]
    12
    """

    buffer_size = Drawn(BufferSize)
    batch_sizes = Drawn(BatchSizes)
    waits = Drawn(Waits)
    queue = Drawn(Queue)
    loss_at_stop = Drawn(LossAtStop)


@dataclass(frozen=True, slots=True, eq=False)
class StudyPlots:
    """The pictures of one study result: ``study_result.plot.pareto()`` and its siblings.

    Each method draws what the function of the same name draws; see there.

    Parameters
    ----------
    study_result : StudyResult
        What is drawn.

    Examples
    --------
    >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation
    >>> from bufsim.studies.study import Study
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushAtSize(40))],
    ...     until="10min",
    ... )
    >>> study = Study(simulation, policy=[FlushAtSize(40), FlushAfterAge("5s")], seed=7)
    >>> ax = study.run(replications=5, progress=False).plot.pareto("p99_wait", "flush_rate")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('p99 wait, s', 'flush rate, per s')
    """

    study_result: StudyResult

    def pareto(
        self,
        x: str | Expression = "p99_wait",
        y: str | Expression = "flush_rate",
        *,
        ax: Axes | None = None,
        limits: Sequence[str | Limit] = (),
        choice: str | FlushPolicy | None = None,
        load: float | None = None,
        scenarios: Sequence[str | FlushPolicy] | None = None,
        log: bool | None = None,
        confidence: float = 0.95,
    ) -> Axes:
        """Draw scenarios by two objectives, and the front of those that none dominates."""
        return _pareto(
            self.study_result,
            x,
            y,
            ax=ax,
            limits=limits,
            choice=choice,
            load=load,
            scenarios=scenarios,
            log=log,
            confidence=confidence,
        )

    def load_ramp(
        self,
        metric: str | Expression = "p99_wait",
        *,
        ax: Axes | None = None,
        limit: Bound | None = None,
        scenarios: Sequence[str | FlushPolicy] | None = None,
        theory: Theory = True,
        confidence: float = 0.95,
    ) -> Axes:
        """Draw a metric against the arrival rate, a line a policy, with where each crosses a limit."""
        return _load_ramp(
            self.study_result, metric, ax=ax, limit=limit, scenarios=scenarios, theory=theory, confidence=confidence
        )

    def work_saved(
        self,
        *,
        ax: Axes | None = None,
        along: Along = "batch",
        against: str | Expression | None = None,
        choice: str | FlushPolicy | None = None,
        load: float | None = None,
        scenarios: Sequence[str | FlushPolicy] | None = None,
        confidence: float = 0.95,
    ) -> Axes:
        """Draw the share of jobs that reduce saves, and the largest job that it makes for a worker."""
        return _work_saved(
            self.study_result,
            ax=ax,
            along=along,
            against=against,
            choice=choice,
            load=load,
            scenarios=scenarios,
            confidence=confidence,
        )

    def policy_map(
        self,
        metric: str | Expression = "p99_wait",
        *,
        ax: Axes | None = None,
        size: Sequence[int] | None = None,
        age: Sequence[float | str] | None = None,
        limits: str | Limit | Sequence[str | Limit] = (),
        choice: str | FlushPolicy | None = None,
        load: float | None = None,
        confidence: float = 0.95,
    ) -> Axes:
        """Draw a metric of the policies of a size or an age as a map of sizes and ages."""
        return _policy_map(
            self.study_result,
            metric,
            ax=ax,
            size=size,
            age=age,
            limits=limits,
            choice=choice,
            load=load,
            confidence=confidence,
        )

    def differences(
        self,
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
        """Draw paired differences of scenarios, a row each, with the verdict in words."""
        return _differences(
            self.study_result,
            *metrics,
            ax=ax,
            baseline=baseline,
            pairs=pairs,
            margin=margin,
            relative=relative,
            load=load,
            scenarios=scenarios,
            confidence=confidence,
        )

    def warm_up(
        self,
        *,
        ax: Axes | None = None,
        scenario: str | FlushPolicy | None = None,
        level: Level | None = None,
        load: float | None = None,
        confidence: float = 0.95,
    ) -> Axes:
        """Draw a level over time, with what the warm-up cuts and what is left of the start."""
        return _warm_up(self.study_result, ax=ax, scenario=scenario, level=level, load=load, confidence=confidence)

    def replications(
        self,
        metric: str | Expression = "mean_wait",
        *,
        ax: Axes | None = None,
        scenario: str | FlushPolicy | None = None,
        half_width: object = None,
        load: float | None = None,
        confidence: float = 0.95,
    ) -> Axes:
        """Draw a metric over the first 2, 3, ... replications, and each replication by itself."""
        return _replications(
            self.study_result, metric, ax=ax, scenario=scenario, half_width=half_width, load=load, confidence=confidence
        )

    def smore(
        self,
        metric: str | Expression = "wait",
        *,
        ax: Axes | None = None,
        of: str | None = None,
        load: float | None = None,
        scenarios: Sequence[str | FlushPolicy] | None = None,
        log: bool | None = None,
        confidence: float = 0.95,
    ) -> Axes:
        """Draw the mean, the median and the 5 % and 95 % quantiles of each scenario."""
        return _smore(
            self.study_result, metric, ax=ax, of=of, load=load, scenarios=scenarios, log=log, confidence=confidence
        )


# the methods hide the functions' names
_pareto = pareto
_load_ramp = load_ramp
_work_saved = work_saved
_policy_map = policy_map
_differences = differences
_warm_up = warm_up
_replications = replications
_smore = smore
