"""The tables of a scenario file, and what their keys may hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bufsim import vendure_trace
from bufsim.errors import InvalidValueError
from bufsim.model.arrivals import Arrivals
from bufsim.model.buffers import JobBuffer
from bufsim.model.producers import Producer
from bufsim.model.traces import Trace
from bufsim.spelling.words import ROLES as VALUES
from bufsim.spelling.words import Role, Word


def _producer(
    name: str,
    arrivals: Arrivals | None = None,
    trace: Trace | Path | None = None,
    queue: str | None = None,
    keys: Any = None,
    nbytes: Any = None,
) -> Producer:
    if (arrivals is None) == (trace is None):
        raise InvalidValueError("a producer needs either arrivals or trace, got both or neither")
    if trace is not None:
        arrivals = trace if isinstance(trace, Trace) else Trace.read(trace)
    assert arrivals is not None
    return Producer(name, arrivals, queue=queue, keys=keys, nbytes=nbytes)


def _buffer(
    policy: Any,
    id: str | None = None,  # noqa: A002 - the key of the file
    ported: Any = None,
    collect: Any = None,
    reduce: Any = None,
    drain: Any = None,
    capacity: Any = None,
    flush_time: Any = None,
) -> JobBuffer:
    given = {"drain": drain, "capacity": capacity, "flush_time": flush_time}
    own = {"id": id, "collect": collect, "reduce": reduce}
    if ported is not None:
        for key, value in own.items():
            if value is not None:
                raise InvalidValueError(f"a ported buffer brings its own {key}; leave {key} out")
        return JobBuffer.ported(ported, policy=policy, **_held(given))
    if id is None:
        raise InvalidValueError("a buffer needs an id, or ported = 'SearchIndexJobBuffer' or 'CollectionJobBuffer'")
    return JobBuffer(policy=policy, **_held(own | given))


def _held(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that the file gives."""
    return {key: value for key, value in arguments.items() if value is not None}


def _simulation(until: Any, warm_up: Any = 0.0, durable_queue: bool = True) -> dict[str, Any]:
    return {"until": until, "warm_up": warm_up, "durable_queue": durable_queue}


def _backtest(flushes: Path) -> pd.DataFrame:
    return vendure_trace.read_flushes(flushes)


_TRACE = Role("trace", {"trace": VALUES["arrivals"].words["trace"]}, table="trace", plain=True, names=True, path=True)
_BUFFER = {key: key for key in ("policy", "ported", "collect", "reduce", "drain", "capacity", "flush_time")}

ROLES = {
    "simulation": Role("simulation", {"simulation": Word(_simulation, {"durable_queue": "flag"})}, table="simulation"),
    "producer": Role(
        "producer",
        {"producer": Word(_producer, {"arrivals": "arrivals", "trace": _TRACE, "keys": "keys", "nbytes": "sizes"})},
        table="producer",
    ),
    "buffer": Role("buffer", {"buffer": Word(_buffer, _BUFFER)}, table="buffer"),
    **{key: VALUES[key] for key in ("workers", "storage", "stops")},
    "backtest": Role("backtest", {"backtest": Word(_backtest, {"flushes": "path"})}, table="backtest"),
}


def called(key: str, table: Mapping[str, Any] | str, place: int) -> str:
    """Return what a table is called in messages: by its name or id, else by its number."""
    named = table if isinstance(table, Mapping) else {}
    name = named.get("name", named.get("id", named.get("ported")))
    return f"{key} {name!r}" if isinstance(name, str) else f"{key} number {place}"
