"""A whole model as declared, with the checks that concern several parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY
from typing import Annotated, Any

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.declared import Duration, Rule, Value, Wide, default, instance, period, settle, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.buffers import CollectAll, CollectQueues, JobBuffer, Storage
from bufsim.model.flush_policy import CheckedEvery
from bufsim.model.policies import FlushEvery
from bufsim.model.producers import Producer
from bufsim.model.reducers import Reduce
from bufsim.model.stops import Stops
from bufsim.model.traces import recording
from bufsim.model.workers import PollingWorkers, Workers

_SMALLEST_TICK = 2.0**-50


def _some(kind: Any, example: str) -> Rule:
    def rule(name: str, given: object) -> tuple[object, ...]:
        checks.fits(name, given)
        members = (given,) if isinstance(given, kind) else tuple(given) if isinstance(given, Iterable) else None
        if members is None or not all(isinstance(member, kind) for member in members):
            raise InvalidTypeError(f"{name} must be a list such as [{example}], got {quoted(given)}")
        return members

    return rule


def _several(kind: Any, example: str) -> Rule:
    def rule(name: str, given: object) -> object:
        members = _some(kind, example)(name, given)
        if not members:
            raise InvalidValueError(f"{name} must not be empty; give at least one, such as [{example}]")
        return members

    return rule


def _durable(name: str, given: object) -> bool | tuple[str, ...]:
    if isinstance(given, bool):
        return given
    kind = "True, False, or the names of the queues that are durable"
    return checks.names(name, given, kind=kind, way_out="where no queue is durable it is False")


_MOST_EMPTY = 0.9


def _recorded_end(producers: Iterable[Producer]) -> RecordedEnd:
    """The end of the longest recording, if all arrivals are recorded."""
    spans = []
    for producer in producers:
        trace = recording(producer.arrivals)
        if trace is None:
            raise InvalidValueError(
                f"until must be given, since the arrivals of producer {producer.name!r} are no recording that ends, "
                f"got {quoted(producer.arrivals)}; only where all are recorded it can be left out"
            )
        spans.append((producer.name, trace))
    name, longest = max(spans, key=lambda span: span[1].end)
    first = min(float(trace.times[0]) for _, trace in spans)
    if longest.length is None and longest.times[-1] == 0.0:
        raise InvalidValueError(f"until must be given, since all jobs of producer {name!r} are recorded at 0 s")
    if longest.length is None and first > _MOST_EMPTY * longest.end:
        raise InvalidValueError(
            f"until must be given, since the jobs of producer {name!r} are recorded from {first:.15g} s to "
            f"{longest.end:.15g} s: nearly all of the run would be empty; where the times count from another moment, "
            "read them with origin='first'"
        )
    return RecordedEnd(longest.end)


class RecordedEnd(float):
    """The end of a run that was not given, but follows from the recordings: another model has another one.

    Examples
    --------
    >>> RecordedEnd(3.5000000000000004)
    3.5000000000000004
    """

    __slots__ = ()

    @property
    def label(self) -> str:
        """The end as people write it: its repr may be the next double after the last job."""
        return f"{self:.15g}"


def _until(name: str, given: object) -> object:
    return given if given is None or isinstance(given, RecordedEnd) else period(name, given)


@value
class Declaration(Value):
    """A whole model as declared: producers, job buffers, workers, and how long to run.

    The parameters are those of `bufsim.Simulation`, which adds how to run it.
    """

    _: KW_ONLY
    producers: Annotated[
        Wide[Producer | Iterable[Producer], tuple[Producer, ...]],
        _several(Producer, "Producer('edits', Poisson(100.0))"),
    ]
    buffers: Annotated[
        Wide[JobBuffer | Iterable[JobBuffer], tuple[JobBuffer, ...]],
        _several(JobBuffer, "JobBuffer('search', policy=FlushEvery(5.0))"),
    ]
    workers: Annotated[Wide[Workers | Iterable[Workers], tuple[Workers, ...]], _some(Workers, "PushWorkers(3)")] = (
        default(())
    )
    until: Annotated[Wide[Seconds | None, float], _until] = default(None)
    warm_up: Duration = default(0.0)
    storage: Annotated[Storage, instance(Storage, "a Storage, such as Storage(durable=True)")] = Storage()
    durable_queue: Annotated[Wide[bool | str | Iterable[str], bool | tuple[str, ...]], _durable] = default(True)
    stops: Annotated[Stops | None, instance(Stops | None, "a Stops, such as Stops(at=[3600.0]), or None")] = None

    def __post_init__(self) -> None:
        until: object = self.until
        all_recorded = all(recording(producer.arrivals) is not None for producer in self.producers)
        # where drawn arrivals take the place of recorded ones, the run stays as long
        if until is None or (isinstance(until, RecordedEnd) and all_recorded):
            settle(self, until=_recorded_end(self.producers))
        self._check_names()
        self._check_times()
        self._check_reach()

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
            until = self.until.label if isinstance(self.until, RecordedEnd) else repr(self.until)
            raise InvalidValueError(f"warm_up must be < until, got warm_up={self.warm_up!r}, until={until}")
        for name, held in self._periods():
            if held < self.until * _SMALLEST_TICK:
                raise InvalidValueError(
                    f"{name} must be at least until·2⁻⁵⁰, {self.until * _SMALLEST_TICK!r} s, "
                    f"so that ticks are different times, got {quoted(held)}"
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
            for queue in self.durable_queue if isinstance(self.durable_queue, tuple) else ():
                if queue not in queues:
                    raise InvalidValueError(
                        "durable_queue must be True, False, or name queues of the producers, which are "
                        f"{', '.join(map(repr, queues))}, got {quoted(queue)}{checks.did_you_mean(queue, queues)}"
                    )

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that the producers name, in their order."""
        return tuple(dict.fromkeys(queue for producer in self.producers for queue in producer.queues))

    def storage_of(self, buffer: JobBuffer) -> Storage:
        """Return the storage of a buffer: its own, else that of the simulation."""
        return self.storage if buffer.storage is None else buffer.storage

    def is_durable(self, queue: str) -> bool:
        """Return whether the jobs of a queue outlive a stop of the server."""
        return queue in self.durable_queue if isinstance(self.durable_queue, tuple) else self.durable_queue

    def workers_of(self, queue: str) -> Workers | None:
        """Return the workers that serve `queue`: its own, else those without a queue, else None."""
        served = {workers.queue: workers for workers in self.workers}
        return served.get(queue, served.get(None))
