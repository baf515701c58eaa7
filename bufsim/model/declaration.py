"""What a simulation declares, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from types import UnionType
from typing import TYPE_CHECKING

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import declared
from bufsim.model.buffers import CollectAll, CollectQueues, JobBuffer, Storage
from bufsim.model.flush_policy import CheckedEvery
from bufsim.model.policies import FlushEvery
from bufsim.model.producers import Producer
from bufsim.model.reducers import Reduce
from bufsim.model.stops import Stops
from bufsim.model.workers import PollingWorkers, PushWorkers, Workers

_SMALLEST_TICK = 2.0**-50


@dataclass(frozen=True, slots=True, repr=False)
class Declaration:
    """What a simulation declares: producers, job buffers, workers, and how long to run.

    The parameters are those of `bufsim.Simulation`, which adds how to run it.
    """

    _: KW_ONLY
    producers: tuple[Producer, ...]
    buffers: tuple[JobBuffer, ...]
    workers: tuple[Workers, ...] = ()
    until: float
    warm_up: float = 0.0
    storage: Storage = Storage()
    durable_queue: bool = True
    stops: Stops | None = None

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            *,
            producers: Producer | Iterable[Producer],
            buffers: JobBuffer | Iterable[JobBuffer],
            workers: Workers | Iterable[Workers] = ...,
            until: Seconds,
            warm_up: Seconds = ...,
            storage: Storage = ...,
            durable_queue: bool = ...,
            stops: Stops | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        self._set_tuple("producers", Producer, "Producer('edits', Poisson(100.0))")
        self._set_tuple("buffers", JobBuffer, "JobBuffer('search', policy=FlushEvery(5.0))")
        self._set_tuple("workers", (PushWorkers, PollingWorkers), "PushWorkers(3)")
        self._check("storage", Storage, "a Storage, such as Storage(durable=True)")
        self._check("stops", Stops | None, "a Stops, such as Stops(at=[3600.0]), or None")
        self._check("durable_queue", bool, "True or False")
        until: Seconds = self.until
        warm_up: Seconds = self.warm_up
        object.__setattr__(self, "until", checks.positive("until", checks.seconds("until", until)))
        object.__setattr__(self, "warm_up", checks.not_negative("warm_up", checks.seconds("warm_up", warm_up)))
        self._check_names()
        self._check_times()
        self._check_reach()

    def _set_tuple(self, name: str, kind: type | tuple[type, ...], example: str) -> None:
        value = getattr(self, name)
        members = (value,) if isinstance(value, kind) else tuple(value) if isinstance(value, Iterable) else None
        if members is None or not all(isinstance(member, kind) for member in members):
            raise InvalidTypeError(f"{name} must be a list such as [{example}], got {value!r}")
        if not members and name != "workers":
            raise InvalidValueError(f"{name} must not be empty; give at least one, such as [{example}]")
        object.__setattr__(self, name, members)

    def _check(self, name: str, kind: type | UnionType, rule: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, kind):
            raise InvalidTypeError(f"{name} must be {rule}, got {value!r}")

    def _check_names(self) -> None:
        checks.unique("names of producers", [producer.name for producer in self.producers])
        checks.unique("ids of buffers", [buffer.id for buffer in self.buffers])
        served = [workers.queue for workers in self.workers]
        checks.unique("queues of workers", [queue for queue in served if queue is not None])
        if served.count(None) > 1:
            raise InvalidValueError(
                "workers without a queue serve every queue that has none of its own, "
                f"got {served.count(None)} of them; name the queue of all but one"
            )

    def _check_times(self) -> None:
        if self.warm_up >= self.until:
            raise InvalidValueError(f"warm_up must be < until, got warm_up={self.warm_up!r}, until={self.until!r}")
        for name, period in self._periods():
            if period < self.until * _SMALLEST_TICK:
                raise InvalidValueError(
                    f"{name} must be at least until·2⁻⁵⁰, {self.until * _SMALLEST_TICK!r} s, "
                    f"so that ticks are different times, got {period!r}"
                )

    def _periods(self) -> Iterable[tuple[str, float]]:
        for buffer in self.buffers:
            for part in buffer.policy.parts():
                if isinstance(part, FlushEvery | CheckedEvery):
                    yield f"period of {part!r}", part.period
        for workers in self.workers:
            if isinstance(workers, PollingWorkers):
                yield f"poll_interval of {workers!r}", workers.poll_interval

    def _check_reach(self) -> None:
        queues = self.queues
        for buffer in self.buffers:
            collect = buffer.collect
            if isinstance(collect, CollectAll | CollectQueues) and not any(map(collect.takes, queues)):
                raise InvalidValueError(
                    f"buffer {buffer.id!r} collects with {collect!r}, which no producer's queue meets; the queues are "
                    + ", ".join(map(repr, queues))
                )
        # a reduce of the user's own may name other queues
        if all(isinstance(buffer.reduce, Reduce) for buffer in self.buffers):
            for workers in self.workers:
                if workers.queue is not None:
                    checks.one_of("queue of workers", workers.queue, queues)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that the producers name, in their order."""
        return tuple(dict.fromkeys(queue for producer in self.producers for queue in producer.queues))

    def workers_of(self, queue: str) -> Workers | None:
        """Return the workers that serve `queue`: its own, else those without a queue, else None."""
        served = {workers.queue: workers for workers in self.workers}
        return served.get(queue, served.get(None))

    __repr__ = declared.call
