"""The pictures of results and of studies, each a frozen value whose fields are its parameters.

``result.plot.waits(slo="5s")`` draws one result and returns matplotlib Axes; it takes ``ax=None``, and shows nothing.
``result.plot.waits.frame()`` takes the same parameters and returns the numbers that are drawn, a tidy DataFrame.
Several results are one picture as ``Waits([today, better], labels=["today", "better"]).draw()``. A policy has one
colour in all pictures of a study. In a figure of your own, ``layout="constrained"`` makes room for titles and keys.
"""

from __future__ import annotations

from bufsim.plots.batch_sizes import BatchSizes
from bufsim.plots.buffer_size import BufferSize
from bufsim.plots.differences import Differences
from bufsim.plots.load_ramp import LoadRamp
from bufsim.plots.loss_at_stop import LossAtStop
from bufsim.plots.pareto import Pareto
from bufsim.plots.picture import Drawn, Plots
from bufsim.plots.policy_map import PolicyMap
from bufsim.plots.queue import Queue
from bufsim.plots.replications import Replications
from bufsim.plots.smore import Smore
from bufsim.plots.waits import Waits
from bufsim.plots.warm_up import WarmUp
from bufsim.plots.work_saved import WorkSaved

__all__ = [
    "BatchSizes",
    "BufferSize",
    "Differences",
    "LoadRamp",
    "LossAtStop",
    "Pareto",
    "PolicyMap",
    "Queue",
    "Replications",
    "ResultPlots",
    "Smore",
    "StudyPlots",
    "Waits",
    "WarmUp",
    "WorkSaved",
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
    11
    """

    buffer_size = Drawn(BufferSize)
    batch_sizes = Drawn(BatchSizes)
    waits = Drawn(Waits)
    queue = Drawn(Queue)
    loss_at_stop = Drawn(LossAtStop)


class StudyPlots(Plots):
    """The pictures of one study result: ``study_result.plot.pareto()`` and its siblings.

    Parameters
    ----------
    subject : StudyResult
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

    pareto = Drawn(Pareto)
    load_ramp = Drawn(LoadRamp)
    work_saved = Drawn(WorkSaved)
    policy_map = Drawn(PolicyMap)
    differences = Drawn(Differences)
    warm_up = Drawn(WarmUp)
    replications = Drawn(Replications)
    smore = Drawn(Smore)
