"""The ported service inside a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from bufsim import vendure
from bufsim.errors import BufsimError


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


class _Handed:
    """The job queue strategy inside a run: the service returns what it was given, and the model puts it into queues."""

    def add(self, job: vendure.Job) -> vendure.Job:
        return job
