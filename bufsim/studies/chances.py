"""What may happen in a model so rarely that runs need not show it, what cannot happen in it, and whether it draws."""

from __future__ import annotations

import dataclasses
import math

from bufsim.engines.recording import LOSS_CAUSES
from bufsim.model import rules
from bufsim.model.arrivals import Arrivals, Bulk, Deterministic, Renewal
from bufsim.model.buffers import DrainAll, FlushTime, JobBuffer, Storage
from bufsim.model.distributions import Constant, Distribution, Scaled
from bufsim.model.flush_policy import AnyOf
from bufsim.model.given import GivenFailures
from bufsim.model.policies import FlushAtSize
from bufsim.model.producers import Keys
from bufsim.model.reducers import KeepAll
from bufsim.model.traces import Trace
from bufsim.model.workers import failure_source
from bufsim.results.causes import FAMILIES, family
from bufsim.results.losses import possible_causes
from bufsim.simulation import Simulation

_STEADY = (Deterministic, Trace, Constant)
_OF_PARTS = (Bulk, Renewal, Scaled)
"""These draw what their parts draw; any other arrivals and distributions draw."""


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
    # of all together also what no buffer collects; of a queue, whatever comes to it
    holders: list[JobBuffer | None] = [*buffers, None] if of is None else [*buffers] or [None]
    losses = {cause for buffer in holders for cause in possible_causes(simulation, buffer)}
    if of is not None and not buffers and simulation.is_durable(of):
        losses.discard("queue")
    families = {family(repr(leaf)).name for buffer in buffers for leaf in buffer.policy.leaves()}
    possible = {cause: cause in losses for cause in LOSS_CAUSES} | {
        "capacity": any(_may_fill(buffer, simulation.storage_of(buffer)) for buffer in buffers),
        "failure": any(failure_source(one)[0] > 0.0 for one in workers or simulation.workers),
        "tick": most_ticks(simulation, of) > 0.0,
        "reduce": any(not isinstance(buffer.reduce, KeepAll) for buffer in buffers),
        # of one family alone every flush is by it, and none by another
        **{one.name: one.name in families and len(families) > 1 for one in FAMILIES},
    }
    return frozenset(cause for cause, may_be in possible.items() if not may_be)


def _may_fill(buffer: JobBuffer, storage: Storage) -> bool:
    """Return whether a buffer may be full: not if it is emptied, in no time, when so many jobs are in it."""
    room = buffer.capacity
    if room is None or room.jobs is None or room.nbytes is not None:
        return room is not None
    at_once = buffer.flush_time == FlushTime(0.0) and storage.read_delete_window == 0.0
    members = buffer.policy.members if isinstance(buffer.policy, AnyOf) else (buffer.policy,)
    sizes = [member.size for member in members if isinstance(member, FlushAtSize)]
    return not (at_once and buffer.drain == DrainAll() and min(sizes, default=math.inf) <= room.jobs)


def most_ticks(simulation: Simulation, of: str | None = None) -> float:
    """Return how many ticks the policies of a buffer (None: of all) have in the window at most."""
    span = simulation.until - simulation.warm_up
    ticks = 0.0
    for buffer in simulation.buffers:
        for tick in buffer.policy.ticks(simulation.until) if of in (None, buffer.id) else ():
            ticks += len(tick.times) if tick.rule == rules.TIMES else math.floor(span / tick.seconds) + 1
    return ticks


def draws(simulation: Simulation) -> bool:
    """Return whether anything is drawn at random in a model that its numbers may depend on.

    What users' own policies, buffers and data draw is not known here, and counts as nothing.
    """
    stops = simulation.stops
    if stops is not None and stops.mean_time_between is not None:
        return True
    if any(not isinstance(one.failure, GivenFailures) and 0.0 < one.failure < 1.0 for one in simulation.workers):
        return True
    reduces = any(not isinstance(buffer.reduce, KeepAll) for buffer in simulation.buffers)
    return _draws((simulation.producers, simulation.buffers, simulation.workers), keys=reduces)


def _draws(value: object, *, keys: bool) -> bool:
    """Return whether a declared value draws; `keys`: whether those of jobs matter."""
    if isinstance(value, _STEADY):
        return False
    if isinstance(value, Keys):
        return keys
    if isinstance(value, tuple):
        return any(_draws(one, keys=keys) for one in value)
    if isinstance(value, Arrivals | Distribution) and not isinstance(value, _OF_PARTS):
        return True
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return False
    return any(_draws(getattr(value, field.name), keys=keys) for field in dataclasses.fields(value))
