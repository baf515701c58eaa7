"""The tables of a scenario file, and what their keys may hold."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bufsim import checks, vendure_trace
from bufsim.backtest import read_log
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.files import as_path
from bufsim.model.arrivals import Arrivals
from bufsim.model.buffers import CollectAll, CollectQueues, FlushTime, JobBuffer, Storage
from bufsim.model.given import GivenFailures, GivenTimes
from bufsim.model.producers import Producer
from bufsim.model.traces import ScaledTrace, Trace
from bufsim.model.workers import PushWorkers, Workers
from bufsim.simulation import Simulation
from bufsim.spelling import build, naming
from bufsim.spelling.words import ROLES, Role, Word
from bufsim.spelling.words import ROLES as VALUES


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
    storage: Any = None,
) -> JobBuffer:
    given = {"drain": drain, "capacity": capacity, "flush_time": flush_time, "storage": storage}
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


def _simulation(until: Any = None, warm_up: Any = 0.0, durable_queue: Any = True) -> dict[str, Any]:
    return {"until": until, "warm_up": warm_up, "durable_queue": durable_queue}


def _backtest(
    flushes: Path, time: str | None = None, unit: str | None = None, origin: Any = None, batch_size: str | None = None
) -> pd.DataFrame:
    own = {"time": time, "unit": unit, "origin": origin, "batch_size": batch_size}
    given = {key: value for key, value in own.items() if value is not None}
    if not given and vendure_trace.has_flushes(flushes):
        return vendure_trace.read_flushes(flushes)
    return read_log(flushes, **given)


_TRACE = Role("trace", {"trace": VALUES["arrivals"].words["trace"]}, table="trace", plain=True, names=True, path=True)
_BUFFER = {key: key for key in ("policy", "ported", "collect", "reduce", "drain", "capacity", "flush_time", "storage")}

TABLES = {
    "simulation": Role("simulation", {"simulation": Word(_simulation)}, table="simulation"),
    "producer": Role(
        "producer",
        {"producer": Word(_producer, {"arrivals": "arrivals", "trace": _TRACE, "keys": "keys", "nbytes": "sizes"})},
        table="producer",
    ),
    "buffer": Role("buffer", {"buffer": Word(_buffer, _BUFFER)}, table="buffer"),
    **{key: VALUES[key] for key in ("workers", "storage", "stops")},
    "backtest": Role("backtest", {"backtest": Word(_backtest, {"flushes": "path"})}, table="backtest"),
}


def called(key: str, table: Mapping[str, Any] | str, number: int) -> str:
    """The name of a table in messages: its name or id, else its number."""
    named = table if isinstance(table, Mapping) else {}
    name = named.get("name", named.get("id", named.get("ported")))
    return f"{key} {name!r}" if isinstance(name, str) else f"{key} number {number}"


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
        ("[simulation]", _written_simulation(simulation)),
        *(("[[producer]]", _written_producer(producer)) for producer in simulation.producers),
        *(("[[buffer]]", _written_buffer(buffer)) for buffer in simulation.buffers),
        *(("[[workers]]", _workers(workers)) for workers in simulation.workers),
        ("[storage]", _storage("storage", simulation.storage)),
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
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(inner)}' for key, inner in value.items())} }}"
    return repr(value)


def _changed(value: Any, *, leave_out: tuple[str, ...] = ()) -> Lines:
    """Yield a value's fields that have not their default."""
    for declared in dataclasses.fields(value):
        held = getattr(value, declared.name)
        if declared.init and declared.name not in leave_out and held != declared.default:
            yield declared.name, held


def _written_simulation(simulation: Simulation) -> Lines:
    yield "until", simulation.until
    if simulation.warm_up:
        yield "warm_up", simulation.warm_up
    if simulation.durable_queue is not True:
        yield "durable_queue", simulation.durable_queue


def _written_producer(producer: Producer) -> Lines:
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


def _written_buffer(buffer: JobBuffer) -> Lines:
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
        elif isinstance(held, FlushTime) and isinstance(held.fixed, GivenTimes):
            yield key, {"fixed": held.fixed.times.tolist(), "per_job": held.per_job}
        elif isinstance(held, Storage):
            yield key, dict(_storage(f"{name}, storage", held)) or "in_memory"
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
        elif isinstance(held, GivenFailures):
            yield key, held.failures.tolist()
        else:
            yield key, _words(key, f"{name}, {key}", held) if key in ("service", "backoff") else held


def _storage(name: str, storage: Storage) -> Lines:
    for key, held in _changed(storage):
        if key == "strategy":
            yield key, _words("strategy", f"{name}, strategy", held, written=getattr(held, "__name__", repr(held)))
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


_MOST_BYTES = 2**24
Document = Mapping[str, Any]
_LISTS = ("producer", "buffer", "workers")
_TABLES = ("simulation", "storage", "stops", "backtest", "plan")


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """One named model, with the recording that it can be held against.

    Parameters
    ----------
    title : str
        What it is, in a line.
    simulation : Simulation
        The model.
    flushes : pandas.DataFrame, optional
        The recorded flushes of ``[backtest]``, as `bufsim.vendure_trace.read_flushes` or `bufsim.backtest.read_log`
        returns them.
    """

    title: str
    simulation: Simulation
    flushes: pd.DataFrame | None = field(default=None, repr=False)


def read_scenario(path: str | Path) -> Scenario:
    """Return the scenario in a TOML file; see `bufsim.load_scenario`."""
    return scenario(document(path), name=str(path), base=Path(path).parent)


def document(path: str | Path) -> dict[str, Any]:
    """The contents of a TOML file, not yet checked against the model."""
    try:
        with as_path(path).open("rb") as file:
            # bounded: a device such as /dev/zero has no end
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InvalidValueError(f"the scenario file {str(path)!r} must have at most {_MOST_BYTES:,} bytes")
        # line ends as a text file has them
        return tomllib.loads(content.decode("utf-8").replace("\r\n", "\n"))
    except FileNotFoundError:
        raise InvalidValueError(f"there is no scenario file {str(path)!r}") from None
    except OSError as error:
        raise InvalidValueError(f"the scenario file {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidValueError(f"{path} is not TOML: it must be text in UTF-8") from None
    except InvalidValueError:
        raise
    except RecursionError:
        raise InvalidValueError(f"{path} is not TOML that can be read: it is nested too deep") from None
    except ValueError as error:
        # also a number of more than 4,300 digits
        raise InvalidValueError(f"{path} is not TOML: {error}") from None


def scenario(document: Document, *, name: str, base: Path = Path()) -> Scenario:
    """Return the scenario that a document declares.

    Parameters
    ----------
    document : mapping
        What a TOML file holds.
    name : str
        What it is called in messages: the path of its file.
    base : Path
        The directory from which its paths count.

    Examples
    --------
    >>> document = {
    ...     "simulation": {"until": "1min"},
    ...     "producer": [{"name": "edits", "arrivals": "poisson(80)"}],
    ...     "buffer": [{"id": "search", "policy": "size(200) | age(30s)"}],
    ... }
    >>> scenario(document, name="search.toml").simulation.buffers
    (JobBuffer('search', policy=FlushAtSize(200) | FlushAfterAge(30.0)),)
    """
    _check_keys(document, name)
    made: dict[str, Any] = {f"{key}s": _members(document, key, name, base) for key in ("producer", "buffer")}
    made["workers"] = _members(document, "workers", name, base)
    made |= {key: _one(document, key, name, base) for key in ("storage", "stops") if key in document}
    made |= _one({"simulation": {}, **document}, "simulation", name, base)
    flushes = _one(document, "backtest", name, base) if "backtest" in document else None
    with naming(name):
        title = checks.text("title", document.get("title", Path(name).stem))
        return Scenario(title, Simulation(**made), flushes)


def _check_keys(document: Document, name: str) -> None:
    known = ("title", *_TABLES, *_LISTS)
    for key in document:
        if key not in known:
            raise InvalidValueError(
                f"{name} has the unknown key {key!r}; known are {', '.join(known)}{checks.did_you_mean(key, known)}"
            )
    for key in ("producer", "buffer"):
        if key not in document:
            raise InvalidValueError(f"{name} needs the table [[{key}]]")


def _members(document: Document, key: str, name: str, base: Path) -> list[Any]:
    """The values that an array of tables declares."""
    declared = document.get(key, [])
    if not isinstance(declared, list) or not all(isinstance(table, Mapping | str) for table in declared):
        raise InvalidTypeError(f"{name}: {key} must be tables, each under [[{key}]], got {quoted(declared)}")
    return [
        build(TABLES[key], table, name=f"{name}: {called(key, table, number)}", base=base)
        for number, table in enumerate(declared, 1)
    ]


def _one(document: Document, key: str, name: str, base: Path) -> Any:
    """The value that one table declares."""
    if not isinstance(document[key], Mapping):
        raise InvalidTypeError(f"{name}: {key} must be one table, under [{key}], got {quoted(document[key])}")
    return build(TABLES[key], document[key], name=f"{name}: [{key}]", base=base)
