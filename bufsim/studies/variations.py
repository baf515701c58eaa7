"""How the world may differ from a model: its assumptions moved up and down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bufsim import checks
from bufsim.model.buffers import FlushTime
from bufsim.model.distribution import Distribution
from bufsim.model.distributions import Constant
from bufsim.model.sampling import Scaled
from bufsim.model.workers import GivenTimes, PollingWorkers, Workers
from bufsim.results.plots.units import duration
from bufsim.simulation import Simulation

Change = Callable[[Simulation, float], Simulation]
"""From a simulation and a factor to one in which something is so many times as large."""


@dataclass(frozen=True, slots=True)
class Variation:
    """An assumption of a model, and the model with it moved.

    Parameters
    ----------
    name : str
        What is assumed: "time for each item".
    value : str
        As it stands: "5 ms".
    lower, higher : Simulation
        With it divided, and multiplied, by the factor.
    """

    name: str
    value: str
    lower: Simulation
    higher: Simulation


def variations(simulation: Simulation, factor: float = 1.25) -> tuple[Variation, ...]:
    """Return the assumptions of a model that can be moved: arrivals, and the times of flushes and workers.

    Those that are 0 are left out: no factor moves them.

    Parameters
    ----------
    simulation : Simulation
        The model.
    factor : float
        By how much each is multiplied and divided, > 1.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer, PushWorkers
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     workers=[PushWorkers(1, service="20ms")],
    ...     until="1min",
    ... )
    >>> [(one.name, one.value) for one in variations(simulation)]
    [('arrivals', '10 jobs/s'), ('service time', '20 ms')]
    """
    checks.positive("factor - 1", factor - 1.0)
    return tuple(
        Variation(name, value, change(simulation, 1.0 / factor), change(simulation, factor))
        for name, value, change in _movable(simulation)
    )


def _movable(simulation: Simulation) -> Iterator[tuple[str, str, Change]]:
    rate = sum(producer.arrivals.mean_rate for producer in simulation.producers)
    yield "arrivals", f"{rate:.3g} jobs/s", lambda model, factor: model.scaled(arrivals=factor)
    fixed = [buffer.flush_time.fixed for buffer in simulation.buffers if buffer.flush_time.fixed != Constant(0.0)]
    if fixed:
        yield "time of a flush", _listed(map(_mean, fixed)), _flush_times(_longer)
    per_job = [buffer.flush_time.per_job for buffer in simulation.buffers if buffer.flush_time.per_job]
    if per_job:
        yield "time of a flush for each job", _listed(map(duration, per_job)), _flush_times(_longer_per_job)
    service = [pool.service for pool in simulation.workers if _is_timed(pool)]
    if service:
        yield "service time", _listed(map(_mean, service)), _workers(_slower)
    per_item = [pool.per_item for pool in simulation.workers if pool.per_item]
    if per_item:
        yield "service time for each item", _listed(map(duration, per_item)), _workers(_slower_per_item)
    polls = [pool.poll_interval for pool in simulation.workers if isinstance(pool, PollingWorkers)]
    if polls:
        yield "interval between polls", _listed(map(duration, polls)), _workers(_rarer)


def _listed(values: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _mean(distribution: Distribution | GivenTimes) -> str:
    assert isinstance(distribution, Distribution)
    return duration(distribution.expected_value())


def _is_timed(pool: Workers) -> bool:
    return not isinstance(pool.service, GivenTimes) and pool.service != Constant(0.0)


def _flush_times(change: Callable[[FlushTime, float], FlushTime]) -> Change:
    def changed(model: Simulation, factor: float) -> Simulation:
        buffers = [replace(buffer, flush_time=change(buffer.flush_time, factor)) for buffer in model.buffers]
        return replace(model, buffers=tuple(buffers))

    return changed


def _workers(change: Callable[[Workers, float], Workers]) -> Change:
    return lambda model, factor: replace(model, workers=tuple(change(pool, factor) for pool in model.workers))


def _longer(time: FlushTime, factor: float) -> FlushTime:
    return replace(time, fixed=Scaled(time.fixed, factor))


def _longer_per_job(time: FlushTime, factor: float) -> FlushTime:
    return replace(time, per_job=time.per_job * factor)


def _slower(pool: Workers, factor: float) -> Workers:
    if isinstance(pool.service, GivenTimes):
        return replace(pool, service=GivenTimes(pool.service.times * factor))
    return replace(pool, service=Scaled(pool.service, factor))


def _slower_per_item(pool: Workers, factor: float) -> Workers:
    return replace(pool, per_item=pool.per_item * factor)


def _rarer(pool: Workers, factor: float) -> Workers:
    return replace(pool, poll_interval=pool.poll_interval * factor) if isinstance(pool, PollingWorkers) else pool


def slower_workers(simulation: Simulation, factor: float) -> Simulation:
    """Return the model with workers that take so many times as long for everything, also from poll to poll."""
    return _workers(lambda pool, by: _rarer(_slower_per_item(_slower(pool, by), by), by))(simulation, factor)
