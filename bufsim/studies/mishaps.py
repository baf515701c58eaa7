"""Mishaps: what may go wrong with a model, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bufsim.model.stops import Stops
from bufsim.results.words import duration
from bufsim.simulation import Simulation
from bufsim.studies.bursts import with_longer_bursts
from bufsim.studies.variations import slower_workers

_DOWNTIME = 10.0


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that may go wrong.

    Parameters
    ----------
    name : str
        What it is: "workers twice as slow".
    meaning : str
        What differs from the model, in words; where it cannot go wrong in this model, why not.
    simulation : Simulation or None
        The model with it; None where it cannot go wrong in this model.
    """

    name: str
    meaning: str
    simulation: Simulation | None


def mishaps(simulation: Simulation) -> tuple[Mishap, ...]:
    """Return what may go wrong: more load, longer bursts, slower and fewer workers, and a stop.

    Half as many jobs again; bursts twice as long (see `bufsim.studies.bursts.with_longer_bursts`); workers that take
    twice as long for everything; half of the workers of every queue gone for the whole run, rounded down; and a stop of
    the server in the middle of what is counted, with 10 s until it is up again.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer, PushWorkers
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     workers=[PushWorkers(3, service="20ms")],
    ...     until="1min",
    ... )
    >>> for one in mishaps(simulation):
    ...     print(f"{one.name}: {one.meaning}")
    half as many jobs again: 1.5 times the arrivals
    bursts twice as long: not looked at, because no arrivals are recorded or Bursty
    workers twice as slow: service, each item and the time from poll to poll take twice as long
    half of the workers gone: of 3 workers of a queue 2 are left, for the whole run
    a stop of 10 s in the middle: the server stops at 30 s; what is in memory, and what comes until it is up, is lost
    """
    return (
        Mishap("half as many jobs again", "1.5 times the arrivals", simulation.scaled(arrivals=1.5)),
        _longer_burst(simulation),
        *_workers(simulation),
        _stop(simulation),
    )


def _left_out(name: str, because: str) -> Mishap:
    return Mishap(name, f"not looked at, because {because}", None)


def _longer_burst(simulation: Simulation) -> Mishap:
    name, found = "bursts twice as long", with_longer_bursts(simulation)
    if found is None:
        return _left_out(name, "no arrivals are recorded or Bursty")
    return Mishap(name, found[1], found[0])


def _workers(simulation: Simulation) -> tuple[Mishap, Mishap]:
    slow, gone = "workers twice as slow", "half of the workers gone"
    if not simulation.workers:
        return _left_out(slow, "the model has no workers"), _left_out(gone, "the model has no workers")
    what = "service, each item and the time from poll to poll take twice as long"
    return Mishap(slow, what, slower_workers(simulation, 2.0)), _half_gone(gone, simulation)


def _half_gone(name: str, simulation: Simulation) -> Mishap:
    counts = dict.fromkeys(pool.concurrency for pool in simulation.workers if pool.concurrency > 1)
    if not counts:
        return _left_out(name, "no queue has more than one worker, and without it nothing of the queue is served")
    left = tuple(replace(pool, concurrency=(pool.concurrency + 1) // 2) for pool in simulation.workers)
    said = " and ".join(f"of {count} workers of a queue {(count + 1) // 2}" for count in counts)
    are = "is" if len(counts) == 1 and 2 in counts else "are"
    return Mishap(name, f"{said} {are} left, for the whole run", replace(simulation, workers=left))


def _stop(simulation: Simulation) -> Mishap:
    name = f"a stop of {duration(_DOWNTIME)} in the middle"
    if simulation.stops is not None:
        return _left_out(name, "the model has stops of its own")
    middle = (simulation.warm_up + simulation.until) / 2.0
    stopped = replace(simulation, stops=Stops(at=[middle], downtime=_DOWNTIME))
    what = "what is in memory, and what comes until it is up, is lost"
    return Mishap(name, f"the server stops at {duration(middle)}; {what}", stopped)
