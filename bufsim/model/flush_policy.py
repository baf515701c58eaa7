"""Flush policies: the one question that each answers, what it sees of a buffer, and the algebra that joins them."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bufsim import checks, formats
from bufsim.checks import Seconds
from bufsim.declared import NotNegative, Positive, Value, settle, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model import rules

State = tuple[float, ...]
"""What a leaf remembers."""


class States(dict["FlushPolicy", State]):
    """What the leaves of a buffer's policy remember; one that has remembered nothing yet has its first state."""

    __slots__ = ()

    def __missing__(self, leaf: FlushPolicy) -> State:
        return leaf.first_state


@dataclass(frozen=True, slots=True)
class BufferView:
    """A non-empty buffer as it stands, as a flush policy sees it.

    Parameters
    ----------
    now : float
        The time of the question, s.
    size : int
        Jobs in the buffer.
    nbytes : int
        Their bytes.
    oldest_at, newest_at : float
        Arrival of the oldest and of the newest job in the buffer, s.
    last_flush_start, last_flush_end : float
        Start and end of this buffer's last flush, s; −inf before the first, and after a restart of the server.
    states : mapping
        What each leaf of the policy that remembers something remembers, by leaf.

    Examples
    --------
    >>> BufferView(now=7.0, size=2, nbytes=0, oldest_at=3.0, newest_at=7.0).age
    4.0
    """

    now: float
    size: int
    nbytes: int
    oldest_at: float
    newest_at: float
    last_flush_start: float = float("-inf")
    last_flush_end: float = float("-inf")
    states: Mapping[FlushPolicy, State] = field(default_factory=States, repr=False, hash=False)

    @property
    def age(self) -> float:
        """The wait so far of the oldest job, s."""
        return self.now - self.oldest_at


# a policy's answer can change with these fields of the view; `now` is left out, see FlushPolicy.reads
ALL_FIELDS = frozenset({"size", "nbytes", "oldest_at", "newest_at", "last_flush_start", "last_flush_end"})


class FlushPolicy(Value, ABC):
    """One question: given this buffer as it stands, when is the next flush due?

    A policy of your own is a subclass with a pure ``due``; it runs on the SimPy engine. It is asked after every
    arrival, at every flush end, and when the time that it gave has come; never about an empty or a flushing buffer.
    Each answer replaces the one before. −inf starts the flush inside the event that asked; a finite time sets the
    buffer's one timer, which rings after all arrivals of its instant; inf waits for the next question.

    ``p | q`` is due when the first of the two is (the minimum of due times), ``p & q`` when both have come due (the
    maximum). There is no ``not``: a due time has no negation.

    Examples
    --------
    >>> class FlushSoonerWhenLarge(FlushPolicy):
    ...     def due(self, view):
    ...         return view.oldest_at + 5.0 / view.size
    >>> FlushSoonerWhenLarge().due(BufferView(now=1.0, size=2, nbytes=0, oldest_at=1.0, newest_at=1.0))
    3.5

    A leaf may remember some numbers, `first_state` at first and after a restart of the server. They change when a job
    has been stored (`arrived`), when a flush starts, its batch not taken yet (`started`), and when one ends (`ended`),
    never when it is asked; these functions are pure, too. Equal leaves of a buffer remember the same. This one is due
    at the first of each three jobs that ever came:

    >>> class FlushAtEveryThird(FlushPolicy):
    ...     first_state = (0.0,)
    ...     def arrived(self, state, view):
    ...         return (state[0] + 1.0,)
    ...     def due(self, view):
    ...         return float("-inf") if view.states[self][0] % 3 == 1 else float("inf")
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        # what is declared of one due time does not hold of another: a leaf that declares nothing is always asked
        if "due" in vars(cls) and cls.__base__ is not FlushPolicy:
            for fact in ("word", "family", "reads", "steps", "lowered", "label", "phrase"):
                if fact not in vars(cls):
                    setattr(cls, fact, vars(FlushPolicy)[fact])

    word: ClassVar[str] = ""
    """The leaf's name on the command line and in scenario files; empty: they do not know it."""
    family: ClassVar[str] = "other"
    """The group of leaves that watch the same thing, for colours and shares: see `bufsim.results.causes.FAMILIES`."""

    first_state: ClassVar[State] = ()
    """What the leaf remembers at first, and after a restart of the server; empty: it remembers nothing."""

    @abstractmethod
    def due(self, view: BufferView) -> float:
        """Return when the next flush is due, s: −inf now, inf not until something changes."""

    def arrived(self, state: State, view: BufferView) -> State:
        """Return what the leaf remembers when a job has been stored, which `view` shows, before any policy is asked."""
        return state

    def started(self, state: State, view: BufferView, rang: bool) -> State:
        """Return what the leaf remembers when a flush starts, the batch not taken yet.

        Parameters
        ----------
        state : tuple of float
            What it remembered.
        view : BufferView
            The buffer before the flush.
        rang : bool
            Whether the timer started it, and not an arrival, the end of a flush, a restart or a call.
        """
        return state

    def ended(self, state: State, now: float) -> State:
        """Return what the leaf remembers when a flush ends, before the policy is asked."""
        return state

    @property
    def reads(self) -> frozenset[str]:
        """The fields of the view, apart from ``now``, on which the answer depends; all of them unless declared.

        An arrival that changes none of them cannot change the answer, so that the engines need not ask again.
        """
        return ALL_FIELDS

    @property
    def steps(self) -> Mapping[str, int]:
        """Of the fields that are read, ``size`` or ``nbytes``: the one value at which the answer changes.

        An arrival that does not bring the field there cannot change the answer. None unless declared.
        """
        return {}

    def lowered(self, until: float) -> rules.Operation | None:
        """Return a leaf's due time as data for the compiled engine, in a run up to `until`; None: it cannot take it."""
        return None

    @property
    def label(self) -> str:
        """The policy in few words, for pictures and tables: its repr unless declared."""
        return repr(self)

    @property
    def phrase(self) -> str:
        """The rest of a sentence that begins with "flush": its repr unless declared."""
        return repr(self)

    def ticks(self, until: float) -> Iterator[rules.Operation]:
        """Yield the policy's ticks in a run up to `until`; a `checked_every` stands in place of any under it."""
        operation = self.lowered(until)
        if operation is not None and operation.rule in rules.TICK_RULES:
            yield operation

    def called_when_empty(self) -> Iterator[FlushPolicy]:
        """Yield the leaves at whose ticks a flush is called whatever the buffer holds.

        Not those under an ``&`` or a `checked_every`, which look at the buffer first: so ``FlushEvery("5s") &
        FlushAtSize(1)`` is due as ``FlushEvery("5s")`` is, and does not flush what is empty. A leaf of your own
        that is a clock yields itself.
        """
        operation = self.lowered(0.0)
        if operation is not None and operation.rule in rules.TICK_RULES:
            yield self

    def leaves(self) -> Iterator[FlushPolicy]:
        """Yield the leaves of which this policy is made, from left to right."""
        return (part for part in self.parts() if not isinstance(part, _Joined | CheckedEvery))

    def leaf(self, view: BufferView) -> FlushPolicy:
        """Return the leaf whose due time was selected: the cause of a flush that starts now."""
        return self

    def parts(self) -> Iterator[FlushPolicy]:
        """Yield this policy and all policies that it is made of."""
        yield self

    def checked_every(self, period: Seconds, *, phase: Seconds = 0.0) -> CheckedEvery:
        """Return this policy, looked at only on the grid phase + k·period.

        It is due at the first tick at or after max(now, due) and later than the last flush's start.

        Examples
        --------
        >>> from bufsim.model.policies import FlushAtSize
        >>> FlushAtSize(100).checked_every("5s")  # every 5 s, if there are at least 100
        FlushAtSize(100).checked_every(5.0)
        """
        return CheckedEvery(self, checks.seconds("period", period), phase=checks.seconds("phase", phase))

    def __or__(self, other: object) -> FlushPolicy:
        return AnyOf((self, _operand("|", other)))

    def __and__(self, other: object) -> FlushPolicy:
        return AllOf((self, _operand("&", other)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Joined(FlushPolicy):
    """Policies joined by an operator: the due time of one of them is selected."""

    __slots__ = ()

    members: tuple[FlushPolicy, ...]

    def __post_init__(self) -> None:
        flat: list[FlushPolicy] = []
        for member in self.members:
            flat.extend(member.members if isinstance(member, type(self)) else (_operand(type(self).__name__, member),))
        if not flat:
            raise InvalidValueError(f"{type(self).__name__} needs at least one policy, got none")
        settle(self, members=tuple(flat))
        _check_size(self)

    def ticks(self, until: float) -> Iterator[rules.Operation]:
        """Yield the ticks of all members."""
        for member in self.members:
            yield from member.ticks(until)

    @staticmethod
    @abstractmethod
    def _goes_before(due: float, chosen: float) -> bool:
        """Return whether a member's due time is selected in place of that of a member to its left."""

    def _select(self, view: BufferView) -> tuple[float, FlushPolicy]:
        chosen = self.members[0]
        due = chosen.due(view)
        for member in self.members[1:]:
            other = member.due(view)
            # a NaN must come through, for the engine to refuse it
            if self._goes_before(other, due) or other != other:
                due, chosen = other, member
        return due, chosen

    def due(self, view: BufferView) -> float:
        """Return the selected due time."""
        return self._select(view)[0]

    def leaf(self, view: BufferView) -> FlushPolicy:
        """Return the leaf whose due time was selected."""
        return self._select(view)[1].leaf(view)

    @property
    def reads(self) -> frozenset[str]:
        """The fields that any member reads."""
        return frozenset().union(*(member.reads for member in self.members))

    def parts(self) -> Iterator[FlushPolicy]:
        """Yield this policy and all policies that it is made of."""
        yield self
        for member in self.members:
            yield from member.parts()


@value
class AnyOf(_Joined):
    """Due when the first of its members is: the minimum of their due times. Written ``p | q``.

    The cause of a flush is the leaf that gave the minimum, on equality the leftmost.
    """

    members: tuple[FlushPolicy, ...]

    def called_when_empty(self) -> Iterator[FlushPolicy]:
        """Yield those of all members."""
        for member in self.members:
            yield from member.called_when_empty()

    @staticmethod
    def _goes_before(due: float, chosen: float) -> bool:
        return due < chosen

    @property
    def label(self) -> str:
        """The members' labels."""
        return " | ".join(member.label for member in self.members)

    @property
    def phrase(self) -> str:
        """The members' phrases."""
        return ", or ".join(member.phrase for member in self.members)

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.members))


@value
class AllOf(_Joined):
    """Due when all of its members have come due: the maximum of their due times. Written ``p & q``.

    It means "both have come due", not "at a tick" of one of them. The cause of a flush is the leaf that gave the
    maximum, on equality the leftmost.
    """

    members: tuple[FlushPolicy, ...]

    def __post_init__(self) -> None:
        _Joined.__post_init__(self)
        grids = {(part.period, part.phase) for part in self.parts() if isinstance(part, CheckedEvery)}
        if len(grids) > 1:
            raise InvalidValueError(
                f"one & holds at most one checked_every grid, got (period, phase) = {sorted(grids)}; "
                "two grids need not meet: write (p & q).checked_every(period)"
            )

    @staticmethod
    def _goes_before(due: float, chosen: float) -> bool:
        return due > chosen

    @property
    def label(self) -> str:
        """The members' labels."""
        return " & ".join(f"({member.label})" if isinstance(member, AnyOf) else member.label for member in self.members)

    @property
    def phrase(self) -> str:
        """The members' phrases."""
        return " and ".join(member.phrase for member in self.members)

    def __repr__(self) -> str:
        # & binds tighter than | in Python too, so that only | needs brackets
        return " & ".join(f"({member!r})" if isinstance(member, AnyOf) else repr(member) for member in self.members)


@value
class CheckedEvery(FlushPolicy):
    """Due at the first tick phase + k·period at or after max(now, due) and later than the last flush's start.

    Written ``p.checked_every(period)``. The cause of a flush is the leaf inside, as selected before the grid.

    Parameters
    ----------
    policy : FlushPolicy
        What is looked at; it holds no grid of its own.
    period : float
        Between ticks, s, > 0.
    phase : float
        The first tick, s, ≥ 0.
    """

    policy: FlushPolicy
    period: Positive
    phase: NotNegative = 0.0

    def __post_init__(self) -> None:
        if any(isinstance(part, CheckedEvery) for part in _operand("checked_every", self.policy).parts()):
            raise InvalidValueError(
                f"checked_every cannot be nested, got it on {quoted(self.policy)}; "
                "keep one grid, round the whole policy"
            )
        _check_size(self)

    def due(self, view: BufferView) -> float:
        """Return the first tick at or after max(now, due) and later than last_flush_start."""
        return rules.checked(view.now, self.policy.due(view), view.last_flush_start, self.period, self.phase)

    def leaf(self, view: BufferView) -> FlushPolicy:
        """Return the leaf inside."""
        return self.policy.leaf(view)

    @property
    def reads(self) -> frozenset[str]:
        """The fields that the policy inside reads, and the last flush's start."""
        return self.policy.reads | {"last_flush_start"}

    def parts(self) -> Iterator[FlushPolicy]:
        """Yield this policy and all policies that it is made of."""
        yield self
        yield from self.policy.parts()

    def ticks(self, until: float) -> Iterator[rules.Operation]:
        """Yield the grid."""
        yield rules.Operation(rules.EVERY, self.period, self.phase)

    @property
    def label(self) -> str:
        """The label of the policy inside, and the grid's period."""
        inner = f"({self.policy.label})" if isinstance(self.policy, _Joined) else self.policy.label
        return f"{inner} checked every {formats.duration(self.period, digits=6)}"

    @property
    def phrase(self) -> str:
        """The phrase of the policy inside, and the grid's period."""
        return f"{self.policy.phrase}, looked at every {formats.duration(self.period)}"

    def __repr__(self) -> str:
        inner = f"({self.policy!r})" if isinstance(self.policy, _Joined) else repr(self.policy)
        phase = f", phase={self.phase!r}" if self.phase else ""
        return f"{inner}.checked_every({self.period!r}{phase})"


def _check_size(policy: FlushPolicy) -> None:
    """Refuse what is too large to be read: parts are few and lie not too deep, so that walking over them is quick."""
    # its members have been checked: none has more than that, and the walk is short
    count = sum(1 for _ in itertools.islice(policy.parts(), checks.MOST_PARTS + 1))
    depth = _depth(policy)
    if count > checks.MOST_PARTS or depth > checks.DEEPEST:
        raise InvalidValueError(
            f"a policy may have at most {checks.MOST_PARTS:,} parts, {checks.DEEPEST} within each other, got "
            f"{'more' if count > checks.MOST_PARTS else f'{depth} within each other'}; join leaves with one kind of "
            "operator, or write a FlushPolicy of your own"
        )


def _depth(policy: FlushPolicy) -> int:
    inside = (
        policy.members if isinstance(policy, _Joined) else (policy.policy,) if isinstance(policy, CheckedEvery) else ()
    )
    return 1 + max(map(_depth, inside), default=0)


def _operand(operator: str, value: object) -> FlushPolicy:
    if not isinstance(value, FlushPolicy):
        raise InvalidTypeError(
            f"{operator} takes flush policies, got {quoted(value)}; write FlushAtSize(100) or the like"
        )
    return value
