"""Job buffers: which jobs they take, when and how they are flushed, and what becomes of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from bufsim import checks, vendure
from bufsim.checks import Seconds, Written
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import reprs
from bufsim.model.capacity import Capacity
from bufsim.model.distribution import Distribution, DistributionLike
from bufsim.model.distributions import Constant
from bufsim.model.drains import Drain, DrainAll
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.reducers import KeepAll, Reduce
from bufsim.model.sampling import as_distribution


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

    __repr__ = reprs.call


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

    __repr__ = reprs.call


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

    __repr__ = reprs.call


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

    __repr__ = reprs.call


def _is_function(value: object) -> bool:
    """Return whether `value` can be called on jobs: not so a built-in class whose brackets were forgotten."""
    return callable(value) and not (isinstance(value, type) and issubclass(value, Reduce | CollectAll | CollectQueues))
