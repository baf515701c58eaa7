"""What may happen in a model so rarely that runs need not show it, and what cannot happen in it at all."""

from __future__ import annotations

from bufsim.model.buffers import Storage
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
    buffers = [buffer for buffer in simulation.buffers if of in (None, buffer.id)]
    workers = [workers for workers in simulation.workers if of in (None, workers.queue)]
    storage, stops = simulation.storage, simulation.stops
    possible = {
        "capacity": any(buffer.capacity is not None for buffer in buffers),
        "buffer": stops is not None and not storage.durable,
        "in_flight": stops is not None,
        "queue": stops is not None and not simulation.durable_queue,
        "down": stops is not None and stops.downtime > 0.0,
        "race": storage.read_delete_window > 0.0,
        "storage": storage.strategy is not Storage().strategy,
        "failure": any(one.failure > 0.0 for one in workers or simulation.workers),
    }
    return frozenset(cause for cause, may_be in possible.items() if not may_be)


def draws_rarely(simulation: Simulation) -> bool:
    """Return whether something is drawn that runs need not show: failures of attempts, or stops at random."""
    stops = simulation.stops
    at_random = stops is not None and stops.mean_time_between is not None
    return at_random or any(0.0 < workers.failure < 1.0 for workers in simulation.workers)
