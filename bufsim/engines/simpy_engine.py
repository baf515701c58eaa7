"""The SimPy engine: the readable one, which takes any policy, storage strategy, `collect`, `reduce` and user process."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np
import simpy

from bufsim import vendure
from bufsim.engines import order
from bufsim.engines.environment import Environment, Moment
from bufsim.engines.randomness import stream
from bufsim.engines.recording import DOWN, Recorder, Recording, cause_names
from bufsim.engines.simpy_buffers import BufferState
from bufsim.engines.simpy_queues import QueueState
from bufsim.engines.workload import Workload
from bufsim.errors import BufsimError, InvalidValueError
from bufsim.model.declaration import Declaration

Outcome = TypeVar("Outcome")
Arrival = tuple[float, int, int, int, int, int]
_ARRIVALS_AT_ONCE = 65536


class Model(Generic[Outcome]):
    """A declared simulation, built and ready to run once.

    Before `run`, add what the declaration cannot say: a process of your own (``model.env.process(...)``), which may add
    jobs (``model.service.add(job)``) and flush buffers (``model.flush("search")``).

    Attributes
    ----------
    env : Environment
        The SimPy environment; a user's own events come before the model's at one instant.
    service : vendure.JobBufferService
        The ported service, with the declared buffers and storage strategy.
    """

    def __init__(self, simulation: Declaration, workload: Workload, conclude: Callable[[Recording], Outcome]) -> None:
        self.simulation = simulation
        self.workload = workload
        self._jobs = workload.jobs()
        self._conclude = conclude
        self.storage = simulation.storage
        self.env = Environment()
        self.recorder = Recorder(cause_names(simulation))
        self.down = False
        self._handed: list[vendure.Job] = []
        strategy = self.storage.strategy()
        self.storage_keeps_order = type(strategy) is vendure.InMemoryJobBufferStorageStrategy
        self.service = SimulatedService(self, strategy)
        self.buffers = [BufferState(i, declared, self) for i, declared in enumerate(simulation.buffers)]
        self.service.register(self.buffers)
        self.queues: dict[str, QueueState] = {}
        for name in workload.queues:
            self._queue(name)
        self._arrived = 0
        self._keys: dict[Hashable, int] = {}
        self._own: list[tuple[int, float, int, int, int]] = []
        self._numbers: dict[object, int] = {}
        self._arrivals = self._iterate()
        self._next: Arrival | None = None
        self._has_run = False
        self._arrival = Moment(self.env, 0, self._arrive)
        self._set_arrival()
        self._set_stops()

    # arrivals

    def _iterate(self) -> Iterator[Arrival]:
        jobs = self._jobs
        for start in range(0, len(jobs.time), _ARRIVALS_AT_ONCE):
            part = slice(start, start + _ARRIVALS_AT_ONCE)
            columns = (jobs.time, jobs.producer, jobs.queue, jobs.key, jobs.nbytes, jobs.index)
            yield from zip(*(column[part].tolist() for column in columns), strict=True)

    def _set_arrival(self) -> None:
        self._next = next(self._arrivals, None)
        if self._next is not None:
            self._arrival._priority = order.priority(order.ARRIVAL, self._arrived)
            self._arrival.set(self._next[0])

    def _arrive(self, event: simpy.Event) -> None:
        assert self._next is not None
        time, producer, queue, key, nbytes, index = self._next
        workload = self.workload
        job = vendure.Job(
            queue_name=workload.queues[queue],
            data=workload.data(producer, index),
            id=str(self._arrived),
            created_at=time,
            key=workload.key_values[key] if key >= 0 else None,
            nbytes=nbytes,
        )
        self.receive(job)
        self._set_arrival()

    def add(self, job: vendure.Job) -> bool:
        """Let a job of the user's arrive now; return whether a buffer collects it."""
        job.created_at = self.env.now
        if job.id is None:
            job.id = str(self._arrived)
        self._numbers[job.id] = self._arrived
        key = -1
        if job.key is not None:
            if not self._keys:
                self._keys = {value: code for code, value in enumerate(self.workload.key_values)}
            key = self._keys.setdefault(job.key, len(self._keys))
        self._own.append((self._arrived, self.env.now, self._queue(job.queue_name).index, key, job.nbytes))
        return self.receive(job)

    def number(self, job: vendure.Job) -> int:
        """Return the number of a job that a storage strategy gave back, perhaps as a new object."""
        if job.id in self._numbers:
            return self._numbers[job.id]
        if isinstance(job.id, str) and job.id.isdecimal():
            return int(job.id)
        raise BufsimError(f"the storage strategy gave back {job!r}, whose id the run does not know; keep the job's id")

    def receive(self, job: vendure.Job) -> bool:
        """Put a job into every buffer that collects it, then ask their policies; into the queue if none does."""
        number = self._arrived
        self._arrived += 1
        asked = []
        collected = False
        for buffer in self.buffers:
            if buffer.collect(job):
                collected = True
                row = self.recorder.copy(number, buffer.index)
                if self.down:
                    self.recorder.lose((row,), self.env._now, DOWN)
                elif buffer.arrive(row, job):
                    asked.append(buffer)
        if not collected:
            self._pass_by(number, job)
        for buffer in asked:
            buffer.ask()
        return collected

    def _pass_by(self, number: int, job: vendure.Job) -> None:
        row = self.recorder.copy(number, -1)
        if self.down:
            self.recorder.lose((row,), self.env._now, DOWN)
            return
        works = self.enqueue(-1, [job], [1])
        self.recorder.carried_row.append(row)
        self.recorder.carried_work.append(works[0])

    # flushes and the queue

    def flush(self, *buffer_ids: str) -> None:
        """Start a flush of the named buffers now, with the cause "manual".

        A buffer that is empty or flushing is left alone, and so is every buffer while the server is down.
        """
        known = {buffer.id: buffer for buffer in self.buffers}
        for buffer_id in buffer_ids:
            if buffer_id not in known:
                raise InvalidValueError(
                    f"flush takes the ids of buffers, {', '.join(map(repr, known))}, got {buffer_id!r}"
                )
        for buffer_id, buffer in known.items():
            if buffer_id in buffer_ids and buffer.rows and not buffer.flushing and not self.down:
                buffer.start_flush("manual")

    def hand_over(self, batch: vendure.service.Batch) -> list[vendure.Job]:
        """Pass a batch through its buffer's `reduce`; return the jobs that came to the queue."""
        self._handed.clear()
        self.service.hand_over(batch)
        return list(self._handed)

    def enqueue(self, flush: int, jobs: list[vendure.Job], items: list[int]) -> list[int]:
        """Put jobs at the tails of their queues; return their work rows."""
        works = []
        touched = {}
        for job, count in zip(jobs, items, strict=True):
            queue = self.queues.get(job.queue_name) or self._queue(job.queue_name)
            works.append(queue.add(flush, count))
            touched[queue.index] = queue
        for queue in touched.values():
            queue.wake()
        return works

    def _queue(self, name: str) -> QueueState:
        if name not in self.queues:
            workers = self.simulation.workers_of(name)
            index = len(self.queues)
            self.queues[name] = QueueState(index, name, workers, self.env, self.recorder, self.workload)
        return self.queues[name]

    # stops

    def _set_stops(self) -> None:
        for k, (stop, restart) in enumerate(_stops(self.simulation, self.workload)):
            self.env.at(stop, self._stop, priority=order.priority(order.STOP, 2 * k))
            self.env.at(restart, self._restart, priority=order.priority(order.STOP, 2 * k + 1))

    def _stop(self, event: simpy.Event) -> None:
        self.down = True
        for buffer in self.buffers:
            buffer.stop()
        if not self.simulation.durable_queue:
            for queue in self.queues.values():
                queue.lose_all()

    def _restart(self, event: simpy.Event) -> None:
        self.down = False
        for buffer in self.buffers:
            buffer.restart()

    # the run

    def run(self) -> Outcome:
        """Run to the end, and return the result."""
        if self._has_run:
            raise BufsimError("a model runs once; build a new one for another run")
        self._has_run = True
        self.env.run(until=self.simulation.until)
        return self._conclude(self._recording())

    def _recording(self) -> Recording:
        jobs = self._jobs
        planned = self._arrived - len(self._own)
        columns = {
            "job_time": jobs.time[:planned],
            "job_producer": jobs.producer[:planned],
            "job_queue": jobs.queue[:planned],
            "job_key": jobs.key[:planned],
            "job_nbytes": jobs.nbytes[:planned],
        }
        if self._own:
            columns = self._with_own(columns)
        keys = self.workload.key_values if not self._keys else list(self._keys)
        return Recording(
            **columns,
            **self.recorder.columns(),  # type: ignore[arg-type]  # the columns by name
            producers=[producer.name for producer in self.simulation.producers],
            queues=list(self.queues),
            buffers=[buffer.id for buffer in self.buffers],
            keys=keys,
        )

    def _with_own(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Put the jobs of the user's own processes among the others, in the order of arrival."""
        numbers, times, queues, keys, nbytes = map(np.asarray, zip(*self._own, strict=True))
        places = numbers - np.arange(len(numbers))
        own = (times, np.full(len(numbers), -1), queues, keys, nbytes)
        return {
            name: np.insert(column, places, values) for (name, column), values in zip(columns.items(), own, strict=True)
        }


def _stops(simulation: Declaration, workload: Workload) -> list[tuple[float, float]]:
    if simulation.stops is None:
        return []
    return simulation.stops.times(stream(workload.seed, "server", "stops", workload.replication), simulation.until)


class SimulatedService(vendure.JobBufferService):
    """The ported service inside a run: a job that is added arrives in the simulation, and is recorded."""

    def __init__(self, model: Model[Any], strategy: vendure.JobBufferStorageStrategy) -> None:
        super().__init__(strategy, _Handed(model))
        self._model = model
        self.store = strategy.add

    def register(self, buffers: list[BufferState]) -> None:
        """Register the declared buffers."""
        for buffer in buffers:
            super().add_buffer(buffer)

    def add(self, job: vendure.Job) -> bool:
        """Let `job` arrive now; return whether a buffer collects it."""
        return self._model.add(job)

    def add_buffer(self, buffer: vendure.JobBuffer) -> NoReturn:
        """Refuse: the buffers of a run are declared."""
        raise BufsimError(f"buffers are declared before a run; put {buffer.id!r} into Simulation(buffers=[...])")

    def remove_buffer(self, buffer: vendure.JobBuffer) -> NoReturn:
        """Refuse: the buffers of a run are declared."""
        raise BufsimError(f"buffers are declared before a run; leave {buffer.id!r} out of Simulation(buffers=[...])")

    def flush(self, buffers: object = None) -> NoReturn:
        """Refuse: a flush takes time in a run, and is recorded."""
        raise BufsimError("inside a run, flush with model.flush('buffer id'): it takes its time and is recorded")


class _Handed:
    """The job queue strategy inside a run: it notes what comes out of a flush."""

    def __init__(self, model: Model[Any]) -> None:
        self._note = model._handed.append

    def add(self, job: vendure.Job) -> vendure.Job:
        self._note(job)
        return job
