"""Job queues as callers see them: a queue to add to, and the service that makes queues and flushes buffers."""

from __future__ import annotations

from typing import Any

from bufsim.vendure.job import Job
from bufsim.vendure.job_buffer import JobBuffer
from bufsim.vendure.service import JobBufferService


class JobQueue:
    """A named queue: what it is given becomes a job, which goes to the buffers or straight to the job queue strategy.

    Parameters
    ----------
    name
        The queue's name, which its jobs bear.
    buffer_service
        Where the jobs go first.

    Examples
    --------
    >>> from bufsim.vendure import InMemoryJobBufferStorageStrategy, SearchIndexJobBuffer
    >>> class Numbered:
    ...     def add(self, job):
    ...         job.id = "1"
    ...         return job
    >>> service = JobBufferService(InMemoryJobBufferStorageStrategy(), Numbered())
    >>> service.add_buffer(SearchIndexJobBuffer())
    >>> JobQueue("update-search-index", service).add({"type": "update-product", "productId": 17}).id
    'buffered'
    >>> JobQueue("send-email", service).add({"to": "somebody"}).id
    '1'
    """

    def __init__(self, name: str, buffer_service: JobBufferService) -> None:
        self.name = name
        self.buffer_service = buffer_service

    def add(self, data: Any, *, retries: int = 0, created_at: float | None = None) -> Job:
        """Make a job of `data`; return it as the job queue has it, or, if it was buffered, a stand-in.

        Parameters
        ----------
        data
            What the job carries.
        retries
            How many times the job may be tried again after a failure; it survives buffering.
        created_at
            When the job is made, s.

        Notes
        -----
        Quirk: the stand-in for a buffered job is another job, with the id ``"buffered"``, which no queue knows.
        """
        job = Job(queue_name=self.name, data=data, retries=retries, created_at=created_at)
        if not self.buffer_service.add(job):
            return self.buffer_service.job_queue_strategy.add(job)
        return Job(queue_name=self.name, data=job.data, retries=retries, created_at=created_at, id="buffered")


class JobQueueService:
    """Makes job queues, registers buffers and flushes them: what application code is given.

    Parameters
    ----------
    buffer_service
        What does the work.
    prefix
        What goes before every queue's name.
    """

    def __init__(self, buffer_service: JobBufferService, *, prefix: str = "") -> None:
        self.buffer_service = buffer_service
        self.prefix = prefix

    def create_queue(self, name: str) -> JobQueue:
        """A job queue named `prefix` + `name`.

        Quirk: a prefix turns the built-in buffers off in silence, because their `collect` compares with the bare name.
        """
        return JobQueue(self.prefix + name, self.buffer_service)

    def add_buffer(self, buffer: JobBuffer) -> None:
        """Register `buffer`: see :meth:`JobBufferService.add_buffer`."""
        self.buffer_service.add_buffer(buffer)

    def remove_buffer(self, buffer: JobBuffer) -> None:
        """Forget `buffer`: see :meth:`JobBufferService.remove_buffer`."""
        self.buffer_service.remove_buffer(buffer)

    def buffer_size(self, *buffers: JobBuffer | str) -> dict[str, int]:
        """Jobs now stored, by buffer id, for the buffers given by object or id.

        Quirk: without an argument the result is ``{}``, though Vendure's documentation says that it means all buffers.
        """
        return self.buffer_service.buffer_size(buffers)

    def flush(self, *buffers: JobBuffer | str) -> list[Job]:
        """Flush the buffers given by object or id; return the jobs queued: see :meth:`JobBufferService.flush`.

        Quirk: without an argument nothing is flushed, though Vendure's documentation says that it means all buffers.
        """
        return self.buffer_service.flush(buffers)
