"""A job queue strategy: what takes jobs on after a flush."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bufsim.vendure.job import Job


class JobQueueStrategy(Protocol):
    """Anything that takes jobs one by one."""

    def add(self, job: Job) -> Job:
        """Put `job` on its queue, and return the job as the queue has it."""


class JobBuffer(Protocol):
    """Anything that decides which jobs it takes and what becomes of them at a flush.

    Examples
    --------
    A buffer that keeps the last job of a queue:

    >>> class Latest:
    ...     id = "latest"
    ...
    ...     def collect(self, job):
    ...         return job.queue_name == "reports"
    ...
    ...     def reduce(self, jobs):
    ...         return jobs[-1:]
    >>> Latest().collect(Job(queue_name="reports"))
    True
    """

    @property
    def id(self) -> str:
        """The name under which the storage strategy keeps this buffer's jobs."""

    def collect(self, job: Job) -> bool:
        """Whether this buffer takes `job`; if no buffer does, the job goes straight to its queue."""

    def reduce(self, jobs: list[Job]) -> Iterable[Job]:
        """The jobs that go on to the job queue, out of the `jobs` of one batch, oldest first.

        The list is the batch itself: if `reduce` raises, what it has left in the list goes on.
        """
