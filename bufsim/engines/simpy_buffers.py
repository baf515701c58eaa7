"""A job buffer as it stands, on the SimPy engine: it asks its policy, and carries out its flushes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import simpy

from bufsim import checks, vendure
from bufsim.engines import order
from bufsim.engines.recording import BUFFER, CAPACITY, IN_FLIGHT, RACE, STORAGE, remembers_ticks
from bufsim.errors import BufsimError, InvalidValueError
from bufsim.model import rules
from bufsim.model.buffers import DrainAll, JobBuffer
from bufsim.model.flush_policy import BufferView, FlushPolicy, States
from bufsim.model.given import GivenTimes
from bufsim.model.reducers import Assignment, KeepAll, Reduce

if TYPE_CHECKING:
    from bufsim.engines.environment import Moment
    from bufsim.engines.simpy_engine import Model

MOST_RINGS = 1_000_000
_CHANGED_BY_ANY_ARRIVAL = frozenset({"size", "nbytes", "newest_at"})
_NO_LIMIT = rules.NO_LIMIT


def keeps_order(strategy: vendure.JobBufferStorageStrategy) -> bool:
    """Return whether a storage strategy is known to give the oldest jobs, as they are: one of the user's may not."""
    return type(strategy) is vendure.InMemoryJobBufferStorageStrategy


@dataclass(slots=True)
class Flight:
    """A flush that has started and not ended: its row of the recording, its cause, what it took, and its end."""

    number: int
    cause: str
    batch: vendure.service.Batch
    rows: list[int]
    end: Moment


class BufferState:
    """A job buffer as it stands.

    It has the fields of a `BufferView`, and built-in policies are asked with the state itself; a user's policy gets a
    read-only copy. To the service it is the registered Vendure buffer: `id`, `collect`, `reduce`.
    """

    def __init__(self, index: int, declared: JobBuffer, model: Model[Any]) -> None:
        self.index = index
        self.id = declared.id
        self.collect = declared.collect
        self.declared = declared
        self.policy = declared.policy
        self.storage = model.simulation.storage_of(declared)
        self.model = model
        self.env = model.env
        self.recorder = model.recorder
        # the buffered copies, oldest first: their rows in the recording, arrival times and bytes
        self.rows: list[int] = []
        self.times: list[float] = []
        self.sizes: list[int] = []
        self.nbytes = 0
        self.last_flush_start = -rules.INF
        self.last_flush_end = -rules.INF
        # up to when a flush deletes what arrives, one that found nothing too
        self.race_end = -rules.INF
        self._flight: Flight | None = None
        self._assignment: Assignment | None = None
        self._ring: Moment | None = None
        self._ring_at = rules.INF
        self._rings = 0
        self._draws: list[float] = []
        self._flushes = 0
        self._bind(model.strategies[index])
        self._read(declared.policy)
        self.empty_flushes = EmptyFlushes(self)
        self.empty_ticks = EmptyTicks(self) if remembers_ticks(self.policy, model.simulation.until) else None

    def _bind(self, strategy: vendure.JobBufferStorageStrategy) -> None:
        """Bind once what every arrival needs: an arrival is what happens most."""
        recorder = self.recorder
        self._write_time, self._write_buffer = recorder.size_time.append, recorder.size_buffer.append
        self._write_jobs, self._write_nbytes = recorder.size_jobs.append, recorder.size_nbytes.append
        self._many = len(self.model.simulation.buffers) > 1
        self._capacity = self.declared.capacity
        self._store = strategy.add
        self._storage_keeps_order = keeps_order(strategy)

    def _read(self, policy: FlushPolicy) -> None:
        """Note what of a policy is the same in the whole run."""
        self._leaf_names: dict[int, str] = {}
        self._built_in = all(type(part).__module__.startswith("bufsim.") for part in policy.parts())
        # what the leaves remember, equal ones one thing; in the order in which they stand
        self._remembering = [leaf for leaf in dict.fromkeys(policy.leaves()) if leaf.first_state]
        self.states = States()
        reads = policy.reads & _CHANGED_BY_ANY_ARRIVAL
        self._every_arrival_counts = bool(reads) or self._capacity is not None or bool(self._remembering)

    # what a policy sees

    @property
    def now(self) -> float:
        """The time, s."""
        return self.env._now

    @property
    def flushing(self) -> bool:
        """Whether a flush has started and not ended."""
        return self._flight is not None

    @property
    def size(self) -> int:
        """Jobs in the buffer."""
        return len(self.rows)

    @property
    def oldest_at(self) -> float:
        """Arrival of the oldest job, s."""
        return self.times[0]

    @property
    def newest_at(self) -> float:
        """Arrival of the newest job, s."""
        return self.times[-1]

    @property
    def age(self) -> float:
        """The wait so far of the oldest job, s."""
        return self.env._now - self.times[0]

    def view(self) -> BufferView:
        """Return the buffer as it stands, read-only."""
        if self._built_in:
            return cast("BufferView", self)
        return BufferView(
            self.env._now,
            len(self.rows),
            self.nbytes,
            self.times[0],
            self.times[-1],
            self.last_flush_start,
            self.last_flush_end,
            States(self.states),
        )

    def _remember(self, event: str, *facts: object) -> None:
        """Let every leaf that remembers something take note of an event."""
        for leaf in self._remembering:
            self.states[leaf] = getattr(leaf, event)(self.states[leaf], *facts)

    # arrivals

    def arrive(self, row: int, job: vendure.Job) -> bool:
        """Store a job that has arrived, or lose it; return whether the policy is to be asked."""
        now = self.env._now
        self._rings = 0
        if self.empty_flushes.leaves and not self.rows:
            self.empty_flushes.follow()
        if now < self.race_end:
            self.recorder.lose((row,), now, RACE)
            return False
        if self._capacity is not None and not self._make_room(row, job):
            return bool(self.rows)
        self._store(self.id, job)
        nbytes = job.nbytes
        self.rows.append(row)
        self.times.append(now)
        self.sizes.append(nbytes)
        self.nbytes += nbytes
        size = len(self.rows)
        self._write_time(now)
        if self._many:
            self._write_buffer(self.index)
        self._write_jobs(size)
        self._write_nbytes(self.nbytes)
        if self._remembering:
            self._note_change()
            self._remember("arrived", self.view())
        # the answer stands if it can depend on the oldest job only and this is not the oldest
        return self._every_arrival_counts or size == 1

    def _make_room(self, row: int, job: vendure.Job) -> bool:
        capacity = self.declared.capacity
        assert capacity is not None
        now = self.env._now
        jobs = _NO_LIMIT if capacity.jobs is None else capacity.jobs
        nbytes = _NO_LIMIT if capacity.nbytes is None else capacity.nbytes
        if len(self.rows) < jobs and self.nbytes + job.nbytes <= nbytes:
            return True
        if capacity.on_full == "drop_newest" or job.nbytes > nbytes:
            self.recorder.lose((row,), now, CAPACITY)
            return False
        while len(self.rows) >= jobs or self.nbytes + job.nbytes > nbytes:
            _, dropped = self._take(1)
            self.recorder.lose(dropped, now, CAPACITY)
            self.recorder.size(now, self.index, len(self.rows), self.nbytes)
        return True

    # the policy

    def ask(self, event: simpy.Event | None = None) -> None:
        """Ask the policy when the next flush is due, and start it or set the timer."""
        if self._flight is not None or not self.rows:
            return
        due = self._due()
        if due == -rules.INF:
            self.start_flush(None)
        else:
            self._set_ring(due)

    def _due(self) -> float:
        due = self.policy.due(self.view())
        if due != due:
            raise InvalidValueError(
                f"{self.policy!r}.due must return a time, got nan for {BufferView(**_fields(self))!r}; "
                "return float('inf') for 'not until something changes'"
            )
        return due

    def _set_ring(self, due: float) -> None:
        at = max(due, self.env._now)
        if at == self._ring_at:
            return
        self._ring_at = at
        # the ring that stood before is left in the event list, and does nothing when its time comes
        self._ring = None
        if at < rules.INF:
            self._ring = self.env.at(at, self._rung, priority=order.priority(order.FLUSH_DUE, self.index))

    def _rung(self, event: simpy.Event) -> None:
        if event is not self._ring:
            return
        self._ring, self._ring_at = None, rules.INF
        self._rings += 1
        if self._rings > MOST_RINGS:
            raise BufsimError(
                f"{self.policy!r} of buffer {self.id!r} was asked {MOST_RINGS} times without an arrival or a flush, "
                f"at {self.env._now!r} s; its due times must move on"
            )
        due = self._due()
        if due <= self.env._now:
            self.start_flush(None, rang=True)
        else:
            self._set_ring(due)

    # the flush

    def flush_now(self) -> None:
        """Let a flush that the user calls start; of an empty buffer it deletes what arrives within its window."""
        if self.rows:
            self.start_flush("manual")
        else:
            self.empty_flushes.call()

    def start_flush(self, cause: str | None, *, rang: bool = False) -> None:
        """Start a flush: take the batch out of the storage. `cause` None means the policy's leaf."""
        now = self.env._now
        if cause is None:
            cause = self._leaf_name()
        if self._remembering:
            self._remember("started", self.view(), rang)
        drain = self.declared.drain
        count = len(self.rows)
        if not isinstance(drain, DrainAll):
            count = checks.integer(f"count of {drain!r}", drain.count(self.sizes, self.nbytes), at_least=1)
        before = self.nbytes
        batch, rows = self._take(count)
        number = self.recorder.flush(self.index, now, cause, rows, before - self.nbytes)
        self.recorder.size(now, self.index, len(self.rows), self.nbytes)
        self._ring, self._ring_at, self._rings = None, rules.INF, 0
        self.last_flush_start = now
        self._flight = Flight(number, cause, batch, rows, self._end_at(len(rows)))
        self._note_change()

    def _end_at(self, jobs: int) -> Moment:
        """Set the end of a flush of so many jobs that starts now, and until when it deletes what arrives."""
        now, window = self.env._now, self.storage.read_delete_window
        self.race_end = now + window
        end = rules.flush_end(now, window, self._fixed(), self.declared.flush_time.per_job, jobs)
        return self.env.at(end, self._end_flush, priority=order.priority(order.FLUSH_END, self.index))

    def _leaf_name(self) -> str:
        leaf = self.policy.leaf(self.view())
        name = self._leaf_names.get(id(leaf))
        if name is None:
            name = self._leaf_names[id(leaf)] = repr(leaf)
        return name

    def _fixed(self) -> float:
        number = self._flushes
        self._flushes += 1
        if number >= len(self._draws):
            fixed = self.declared.flush_time.fixed
            source = fixed.times if isinstance(fixed, GivenTimes) else fixed
            self._draws = self.model.workload.draws(self.id, "flush", 1, source).at_least(number + 1).tolist()
        return self._draws[number]

    def _take(self, count: int) -> tuple[vendure.service.Batch, list[int]]:
        """Take the oldest `count` jobs out of the storage; return them and their rows."""
        everything = count == len(self.rows)
        batch = self.model.service.take(self.id, None if everything else count)
        if self._storage_keeps_order:
            rows = self.rows[:count]
            del self.rows[:count], self.times[:count]
            self.nbytes -= sum(self.sizes[:count])
            del self.sizes[:count]
            return batch, rows
        return batch, self._taken(batch, count, everything)

    def _taken(self, batch: vendure.service.Batch, count: int, everything: bool) -> list[int]:
        """Return the rows of what a storage strategy of the user's gave; what it should have and did not is lost."""
        position_of = {self.recorder.copy_job[row]: position for position, row in enumerate(self.rows)}
        positions = []
        for job in batch.jobs:
            number = self.model.number(job)
            if number not in position_of:
                raise BufsimError(
                    f"the storage strategy gave {job!r} out of buffer {self.id!r}, which does not hold it"
                )
            positions.append(position_of.pop(number))
        taken = [self.rows[position] for position in positions]
        # a storage that gives fewer than it was asked for has no more
        gone = set(range(len(self.rows))) if everything or len(batch.jobs) < count else set(positions)
        missing = sorted(gone.difference(positions))
        self.recorder.lose([self.rows[position] for position in missing], self.env._now, STORAGE)
        kept = [position for position in range(len(self.rows)) if position not in gone]
        self.rows = [self.rows[position] for position in kept]
        self.times = [self.times[position] for position in kept]
        self.sizes = [self.sizes[position] for position in kept]
        self.nbytes = sum(self.sizes)
        return taken

    def reduce(self, jobs: list[vendure.Job]) -> list[vendure.Job]:
        """Return the reduced jobs; called by the service, on the way to the queue."""
        reduce = self.declared.reduce
        if isinstance(reduce, KeepAll) or not isinstance(reduce, Reduce):
            return reduce(jobs)
        self._assignment = reduce.assign([job.queue_name for job in jobs], [job.key for job in jobs])
        return reduce.build(jobs, self._assignment)

    def _end_flush(self, event: simpy.Event) -> None:
        flight = self._flight
        if flight is None or event is not flight.end:
            return
        self._flight = None
        self.last_flush_end = self.empty_flushes.next_call = self.env._now
        self._note_change()
        if self._remembering:
            self._remember("ended", self.env._now)
        self._hand_over(flight)
        if self.rows and self.declared.drain.repeats(len(self.rows), self.nbytes):
            self.start_flush(flight.cause)
        else:
            self.ask()

    def _hand_over(self, flight: Flight) -> None:
        """Reduce a batch and put it into the queue, once for each server that read it."""
        self.recorder.flush_end[flight.number] = self.env._now
        self._assignment = None
        enqueued = self.model.service.hand_over(flight.batch)
        items = self._items(enqueued)
        # the copies follow the first server's tasks
        tasks, *_ = [self.model.enqueue(flight.number, enqueued, items) for _ in range(self.storage.hand_overs)]
        self.recorder.flush_reduced[flight.number] = len(enqueued)
        self._link(flight, enqueued, tasks)

    def _items(self, enqueued: list[vendure.Job]) -> Sequence[int]:
        if self._assignment is not None:
            return self._assignment.items
        count = self.declared.items
        if count is None:
            return [1] * len(enqueued)
        return [count(job) for job in enqueued]

    def _link(self, flight: Flight, enqueued: list[vendure.Job], tasks: Sequence[int]) -> None:
        """Write which task carries which copy."""
        if self._assignment is not None:
            self.recorder.carry(flight.rows, [tasks[carrier] for carrier in self._assignment.carrier])
        elif isinstance(self.declared.reduce, KeepAll):
            self.recorder.carry(flight.rows, tasks)
        else:
            task_of = dict(zip(map(id, enqueued), tasks, strict=True))
            known = [(row, id(job)) for row, job in zip(flight.rows, flight.batch.jobs, strict=True)]
            links = [(row, task_of[job]) for row, job in known if job in task_of]
            self.recorder.carry([row for row, _ in links], [task for _, task in links])

    # stops

    def stop(self) -> None:
        """Lose the batch in flight and, from a volatile storage, what is buffered."""
        now = self.env._now
        self._ring, self._ring_at = None, rules.INF
        self.race_end = -rules.INF
        if self._flight is not None:
            self.recorder.lose(self._flight.rows, now, IN_FLIGHT)
            self._flight = None
        if self.rows and not self.storage.durable:
            _, rows = self._take(len(self.rows))
            self.recorder.lose(rows, now, BUFFER)
            self.recorder.size(now, self.index, len(self.rows), self.nbytes)
        self._note_change()

    def restart(self) -> None:
        """Forget the last flush and what leaves remember, and ask about what is buffered."""
        self.last_flush_start = self.last_flush_end = -rules.INF
        self.empty_flushes.next_call = self.env._now
        self.states.clear()
        self._note_change()
        self.ask()

    def _note_change(self) -> None:
        if self.empty_ticks is not None:
            self.empty_ticks.note()


class EmptyFlushes:
    """The flushes that are called while a buffer is empty: each deletes what arrives within its window.

    Clocks call them, at the ticks that do not look at the buffer first, and users. They are no events: what they delete
    is known when a job comes into the empty buffer. Under ``FlushEvery(2.0)`` with a window of 0.5 s the job that comes
    at 60.25 s looks up the calls from 56.25 s on, by `rules.spacing_of_calls`: those at 58 s, over at 58.5 s, and at 60
    s, which goes on to 60.5 s and deletes it.
    """

    def __init__(self, buffer: BufferState) -> None:
        until, self._window = buffer.model.simulation.until, buffer.storage.read_delete_window
        self.leaves = tuple(buffer.policy.called_when_empty()) if self._window > 0.0 else ()
        self.next_call = 0.0
        """From when on a flush can find the buffer empty, s."""
        self._buffer = buffer
        self._spacing = rules.spacing_of_calls([leaf.lowered(until) for leaf in self.leaves], self._window)

    def call(self) -> None:
        """Let somebody call a flush of the empty buffer now; one at a time."""
        self.follow()
        if self._buffer.now >= self._buffer.race_end:
            self.next_call = self._buffer.race_end = self._buffer.now + self._window

    def follow(self) -> None:
        """Note up to when the last flush that was called before now deletes what arrives."""
        buffer, now = self._buffer, self._buffer.now
        if buffer.flushing or now < buffer.race_end:
            return
        at = max(self.next_call, now - 2.0 * self._spacing)
        while (call := self._first_call(at)) < now:
            buffer.race_end = call + self._window
            # a window that is lost in rounding would find the same call for ever
            if now < buffer.race_end or buffer.race_end == call:
                break
            at = buffer.race_end
        self.next_call = at

    def _first_call(self, at: float) -> float:
        """Return the first tick from `at` on of a clock that does not look at the buffer first."""
        view = BufferView(at, 1, 0, at, at, self._buffer.last_flush_start, self._buffer.last_flush_end)
        return min((leaf.due(view) for leaf in self.leaves), default=rules.INF)


class EmptyTicks:
    """The ticks of a buffer's policy that find it empty and idle.

    They are counted as the run goes on where they depend on what leaves remember; others are counted from tables, see
    `bufsim.results.empty_ticks`.
    """

    def __init__(self, buffer: BufferState) -> None:
        until = buffer.model.simulation.until
        self.count = 0
        self._buffer = buffer
        self._since: float | None = 0.0
        self._start = buffer.model.simulation.warm_up
        self._rules = tuple(buffer.policy.ticks(until))
        self._leaf = {leaf.lowered(until): leaf for leaf in buffer.policy.leaves() if leaf.first_state}

    def note(self) -> None:
        """Note whether the buffer is empty and idle, after a change."""
        buffer = self._buffer
        vacant = not buffer.rows and not buffer.flushing and not buffer.model.down
        if vacant and self._since is None:
            self._since = buffer.now
        elif not vacant:
            self.close(buffer.now)

    def close(self, end: float) -> None:
        """Count the ticks until now, or until the end of the run."""
        if self._since is None:
            return
        begin, self._since = max(self._since, self._start), None
        if begin < end:
            ticks = {tick for rule in self._rules for tick in self._ticks(rule, begin, end)}
            # a flush that starts at a tick finds something
            self.count += len(ticks - {self._buffer.last_flush_start})

    def _ticks(self, rule: rules.Operation, begin: float, end: float) -> Iterator[float]:
        """Yield the ticks of a rule in [begin, end), as they are now."""
        if rule.rule in rules.REMEMBERED_TICKS:
            yield from (tick for tick in (self._last_tick(rule),) if begin <= tick < end)
        elif rule.rule == rules.TIMES:
            yield from (time for time in rule.times if begin <= time < end)
        else:
            origin, smallest = self._origin(rule)
            tick = rules.first_tick(origin, rule.seconds, begin, -rules.INF, smallest)
            while tick < end:
                yield tick
                tick = rules.first_tick(origin, rule.seconds, begin, tick, smallest)

    def _last_tick(self, rule: rules.Operation) -> float:
        """The tick after which a timer that a job started stands still, if it finds the buffer empty."""
        activated, spent = self._buffer.states[self._leaf[rule]]
        if rule.rule == rules.ONE_SHOT:
            return rules.one_shot_due(activated, rule.seconds)
        return rules.last_tick(activated, spent, self._buffer.last_flush_start, rule.seconds)

    def _origin(self, rule: rules.Operation) -> tuple[float, int]:
        """From where the ticks of a rule count, and the number of the first."""
        if rule.rule == rules.EVERY:
            return rule.phase, 0
        is_start = rule.rule == rules.EVERY_START
        return max(self._buffer.last_flush_start if is_start else self._buffer.last_flush_end, 0.0), 1


def _fields(state: BufferState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in BufferView.__dataclass_fields__}
