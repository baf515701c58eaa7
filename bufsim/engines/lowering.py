"""Flush policies as programs for the kernel's stack machine, so that a new policy compiles nothing new."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from bufsim.engines.kernel import state
from bufsim.engines.kernel.policy import leaf_due
from bufsim.engines.kernel.records import R, Records, dtype_of
from bufsim.engines.kernel.state import Buffer, Operation, Queue, Run
from bufsim.engines.recording import cause_names, remembers_ticks
from bufsim.errors import BufsimError, NotLoweredError
from bufsim.model import buffers, declaration, reducers, rules, workers
from bufsim.model.distributions import Constant
from bufsim.model.flush_policy import AllOf, AnyOf, CheckedEvery, FlushPolicy
from bufsim.model.given import GivenTimes
from bufsim.vendure import InMemoryJobBufferStorageStrategy

# what any arrival changes
_CHANGED = frozenset({"size", "nbytes", "newest_at"})


# what a leaf remembers at first, of the kernel's two numbers
_BLANK = (-rules.INF, -rules.INF)


class Program:
    """Policies as programs for the kernel's stack machine: one row an operation, in postfix order."""

    def __init__(self, causes: Sequence[str], until: float) -> None:
        self.rows: list[tuple[int, float, float, int, int, int, float, float]] = []
        self.times: list[float] = []
        self._causes = {name: number for number, name in enumerate(causes)}
        self._until = until

    def add(self, policy: FlushPolicy) -> None:
        """Append the operations of a policy; members are joined from the left."""
        if isinstance(policy, AnyOf | AllOf):
            for number, member in enumerate(policy.members):
                self.add(member)
                if number > 0:
                    self.rows.append(
                        (state.ANY if isinstance(policy, AnyOf) else state.ALL, 0.0, 0.0, 0, 0, -1, *_BLANK)
                    )
        elif isinstance(policy, CheckedEvery):
            self.add(policy.policy)
            self.rows.append((state.CHECKED, policy.period, policy.phase, 0, 0, -1, *_BLANK))
        else:
            operation = policy.lowered(self._until)
            assert operation is not None  # checked
            self.append(operation, self._causes[repr(policy)])

    def append(self, operation: rules.Operation, cause: int) -> None:
        """Append a leaf's operation; its times, if it has any, stand in `times`."""
        _check_rule(operation)
        first = len(self.times)
        self.times.extend(operation.times)
        span = (first, len(self.times)) if operation.times else (operation.whole, 0)
        self.rows.append((operation.rule, operation.seconds, operation.phase, *span, cause, *_BLANK))

    def ticks(self, operations: Iterable[rules.Operation]) -> tuple[int, int]:
        """Append tick rules, each once; return where they begin and end."""
        first = len(self.rows)
        for operation in dict.fromkeys(operations):
            self.append(operation, -1)
        return first, len(self.rows)


_JOB_OF_0_BYTES: Any = SimpleNamespace(jobs=1, held_nbytes=0, last_flush_start=-rules.INF, last_flush_end=-rules.INF)


def _check_rule(operation: rules.Operation) -> None:
    """Raise BufsimError if the kernel has no branch for a leaf's rule: else the leaf would never be due there."""
    as_record: Any = SimpleNamespace(
        **operation._asdict(), op=operation.rule, last=len(operation.times), since=0.0, spent=0.0
    )
    if operation.times:
        as_record.whole = 0
    if np.isnan(leaf_due(_JOB_OF_0_BYTES, as_record, np.array(operation.times), 0.0, 0.0)):
        raise BufsimError(f"leaf_due of the kernel has no branch for the rule of {operation}: a bug in bufsim")


_REDUCES = {
    reducers.KeepAll: state.KEEP,
    reducers.UniqueByKey: state.UNIQUE,
    reducers.Merge: state.MERGE,
    reducers.SearchIndexReduce: state.SEARCH,
}
_COLLECTS = (buffers.CollectAll, buffers.CollectQueues)
_DRAINS = (buffers.DrainAll, buffers.DrainAtMost, buffers.DrainUntil)
_WAY_OUT = 'run it with engine="simpy", or use a built-in one'


def check_lowered(simulation: declaration.Declaration) -> None:
    """Raise NotLoweredError, naming the part, if the compiled engine cannot take this simulation."""
    for buffer in simulation.buffers:
        where = f" of buffer {buffer.id!r}"
        strategy = simulation.storage_of(buffer).strategy
        if strategy is not InMemoryJobBufferStorageStrategy:
            raise _not_lowered("storage strategy", strategy, where if buffer.storage else "")
        if type(buffer.collect) not in _COLLECTS:
            raise _not_lowered("collect", buffer.collect, where)
        if type(buffer.reduce) not in _REDUCES:
            raise _not_lowered("reduce", buffer.reduce, where)
        if type(buffer.drain) not in _DRAINS:
            raise _not_lowered("drain", buffer.drain, where)
        for leaf in buffer.policy.leaves():
            if leaf.lowered(simulation.until) is None:
                raise _not_lowered("policy", leaf, where)


def _not_lowered(what: str, value: object, where: str) -> NotLoweredError:
    return NotLoweredError(f"the compiled engine does not know the {what} {value!r}{where}; {_WAY_OUT}")


class Lowered(NamedTuple):
    """A simulation as arrays, at the start of a run; what depends on the number of jobs is not in it."""

    run: Records[Run]
    buffers: Records[Buffer]
    queues: Records[Queue]
    program: Records[Operation]
    lists: state.Ints
    times: state.Floats
    key_kind: np.ndarray


def lower(
    simulation: declaration.Declaration,
    queues: Sequence[str],
    keys: Sequence[Hashable],
    stops: Sequence[tuple[float, float]],
) -> Lowered:
    """Return the simulation as arrays for the kernel.

    Parameters
    ----------
    queues, keys : sequence
        The workload's queues and keys; the kernel knows them by their positions.
    stops : sequence of (float, float)
        Stops and restarts, s.
    """
    check_lowered(simulation)
    lists = Lists()
    program = Program(cause_names(simulation), simulation.until)
    buffer_records = _records(
        Buffer, [{"index": i} | _buffer(simulation, b, program, lists) for i, b in enumerate(simulation.buffers)]
    )
    queue_records = _records(
        Queue, [{"index": i} | _queue(simulation, q, lists, bool(stops)) for i, q in enumerate(queues)]
    )
    searched = any(isinstance(buffer.reduce, reducers.SearchIndexReduce) for buffer in simulation.buffers)
    key_kind, ids_first = _keys(keys if searched else [], lists)
    first, last = len(program.times), len(program.times) + 2 * len(stops)
    facts = _facts(simulation, buffer_records, queue_records, bool(stops))
    place = {"keys": len(keys), "ids_first": ids_first, "stops_first": first, "stops_last": last}
    return Lowered(
        run=_records(Run, [facts | place]),
        buffers=buffer_records,
        queues=queue_records,
        program=cast("Records[Operation]", np.array(program.rows, dtype_of(Operation))),
        lists=np.array(lists.values, np.int64),
        times=np.array([*program.times, *(time for pair in stops for time in pair)], np.float64),
        key_kind=key_kind,
    )


def _facts(
    simulation: declaration.Declaration,
    buffers: Records[Buffer],
    queues: Records[Queue],
    stops: bool,
) -> dict[str, Any]:
    """The facts of the simulation as a whole that the kernel must know."""
    collectors, reduces = rows_of_a_job(queues), buffers["reduce"]
    # what leaves remember changes with each job, in the way of those that can be lost
    losses = (
        stops
        or bool(buffers["remembers"].any())
        or bool(buffers["limited"].any())
        or bool((buffers["window"] > 0.0).any())
    )
    contiguous = len(buffers) == 1 and not losses and bool((collectors == 1).all())
    serves = bool(queues["stores"].any())
    straight = contiguous and bool(reduces[0] == state.KEEP)
    return {
        "until": simulation.until,
        "start": simulation.warm_up,
        "contiguous": contiguous,
        "straight": straight,
        "bulk": straight and not serves,
        "serves": serves,
        "in_order": bool(queues["in_order"][queues["stores"]].all()),
        "durable_queues": bool(queues["durable"].all()),
        "counts_empty_ticks": any(remembers_ticks(buffer.policy, simulation.until) for buffer in simulation.buffers),
        "known_until": rules.INF,
        "all_buffers": -1,
        "all_queues": -1,
    }


def rows_of_a_job(queues: Records[Queue]) -> npt.NDArray[np.int64]:
    """Return how many buffers collect a job of each queue."""
    collectors: npt.NDArray[np.int64] = queues["collectors_last"] - queues["collectors_first"]
    return collectors


class Lists:
    """Lists of whole numbers, one behind the other."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def add(self, values: Sequence[int]) -> tuple[int, int]:
        """Append a list; return where it begins and ends."""
        first = len(self.values)
        self.values.extend(values)
        return first, len(self.values)


_AT_FIRST = {
    "last_flush_start": -rules.INF,
    "last_flush_end": -rules.INF,
    "end_at": rules.INF,
    "ring_at": rules.INF,
    "race_end": -rules.INF,
    "vacant": True,
}
"""A buffer as it stands at the start of a run, where that is not 0."""


def _buffer(
    simulation: declaration.Declaration, buffer: buffers.JobBuffer, program: Program, lists: Lists
) -> dict[str, Any]:
    storage, fixed = simulation.storage_of(buffer), buffer.flush_time.fixed
    return {
        **_AT_FIRST,
        **_policy(buffer.policy, program, lists, simulation.until),
        **_calls(buffer.policy, program, storage, simulation.until),
        **_drain(buffer.drain),
        **_capacity(buffer.capacity),
        "fixed": fixed.value if isinstance(fixed, Constant) else np.nan,
        "per_job": buffer.flush_time.per_job,
        "durable": storage.durable,
        "hand_overs": storage.hand_overs,
        "reduce": _REDUCES[type(buffer.reduce)],  # type: ignore[index]  # checked
    }


def _policy(policy: FlushPolicy, program: Program, lists: Lists, until: float) -> dict[str, Any]:
    first = len(program.rows)
    program.add(policy)
    last = len(program.rows)
    ticks_first, ticks_last = program.ticks(policy.ticks(until))
    leaves = list(policy.leaves())
    (sizes_first, sizes_last), (bytes_first, bytes_last) = (
        lists.add(sorted({leaf.steps[field] for leaf in leaves if field in leaf.steps})) for field in ("size", "nbytes")
    )
    return {
        "program_first": first,
        "program_last": last,
        "ticks_first": ticks_first,
        "ticks_last": ticks_last,
        "remembers": any(leaf.first_state for leaf in leaves),
        # an arrival need be asked about, unless it changes only what is read at a step, and does not reach it
        "always_asked": any(leaf.reads & _CHANGED - leaf.steps.keys() for leaf in leaves),
        "sizes_first": sizes_first,
        "sizes_last": sizes_last,
        "bytes_first": bytes_first,
        "bytes_last": bytes_last,
    }


def _calls(policy: FlushPolicy, program: Program, storage: buffers.Storage, until: float) -> dict[str, Any]:
    """The flushes that are called whatever the buffer holds; without a window they lose nothing."""
    window = storage.read_delete_window
    leaves = policy.called_when_empty() if window > 0.0 else ()
    calls = [cast("rules.Operation", leaf.lowered(until)) for leaf in leaves]
    first, last = program.ticks(calls)
    return {
        "window": window,
        "calls_first": first,
        "calls_last": last,
        "calls_spacing": rules.spacing_of_calls(calls, window),
    }


def _drain(drain: buffers.Drain) -> dict[str, Any]:
    if not isinstance(drain, buffers.DrainAtMost | buffers.DrainUntil):
        return {"drain_jobs": rules.NO_LIMIT, "drain_bytes": rules.NO_LIMIT, "drain_repeats": rules.ONCE}
    most_jobs, most_bytes = drain.limits
    return {
        "drain_jobs": most_jobs,
        "drain_bytes": most_bytes,
        "drain_reaches": isinstance(drain, buffers.DrainUntil),
        "drain_repeats": drain.rule,
    }


def _capacity(capacity: buffers.Capacity | None) -> dict[str, Any]:
    if capacity is None:
        return {"capacity_jobs": rules.NO_LIMIT, "capacity_bytes": rules.NO_LIMIT}
    return {
        "limited": True,
        "capacity_jobs": _limit(capacity.jobs),
        "capacity_bytes": _limit(capacity.nbytes),
        "drop_oldest": capacity.on_full == "drop_oldest",
    }


def _queue(simulation: declaration.Declaration, queue: str, lists: Lists, stops: bool) -> dict[str, Any]:
    collectors = [
        number
        for number, buffer in enumerate(simulation.buffers)
        if isinstance(buffer.collect, _COLLECTS) and buffer.collect.takes(queue)
    ]
    first, last = lists.add(collectors)
    record = {"collectors_first": first, "collectors_last": last, "start_at": rules.INF, "last_poll": -rules.INF}
    record["durable"] = simulation.is_durable(queue)
    pool, loses_tasks = simulation.workers_of(queue), stops and not simulation.is_durable(queue)
    record["stores"] = loses_tasks or pool is not None
    if pool is None:
        return record
    polling = isinstance(pool, workers.PollingWorkers)
    fails_below, _ = workers.failure_source(pool)
    return record | {
        "workers": state.POLLING if polling else state.PUSH,
        "in_order": not (polling or fails_below or loses_tasks or isinstance(pool.service, GivenTimes)),
        "concurrency": pool.concurrency,
        "free": pool.concurrency,
        "poll_interval": pool.poll_interval if isinstance(pool, workers.PollingWorkers) else 0.0,
        "per_item": pool.per_item,
        "failure": fails_below,
        "retries": pool.retries,
        "backoff_first": pool.backoff.first,
        "backoff_factor": pool.backoff.factor,
        "backoff_longest": pool.backoff.longest,
    }


def _keys(keys: Sequence[Hashable], lists: Lists) -> tuple[np.ndarray, int]:
    """Return the kinds of the keys, and where the beginnings of their ids stand in `lists`, for SearchIndexReduce."""
    kind, members, firsts = _searched(tuple(keys))
    first, _ = lists.add(members)
    return kind, lists.add([first + place for place in firsts])[0]


# the keys of a recording are the same in all its runs
@functools.lru_cache(maxsize=4)
def _searched(keys: tuple[Hashable, ...]) -> tuple[np.ndarray, list[int], list[int]]:
    """Return the kinds of the keys, the codes of their ids, and where those of each key begin."""
    kind = np.zeros(max(len(keys), 1), np.int8)
    codes: dict[str, int] = {}
    members: list[int] = []
    firsts = []
    for position, key in enumerate(keys):
        name = key if isinstance(key, str) else ""
        firsts.append(len(members))
        if name.startswith(reducers.VARIANTS):
            members += [codes.setdefault(member, len(codes)) for member in reducers.variant_ids(name)]
            kind[position] = state.VARIANTS_KEY
        elif name.startswith(reducers.PRODUCT):
            kind[position] = state.PRODUCT_KEY
    return kind, members, [*firsts, len(members)]


def _limit(value: int | None) -> int:
    return rules.NO_LIMIT if value is None else value


def _records(kind: type[R], rows: Sequence[dict[str, Any]]) -> Records[R]:
    """Return one record a row; fields that are not named are 0."""
    dtype = dtype_of(kind)
    names = dtype.names or ()
    return cast("Records[R]", np.array([tuple(row.get(name, 0) for name in names) for row in rows], dtype))
