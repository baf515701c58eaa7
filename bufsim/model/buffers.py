"""Capacity: what a buffer can hold, and which job goes when it is full."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal

from bufsim import checks, vendure
from bufsim.checks import NBytes, Seconds, Written
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import declared, rules
from bufsim.model.distributions import Constant, Distribution, DistributionLike, as_distribution
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.reducers import KeepAll, Reduce
from bufsim.vendure import InMemoryJobBufferStorageStrategy, JobBufferStorageStrategy


@dataclass(frozen=True, slots=True, repr=False)
class Capacity:
    """What a buffer can hold, tested when a job arrives and before it is stored; jobs in flight do not count.

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

    jobs: int | None = None
    nbytes: int | None = None
    on_full: Literal["drop_newest", "drop_oldest"] = "drop_newest"

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            jobs: int | None = ...,
            nbytes: NBytes | None = ...,
            on_full: Literal["drop_newest", "drop_oldest"] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        if self.jobs is None and self.nbytes is None:
            raise InvalidValueError(
                "Capacity needs jobs or nbytes, got neither; a buffer without a limit has no Capacity"
            )
        if self.jobs is not None:
            object.__setattr__(self, "jobs", checks.integer("jobs", self.jobs, at_least=1))
        if self.nbytes is not None:
            object.__setattr__(self, "nbytes", checks.nbytes("nbytes", self.nbytes, at_least=1))
        checks.one_of("on_full", self.on_full, ("drop_newest", "drop_oldest"))

    __repr__ = declared.call


class Drain(ABC):
    """How much one flush takes."""

    __slots__ = ()

    @abstractmethod
    def count(self, nbytes: Sequence[int]) -> int:
        """Return how many of the oldest jobs a flush takes; `nbytes` are the jobs' sizes, the oldest first."""


@dataclass(frozen=True, slots=True, repr=False)
class DrainAll(Drain):
    """One flush takes all jobs.

    Examples
    --------
    >>> DrainAll().count([10, 20, 30])
    3
    """

    def count(self, nbytes: Sequence[int]) -> int:
        """Return the number of jobs."""
        return len(nbytes)

    __repr__ = declared.call


@dataclass(frozen=True, slots=True, repr=False)
class DrainAtMost(Drain):
    """One flush takes the oldest jobs within both limits, at least one; what is left keeps its age.

    Parameters
    ----------
    n : int, optional
        The most jobs, ≥ 1.
    nbytes : int or str, optional
        The most bytes, ≥ 1; ``"1 MiB"`` is understood. ``FlushAtBytes(b)`` with ``DrainAtMost(nbytes=b)`` is the rule
        "the job that would not fit any more starts the next batch" of Kafka and Vector.

    Examples
    --------
    >>> DrainAtMost(nbytes=50).count([10, 20, 30])
    2
    """

    n: int | None = None
    nbytes: int | None = None

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, n: int | None = ..., nbytes: NBytes | None = ...) -> None: ...

    def __post_init__(self) -> None:
        if self.n is None and self.nbytes is None:
            raise InvalidValueError("DrainAtMost needs n or nbytes, got neither; a flush that takes all is DrainAll()")
        if self.n is not None:
            object.__setattr__(self, "n", checks.integer("n", self.n, at_least=1))
        if self.nbytes is not None:
            object.__setattr__(self, "nbytes", checks.nbytes("nbytes", self.nbytes, at_least=1))

    def count(self, nbytes: Sequence[int]) -> int:
        """Return how many of the oldest jobs fit within both limits, at least one."""
        most = len(nbytes) if self.n is None else self.n
        return rules.drain_count(nbytes, 0, len(nbytes), most, rules.NO_LIMIT if self.nbytes is None else self.nbytes)

    __repr__ = declared.call


@dataclass(frozen=True, slots=True, repr=False)
class Storage:
    """Where buffered jobs lie until a flush.

    Parameters
    ----------
    durable : bool
        Whether buffered jobs outlive a stop of the server. Vendure's default, in memory, is not durable. Batches in
        flight are lost at a stop with either, as recorded.
    read_delete_window : float, str or timedelta
        Between reading a batch and deleting it, s, ≥ 0. A store that reads, then deletes, without a transaction loses
        the jobs that arrive in between (recorded on SQL and on Redis); the flush takes that much longer.
    strategy : callable
        Makes the storage strategy that holds the jobs during a run: a class, or any function without arguments.

    Notes
    -----
    Two things differ from what was recorded of Vendure's own stores (SQL and Redis):

    - An empty buffer is never flushed here, so that such a flush loses nothing. The real ones read and delete at every
      flush that is called: one that reads nothing deletes what comes within its window. Where a period brings few jobs,
      a run therefore loses less than the real store and than `bufsim.theory.race_loss_periodic`.
    - A stop during a flush loses the whole batch here, since jobs reach the queue at the flush's end. Recorded was that
      of 50 jobs, killed when the queue had accepted k, 50 − k were lost with every strategy: those queued were saved.

    Examples
    --------
    >>> Storage(durable=True, read_delete_window="30ms")  # SQL, as recorded
    Storage(durable=True, read_delete_window=0.03)
    """

    durable: bool = False
    read_delete_window: float = 0.0
    strategy: Callable[[], JobBufferStorageStrategy] = InMemoryJobBufferStorageStrategy

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            durable: bool = ...,
            read_delete_window: Seconds = ...,
            strategy: Callable[[], JobBufferStorageStrategy] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        window: Seconds = self.read_delete_window
        window = checks.not_negative("read_delete_window", checks.seconds("read_delete_window", window))
        object.__setattr__(self, "read_delete_window", window)
        if not isinstance(self.durable, bool):
            raise InvalidTypeError(f"durable must be True or False, got {self.durable!r}")
        if not callable(self.strategy):
            raise InvalidTypeError(
                f"strategy must make a storage strategy when called, got {self.strategy!r}; "
                "give the class, or lambda: your_storage"
            )

    __repr__ = declared.call


@dataclass(frozen=True, slots=True, repr=False)
class CollectAll:
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

    __repr__ = declared.call


@dataclass(frozen=True, slots=True, repr=False)
class CollectQueues:
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

    queues: tuple[str, ...]

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, queues: str | Iterable[str]) -> None: ...

    def __post_init__(self) -> None:
        given: object = self.queues
        if not isinstance(given, Iterable):
            raise InvalidTypeError(f"queues must be a list of names, got {given!r}")
        names = (given,) if isinstance(given, str) else tuple(given)
        if not names:
            raise InvalidValueError("queues must not be empty; a buffer that takes every job has CollectAll()")
        for name in names:
            checks.text("queues", name)
        checks.unique("queues", names)
        object.__setattr__(self, "queues", names)

    def __call__(self, job: vendure.Job) -> bool:
        """Return whether the job's queue is one of these."""
        return job.queue_name in self.queues

    def takes(self, queue: str) -> bool:
        """Return whether jobs of this queue are taken."""
        return queue in self.queues

    __repr__ = declared.call


@dataclass(frozen=True, slots=True, repr=False)
class FlushTime:
    """How long a flush takes: fixed + per_job × batch size.

    Parameters
    ----------
    fixed : distribution, number or str
        s; of a distribution the buffer's i-th flush takes the i-th draw.
    per_job : float, str or timedelta
        s, ≥ 0.

    Examples
    --------
    >>> FlushTime(0.05, per_job="2ms")
    FlushTime(Constant(0.05), per_job=0.002)
    """

    fixed: Distribution
    _: KW_ONLY
    per_job: float = 0.0

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(self, fixed: DistributionLike | Seconds, *, per_job: Seconds = ...) -> None: ...

    def __post_init__(self) -> None:
        fixed: object = self.fixed
        if isinstance(fixed, Written):
            fixed = checks.seconds("fixed", fixed)
        object.__setattr__(self, "fixed", as_distribution("fixed", fixed))
        object.__setattr__(self, "per_job", checks.not_negative("per_job", checks.seconds("per_job", self.per_job)))

    __repr__ = declared.call


Collect = Callable[[vendure.Job], bool]
AnyReduce = Reduce | Callable[[list[vendure.Job]], list[vendure.Job]]


@dataclass(frozen=True, slots=True, repr=False)
class JobBuffer:
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
    flush_time : FlushTime, number or str
        How long a flush takes, s.
    items : callable, optional
        For a `reduce` of your own: the items that a reduced job carries (workers can take so much time for each).

    Examples
    --------
    >>> from bufsim.model.policies import FlushAfterAge, FlushAtSize
    >>> JobBuffer("search", policy=FlushAtSize(200) | FlushAfterAge("30s"), flush_time=0.05)
    JobBuffer('search', policy=FlushAtSize(200) | FlushAfterAge(30.0), flush_time=FlushTime(Constant(0.05)))
    """

    id: str
    _: KW_ONLY
    policy: FlushPolicy
    collect: Collect = CollectAll()
    reduce: AnyReduce = KeepAll()
    drain: Drain = DrainAll()
    capacity: Capacity | None = None
    flush_time: FlushTime = FlushTime(Constant(0.0))
    items: Callable[[vendure.Job], int] | None = None

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            id: str,  # noqa: A002  # a buffer's id, as Vendure calls it
            *,
            policy: FlushPolicy,
            collect: Collect | str | Sequence[str] = ...,
            reduce: AnyReduce = ...,
            drain: Drain = ...,
            capacity: Capacity | None = ...,
            flush_time: FlushTime | DistributionLike | Seconds = ...,
            items: Callable[[vendure.Job], int] | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        checks.text("id", self.id)
        self._check("policy", FlushPolicy, "FlushAtSize(100) | FlushAfterAge('5s')")
        self._check("drain", Drain, "DrainAll()")
        if self.capacity is not None:
            self._check("capacity", Capacity, "Capacity(jobs=1000)")
        self._check_functions()
        flush_time: object = self.flush_time
        if not isinstance(flush_time, FlushTime):
            object.__setattr__(self, "flush_time", FlushTime(flush_time))  # type: ignore[arg-type]  # it converts

    def _check_functions(self) -> None:
        collect: object = self.collect
        if isinstance(collect, str | list | tuple):
            object.__setattr__(self, "collect", CollectQueues(collect))
        elif not _is_function(collect):
            raise InvalidTypeError(f"collect must be a queue's name or a function of the job, got {collect!r}")
        if not _is_function(self.reduce):
            raise InvalidTypeError(
                f"reduce must be KeepAll() or the like, or a function of the jobs, got {self.reduce!r}"
            )
        if self.items is not None and isinstance(self.reduce, Reduce):
            raise InvalidValueError(f"items goes with a reduce of your own; {self.reduce!r} counts its items itself")
        if self.items is not None and not callable(self.items):
            raise InvalidTypeError(f"items must be a function of the reduced job, got {self.items!r}")

    def _check(self, name: str, kind: type, example: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, kind):
            raise InvalidTypeError(f"{name} must be a {kind.__name__}, such as {example}, got {value!r}")

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

    __repr__ = declared.call


def _is_function(value: object) -> bool:
    """Return whether `value` can be called on jobs: not so a built-in class whose brackets were forgotten."""
    return callable(value) and not (isinstance(value, type) and issubclass(value, Reduce | CollectAll | CollectQueues))
