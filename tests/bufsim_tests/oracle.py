"""A slow reference simulator of declared models, written from the meaning alone: it keeps a state, and no event list.

At every step it looks at all that could happen next, takes the first by (time, rank, index), and does it in full. It
shares the declared values with the engines (policies, service draws), and no code that moves jobs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, islice

from bufsim.model.buffers import DrainAtMost, DrainUntil, JobBuffer, Storage
from bufsim.model.declaration import Declaration
from bufsim.model.flush_policy import AnyOf, BufferView, FlushPolicy, States
from bufsim.model.policies import FlushAt, FlushCron, FlushEvery
from bufsim.model.reducers import KeepAll, Merge, UniqueByKey
from bufsim.model.workers import PollingWorkers, Workers

STOP, FLUSH_END, ARRIVAL, FLUSH_DUE, SERVICE_END, START = range(6)


@dataclass(frozen=True)
class Arrival:
    """One job as its producer made it; a list of them stands in order of time, then producer, then number."""

    time: float
    queue: str
    key: object
    nbytes: int


@dataclass(frozen=True)
class Draws:
    """The random numbers of a run, as functions of a name and a position (and the number of the attempt, from 1)."""

    fixed: Callable[[str, int], float]
    service: Callable[[str, int, int], float]
    failure: Callable[[str, int, int], float]


@dataclass
class Copy:
    """A job in one buffer, or (buffer None) a job that passes by."""

    job: int
    number: int
    buffer: str | None
    arrival: Arrival
    flush: Flush | None = None
    work: Work | None = None
    lost_at: float | None = None
    loss: str | None = None

    def lose(self, at: float, cause: str) -> None:
        self.lost_at, self.loss = at, cause


@dataclass
class Flush:
    """A flush, under way until it has an end."""

    id: int
    buffer: str
    start: float
    due_end: float
    window_end: float
    cause: str
    copies: list[Copy]
    end: float | None = None
    reduced: int | None = None


@dataclass
class Work:
    """A job that came to a queue."""

    id: int
    row: int
    flush: Flush | None
    queue: str
    items: int
    queued_at: float
    started_at: float | None = None
    finished_at: float | None = None
    lost_at: float | None = None
    service: float = 0.0
    service_end: float | None = None
    back_at: float | None = None
    busy: float = 0.0
    attempts: int = 0
    outcome: str = "pending"


@dataclass
class Buffer:
    """The state of one buffer."""

    declared: JobBuffer
    index: int
    copies: list[Copy] = field(default_factory=list)
    flush: Flush | None = None
    timer: float | None = None
    flushes: int = 0
    last_start: float = -math.inf
    last_end: float = -math.inf
    # a flush that has read nothing, until it has deleted what came meanwhile; and from when on one can be called
    reads_until: float | None = None
    idle_from: float = 0.0
    states: States = field(default_factory=States)


@dataclass
class Queue:
    """The state of one job queue and its workers."""

    name: str
    index: int
    workers: Workers | None
    rows: int = 0
    polls: int = 0
    waiting: list[Work] = field(default_factory=list)
    serving: list[Work] = field(default_factory=list)
    backing_off: list[Work] = field(default_factory=list)

    @property
    def free(self) -> int:
        return 0 if self.workers is None else self.workers.concurrency - len(self.serving)

    @property
    def polling(self) -> bool:
        return isinstance(self.workers, PollingWorkers)


class Oracle:
    """A run of a declared model; `run` gives its tables as lists of rows."""

    def __init__(self, model: Declaration, arrivals: list[Arrival], draws: Draws) -> None:
        self.model = model
        self.arrivals = arrivals
        self.draws = draws
        self.now = 0.0
        self.next_arrival = 0
        self.down = False
        downtime = model.stops.downtime if model.stops else 0.0
        self.stops = [time for stop in (model.stops.at if model.stops else ()) for time in (stop, stop + downtime)]
        self.next_stop = 0
        self.buffers = [Buffer(declared, index) for index, declared in enumerate(model.buffers)]
        self.queues = {name: Queue(name, i, model.workers_of(name)) for i, name in enumerate(model.queues)}
        self.copies: list[Copy] = []
        self.flushes: list[Flush] = []
        self.works: list[Work] = []
        self.attempts: dict[tuple[int, int], tuple[float, float | None, str]] = {}
        self.sizes = [(0.0, buffer.id, 0, 0) for buffer in model.buffers]

    def run(self) -> dict[str, list[tuple]]:
        while True:
            what_next = self.possible()
            if not what_next:
                break
            (time, _, _), step = min(what_next, key=lambda event: event[0])
            if time >= self.model.until:
                break
            assert time >= self.now
            self.now = time
            step()
        return {
            "jobs": self.job_rows(),
            "flushes": self.flush_rows(),
            "buffer_size": self.sizes,
            "work": self.work_rows(),
            "attempts": [(*number, *fate) for number, fate in sorted(self.attempts.items())],
        }

    def possible(self) -> list[tuple[tuple[float, int, int], Callable[[], None]]]:
        events = []
        if self.next_stop < len(self.stops):
            events.append(((self.stops[self.next_stop], STOP, self.next_stop), self.stop_or_restart))
        if self.next_arrival < len(self.arrivals):
            events.append(((self.arrivals[self.next_arrival].time, ARRIVAL, self.next_arrival), self.arrive))
        for buffer in self.buffers:
            if buffer.flush is not None:
                events.append(((buffer.flush.due_end, FLUSH_END, buffer.index), lambda b=buffer: self.end_flush(b)))
            if buffer.reads_until is not None:
                end = (buffer.reads_until, FLUSH_END, buffer.index)
                events.append((end, lambda b=buffer: self.end_empty_flush(b)))
            elif self.may_flush_empty(buffer) and (at := self.next_call(buffer)) is not None:
                events.append(((at, FLUSH_DUE, buffer.index), lambda b=buffer: self.start_empty_flush(b)))
            if buffer.timer is not None:
                events.append(((buffer.timer, FLUSH_DUE, buffer.index), lambda b=buffer: self.ring(b)))
        for queue in self.queues.values():
            for work in queue.serving:
                events.append(
                    ((work.service_end, SERVICE_END, work.id), lambda q=queue, w=work: self.end_service(q, w))
                )
            for work in queue.backing_off:
                events.append(((work.back_at, SERVICE_END, work.id), lambda q=queue, w=work: self.come_back(q, w)))
            if queue.polling:
                at = queue.polls * queue.workers.poll_interval
                events.append(((at, START, queue.index), lambda q=queue: self.poll(q)))
            elif queue.waiting and queue.free:
                events.append(((self.now, START, queue.index), lambda q=queue: self.start(q)))
        return events

    # --- the server ---------------------------------------------------------------------------------------------------

    def stop_or_restart(self) -> None:
        stopping = self.next_stop % 2 == 0
        self.next_stop += 1
        if stopping:
            self.stop()
        else:
            self.restart()

    def stop(self) -> None:
        self.down = True
        for buffer in self.buffers:
            buffer.timer = buffer.reads_until = None
            if buffer.flush is not None:
                self.lose(buffer.flush.copies, "in_flight")
                buffer.flush = None
            if buffer.copies and not self.storage(buffer).durable:
                self.lose(buffer.copies, "buffer")
                buffer.copies = []
                self.write_size(buffer)
        for queue in self.queues.values():
            if durable_queue(self.model, queue.name):
                continue
            for work in queue.serving:
                self.end_attempt(work, "lost")
            for work in queue.waiting + queue.serving + queue.backing_off:
                work.outcome, work.lost_at = "lost", self.now
            queue.waiting, queue.serving, queue.backing_off = [], [], []

    def restart(self) -> None:
        self.down = False
        for buffer in self.buffers:
            buffer.last_start = buffer.last_end = -math.inf
            buffer.idle_from = self.now
            buffer.states = States()
        for buffer in self.buffers:
            self.ask(buffer)

    def lose(self, copies: list[Copy], cause: str) -> None:
        for copy in copies:
            copy.lose(self.now, cause)

    # --- arrivals -----------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        job = self.next_arrival
        arrival = self.arrivals[job]
        self.next_arrival += 1
        takers = [buffer for buffer in self.buffers if buffer.declared.collect.takes(arrival.queue)]
        names = [buffer.declared.id for buffer in takers] or [None]
        made = [Copy(job, number, name, arrival) for number, name in enumerate(names)]
        self.copies += made
        if self.down:
            self.lose(made, "down")
            return
        if not takers:
            made[0].work = self.hand_over(None, arrival.queue, 1)
        for buffer, copy in zip(takers, made, strict=False):
            self.store(buffer, copy)
        for buffer in takers:
            self.ask(buffer)

    def store(self, buffer: Buffer, copy: Copy) -> None:
        if buffer.flush is not None and self.now < buffer.flush.window_end:
            copy.lose(self.now, "race")
            return
        if buffer.reads_until is not None:
            copy.lose(self.now, "race")
            return
        capacity = buffer.declared.capacity
        if capacity is not None:
            most_jobs = math.inf if capacity.jobs is None else capacity.jobs
            most_bytes = math.inf if capacity.nbytes is None else capacity.nbytes

            def fits() -> bool:
                return len(buffer.copies) + 1 <= most_jobs and nbytes(buffer.copies) + copy.arrival.nbytes <= most_bytes

            if copy.arrival.nbytes > most_bytes or (capacity.on_full == "drop_newest" and not fits()):
                copy.lose(self.now, "capacity")
                return
            while not fits():
                buffer.copies.pop(0).lose(self.now, "capacity")
                self.write_size(buffer)
        buffer.copies.append(copy)
        self.write_size(buffer)
        self.remember(buffer, "arrived", self.view(buffer))

    # --- flushes ------------------------------------------------------------------------------------------------------

    def view(self, buffer: Buffer) -> BufferView:
        times = [copy.arrival.time for copy in buffer.copies]
        return BufferView(
            now=self.now,
            size=len(times),
            nbytes=nbytes(buffer.copies),
            oldest_at=min(times),
            newest_at=max(times),
            last_flush_start=buffer.last_start,
            last_flush_end=buffer.last_end,
            states=States(buffer.states),
        )

    def remember(self, buffer: Buffer, event: str, *facts: object) -> None:
        before = States(buffer.states)
        for leaf in buffer.declared.policy.leaves():
            buffer.states[leaf] = getattr(leaf, event)(before[leaf], *facts)

    def storage(self, buffer: Buffer) -> Storage:
        own = buffer.declared.storage
        return self.model.storage if own is None else own

    def ask(self, buffer: Buffer) -> None:
        if buffer.flush is not None or not buffer.copies:
            return
        due = buffer.declared.policy.due(self.view(buffer))
        buffer.timer = None
        if due == -math.inf:
            self.start_flush(buffer)
        elif due < math.inf:
            buffer.timer = max(due, self.now)

    def ring(self, buffer: Buffer) -> None:
        due = buffer.declared.policy.due(self.view(buffer))
        if due <= self.now:
            self.start_flush(buffer, rang=True)
        else:
            buffer.timer = due if due < math.inf else None

    def start_flush(self, buffer: Buffer, cause: str | None = None, *, rang: bool = False) -> None:
        cause = cause or repr(buffer.declared.policy.leaf(self.view(buffer)))
        self.remember(buffer, "started", self.view(buffer), rang)
        taken = drained(buffer)
        buffer.copies = buffer.copies[len(taken) :]
        time = buffer.declared.flush_time
        window_end = self.now + self.storage(buffer).read_delete_window
        due_end = window_end + (self.draws.fixed(buffer.declared.id, buffer.flushes) + time.per_job * len(taken))
        flush = Flush(len(self.flushes), buffer.declared.id, self.now, due_end, window_end, cause, taken)
        for copy in taken:
            copy.flush = flush
        self.flushes.append(flush)
        buffer.flush, buffer.timer, buffer.last_start = flush, None, self.now
        buffer.flushes += 1
        self.write_size(buffer)

    def end_flush(self, buffer: Buffer) -> None:
        flush, storage = buffer.flush, self.storage(buffer)
        groups = reduced(buffer.declared.reduce, flush.copies)
        for server in range(storage.servers if storage.read_delete_window else 1):
            for carried, items in groups:
                work = self.hand_over(flush, carried[0].arrival.queue, items)
                for copy in carried if server == 0 else ():
                    copy.work = work
        flush.end, flush.reduced = self.now, len(groups)
        buffer.flush, buffer.last_end, buffer.idle_from = None, self.now, self.now
        self.remember(buffer, "ended", self.now)
        if goes_on(buffer):
            self.start_flush(buffer, flush.cause)
        else:
            self.ask(buffer)

    # --- flushes of what is empty -------------------------------------------------------------------------------------

    def may_flush_empty(self, buffer: Buffer) -> bool:
        idle = buffer.flush is None and not buffer.copies and not self.down
        return idle and self.storage(buffer).read_delete_window > 0.0

    def next_call(self, buffer: Buffer) -> float | None:
        """The next tick of a rule that flushes whatever there is, counted from its first."""
        calls = []
        for leaf in leaves_that_do_not_look(buffer.declared.policy):
            if isinstance(leaf, FlushAt | FlushCron):
                ticks = iter(leaf.times if isinstance(leaf, FlushAt) else leaf.times(self.model.until))
            else:
                since = {"clock": None, "flush_start": buffer.last_start, "flush_end": buffer.last_end}[leaf.anchor]
                first = leaf.phase if since is None else max(since, 0.0)
                ticks = (first + k * leaf.period for k in count(0 if since is None else 1))
            calls += islice((tick for tick in ticks if tick >= buffer.idle_from and tick > buffer.last_start), 1)
        return min(calls, default=None)

    def start_empty_flush(self, buffer: Buffer) -> None:
        buffer.reads_until = self.now + self.storage(buffer).read_delete_window

    def end_empty_flush(self, buffer: Buffer) -> None:
        buffer.reads_until, buffer.idle_from = None, self.now

    def write_size(self, buffer: Buffer) -> None:
        self.sizes.append((self.now, buffer.declared.id, len(buffer.copies), nbytes(buffer.copies)))

    # --- queues -------------------------------------------------------------------------------------------------------

    def hand_over(self, flush: Flush | None, name: str, items: int) -> Work:
        queue = self.queues[name]
        work = Work(len(self.works), queue.rows, flush, name, items, self.now)
        queue.rows += 1
        queue.waiting.append(work)
        self.works.append(work)
        return work

    def poll(self, queue: Queue) -> None:
        queue.polls += 1
        self.start(queue)

    def start(self, queue: Queue) -> None:
        for _ in range(min(queue.free, len(queue.waiting))):
            work = queue.waiting.pop(0)
            work.attempts += 1
            work.started_at = self.now if work.started_at is None else work.started_at
            work.service = self.draws.service(queue.name, work.attempts, work.row) + queue.workers.per_item * work.items
            work.service_end = self.now + work.service
            work.outcome = "running"
            self.attempts[work.id, work.attempts] = (self.now, None, "running")
            queue.serving.append(work)

    def end_service(self, queue: Queue, work: Work) -> None:
        queue.serving.remove(work)
        work.busy += work.service
        failed = self.draws.failure(queue.name, work.attempts, work.row) < queue.workers.failure
        self.end_attempt(work, "failed" if failed else "completed")
        if failed and work.attempts <= queue.workers.retries:
            backoff = queue.workers.backoff
            wait = min(backoff.longest, backoff.first * backoff.factor ** (work.attempts - 1))
            work.outcome, work.back_at = "retrying", self.now + wait
            queue.backing_off.append(work)
        else:
            work.outcome, work.finished_at = "failed" if failed else "completed", self.now

    def end_attempt(self, work: Work, outcome: str) -> None:
        start, _, _ = self.attempts[work.id, work.attempts]
        self.attempts[work.id, work.attempts] = (start, self.now, outcome)

    def come_back(self, queue: Queue, work: Work) -> None:
        queue.backing_off.remove(work)
        work.outcome = "pending"
        queue.waiting.append(work)

    # --- what came out ------------------------------------------------------------------------------------------------

    def job_rows(self) -> list[tuple]:
        rows = []
        for copy in self.copies:
            work, flush = copy.work, copy.flush
            if work is not None and work.lost_at is not None:
                copy.lose(work.lost_at, "queue")
            rows.append(
                (
                    copy.job,
                    copy.number,
                    copy.arrival.queue,
                    copy.buffer,
                    copy.arrival.key,
                    copy.arrival.nbytes,
                    copy.arrival.time,
                    None if flush is None else flush.id,
                    None if flush is None else flush.start,
                    None if work is None else work.id,
                    None if work is None else work.finished_at,
                    outcome(copy),
                    copy.lost_at,
                    copy.loss,
                )
            )
        return rows

    def flush_rows(self) -> list[tuple]:
        rows = []
        for flush in self.flushes:
            ages = [flush.start - copy.arrival.time for copy in flush.copies]
            size = len(flush.copies)
            rows.append(
                (
                    flush.buffer,
                    flush.start,
                    flush.end,
                    flush.cause,
                    size,
                    flush.reduced,
                    nbytes(flush.copies),
                    max(ages),
                )
            )
        return rows

    def work_rows(self) -> list[tuple]:
        return [
            (
                None if work.flush is None else work.flush.id,
                work.queue,
                work.queued_at,
                work.started_at,
                work.finished_at,
                work.busy,
                work.attempts,
                work.items,
                work.outcome,
            )
            for work in self.works
        ]


def durable_queue(model: Declaration, queue: str | None) -> bool:
    if model.durable_queue in (True, False):
        return model.durable_queue
    return queue in model.durable_queue


def nbytes(copies: list[Copy]) -> int:
    return sum(copy.arrival.nbytes for copy in copies)


def outcome(copy: Copy) -> str:
    if copy.loss is not None:
        return "lost"
    if copy.buffer is None:
        return "bypassed"
    if copy.flush is None:
        return "buffered"
    return "in_flight" if copy.flush.end is None else "flushed"


def leaves_that_do_not_look(policy: FlushPolicy) -> list[FlushPolicy]:
    """The clocks that call a flush whatever the buffer holds: no & and no grid asks how much there is."""
    if isinstance(policy, AnyOf):
        return [leaf for member in policy.members for leaf in leaves_that_do_not_look(member)]
    # a timer that a job starts stops at a tick that finds nothing
    timer = isinstance(policy, FlushEvery) and policy.anchor == "activation"
    return [policy] if isinstance(policy, FlushEvery | FlushAt | FlushCron) and not timer else []


def drained(buffer: Buffer) -> list[Copy]:
    """The oldest jobs within both limits, at least one; or those up to the one that reaches a limit."""
    drain = buffer.declared.drain
    if isinstance(drain, DrainUntil):
        taken: list[Copy] = []
        while len(taken) < len(buffer.copies) and not reaches(drain, taken):
            taken.append(buffer.copies[len(taken)])
        return taken
    if not isinstance(drain, DrainAtMost):
        return list(buffer.copies)
    most = len(buffer.copies)
    while most > 1:
        head = buffer.copies[:most]
        few = drain.n is None or most <= drain.n
        light = drain.nbytes is None or nbytes(head) <= drain.nbytes
        if few and light:
            break
        most -= 1
    return buffer.copies[:most]


def reaches(drain: DrainAtMost | DrainUntil, copies: list[Copy]) -> bool:
    """Whether there are jobs enough for a full batch, or bytes."""
    return (drain.n is not None and len(copies) >= drain.n) or (
        drain.nbytes is not None and nbytes(copies) >= drain.nbytes
    )


def goes_on(buffer: Buffer) -> bool:
    """Whether the next flush starts without a question."""
    drain = buffer.declared.drain
    repeat = drain.repeat if isinstance(drain, DrainAtMost | DrainUntil) else None
    if repeat == "while_full":
        return reaches(drain, buffer.copies)
    return repeat == "until_empty" and len(buffer.copies) > 0


def reduced(reduce: object, copies: list[Copy]) -> list[tuple[list[Copy], int]]:
    """The reduced jobs in order: for each the jobs that it carries, its reference first, and its items."""
    if isinstance(reduce, KeepAll):
        return [([copy], 1) for copy in copies]
    groups: dict[object, list[Copy]] = {}
    for copy in copies:
        queue, key = copy.arrival.queue, copy.arrival.key
        if isinstance(reduce, Merge):
            name: object = queue
        elif isinstance(reduce, UniqueByKey):
            name = (queue, key) if key is not None else id(copy)
        else:
            raise TypeError(f"the oracle knows KeepAll, UniqueByKey and Merge, got {reduce!r}; add what it does here")
        groups.setdefault(name, []).append(copy)
    return [(group, len(group) if isinstance(reduce, Merge) else 1) for group in groups.values()]
