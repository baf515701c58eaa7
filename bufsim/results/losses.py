"""Losses of jobs: for which causes a declared model can have any, and in words what was lost, of what and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bufsim.engines.recording import LOSS_CAUSES
from bufsim.formats import jobs, number, percent
from bufsim.model.buffers import CollectAll, CollectQueues, JobBuffer
from bufsim.model.declaration import Declaration
from bufsim.model.reducers import Reduce
from bufsim.results.tallies import Tally
from bufsim.vendure import InMemoryJobBufferStorageStrategy, TestingJobBufferStorageStrategy

REASONS: Mapping[str, str] = {
    "capacity": "because the buffer was full",
    "buffer": "from a volatile buffer at a stop",
    "in_flight": "in flight at a stop",
    "queue": "from a volatile queue at a stop",
    "down": "because they arrived while the server was down",
    "race": "because they arrived between a flush's read and its delete",
    "storage": "because the storage strategy did not give them back",
}
"""Of each cause of loss, why a job is lost."""
SURVIVORS = "waits are those of the survivors, the jobs that flushes took"
_KEEP_ALL = (InMemoryJobBufferStorageStrategy, TestingJobBufferStorageStrategy)


def possible_causes(model: Declaration, buffer: JobBuffer | None = None) -> tuple[str, ...]:
    """The causes for which a buffer of a model, or (None) whatever holds jobs in it, can lose jobs, as declared.

    Examples
    --------
    >>> from bufsim import Capacity, FlushEvery, Poisson, Producer, Simulation, Stops
    >>> buffer = JobBuffer("search", policy=FlushEvery("5s"), capacity=Capacity(jobs=100))
    >>> edits, stops = Producer("edits", Poisson(1.0)), Stops(at=[9.0])
    >>> possible_causes(Simulation(producers=[edits], buffers=[buffer], until=60.0, stops=stops), buffer)
    ('capacity', 'buffer', 'in_flight')
    """
    stops = model.stops
    storages = [model.storage_of(one) for one in (model.buffers if buffer is None else (buffer,))]
    possible = {
        "capacity": buffer is not None and buffer.capacity is not None,
        "buffer": stops is not None and not all(storage.durable for storage in storages),
        "in_flight": stops is not None,
        "queue": stops is not None and _reaches_volatile_queue(model, buffer),
        "down": stops is not None and stops.downtime > 0.0,
        "race": any(storage.read_delete_window > 0.0 for storage in storages),
        # nobody knows what a strategy of the user's own gives back
        "storage": any(storage.strategy not in _KEEP_ALL for storage in storages),
    }
    return tuple(cause for cause in LOSS_CAUSES if possible[cause])


def _reaches_volatile_queue(model: Declaration, buffer: JobBuffer | None) -> bool:
    """Whether jobs of a buffer, or (None) any jobs, may come to a queue that is not durable."""
    built_in = all(isinstance(one.reduce, Reduce) for one in model.buffers)
    if not built_in:
        # code of the user's own may name any queue
        return model.durable_queue is not True
    collect = CollectAll() if buffer is None else buffer.collect
    queues: Iterable[str] = model.queues
    if isinstance(collect, CollectAll | CollectQueues):
        queues = filter(collect.takes, queues)
    return not all(map(model.is_durable, queues))


def can_lose(model: Declaration) -> bool:
    """Whether a model can lose jobs, as declared: a capacity, stops, or a storage that may not give them back."""
    return any(possible_causes(model, buffer) for buffer in model.buffers)


def lost_share(tallies: Sequence[Tally]) -> float:
    """The share of the jobs that arrived in buffers that was lost, over all replications; nan if none arrived."""
    arrived = sum(tally.all_buffers.arrivals for tally in tallies)
    return sum(sum(tally.all_buffers.lost) for tally in tallies) / arrived if arrived else float("nan")


def loss_text(tallies: Sequence[Tally]) -> str:
    """What was lost of a model in its replications, and why; "" if nothing was.

    The numbers are means over the replications where there are several.
    """
    runs, several = len(tallies), len(tallies[0].buffers) > 1
    lost = {
        cause: {name: _mean(tally.buffers[name].lost[index] for tally in tallies) for name in tallies[0].buffers}
        | {"": _mean(tally.bypassed_lost[index] for tally in tallies)}
        for index, cause in enumerate(LOSS_CAUSES)
    }
    whose = several or any(by_buffer[""] for by_buffer in lost.values())
    parts = {cause: _of_buffers(by_buffer, whose) for cause, by_buffer in lost.items() if any(by_buffer.values())}
    if not parts:
        return ""
    total, share = sum(sum(by_buffer.values()) for by_buffer in lost.values()), lost_share(tallies)
    of_all = f", {percent(share)} of those that came to buffers" if share > 0.0 else ""
    if len(parts) == 1 and not whose:
        parts = dict.fromkeys(parts, "all")
    listed = ", ".join(f"{text} {REASONS[cause]}" for cause, text in parts.items())
    return f"{jobs(total)}{' a run' if runs > 1 else ''}{of_all}: {listed}"


def _mean(counts: Iterable[int]) -> float:
    values = list(counts)
    return sum(values) / len(values)


def _of_buffers(by_buffer: Mapping[str, float], whose: bool) -> str:
    """The numbers of jobs that buffers lost, with the buffers' names where that says something."""
    lost = {name: count for name, count in by_buffer.items() if count}
    of = {name: f" of buffer {name!r}" if name else " that no buffer collects" for name in lost}
    return " and ".join(f"{number(count)}{of[name] if whose else ''}" for name, count in lost.items())


def loss_warnings(tallies: Sequence[Tally]) -> Iterator[str]:
    """A sentence each on jobs that were lost in the replications of a model, were repeated, or failed for good."""
    text = loss_text(tallies)
    if text:
        # where no flush took a job there are no waits
        yield (
            f"lost: {text}; {SURVIVORS}" if any(tally.all_buffers.waits.count for tally in tallies) else f"lost: {text}"
        )
    repeated = _mean(tally.all_buffers.repeated for tally in tallies)
    if repeated:
        yield (
            f"repeated: {jobs(repeated)}{' a run' if len(tallies) > 1 else ''} reached the queue once more: servers "
            "that flush a storage at the same times read a batch before one of them has deleted it"
        )
    for name in tallies[0].queues:
        queues = [tally.queues[name] for tally in tallies]
        failed, served = (sum(getattr(queue, what) for queue in queues) for what in ("failed", "completed"))
        if failed:
            yield (
                f"failed: {percent(failed / (failed + served))} of the jobs that queue {name!r} finished failed for "
                f"good, {jobs(failed / len(tallies))}{' a run' if len(tallies) > 1 else ''}: no attempt was left"
            )
