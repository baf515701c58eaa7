"""A simulation written as a scenario file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

from bufsim.errors import InvalidValueError
from bufsim.model.buffers import CollectAll, CollectQueues, JobBuffer
from bufsim.model.producers import Producer
from bufsim.model.traces import ScaledTrace, Trace
from bufsim.model.workers import GivenTimes, PushWorkers, Workers
from bufsim.simulation import Simulation
from bufsim.spelling import build
from bufsim.spelling.words import ROLES

Lines = Iterator[tuple[str, object]]


def scenario_text(simulation: Simulation) -> str:
    """Return a scenario file that declares the same simulation.

    Raises
    ------
    InvalidValueError
        If a part cannot be written: a trace, or a policy, `collect`, `reduce` or the like that is code of your own; the
        message names it.

    Examples
    --------
    >>> from bufsim import FlushAtSize, Poisson
    >>> print(
    ...     scenario_text(
    ...         Simulation(
    ...             producers=[Producer("edits", Poisson(80))],
    ...             buffers=[JobBuffer("search", policy=FlushAtSize(200))],
    ...             until=60,
    ...         )
    ...     )
    ... )
    [simulation]
    until = 60.0
    <BLANKLINE>
    [[producer]]
    name = "edits"
    arrivals = "Poisson(80.0)"
    queue = "default"
    nbytes = 0
    <BLANKLINE>
    [[buffer]]
    id = "search"
    policy = "FlushAtSize(200)"
    <BLANKLINE>
    """
    tables = [
        ("[simulation]", _simulation(simulation)),
        *(("[[producer]]", _producer(producer)) for producer in simulation.producers),
        *(("[[buffer]]", _buffer(buffer)) for buffer in simulation.buffers),
        *(("[[workers]]", _workers(workers)) for workers in simulation.workers),
        ("[storage]", _storage(simulation)),
        ("[stops]", _changed(simulation.stops) if simulation.stops else ()),
    ]
    return "\n".join(filter(None, (_written(head, lines) for head, lines in tables)))


def _written(head: str, lines: Iterable[tuple[str, object]]) -> str:
    rows = [f"{key} = {_toml(value)}\n" for key, value in lines]
    return "".join([f"{head}\n", *rows]) if rows else ""


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)


def _changed(value: Any, *, leave_out: tuple[str, ...] = ()) -> Lines:
    """Yield a value's fields that have not their default."""
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if field.init and field.name not in leave_out and held != field.default:
            yield field.name, held


def _simulation(simulation: Simulation) -> Lines:
    yield "until", simulation.until
    if simulation.warm_up:
        yield "warm_up", simulation.warm_up
    if not simulation.durable_queue:
        yield "durable_queue", False


def _producer(producer: Producer) -> Lines:
    name = f"producer {producer.name!r}"
    if isinstance(producer.arrivals, Trace | ScaledTrace) or producer.data is not None:
        raise InvalidValueError(
            f"{name} has recorded jobs, which have no place in a scenario file; keep them in a file of their own, and "
            "name it with trace = 'jobs.csv'"
        )
    yield "name", producer.name
    yield "arrivals", _words("arrivals", f"{name}, arrivals", producer.arrivals)
    yield "queue", producer.queue
    if producer.keys is not None:
        yield "keys", _words("keys", f"{name}, keys", producer.keys)
    size = producer.nbytes
    yield "nbytes", size if isinstance(size, int) else _words("sizes", f"{name}, nbytes", size)


def _buffer(buffer: JobBuffer) -> Lines:
    name = f"buffer {buffer.id!r}"
    kind = _ported(buffer)
    if kind:
        yield "ported", kind
    else:
        yield "id", buffer.id
    yield "policy", _words("policy", f"{name}, policy", buffer.policy)
    own = () if kind else ("collect", "reduce")
    for key, held in _changed(buffer, leave_out=("id", "policy", "items")):
        if key == "collect" and key in own and isinstance(held, CollectQueues):
            yield key, held.queues
        elif key in (*own, "drain", "capacity", "flush_time") and not isinstance(held, CollectAll):
            yield key, _words(key, f"{name}, {key}", held)


def _ported(buffer: JobBuffer) -> str:
    """Return the name of Vendure's class whose methods the buffer has, if it has any's."""
    known = {word.make for word in ROLES["ported"].words.values()}
    ported = type(getattr(buffer.collect, "__self__", None))
    return ported.__name__ if ported in known and type(getattr(buffer.reduce, "__self__", None)) is ported else ""


def _workers(workers: Workers) -> Lines:
    name = f"workers of {workers.queue!r}"
    yield "kind", "push" if isinstance(workers, PushWorkers) else "polling"
    for key, held in _changed(workers):
        if isinstance(held, GivenTimes):
            yield key, held.times.tolist()
        else:
            yield key, _words(key, f"{name}, {key}", held) if key in ("service", "backoff") else held


def _storage(simulation: Simulation) -> Lines:
    for key, held in _changed(simulation.storage):
        if key == "strategy":
            yield key, _words("strategy", "storage, strategy", held, written=getattr(held, "__name__", repr(held)))
        else:
            yield key, held


def _words(role: str, name: str, value: object, *, written: str = "") -> str:
    """Return a value as words that are known to read back as the same."""
    words = written or repr(value)
    try:
        same = build(role, words, name=name) == value
    except (InvalidValueError, TypeError):
        same = False
    if not same:
        raise InvalidValueError(f"{name} cannot be written in a scenario file, got {words}; it is code of your own")
    return words
