"""The ported service inside a run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt
import simpy

from bufsim import memory, vendure
from bufsim.engines import order
from bufsim.engines.environment import Environment, Moment
from bufsim.engines.randomness import stop_times
from bufsim.engines.recording import DOWN, Recorder, Recording, cause_names
from bufsim.engines.simpy_buffers import BufferState, keeps_order
from bufsim.engines.simpy_queues import QueueState
from bufsim.engines.workload import Workload
from bufsim.errors import BufsimError, InvalidValueError, quoted
from bufsim.model.buffers import CollectAll, CollectQueues
from bufsim.model.declaration import Declaration
from bufsim.vendure import Job


class SimulatedService(vendure.JobBufferService):
    """The ported service inside a run: a job that is added arrives in the simulation, and is recorded."""

    def __init__(self, strategy: vendure.JobBufferStorageStrategy, arrive: Callable[[vendure.Job], bool]) -> None:
        super().__init__(strategy, _Handed())
        self._arrive = arrive

    def register(self, buffers: Iterable[vendure.JobBuffer]) -> None:
        """Register the declared buffers."""
        for buffer in buffers:
            super().add_buffer(buffer)

    def add(self, job: vendure.Job) -> bool:
        """Let `job` arrive now; return whether a buffer collects it."""
        return self._arrive(job)

    def add_buffer(self, buffer: vendure.JobBuffer) -> NoReturn:
        """Refuse: the buffers of a run are declared."""
        raise BufsimError(f"buffers are declared before a run; put {buffer.id!r} into Simulation(buffers=[...])")

    def remove_buffer(self, buffer: vendure.JobBuffer) -> NoReturn:
        """Refuse: the buffers of a run are declared."""
        raise BufsimError(f"buffers are declared before a run; leave {buffer.id!r} out of Simulation(buffers=[...])")

    def flush(self, buffers: object = None) -> NoReturn:
        """Refuse: a flush takes time in a run, and is recorded."""
        raise BufsimError("inside a run, flush with model.flush('buffer id'): it takes its time and is recorded")


class RoutedStorage:
    """Storage strategies that hold different buffers, as one.

    Parameters
    ----------
    strategies : mapping of str to storage strategy
        Of each buffer; several may have the same.
    shared : storage strategy
        That of any other buffer.
    """

    def __init__(
        self, strategies: Mapping[str, vendure.JobBufferStorageStrategy], shared: vendure.JobBufferStorageStrategy
    ) -> None:
        self._strategies = strategies
        self._shared = shared
        self._all = list({id(one): one for one in (shared, *strategies.values())}.values())

    def add(self, buffer_id: str, job: vendure.Job) -> vendure.Job:
        """Store `job` where the buffer's jobs lie, and return the job as stored."""
        return self._of(buffer_id).add(buffer_id, job)

    def buffer_size(self, buffer_ids: Iterable[str] | None = None) -> dict[str, int]:
        """Jobs now stored, by buffer."""
        return {key: size for one, ids in self._parts(buffer_ids) for key, size in one.buffer_size(ids).items()}

    def flush(self, buffer_ids: Iterable[str] | None = None) -> dict[str, list[vendure.Job]]:
        """Take out and return the jobs stored, by buffer."""
        return {key: jobs for one, ids in self._parts(buffer_ids) for key, jobs in one.flush(ids).items()}

    def take(self, buffer_id: str, at_most: int) -> list[vendure.Job]:
        """Take out and return the `at_most` oldest jobs of one buffer, oldest first."""
        return vendure.storage.take_oldest(self._of(buffer_id), buffer_id, at_most)

    def confirm(self, buffer_id: str, jobs: Iterable[vendure.Job]) -> None:
        """Tell the buffer's storage that jobs which a flush gave have been handed over."""
        vendure.storage.confirm(self._of(buffer_id), buffer_id, jobs)

    def give_back(self, buffer_id: str, jobs: Iterable[vendure.Job]) -> None:
        """Tell the buffer's storage that jobs which a flush gave have not been handed over."""
        vendure.storage.give_back(self._of(buffer_id), buffer_id, jobs)

    def _of(self, buffer_id: str) -> vendure.JobBufferStorageStrategy:
        return self._strategies.get(buffer_id, self._shared)

    def _parts(
        self, buffer_ids: Iterable[str] | None
    ) -> list[tuple[vendure.JobBufferStorageStrategy, list[str] | None]]:
        """The strategies that are meant, each with those of the ids that are its own; None: all that it knows."""
        if buffer_ids is None:
            return [(one, None) for one in self._all]
        parts: dict[int, tuple[vendure.JobBufferStorageStrategy, list[str]]] = {}
        for buffer_id in buffer_ids:
            one = self._of(buffer_id)
            parts.setdefault(id(one), (one, []))[1].append(buffer_id)
        return [*parts.values()]


class _Handed:
    """The job queue strategy inside a run: the service returns what it was given, and the model puts it into queues."""

    def add(self, job: vendure.Job) -> vendure.Job:
        return job


Outcome = TypeVar("Outcome")
Arrival = tuple[float, str, Hashable, int, object]
_ARRIVALS_AT_ONCE = 65536
_ARRIVAL = order.priority(order.ARRIVAL, 0)


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
        self.env = Environment()
        self.recorder = Recorder(cause_names(simulation), len(simulation.buffers))
        self.down = False
        shared = simulation.storage.strategy()
        self.strategies = [shared if b.storage is None else b.storage.strategy() for b in simulation.buffers]
        self._storages_keep_order = all(map(keeps_order, self.strategies))
        self.service = SimulatedService(_as_one(simulation, self.strategies, shared), self.add)
        self.buffers = [BufferState(i, declared, self) for i, declared in enumerate(simulation.buffers)]
        self.service.register(self.buffers)
        self.queues: dict[str, QueueState] = {}
        for name in workload.queues:
            self._queue(name)
        self._arrived = 0
        self._keys: dict[Hashable, int] = {}
        self._own: list[tuple[int, float, int, int, int]] = []
        self._numbers: dict[str, int] = {}
        self._added: set[vendure.Job] = set()
        self._takers_of: dict[str, Sequence[BufferState]] = {}
        self._collects_by_queue = all(isinstance(b.collect, CollectAll | CollectQueues) for b in simulation.buffers)
        # every job has one row, whose number is the job's; a storage of the user's is asked by the rows' jobs
        self._single = self._storages_keep_order and self._collects_by_queue and _one_taker(simulation)
        self._arrivals = self._iterate()
        self._next: Arrival
        self._has_run = False
        self._arrival = Moment(self.env, self._arrive)
        self._set_arrival()
        self._set_stops()

    # arrivals

    def _iterate(self) -> Iterator[Arrival]:
        """Yield the planned jobs, as the attributes that a Job takes; constant columns cost next to nothing."""
        jobs, workload = self._jobs, self.workload
        names = [*workload.queues]
        counts = [itertools.count() for _ in workload.producers]
        keys = [*workload.key_values, None]  # code −1: no key
        for start in range(0, len(jobs), _ARRIVALS_AT_ONCE):
            part = jobs.rows(start, start + _ARRIVALS_AT_ONCE)
            data: Iterable[object] = itertools.repeat(None)
            if workload.has_data:
                producers = part.producer.tolist()
                data = map(workload.data, producers, (next(counts[producer]) for producer in producers))
            # the constant columns are endless
            yield from zip(
                part.time.tolist(),
                _values(part.queue, names),
                _values(part.key, keys),
                _values(part.nbytes),
                data,
                strict=False,
            )

    def _arrive(self, event: simpy.Event) -> None:
        time, queue, key, nbytes, data = self._next
        self.receive(Job(queue_name=queue, data=data, created_at=time, key=key, nbytes=nbytes))
        self._set_arrival()

    def _set_arrival(self) -> None:
        arrival = next(self._arrivals, None)
        if arrival is not None:
            self._next = arrival
            self._arrival.set(arrival[0], _ARRIVAL + self._arrived)

    def add(self, job: vendure.Job) -> bool:
        """Let a job of the user's arrive now; return whether a buffer collects it."""
        if job in self._added:
            raise BufsimError(f"{job!r} has been added already; make a new Job for every arrival")
        self._added.add(job)
        job.created_at = self.env.now
        key = -1
        if job.key is not None:
            if not self._keys:
                self._keys = {value: code for code, value in enumerate(self.workload.key_values)}
            key = self._keys.setdefault(job.key, len(self._keys))
        self._own.append((self._arrived, self.env.now, self._queue(job.queue_name).index, key, job.nbytes))
        return self.receive(job)

    def number(self, job: vendure.Job) -> int:
        """Return the number of a job that a storage strategy gave back, perhaps as a new object."""
        try:
            return self._numbers[str(job.id)]
        except KeyError:
            raise BufsimError(
                f"the storage strategy gave back {job!r}, whose id the run does not know; keep the job's id"
            ) from None

    def receive(self, job: vendure.Job) -> bool:
        """Put a job into every buffer that collects it, then ask their policies; into the queue if none does."""
        number = self._arrived
        self._arrived = number + 1
        if not self._storages_keep_order:
            self._identify(job, number)
        takers = self._takers_of.get(job.queue_name) or self._takers(job)
        if len(takers) == 1 and not self.down:
            buffer = takers[0]
            row = number if self._single else self.recorder.copy(number, buffer.index)
            if buffer.arrive(row, job):
                buffer.ask()
            return True
        return self._receive(number, job, takers)

    def _identify(self, job: vendure.Job, number: int) -> None:
        """Give a job an id of its own, by which it is known when a storage of the user's gives it back."""
        if job.id is None:
            job.id = str(number)
            while job.id in self._numbers:
                job.id += "'"
        elif str(job.id) in self._numbers:
            raise BufsimError(f"the id of {job!r} is taken; give every job its own, or none")
        self._numbers[str(job.id)] = number

    def _receive(self, number: int, job: vendure.Job, takers: Sequence[BufferState]) -> bool:
        """Receive a job that several buffers collect, or none, or that comes while the server is down."""
        rows = [number if self._single else self.recorder.copy(number, index) for index in _indices(takers)]
        if self.down:
            self.recorder.lose(rows, self.env._now, DOWN)
        elif not takers:
            self.recorder.carry(rows, self.enqueue(-1, [job], [1]))
        else:
            asked = [buffer for buffer, row in zip(takers, rows, strict=True) if buffer.arrive(row, job)]
            for buffer in asked:
                buffer.ask()
        return bool(takers)

    def _takers(self, job: vendure.Job) -> Sequence[BufferState]:
        """Return the buffers that collect a job; what built-in collects say of a queue is asked once."""
        takers = [buffer for buffer in self.buffers if buffer.collect(job)]
        if self._collects_by_queue:
            self._takers_of[job.queue_name] = takers
        return takers

    # flushes and the queue

    def flush(self, *buffer_ids: str) -> None:
        """Start a flush of the named buffers now, with the cause "manual".

        A buffer that is flushing is left alone, and so is every buffer while the server is down. Of an empty one
        nothing is taken; where its storage reads, then deletes, what arrives in between is lost.
        """
        known = {buffer.id: buffer for buffer in self.buffers}
        for buffer_id in buffer_ids:
            if buffer_id not in known:
                raise InvalidValueError(
                    f"flush takes the ids of buffers, {', '.join(map(repr, known))}, got {quoted(buffer_id)}"
                )
        for buffer_id, buffer in known.items():
            if buffer_id in buffer_ids and not buffer.flushing and not self.down:
                buffer.flush_now()

    def enqueue(self, flush: int, jobs: Sequence[vendure.Job], items: Sequence[int]) -> Sequence[int]:
        """Put jobs, with so many items, at the tails of their queues; return their rows of the work table."""
        names = {job.queue_name for job in jobs}
        if len(names) == 1:
            queue = self._queue(names.pop())
            tasks: Sequence[int] = queue.add(flush, items)
            queue.wake()
            return tasks
        tasks = [self._queue(job.queue_name).add(flush, (count,))[0] for job, count in zip(jobs, items, strict=True)]
        for queue in self.queues.values():
            queue.wake()
        return tasks

    def _queue(self, name: str) -> QueueState:
        if name not in self.queues:
            workers = self.simulation.workers_of(name)
            index = len(self.queues)
            self.queues[name] = QueueState(index, name, workers, self.env, self.recorder, self.workload)
        return self.queues[name]

    # stops

    def _set_stops(self) -> None:
        for k, (stop, restart) in enumerate(self._stop_times()):
            self.env.at(stop, self._stop, priority=order.priority(order.STOP, 2 * k))
            self.env.at(restart, self._restart, priority=order.priority(order.STOP, 2 * k + 1))

    def _stop_times(self) -> list[tuple[float, float]]:
        workload = self.workload
        return stop_times(
            self.simulation.stops, seed=workload.seed, replication=workload.replication, until=self.simulation.until
        )

    def _stop(self, event: simpy.Event) -> None:
        self.down = True
        for buffer in self.buffers:
            buffer.stop()
        for queue in self.queues.values():
            if not self.simulation.is_durable(queue.name):
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
        columns: dict[str, npt.NDArray[Any]] = {
            "job_time": jobs.time[:planned],
            "job_producer": jobs.producer[:planned],
            "job_queue": jobs.queue[:planned],
            "job_key": jobs.key[:planned],
            "job_nbytes": jobs.nbytes[:planned],
        }
        if self._own:
            columns = self._with_own(columns)
        copies = self._copies(columns["job_queue"])
        written: dict[str, Any] = {**columns, **copies, **self.recorder.columns(len(copies["copy_job"]))}
        return Recording(
            **written,
            producers=[producer.name for producer in self.simulation.producers],
            queues=list(self.queues),
            buffers=[buffer.id for buffer in self.buffers],
            keys=list(self._keys) if self._keys else self.workload.key_values,
            empty_ticks=self._empty_ticks(),
        )

    def _empty_ticks(self) -> dict[int, int]:
        """The empty ticks of the buffers that count them, up to the end of the run."""
        counted = {}
        for buffer in self.buffers:
            if buffer.empty_ticks is not None:
                buffer.empty_ticks.close(self.simulation.until)
                counted[buffer.index] = buffer.empty_ticks.count
        return counted

    def _copies(self, job_queue: npt.NDArray[Any]) -> dict[str, Any]:
        """Return the job and the buffer of each copy; where every job has one row they follow from its queue."""
        if not self._single:
            return {
                "copy_job": np.asarray(self.recorder.copy_job),
                "copy_buffer": np.asarray(self.recorder.copy_buffer),
            }
        buffer = np.full(len(self.queues), -1, np.int16)
        for number, name in enumerate(self.queues):
            for taker in self._takers_of.get(name, ()):
                buffer[number] = taker.index
        has_one_queue = len(self.queues) == 1
        return {
            "copy_job": memory.counted(self._arrived),
            "copy_buffer": np.broadcast_to(buffer[0], (self._arrived,)) if has_one_queue else buffer[job_queue],
        }

    def _with_own(self, columns: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Put the jobs of the user's own processes among the others, in the order of arrival."""
        numbers, times, queues, keys, nbytes = map(np.asarray, zip(*self._own, strict=True))
        places = numbers - np.arange(len(numbers))
        own = (times, np.full(len(numbers), -1), queues, keys, nbytes)
        return {
            name: np.insert(column, places, values) for (name, column), values in zip(columns.items(), own, strict=True)
        }


def _values(column: npt.NDArray[Any], names: Sequence[Any] | None = None) -> Iterable[Any]:
    """Return the values of a column, or the names that stand at them; of a constant column, one value for ever."""
    if column.strides == (0,) and len(column):
        value = int(column[0])
        return itertools.repeat(value if names is None else names[value])
    return column.tolist() if names is None else map(names.__getitem__, column.tolist())


def _as_one(
    simulation: Declaration,
    strategies: Sequence[vendure.JobBufferStorageStrategy],
    shared: vendure.JobBufferStorageStrategy,
) -> vendure.JobBufferStorageStrategy:
    """Return the storage strategy of the service: the one that all buffers share, or one that leads to each."""
    if all(one is shared for one in strategies):
        return shared
    return RoutedStorage(dict(zip((b.id for b in simulation.buffers), strategies, strict=True)), shared)


def _one_taker(simulation: Declaration) -> bool:
    """Return whether built-in collects take no job twice, not even one whose queue only a user's process names."""
    collects = [b.collect for b in simulation.buffers if isinstance(b.collect, CollectAll | CollectQueues)]
    names = {*simulation.queues, *(name for c in collects if isinstance(c, CollectQueues) for name in c.queues)}
    return all(sum(collect.takes(name) for collect in collects) <= 1 for name in names)


def _indices(takers: Sequence[BufferState]) -> list[int]:
    """Return the numbers of the buffers that take a job; −1 where none does."""
    return [taker.index for taker in takers] or [-1]
