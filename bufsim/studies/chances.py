"""What may happen in a model so rarely that runs need not show it, and what cannot happen in it at all."""

from __future__ import annotations

from bufsim.engines.recording import LOSS_CAUSES
from bufsim.model.buffers import JobBuffer
from bufsim.model.given import GivenFailures
from bufsim.model.workers import failure_source
from bufsim.results.losses import possible_causes
from bufsim.simulation import Simulation


def impossible(simulation: Simulation, of: str | None = None) -> frozenset[str]:
    """Return the causes of events (see `metrics.Event`) that a model cannot have, whatever is drawn.

    A cause that is not looked at here is taken to be possible.

    Parameters
    ----------
    simulation : Simulation
        The model.
    of : str, optional
        The buffer or queue that is asked about; None: all together.
    """
    buffers: list[JobBuffer | None] = [buffer for buffer in simulation.buffers if of in (None, buffer.id)]
    workers = [workers for workers in simulation.workers if of in (None, workers.queue)]
    possible = {cause for buffer in buffers or [None] for cause in possible_causes(simulation, buffer)}
    if any(failure_source(one)[0] > 0.0 for one in workers or simulation.workers):
        possible.add("failure")
    return frozenset((*LOSS_CAUSES, "failure")) - possible


def draws_rarely(simulation: Simulation) -> bool:
    """Return whether something is drawn that runs need not show: failures of attempts, or stops at random."""
    stops = simulation.stops
    at_random = stops is not None and stops.mean_time_between is not None
    return at_random or any(
        not isinstance(one.failure, GivenFailures) and 0.0 < one.failure < 1.0 for one in simulation.workers
    )
