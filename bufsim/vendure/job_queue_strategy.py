"""A job queue strategy: what takes jobs on after a flush."""

from __future__ import annotations

from typing import Protocol

from bufsim.vendure.job import Job


class JobQueueStrategy(Protocol):
    """Anything that takes jobs one by one."""

    def add(self, job: Job) -> Job:
        """Put `job` on its queue, and return the job as the queue has it."""
