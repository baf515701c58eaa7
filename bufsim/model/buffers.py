"""Job buffers: their capacity, drain, storage, collect and flush time, and the policy that flushes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from bufsim import checks, formats, vendure
from bufsim.checks import Seconds, Written
from bufsim.declared import Count, Duration, Flag, OptionalSize, Rule, Text, Value, Wide, default, instance, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model import rules
from bufsim.model.distributions import Constant, Distribution, DistributionLike, as_distribution
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.given import GivenTimes
from bufsim.model.reducers import KeepAll, Reduce
from bufsim.vendure import InMemoryJobBufferStorageStrategy, JobBufferStorageStrategy


@value
class Capacity(Value):
    """The room of a buffer, tested when a job arrives and before it is stored; jobs in flight do not count.

    Parameters
    ----------
    jobs : int, optional
        The most jobs, ≥ 1.
    nbytes : int or str, optional
        The most bytes, ≥ 1; ``"64 MiB"`` is understood. A job larger than this is itself dropped under both rules.
    on_full : {"drop_newest", "drop_oldest"}
        Which job is lost: the one that arrives, or as many of the oldest as make room for it.

    Examples
    --------
    >>> Capacity(jobs=2048, on_full="drop_oldest")  # a bounded deque
    Capacity(jobs=2048, on_full='drop_oldest')
    """

    jobs: Count | None = None
    nbytes: OptionalSize = default(None)
    on_full: Literal["drop_newest", "drop_oldest"] = "drop_newest"

    def __post_init__(self) -> None:
        if self.jobs is None and self.nbytes is None:
            raise InvalidValueError(
                "Capacity needs jobs or nbytes, got neither; a buffer without a limit has no Capacity"
            )

    @property
    def label(self) -> str:
        """The room in few words: "2,048 jobs"."""
        return f"{_most(self.jobs, self.nbytes)}{', drop oldest' if self.on_full == 'drop_oldest' else ''}"


def _most(count: int | None, nbytes: int | None) -> str:
    """A number of jobs, and of bytes, of those that there are."""
    parts = [None if count is None else formats.jobs(count), None if nbytes is None else formats.nbytes(nbytes)]
    return " and ".join(filter(None, parts))


class Drain(Value, ABC):
    """The amount that one flush takes; a subclass says how much. The compiled engine takes the built-in ones only.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class DrainHalf(Drain):
    ...     def count(self, sizes, nbytes):
    ...         return (len(sizes) + 1) // 2
    >>> DrainHalf().count([10, 20, 30], 60)
    2
    """

    __slots__ = ()

    @abstractmethod
    def count(self, sizes: Sequence[int], nbytes: int) -> int:
        """Number of the oldest jobs that a flush takes: `sizes` are their bytes, oldest first, `nbytes` their sum."""

    def repeats(self, jobs: int, nbytes: int) -> bool:
        """Whether the next flush starts at once, when one has ended and `jobs` jobs of `nbytes` bytes are left.

        By default it does not: the policy is asked.
        """
        return False

    @property
    def label(self) -> str:
        """The amount in few words: "at most 512 jobs"."""
        return repr(self)


@value
class DrainAll(Drain):
    """One flush takes all jobs.

    Examples
    --------
    >>> DrainAll().count([10, 20, 30], 60)
    3
    """

    def count(self, sizes: Sequence[int], nbytes: int) -> int:
        """Return the number of jobs."""
        return len(sizes)

    @property
    def label(self) -> str:
        """The amount in few words."""
        return "all"


_Repeat = Literal["while_full", "until_empty"]
_REPEATS = {None: rules.ONCE, "while_full": rules.WHILE_FULL, "until_empty": rules.UNTIL_EMPTY}
_MORE = {None: "", "while_full": ", again while full", "until_empty": ", again until empty"}


class _Limited(Drain):
    """A drain with limits, n jobs and nbytes bytes, which may go on when a flush has ended."""

    __slots__ = ()

    if TYPE_CHECKING:
        n: int | None
        nbytes: OptionalSize
        repeat: _Repeat | None

    def __post_init__(self) -> None:
        if self.n is None and self.nbytes is None:
            raise InvalidValueError(
                f"{type(self).__name__} needs n or nbytes, got neither; a flush that takes all is DrainAll()"
            )

    @property
    def limits(self) -> tuple[int, int]:
        """The most jobs and the most bytes; `rules.NO_LIMIT` where there is none."""
        most_bytes: int | None = self.nbytes
        return (
            rules.NO_LIMIT if self.n is None else self.n,
            rules.NO_LIMIT if most_bytes is None else most_bytes,
        )

    @property
    def rule(self) -> int:
        """What follows on the end of a flush, as `rules.repeats` knows it."""
        return _REPEATS[self.repeat]

    def repeats(self, jobs: int, nbytes: int) -> bool:
        """Whether what is left fills a batch, or is any, as `repeat` says."""
        return rules.repeats(self.rule, jobs, nbytes, *self.limits)


@value
class DrainAtMost(_Limited):
    """One flush takes the oldest jobs within both limits, at least one; what is left keeps its age.

    Parameters
    ----------
    n : int, optional
        The most jobs, ≥ 1; by default any number. One of the two limits must be given.
    nbytes : int or str, optional
        The most bytes, ≥ 1, by default any number; ``"1 MiB"`` is understood. A job that has more goes alone.
        ``FlushAtBytes(b)`` with ``DrainAtMost(nbytes=b)`` is the rule "the job that would not fit any more starts the
        next batch" of Kafka and Vector.
    repeat : {"while_full", "until_empty"}, optional
        When a flush ends and the jobs that are left, with those that came meanwhile, reach a limit ("while_full") or
        are any ("until_empty"), the next flush starts at once, with the cause of the first; else, and by default, the
        policy is asked.

    Examples
    --------
    >>> DrainAtMost(nbytes=50).count([10, 20, 30], 60)
    2
    >>> DrainAtMost(1000, repeat="until_empty")  # at each tick write everything, 1,000 at once
    DrainAtMost(n=1000, repeat='until_empty')
    """

    n: Count | None = None
    nbytes: OptionalSize = default(None)
    repeat: _Repeat | None = None

    def count(self, sizes: Sequence[int], nbytes: int) -> int:
        """Number of the oldest jobs that fit within both limits, at least one."""
        return rules.drain_count(sizes, 0, len(sizes), *self.limits)

    @property
    def label(self) -> str:
        """The amount in few words: "at most 512 jobs"."""
        return f"at most {_most(self.n, self.nbytes)}{_MORE[self.repeat]}"


@value
class DrainUntil(_Limited):
    """One flush takes the oldest jobs until a limit is reached: the job that reaches it goes along.

    Under ``DrainAtMost`` a job that exceeds the bytes stays. In jobs alone the two are equal.

    Parameters
    ----------
    n : int, optional
        So many jobs are enough, ≥ 1; by default no number is. One of the two limits must be given.
    nbytes : int or str, optional
        So many bytes are enough, ≥ 1; ``"475 kB"`` is understood. By default no number is.
    repeat : {"while_full", "until_empty"}, optional
        As in `DrainAtMost`; by default one flush, and then the policy is asked.

    Examples
    --------
    >>> DrainUntil(nbytes=25).count([10, 20, 30], 60), DrainAtMost(nbytes=25).count([10, 20, 30], 60)
    (2, 1)
    """

    n: Count | None = None
    nbytes: OptionalSize = default(None)
    repeat: _Repeat | None = None

    def count(self, sizes: Sequence[int], nbytes: int) -> int:
        """Number of the oldest jobs up to the one that reaches a limit."""
        return rules.drain_count(sizes, 0, len(sizes), *self.limits, reaches=True)

    @property
    def label(self) -> str:
        """The amount in few words: "until 475 kB"."""
        return f"until {_most(self.n, self.nbytes)}{_MORE[self.repeat]}"


def _strategy(name: str, given: object) -> object:
    if not callable(given):
        raise InvalidTypeError(
            f"{name} must make a storage strategy when called, got {quoted(given)}; "
            "give the class, or lambda: your_storage"
        )
    return given


@value
class Storage(Value):
    """Where buffered jobs lie until a flush.

    Parameters
    ----------
    durable : bool
        Whether buffered jobs outlive a stop of the server. Vendure's default, in memory, is not durable. Batches in
        flight are lost at a stop with either, as recorded.
    read_delete_window : float, str or timedelta
        Between reading a batch and deleting it, s, ≥ 0. A store that reads, then deletes, without a transaction loses
        the jobs that arrive in between (recorded on SQL and on Redis); the flush takes that much longer. 0: a flush is
        atomic, one statement or transaction.
    strategy : callable
        Makes the storage strategy that holds the jobs during a run: a class, or any function without arguments.
    servers : int
        How many servers flush this storage, ≥ 1, by default 1; all at the same times: their clocks agree. Where there
        is a window between read and delete, each of them reads the batch before another has deleted it, and hands it
        over, so that its jobs reach the queue once for each server. Where a flush is atomic one of them gets the batch.

    Notes
    -----
    With a window a flush that is called while the buffer is empty reads nothing, and deletes what comes within it. Such
    flushes are called at the ticks of a policy that do not look at the buffer first: those of ``FlushEvery``,
    ``FlushAt`` and ``FlushCron``, alone or joined by ``|``. Under ``&`` or `checked_every` they do look, and so does a
    timer that a job starts (``anchor="activation"``): ``FlushEvery("5s") & FlushAtSize(1)`` calls none. One takes as
    long as the window, and the buffer's next flush is called after it. It is no row of the flushes, and no flush from
    which an anchor counts.

    Servers whose clocks differ by more than the window flush one after another, as one server does at the ticks of
    both: ``FlushEvery("10s") | FlushEvery("10s", phase=5)``. For what lies between see
    `bufsim.theory.race_two_flushers`.

    Of a job that several servers hand over, the tables follow the task that is first in the queue.

    One thing differs from what was recorded of Vendure's own stores (SQL and Redis): a stop during a flush loses the
    whole batch here, since jobs reach the queue at the flush's end. Recorded was that of 50 jobs, killed when the queue
    had accepted k, 50 − k were lost with every strategy: those queued were saved.

    Examples
    --------
    >>> Storage(durable=True, read_delete_window="30ms")  # it reads, then deletes
    Storage(durable=True, read_delete_window=0.03)
    """

    durable: Flag = False
    read_delete_window: Duration = default(0.0)
    strategy: Annotated[Callable[[], JobBufferStorageStrategy], _strategy] = InMemoryJobBufferStorageStrategy
    servers: Count = 1

    @property
    def hand_overs(self) -> int:
        """How many servers get each batch, and hand it over."""
        return self.servers if self.read_delete_window > 0.0 else 1

    @property
    def label(self) -> str:
        """The storage in few words: "durable, read-delete window 30 ms"."""
        parts = ["durable" if self.durable else "in memory"]
        if self.read_delete_window:
            parts.append(f"read-delete window {formats.duration(self.read_delete_window)}")
        if self.servers > 1:
            parts.append(f"{formats.number(self.servers)} servers")
        if self.strategy is not InMemoryJobBufferStorageStrategy:
            parts.append(getattr(self.strategy, "__name__", repr(self.strategy)))
        return ", ".join(parts)


@value
class CollectAll(Value):
    """Take every job.

    Examples
    --------
    >>> CollectAll()(vendure.Job(queue_name="email", data=None))
    True
    """

    def __call__(self, job: vendure.Job) -> bool:
        """Return True."""
        return True

    def takes(self, queue: str) -> bool:
        """Return whether jobs of this queue are taken."""
        return True


def _names(name: str, given: object) -> tuple[str, ...]:
    return checks.names(name, given, way_out="a buffer that takes every job has CollectAll()")


@value
class CollectQueues(Value):
    """Take the jobs of the named queues.

    Parameters
    ----------
    queues : sequence of str
        At least one.

    Examples
    --------
    >>> CollectQueues(["email"])(vendure.Job(queue_name="email", data=None))
    True
    """

    queues: Annotated[Wide[str | Iterable[str], tuple[str, ...]], _names]

    def __call__(self, job: vendure.Job) -> bool:
        """Return whether the job's queue is one of these."""
        return job.queue_name in self.queues

    def takes(self, queue: str) -> bool:
        """Return whether jobs of this queue are taken."""
        return queue in self.queues


def _fixed(name: str, given: Any) -> Distribution | GivenTimes:
    if isinstance(given, list | tuple | np.ndarray):
        given = GivenTimes(given)
    if isinstance(given, GivenTimes):
        if given.times.ndim != 1:
            raise InvalidValueError(f"{name} must be given as one time a flush, got shape {given.times.shape}")
        return given
    return as_distribution(name, checks.seconds(name, given) if isinstance(given, Written) else given)


@value
class FlushTime(Value):
    """The duration of a flush: fixed + per_job × batch size.

    Parameters
    ----------
    fixed : distribution, number, str, or array of float
        s; of a distribution the buffer's i-th flush takes the i-th draw, of an array the i-th time.
    per_job : float, str or timedelta
        s, ≥ 0.

    Examples
    --------
    >>> FlushTime(0.05, per_job="2ms")
    FlushTime(Constant(0.05), per_job=0.002)
    """

    fixed: Annotated[Wide[DistributionLike | Seconds | npt.ArrayLike | GivenTimes, Distribution | GivenTimes], _fixed]
    _: KW_ONLY
    per_job: Duration = default(0.0)

    @property
    def label(self) -> str:
        """The duration in few words: "50 ms + 2 ms a job"."""
        fixed = formats.duration(self.fixed.value) if isinstance(self.fixed, Constant) else repr(self.fixed)
        return f"{fixed} + {formats.duration(self.per_job)} a job" if self.per_job else fixed


Collect = Callable[[vendure.Job], bool]
AnyReduce = Reduce | Callable[[list[vendure.Job]], list[vendure.Job]]


def _is_function(value: object) -> bool:
    """Return whether `value` can be called on jobs: not so a built-in class whose brackets were forgotten."""
    return callable(value) and not (isinstance(value, type) and issubclass(value, Reduce | CollectAll | CollectQueues))


def _a(kind: type, example: str) -> Rule:
    return instance(kind, f"a {kind.__name__}, such as {example}")


def _collect(name: str, given: object) -> object:
    if isinstance(given, str | list | tuple):
        return CollectQueues(given)
    if not _is_function(given):
        raise InvalidTypeError(f"{name} must be a queue's name or a function of the job, got {quoted(given)}")
    return given


def _reduce(name: str, given: object) -> object:
    if not _is_function(given):
        raise InvalidTypeError(f"{name} must be KeepAll() or the like, or a function of the jobs, got {quoted(given)}")
    return given


def _flush_time(name: str, given: Any) -> FlushTime:
    return given if isinstance(given, FlushTime) else FlushTime(given)


@value
class JobBuffer(Value):
    """A job buffer under a flush policy.

    Parameters
    ----------
    id : str
        Its name.
    policy : FlushPolicy
        When it is flushed. ``NeverFlush()`` leaves that to your own process (``model.flush(id)``).
    collect : callable, str or sequence of str
        Which jobs it takes: ``CollectAll()``, the name of a queue or several, or a function of the job.
    reduce : Reduce or callable
        What becomes of a batch: a built-in one, or a function from the batch's jobs to the reduced jobs.
    drain : Drain
        How much one flush takes.
    capacity : Capacity, optional
        What it can hold; None: no limit.
    flush_time : FlushTime, number, str, or array of float
        How long a flush takes, s.
    storage : Storage, optional
        Where its jobs lie until a flush; None: in the storage of the simulation.
    items : callable, optional
        For a `reduce` of your own: the items that a reduced job carries (workers can take so much time for each).

    Examples
    --------
    >>> from bufsim.model.policies import FlushAfterAge, FlushAtSize
    >>> JobBuffer("search", policy=FlushAtSize(200) | FlushAfterAge("30s"), flush_time=0.05)
    JobBuffer('search', policy=FlushAtSize(200) | FlushAfterAge(30.0), flush_time=FlushTime(Constant(0.05)))
    """

    id: Text
    _: KW_ONLY
    policy: Annotated[FlushPolicy, _a(FlushPolicy, "FlushAtSize(100) | FlushAfterAge('5s')")]
    collect: Annotated[Wide[Collect | str | Sequence[str], Collect], _collect] = default(CollectAll())
    reduce: Annotated[AnyReduce, _reduce] = KeepAll()
    drain: Annotated[Drain, _a(Drain, "DrainAll()")] = DrainAll()
    capacity: Annotated[Capacity, _a(Capacity, "Capacity(jobs=1000)")] | None = None
    flush_time: Annotated[
        Wide[FlushTime | DistributionLike | Seconds | npt.ArrayLike | GivenTimes, FlushTime], _flush_time
    ] = default(FlushTime(0.0))
    storage: Annotated[Storage, _a(Storage, "Storage(durable=True)")] | None = None
    items: Callable[[vendure.Job], int] | None = None

    def __post_init__(self) -> None:
        if self.items is not None and isinstance(self.reduce, Reduce):
            raise InvalidValueError(f"items goes with a reduce of your own; {self.reduce!r} counts its items itself")
        if self.items is not None and not callable(self.items):
            raise InvalidTypeError(f"items must be a function of the reduced job, got {quoted(self.items)}")

    @classmethod
    def ported(cls, buffer: vendure.JobBuffer, *, policy: FlushPolicy, **others: object) -> JobBuffer:
        """Return one of Vendure's own buffers under a flush policy.

        A reduced job of Vendure's search buffers carries as many items as it names ids.

        Examples
        --------
        >>> from bufsim.model.policies import FlushEvery
        >>> JobBuffer.ported(vendure.SearchIndexJobBuffer(), policy=FlushEvery("2s")).id
        'search-plugin-update-search-index'
        """
        others.setdefault("items", getattr(buffer, "items", None))
        return cls(buffer.id, policy=policy, collect=buffer.collect, reduce=buffer.reduce, **others)  # type: ignore[arg-type]  # checked above
