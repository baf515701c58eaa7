"""The random draws that the kernel is given: all of them, or a part that moves on with the run."""

from __future__ import annotations

import numpy as np

from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_state import Floats
from bufsim.engines.randomness import Draws
from bufsim.engines.recording import COMPLETED
from bufsim.engines.workload import Workload
from bufsim.model.declaration import Declaration
from bufsim.model.workers import GivenTimes, service_source


class DrawStore:
    """The draws that the kernel has been given, one sequence behind the other.

    Parameters
    ----------
    forget : bool
        Whether draws that are used up are forgotten; else all are kept, and shared with others who use the workload.
    """

    def __init__(self, simulation: Declaration, workload: Workload, *, forget: bool) -> None:
        self._simulation = simulation
        self._workload = workload
        self._forget = forget
        self._sources: dict[tuple[object, ...], Draws] = {}
        self._flushes: dict[int, tuple[int, Floats]] = {}
        self._services: dict[tuple[int, int], tuple[int, Floats, Floats]] = {}

    def for_flushes(self, state: ks.State, buffer: int, needed: int) -> ks.State:
        """Return the state with the fixed flush times of a buffer, up to `needed`."""
        declared = self._simulation.buffers[buffer]
        first = int(state.buffers[buffer]["flushes"]) if self._forget else 0
        drawn = self._source(declared.id, "flush", 1, declared.flush_time.fixed)
        self._flushes[buffer] = first, drawn.between(first, needed)
        return self._given(state)

    def for_work(self, state: ks.State, queue: int, attempt: int, needed: int) -> ks.State:
        """Return the state with the service times, and draws of failure, of a queue and an attempt, up to `needed`."""
        name = self._workload.queues[queue]
        workers = self._simulation.workers_of(name)
        assert workers is not None
        first = self._first_place(state, queue, needed) if self._forget else 0
        if attempt == 1 and not isinstance(workers.service, GivenTimes):
            needed = max(needed, self._worth_drawing(state, queue))
        service = self._source(name, "service", attempt, service_source(workers)).between(first, needed)
        failure = np.empty(0)
        if workers.failure > 0.0:
            failure = self._source(name, "failure", attempt, None).between(first, first + len(service))
        self._services[queue, attempt] = first, service, failure
        return self._given(state)

    def _source(self, name: str, purpose: str, attempt: int, distribution: object) -> Draws:
        if not self._forget:
            return self._workload.draws(name, purpose, attempt, distribution)
        key = (name, purpose, attempt)
        if key not in self._sources:
            self._sources[key] = self._workload.new_draws(name, purpose, attempt, distribution)
        return self._sources[key]

    def _first_place(self, state: ks.State, queue: int, needed: int) -> int:
        """Return the place of the first work in a queue that may still need draws."""
        if state.run[0]["in_order"]:
            return int(state.queues[queue]["head"])
        first, works = int(state.run[0]["work_first"]), state.works
        at = slice(0, int(state.run[0]["work"]) - first)
        unfinished = np.flatnonzero((works.outcome[at] < COMPLETED) & (works.small[ks.WORK_QUEUE, at] == queue))
        return int(works.whole[ks.WORK_PLACE, unfinished[0]]) if len(unfinished) else needed - 1

    def _worth_drawing(self, state: ks.State, queue: int) -> int:
        """Return how many first attempts to draw for at once: for all works, or twice as many each time."""
        if self._forget:
            return 0
        if state.run[0]["straight"] and len(state.queues) == 1:
            return int(state.run[0]["jobs"])
        return max(int(state.queues[queue]["handed"]), 2 * int(state.spans[queue, 1]["count"]))

    def _given(self, state: ks.State) -> ks.State:
        parts: list[Floats] = []
        end = 0
        for buffer, (first, draws) in self._flushes.items():
            record = state.buffers[buffer]
            record["draws_first"], record["draws_last"], record["draws_skipped"] = end, end + len(draws), first
            parts.append(draws)
            end += len(draws)
        for place, (first, service, failure) in self._services.items():
            span = state.spans[place]
            span["service"], span["failure"] = end, end + len(service)
            span["skipped"], span["count"] = first, len(service)
            parts += [service, failure]
            end += len(service) + len(failure)
        some = [part for part in parts if len(part)]
        return state._replace(draws=some[0] if len(some) == 1 else np.concatenate(some))
