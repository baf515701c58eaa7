"""The job buffer service: jobs into buffers, and batches out of them, through `reduce`, to the job queue."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.vendure.job import Job
from bufsim.vendure.job_buffer import JobBuffer, JobQueueStrategy
from bufsim.vendure.storage import JobBufferStorageStrategy, confirm, give_back, take_oldest

logger = logging.getLogger("bufsim.vendure")


@dataclass(frozen=True, slots=True)
class Batch:
    """The jobs that one flush took out of one buffer, oldest first.

    Parameters
    ----------
    buffer_id
        The buffer that they come from.
    jobs
        The jobs, as they were stored.
    """

    buffer_id: str
    jobs: tuple[Job, ...]


class JobBufferService:
    """Puts each job into the buffers that collect it, and flushes buffers to the job queue.

    Parameters
    ----------
    storage_strategy
        Where buffered jobs lie.
    job_queue_strategy
        What takes the jobs on after a flush.

    Examples
    --------
    >>> from bufsim.vendure.storage import InMemoryJobBufferStorageStrategy
    >>> class Queue(list):
    ...     def add(self, job):
    ...         self.append(job)
    ...         return job
    >>> class KeepLast:
    ...     id = "a"
    ...     collect = staticmethod(lambda job: job.queue_name == "q")
    ...     reduce = staticmethod(lambda jobs: jobs[-1:])
    >>> queue = Queue()
    >>> service = JobBufferService(InMemoryJobBufferStorageStrategy(), queue)
    >>> service.add_buffer(KeepLast())
    >>> [service.add(Job(queue_name=name)) for name in ("q", "q", "other")]
    [True, True, False]
    >>> service.buffer_size()
    {'a': 2}
    >>> service.flush()
    [Job(queue_name='q')]
    """

    def __init__(self, storage_strategy: JobBufferStorageStrategy, job_queue_strategy: JobQueueStrategy) -> None:
        self.storage_strategy = storage_strategy
        self.job_queue_strategy = job_queue_strategy
        self._buffers: dict[str, JobBuffer] = {}
        self._collectors: tuple[tuple[str, Callable[[Job], bool]], ...] = ()

    def add_buffer(self, buffer: JobBuffer) -> None:
        """Register `buffer`, after those already there; its `id` and its `collect` are read now.

        Raises
        ------
        InvalidValueError
            If a buffer with the same id is registered. Quirks: the same buffer a second time is an error too, and
            the message speaks, as Vendure's does, of a JobBufferProcessor, which does not exist.
        InvalidTypeError, InvalidValueError
            If the id is not a str, or is empty.
        """
        buffer_id = checks.text("buffer.id", buffer.id)
        if buffer_id in self._buffers:
            raise InvalidValueError(
                f'There is already a JobBufferProcessor with the id "{buffer_id}". Ids must be unique'
            )
        self._buffers[buffer_id] = buffer
        self._read_collectors()

    def remove_buffer(self, buffer: JobBuffer) -> None:
        """Forget `buffer`; what it has stored stays in the storage.

        Quirks: a buffer that is not registered is no error, not even one with a registered id; a buffer that is later
        registered with the same id finds the stored jobs and flushes them.
        """
        if self._buffers.get(buffer.id) is buffer:
            del self._buffers[buffer.id]
            self._read_collectors()

    def add(self, job: Job) -> bool:
        """Store `job` in every buffer that collects it; True if one did.

        Quirks: a job that several buffers collect is stored, and later queued, once for each; if a `collect` raises,
        the buffers registered before it have stored the job already, and the error goes to the caller.
        """
        collected = False
        for buffer_id, collect in self._collectors:
            if collect(job):
                collected = True
                self.storage_strategy.add(buffer_id, job)
        return collected

    def buffer_size(self, buffers: Iterable[JobBuffer | str] | None = None) -> dict[str, int]:
        """Jobs now stored, by buffer id.

        Parameters
        ----------
        buffers
            Buffers, or their ids, registered or not; None means every registered buffer.

        Raises
        ------
        InvalidTypeError
            If `buffers` is one str.
        """
        return self.storage_strategy.buffer_size(self._ids(buffers))

    def flush(self, buffers: Iterable[JobBuffer | str] | None = None) -> list[Job]:
        """Empty the buffers, pass each batch through its buffer's `reduce`, and queue what comes out.

        Parameters
        ----------
        buffers
            Buffers, or their ids; None means every registered buffer.

        Returns
        -------
        list of Job
            The jobs queued, as the job queue returned them.

        Raises
        ------
        InvalidTypeError
            If `buffers` is one str.

        Notes
        -----
        Quirks: the storage of all the buffers is emptied first; batches are then queued in the order in which the
        buffers were registered, whatever order was asked for. So an error from the job queue, or a `reduce` that
        returns nothing iterable, loses the rest of that batch and the batches of all later buffers. A buffer given
        twice loses its jobs in the in-memory storage. An id that is not registered is emptied, and nothing is queued.
        What `reduce` does when it raises: see :meth:`hand_over`.

        A storage that is `acknowledged` loses none of these: a batch that was not handed over whole, or belongs to no
        registered buffer, goes back.
        """
        flushed = self.storage_strategy.flush(self._ids(buffers))
        queued: list[Job] = []
        try:
            for buffer_id in tuple(self._buffers):
                queued += self.hand_over(Batch(buffer_id, tuple(flushed.pop(buffer_id, ()))))
        finally:
            for buffer_id, jobs in flushed.items():
                give_back(self.storage_strategy, buffer_id, jobs)
        return queued

    def take(self, buffer_id: str, at_most: int | None = None) -> Batch:
        """The first step of a flush: take jobs, the oldest first, out of the storage of one buffer.

        Parameters
        ----------
        buffer_id
            The buffer; it need not be registered.
        at_most
            How many jobs to take; None takes all.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            If `at_most` is not a whole number of at least 1.

        Notes
        -----
        How a part is taken out of a storage that flushes whole buffers: see `take_oldest`.
        """
        if at_most is None:
            return Batch(buffer_id, tuple(self.storage_strategy.flush([buffer_id]).get(buffer_id, [])))
        limit = checks.integer("at_most", at_most, at_least=1)
        return Batch(buffer_id, tuple(take_oldest(self.storage_strategy, buffer_id, limit)))

    def hand_over(self, batch: Batch) -> list[Job]:
        """The second step of a flush: pass a batch through its buffer's `reduce`, and queue what comes out.

        Parameters
        ----------
        batch
            What :meth:`take` returned.

        Returns
        -------
        list of Job
            The jobs queued, as the job queue returned them; none if the buffer is not registered.

        Notes
        -----
        Quirks: `reduce` is not called for an empty batch. A `reduce` that raises is logged, and the batch goes on as
        `reduce` left it in its argument: one that emptied its argument first has lost it. A job queue that raises at
        job *i* ends the hand-over there: jobs before it are queued, the rest is lost.

        A storage that is `acknowledged` is told that the batch was handed over, or else gets it back.
        """
        buffer = self._buffers.get(batch.buffer_id)
        if not batch.jobs:
            return []
        queued = None
        try:
            if buffer is not None:
                queued = [self.job_queue_strategy.add(job) for job in _reduced(buffer, batch)]
        finally:
            settle = give_back if queued is None else confirm
            settle(self.storage_strategy, batch.buffer_id, batch.jobs)
        return queued or []

    def _read_collectors(self) -> None:
        self._collectors = tuple((buffer_id, buffer.collect) for buffer_id, buffer in self._buffers.items())

    def _ids(self, buffers: Iterable[JobBuffer | str] | None) -> list[str]:
        """The ids meant by an argument: the registered ones for None, else those given."""
        if isinstance(buffers, str):
            raise InvalidTypeError(
                f"buffers must be a list of buffers or ids, got {quoted(buffers)}; write [{quoted(buffers)}]"
            )
        if buffers is None:
            return list(self._buffers)
        return [buffer if isinstance(buffer, str) else buffer.id for buffer in buffers]


def _reduced(buffer: JobBuffer, batch: Batch) -> Iterable[Job]:
    """Batch that `reduce` returns; if it raises, what it has left of its argument."""
    jobs = list(batch.jobs)
    try:
        return buffer.reduce(jobs)
    except Exception as error:
        message = json.dumps(str(error), ensure_ascii=False)
        logger.exception('Error encountered processing jobs in JobBuffer "%s":\n%s', batch.buffer_id, message)
        return jobs
