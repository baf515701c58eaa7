from __future__ import annotations

import collections
import dataclasses
import datetime
import itertools
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from bufsim_tests.policy_strategies import gridless, leaves, periods, policies, times, unmixed, views
from hypothesis import assume, given
from hypothesis import strategies as st

import bufsim
from bufsim import (
    BufferView,
    FlushAfterAge,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    FlushWhenIdle,
    InvalidTypeError,
    InvalidValueError,
    NeverFlush,
)
from bufsim.model.flush_policy import ALL_FIELDS, AllOf, AnyOf, CheckedEvery

INF = math.inf
VIEW = BufferView(now=7.0, size=2, nbytes=5, oldest_at=3.0, newest_at=7.0, last_flush_start=1.0, last_flush_end=2.0)


# --- the lattice ------------------------------------------------------------------------------------------------------


@given(policies, policies, views())
def test_or_is_the_minimum_of_due_times(p: FlushPolicy, q: FlushPolicy, view: BufferView) -> None:
    assert (p | q).due(view) == min(p.due(view), q.due(view))


@given(gridless, policies, views())
def test_and_is_the_maximum_of_due_times(p: FlushPolicy, q: FlushPolicy, view: BufferView) -> None:
    assume(_one_grid(p, q))
    assert (p & q).due(view) == max(p.due(view), q.due(view))


@given(gridless, gridless, gridless, views())
def test_or_and_and_make_a_distributive_lattice(
    p: FlushPolicy, q: FlushPolicy, r: FlushPolicy, view: BufferView
) -> None:
    def same(left: FlushPolicy, right: FlushPolicy) -> bool:
        return left.due(view) == right.due(view)

    assert same(p | q, q | p)
    assert same(p & q, q & p)
    assert same((p | q) | r, p | (q | r))
    assert same((p & q) & r, p & (q & r))
    assert same(p | p, p)
    assert same(p & p, p)
    assert same(p | (p & q), p)
    assert same(p & (p | q), p)
    assert same(p & (q | r), (p & q) | (p & r))
    assert same(p | (q & r), (p | q) & (p | r))


@given(policies, views())
def test_never_and_size_one_are_the_bounds(p: FlushPolicy, view: BufferView) -> None:
    due = p.due(view)
    assert (p | NeverFlush()).due(view) == due
    assert (p | FlushAtSize(1)).due(view) == -INF
    assume(_one_grid(p))
    assert (p & FlushAtSize(1)).due(view) == due
    assert (p & NeverFlush()).due(view) == INF


@given(gridless, gridless, periods, times, views())
def test_checked_every_distributes(
    p: FlushPolicy, q: FlushPolicy, period: float, phase: float, view: BufferView
) -> None:
    def grid(policy: FlushPolicy) -> FlushPolicy:
        return policy.checked_every(period, phase=phase)

    assert grid(p | q).due(view) == (grid(p) | grid(q)).due(view)
    assert grid(p & q).due(view) == (grid(p) & grid(q)).due(view)


@given(policies, policies, policies)
def test_members_are_flattened_and_keep_their_order(p: FlushPolicy, q: FlushPolicy, r: FlushPolicy) -> None:
    assert ((p | q) | r) == (p | (q | r))
    either = (p | q) | r
    assert isinstance(either, AnyOf)
    assert either.members == tuple(m for s in (p, q, r) for m in (s.members if isinstance(s, AnyOf) else (s,)))
    assert not any(isinstance(member, AnyOf) for member in either.members)


@given(gridless, gridless, gridless)
def test_members_of_and_are_flattened_too(p: FlushPolicy, q: FlushPolicy, r: FlushPolicy) -> None:
    assert ((p & q) & r) == (p & (q & r))
    both = (p & q) & r
    assert isinstance(both, AllOf)
    assert both.members == tuple(m for s in (p, q, r) for m in (s.members if isinstance(s, AllOf) else (s,)))


def _one_grid(*policies: FlushPolicy) -> bool:
    grids = {(part.period, part.phase) for p in policies for part in p.parts() if isinstance(part, CheckedEvery)}
    return len(grids) < 2


# --- asking -----------------------------------------------------------------------------------------------------------


@given(unmixed, views(), st.floats(0, 1))
def test_asking_again_before_it_is_due_changes_nothing(p: FlushPolicy, view: BufferView, share: float) -> None:
    due = p.due(view)
    last = due if -INF < due < INF else view.now + 10.0
    later = view.now + share * max(0.0, last - view.now)
    assume(later <= last or last < view.now)
    assert p.due(replace(view, now=later)) == due
    if view.now <= due < INF:
        assert p.due(replace(view, now=due)) == due


def test_a_grid_beside_another_policy_under_and_waits_for_its_next_tick() -> None:
    # both have come due at 7, but a grid that is asked at 7 looks again at 10 only: the law above does not hold here
    policy = FlushAtSize(1).checked_every(5.0) & FlushAfterAge(7.0)
    view = BufferView(now=0.0, size=1, nbytes=0, oldest_at=0.0, newest_at=0.0)
    assert policy.due(view) == 7.0
    assert policy.due(replace(view, now=7.0)) == 10.0


@given(policies, views(), views())
def test_the_answer_depends_on_what_it_says_it_reads(p: FlushPolicy, view: BufferView, other: BufferView) -> None:
    read = {name: getattr(view, name) for name in p.reads}
    elsewhere = replace(other, now=view.now, **read)
    assert p.due(elsewhere) == p.due(view)


@given(leaves, views(), views())
def test_what_is_read_at_a_step_changes_the_answer_there_only(
    p: FlushPolicy, view: BufferView, other: BufferView
) -> None:
    for name, step in p.steps.items():
        assert name in p.reads
        assume((getattr(view, name) >= step) == (getattr(other, name) >= step))
    assert p.due(replace(view, **{name: getattr(other, name) for name in p.steps})) == p.due(view)


class Eager(FlushAfterAge):
    """A user's subclass with another due time, which declares nothing of it."""

    def due(self, view: BufferView) -> float:
        return view.oldest_at + self.age / view.size


class EagerAndHonest(FlushAfterAge):
    reads = frozenset({"oldest_at", "size"})

    def due(self, view: BufferView) -> float:
        return view.oldest_at + self.age / view.size


class Renamed(FlushAfterAge):
    """The same due time: what is declared of it holds."""


def test_what_is_declared_of_one_due_time_does_not_hold_of_another() -> None:
    eager = Eager(5.0)
    assert eager.reads == ALL_FIELDS
    assert eager.lowered(10.0) is None
    assert (eager.word, eager.family, eager.label) == ("", "other", "Eager(5.0)")
    assert EagerAndHonest(5.0).reads == {"oldest_at", "size"}
    assert EagerAndHonest(5.0).lowered(10.0) is None
    assert Renamed(5.0).reads == {"oldest_at"}
    assert Renamed(5.0).lowered(10.0) == FlushAfterAge(5.0).lowered(10.0)


def test_only_what_a_leaf_reads_can_change_its_answer() -> None:
    assert NeverFlush().reads == frozenset()
    assert (FlushAtSize(2) | FlushAtBytes(3)).reads == {"size", "nbytes"}
    assert (FlushAfterAge(2.0) & FlushWhenIdle(1.0)).reads == {"oldest_at", "newest_at"}
    assert FlushEvery(1.0).reads == {"oldest_at", "last_flush_start"}
    assert FlushEvery(1.0, anchor="flush_end").reads == {"oldest_at", "last_flush_start", "last_flush_end"}
    assert FlushAtSize(2).checked_every(1.0).reads == {"size", "last_flush_start"}


def test_checked_every_looks_at_its_policy_on_a_grid_only() -> None:
    policy = FlushAtSize(2).checked_every(5.0)
    assert policy.due(replace(VIEW, now=7.0, size=1)) == INF
    assert policy.due(replace(VIEW, now=7.0)) == 10.0
    assert policy.due(replace(VIEW, now=10.0)) == 10.0
    # one tick starts one flush
    assert policy.due(replace(VIEW, now=10.0, last_flush_start=10.0)) == 15.0
    assert FlushAtSize(2).checked_every(5.0, phase=2.0).due(VIEW) == 7.0
    assert FlushAtSize(2).checked_every("1min", phase="30s") == FlushAtSize(2).checked_every(60.0, phase=30.0)
    # an age that comes due between two ticks waits for the second
    assert FlushAfterAge(5.0).checked_every(3.0).due(VIEW) == 9.0


def test_a_due_time_beyond_every_grid_does_not_hang() -> None:
    assert FlushAfterAge(3.3220935972140115e38).checked_every(0.3).due(VIEW) == INF
    assert (FlushAfterAge(1e308) | FlushAtSize(9)).checked_every(0.1).due(VIEW) == INF


@pytest.mark.parametrize("others", [(), (FlushAtSize(1),), (NeverFlush(),), (FlushAfterAge(1.0), FlushAtSize(9))])
def test_nan_comes_through_every_operator(others: tuple[FlushPolicy, ...]) -> None:
    @dataclass(frozen=True)
    class Broken(FlushPolicy):
        def due(self, view: BufferView) -> float:
            return math.nan

    either: FlushPolicy = Broken()
    both: FlushPolicy = Broken()
    for other in others:
        either, both = either | other, both & other
    backwards_either, backwards_both = Broken(), Broken()
    for other in others:
        backwards_either, backwards_both = other | backwards_either, other & backwards_both
    for policy in (either, both, backwards_either, backwards_both):
        assert math.isnan(policy.due(VIEW)), policy
        assert math.isnan(policy.checked_every(1.0).due(VIEW)), policy


# --- causes -----------------------------------------------------------------------------------------------------------


@given(gridless, views())
def test_the_leaf_is_one_whose_due_time_was_selected(p: FlushPolicy, view: BufferView) -> None:
    leaf = p.leaf(view)
    assert leaf in list(p.parts())
    assert not isinstance(leaf, AnyOf | AllOf)
    assert leaf.due(view) == p.due(view)


@given(st.lists(leaves, min_size=2, max_size=4), views())
def test_on_equality_the_cause_is_the_leftmost(members: list[FlushPolicy], view: BufferView) -> None:
    dues = [member.due(view) for member in members]
    assert AnyOf(tuple(members)).leaf(view) is members[dues.index(min(dues))]
    assert AllOf(tuple(members)).leaf(view) is members[dues.index(max(dues))]


@given(gridless, periods, views())
def test_the_cause_under_a_grid_is_chosen_before_the_grid(p: FlushPolicy, period: float, view: BufferView) -> None:
    assert p.checked_every(period).leaf(view) is p.leaf(view)


def test_a_grid_round_the_whole_may_name_another_cause_than_grids_within() -> None:
    young, old = FlushAfterAge(5.0), FlushAfterAge(4.0)
    whole = (young | old).checked_every(5.0)
    within = young.checked_every(5.0) | old.checked_every(5.0)
    assert whole.due(VIEW) == within.due(VIEW) == 10.0
    assert whole.leaf(VIEW) == old
    assert within.leaf(VIEW) == young


# --- values -----------------------------------------------------------------------------------------------------------


@given(policies)
def test_reprs_evaluate_back(p: FlushPolicy) -> None:
    assert eval(repr(p), {**vars(bufsim), "datetime": datetime}) == p


def test_reprs_read_as_they_are_written() -> None:
    policy = (FlushAtSize(2) | FlushAfterAge("5s")) & FlushWhenIdle(1.0)
    assert repr(policy) == "(FlushAtSize(2) | FlushAfterAge(5.0)) & FlushWhenIdle(1.0)"
    assert repr(policy.checked_every(2, phase=1)) == f"({policy!r}).checked_every(2.0, phase=1.0)"
    mixed = FlushAtSize(2) & FlushAfterAge(5.0) | FlushEvery(60.0, anchor="flush_end")
    assert repr(mixed) == "FlushAtSize(2) & FlushAfterAge(5.0) | FlushEvery(60.0, anchor='flush_end')"


@given(policies)
def test_policies_are_hashable_and_picklable_values(p: FlushPolicy) -> None:
    again = pickle.loads(pickle.dumps(p))
    assert again == p
    assert hash(again) == hash(p)
    assert repr(again) == repr(p)
    assert len({p, again}) == 1


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (FlushAtSize(1) | NeverFlush(), "members"),
        (FlushAtSize(1) & NeverFlush(), "members"),
        (FlushAtSize(1).checked_every(2.0), "period"),
        (FlushAtSize(1), "size"),
        (NeverFlush(), "size"),
    ],
)
def test_policies_are_frozen(policy: FlushPolicy, field: str) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        setattr(policy, field, 3)
    assert not hasattr(policy, "__dict__")


def test_or_and_and_are_different_policies_of_the_same_members() -> None:
    p, q = FlushAtSize(2), FlushAfterAge(1.0)
    assert (p | q) != (p & q)
    assert (p | q) != (q | p)  # the cause differs


def test_parts_are_the_policy_and_all_within() -> None:
    p, q = FlushAtSize(2), FlushAfterAge(1.0)
    policy = (p & q).checked_every(2.0) | NeverFlush()
    assert list(policy.parts()) == [policy, (p & q).checked_every(2.0), p & q, p, q, NeverFlush()]


def test_a_policy_of_the_users_joins_the_algebra() -> None:
    class Sooner(FlushPolicy):
        def due(self, view: BufferView) -> float:
            return view.oldest_at + 5.0 / view.size

    sooner = Sooner()
    assert sooner.reads == {f.name for f in dataclasses.fields(BufferView)} - {"now", "states"}
    assert sooner.leaf(VIEW) is sooner
    assert (sooner | FlushAfterAge(3.0)).due(VIEW) == 5.5
    assert (sooner & FlushAfterAge(3.0)).due(VIEW) == 6.0
    assert sooner.checked_every(4.0).due(VIEW) == 8.0
    assert repr(sooner | NeverFlush()) == "Sooner() | NeverFlush()"


def test_a_policy_without_due_cannot_be_made() -> None:
    class Vague(FlushPolicy):
        pass

    with pytest.raises(TypeError, match="due"):
        Vague()  # type: ignore[abstract]


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [5, None, "size(100)", FlushAtSize, lambda view: 3.0])
def test_a_bad_operand_is_a_type_error_at_the_operator_that_names_it(bad: object) -> None:
    for symbol, operate in (("|", lambda: FlushAtSize(1) | bad), ("&", lambda: FlushAtSize(1) & bad)):
        with pytest.raises(InvalidTypeError) as raised:
            operate()
        assert str(raised.value) == f"{symbol} takes flush policies, got {bad!r}; write FlushAtSize(100) or the like"
    for operate in (lambda: bad | FlushAtSize(1), lambda: bad & FlushAtSize(1)):
        with pytest.raises(TypeError):
            operate()


def test_there_is_no_not() -> None:
    with pytest.raises(TypeError):
        ~FlushAtSize(1)  # type: ignore[operator]


def test_two_grids_under_one_and_are_refused() -> None:
    five, three = FlushAtSize(1).checked_every(5.0), FlushAfterAge(1.0).checked_every(3.0)
    message = (
        r"^one & holds at most one checked_every grid, got \(period, phase\) = \[\(3.0, 0.0\), \(5.0, 0.0\)\]; "
        r"two grids need not meet: write \(p & q\).checked_every\(period\)$"
    )
    for operate in (
        lambda: five & three,
        lambda: (five | NeverFlush()) & three,
        lambda: FlushAtSize(1) & (five | three),
    ):
        with pytest.raises(InvalidValueError, match=message):
            operate()
    assert isinstance(five | three, AnyOf)
    assert isinstance(five & FlushAfterAge(1.0).checked_every(5.0), AllOf)
    with pytest.raises(InvalidValueError, match="at most one checked_every grid"):
        five & FlushAtSize(1).checked_every(5.0, phase=1.0)


def test_grids_cannot_be_nested() -> None:
    five = FlushAtSize(1).checked_every(5.0)
    for policy in (five, five | NeverFlush(), five & FlushAfterAge(1.0)):
        with pytest.raises(InvalidValueError) as raised:
            policy.checked_every(5.0)
        assert str(raised.value) == (
            f"checked_every cannot be nested, got it on {policy!r}; keep one grid, round the whole policy"
        )


@pytest.mark.parametrize(
    ("period", "phase", "message"),
    [
        (0.0, 0.0, "period must be > 0, got 0.0"),
        (-1, 0.0, "period must be > 0, got -1.0"),
        (math.nan, 0.0, "period must be finite, got nan"),
        (INF, 0.0, "period must be finite, got inf"),
        (1.0, -0.5, "phase must be >= 0, got -0.5"),
        (1.0, math.nan, "phase must be finite, got nan"),
        ("5 parsecs", 0.0, "period has the unknown unit 'parsecs' in '5 parsecs'"),
    ],
)
def test_a_grid_needs_a_period_and_a_phase(period: object, phase: object, message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        FlushAtSize(1).checked_every(period, phase=phase)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)


def test_a_grid_of_no_policy_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match="checked_every takes flush policies, got 3"):
        CheckedEvery(3, 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [AnyOf, AllOf])
def test_no_members_are_refused(kind: type[AnyOf | AllOf]) -> None:
    with pytest.raises(InvalidValueError, match=f"{kind.__name__} needs at least one policy, got none"):
        kind(())


def test_a_wide_policy_may_be_built_in_a_loop() -> None:
    policy: FlushPolicy = FlushAfterAge(1.0)
    for jobs in range(400):
        policy = policy | FlushAtSize(jobs + 6)
    assert len(list(policy.leaves())) == 401


def deeper(policy: FlushPolicy) -> FlushPolicy:
    return (policy & FlushAtSize(6)) | FlushAfterAge(1.0)


def doubled(policy: FlushPolicy) -> FlushPolicy:
    return (policy & FlushAtSize(6)) | (policy & FlushAtSize(7))


@pytest.mark.parametrize(("grow", "got"), [(deeper, "51 within each other"), (doubled, "more")])
def test_a_policy_that_grows_too_large_in_a_loop_is_refused(
    grow: Callable[[FlushPolicy], FlushPolicy], got: str
) -> None:
    policies = itertools.accumulate(range(400), lambda policy, _: grow(policy), initial=FlushAtSize(5) | FlushAtSize(9))
    with pytest.raises(InvalidValueError, match=f"at most 1,000 parts, 50 within each other, got {got}"):
        collections.deque(policies, maxlen=0)
