from __future__ import annotations

import functools
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from bufsim_tests.generated import SEED, expected, rows_of, simulations
from bufsim_tests.models import batches, column, columns, producer, retries_against_flushes, simulate, timed
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim import (
    Capacity,
    Drain,
    DrainAtMost,
    Exponential,
    FlushAfterAge,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    FlushTime,
    FlushWhenIdle,
    InvalidValueError,
    JobBuffer,
    KeepAll,
    Merge,
    NeverFlush,
    Producer,
    PushWorkers,
    Simulation,
    Trace,
    UniqueByKey,
)
from bufsim.engines import order
from bufsim.engines.workload import Workload
from bufsim.model.flush_policy import AllOf, AnyOf, BufferView, CheckedEvery, State

# --- the oracle -------------------------------------------------------------------------------------------------------


def assert_rows_of_the_oracle(simulation: Simulation) -> None:
    given_rows, expected_rows = rows_of(simulation.run(seed=SEED)), expected(simulation)
    for table in ("flushes", "buffer_size", "work", "attempts", "jobs"):
        assert given_rows[table] == expected_rows[table], table


@settings(max_examples=100)
@given(simulations())
def test_the_engine_gives_the_rows_of_the_oracle(simulation: Simulation) -> None:
    assert_rows_of_the_oracle(simulation)


@pytest.mark.slow
@settings(max_examples=300)
@given(simulations())
def test_the_engine_gives_the_rows_of_the_oracle_on_many_models(simulation: Simulation) -> None:
    assert_rows_of_the_oracle(simulation)


@dataclass(frozen=True)
class OwnLeaf(FlushPolicy):
    """A leaf of a user's own, which says nothing of itself and answers as a built-in one."""

    like: FlushPolicy

    @property
    def first_state(self) -> State:
        return self.like.first_state

    def arrived(self, state: State, view: BufferView) -> State:
        return self.like.arrived(state, self.seen_by_it(view))

    def started(self, state: State, view: BufferView, rang: bool) -> State:
        return self.like.started(state, self.seen_by_it(view), rang)

    def ended(self, state: State, now: float) -> State:
        return self.like.ended(state, now)

    def due(self, view: BufferView) -> float:
        return self.like.due(self.seen_by_it(view))

    def seen_by_it(self, view: BufferView) -> BufferView:
        return replace(view, states={self.like: view.states[self]})

    def called_when_empty(self) -> Iterator[FlushPolicy]:
        return (self for _ in self.like.called_when_empty())

    def __repr__(self) -> str:
        return repr(self.like)


@dataclass(frozen=True)
class OwnDrain(Drain):
    like: Drain

    def count(self, sizes: Sequence[int], nbytes: int) -> int:
        return self.like.count(sizes, nbytes)

    def repeats(self, jobs: int, nbytes: int) -> bool:
        return self.like.repeats(jobs, nbytes)


def with_own_leaves(policy: FlushPolicy, is_own: Callable[[], bool]) -> FlushPolicy:
    if isinstance(policy, AnyOf | AllOf):
        join = operator.or_ if isinstance(policy, AnyOf) else operator.and_
        return functools.reduce(join, [with_own_leaves(member, is_own) for member in policy.members])
    if isinstance(policy, CheckedEvery):
        return with_own_leaves(policy.policy, is_own).checked_every(policy.period, phase=policy.phase)
    return OwnLeaf(policy) if is_own() else policy


def with_own_parts(buffer: JobBuffer, is_own: Callable[[], bool]) -> JobBuffer:
    """Return the buffer with some of its parts in a user's stead, which do the same."""
    return replace(
        buffer,
        policy=with_own_leaves(buffer.policy, is_own),
        drain=OwnDrain(buffer.drain) if is_own() else buffer.drain,
        collect=(lambda job, like=buffer.collect: like(job)) if is_own() else buffer.collect,
        # of another reduce of the user's own it is not known which job carries which
        reduce=list if buffer.reduce == KeepAll() and is_own() else buffer.reduce,
    )


@settings(max_examples=60)
@given(simulations(), st.randoms(use_true_random=False))
def test_parts_of_a_users_own_among_built_in_ones_give_the_rows_of_the_oracle(
    simulation: Simulation, random: Random
) -> None:
    own = [with_own_parts(buffer, lambda: random.random() < 0.5) for buffer in simulation.buffers]
    given_rows, expected_rows = rows_of(replace(simulation, buffers=own).run(seed=SEED)), expected(simulation)
    for table in ("flushes", "buffer_size", "work", "attempts", "jobs"):
        assert given_rows[table] == expected_rows[table], table


def test_the_generated_models_meet_what_they_are_made_for() -> None:
    seen: Counter[object] = Counter()

    @settings(max_examples=250)
    @given(simulations())
    def meet(simulation: Simulation) -> None:
        tables = expected(simulation)
        seen.update({("job", row[11], row[13]) for row in tables["jobs"]})
        seen.update({("work", row[8]) for row in tables["work"]})
        seen.update({("attempt", row[4]) for row in tables["attempts"]})
        seen.update({("cause", row[3].split("(")[0]) for row in tables["flushes"]})

    meet()
    outcomes = {("job", outcome, None) for outcome in ("bypassed", "flushed", "buffered", "in_flight")}
    losses = {("job", "lost", cause) for cause in ("capacity", "buffer", "in_flight", "queue", "down", "race")}
    works = {("work", outcome) for outcome in ("pending", "running", "completed", "failed", "lost", "retrying")}
    works |= {("attempt", outcome) for outcome in ("running", "completed", "failed", "lost")}
    leaves = ("FlushAtSize", "FlushAtBytes", "FlushAfterAge", "FlushWhenIdle", "FlushEvery", "FlushAt")
    assert outcomes | losses | works | {("cause", leaf) for leaf in leaves} <= set(seen)


@pytest.mark.parametrize(("first", "second"), [("ARRIVAL", "FLUSH_DUE"), ("FLUSH_DUE", "SERVICE_END")])
def test_a_wrong_order_of_ties_is_noticed(monkeypatch: pytest.MonkeyPatch, first: str, second: str) -> None:
    # negative control: two models that hang on one pair of ranks each
    late = timed([1.0, 5.0], FlushEvery(5.0))
    retry = retries_against_flushes()
    simulation = late if first == "ARRIVAL" else retry
    right = rows_of(simulation.run(seed=SEED))
    one, other = getattr(order, first), getattr(order, second)
    monkeypatch.setattr(order, first, other)
    monkeypatch.setattr(order, second, one)
    assert rows_of(simulation.run(seed=SEED)) != right


# --- due times --------------------------------------------------------------------------------------------------------


def test_a_bulk_of_five_at_size_two_gives_two_and_two_and_leaves_one() -> None:
    result = simulate([3.0] * 5, FlushAtSize(2))
    assert batches(result) == [(3.0, [0, 1]), (3.0, [2, 3])]
    assert column(result, "buffer_size", "size") == [0, 1, 2, 0, 1, 2, 0, 1]
    assert column(result, "jobs", "outcome") == ["flushed"] * 4 + ["buffered"]


def test_a_finite_due_time_waits_for_all_arrivals_of_its_instant() -> None:
    assert batches(simulate([3.0] * 5, FlushAfterAge(0))) == [(3.0, [0, 1, 2, 3, 4])]
    assert batches(simulate([3.0] * 5, FlushWhenIdle(0))) == [(3.0, [0, 1, 2, 3, 4])]
    two = [producer([1.0, 5.0]), producer([5.0, 5.5], name="q")]
    assert batches(simulate(two, FlushEvery(5.0))) == [(5.0, [0, 1, 2]), (10.0, [3])]


def test_each_answer_replaces_the_timer() -> None:
    assert batches(simulate([1.0, 2.5, 4.0, 9.0], FlushWhenIdle(2.0))) == [(6.0, [0, 1, 2]), (11.0, [3])]


def test_an_arrival_when_the_timer_rings_moves_it_on() -> None:
    # the arrival at 3 comes before the ring at 3, and sets it to 5
    assert batches(simulate([1.0, 3.0], FlushWhenIdle(2.0))) == [(5.0, [0, 1])]


def test_what_comes_while_flushing_is_asked_about_once_at_the_end() -> None:
    slow = JobBuffer("b", policy=FlushAtSize(2), flush_time=3.0)
    result = simulate([0.0, 1.0, 1.5, 2.0, 2.5, 3.0], slow)
    assert columns(result, "flushes", "start", "end", "batch_size") == [(1.0, 4.0, 2), (4.0, 7.0, 4)]


def test_ticks_that_pass_during_a_flush_are_not_latched_but_their_jobs_are_due_at_its_end() -> None:
    slow = JobBuffer("b", policy=FlushEvery(1.0), flush_time=2.5)
    result = simulate([0.5, 1.2], slow, until=20.0)
    assert columns(result, "flushes", "start", "end") == [(1.0, 3.5), (3.5, 6.0)]


def test_a_tick_that_came_before_the_job_is_not_its_tick() -> None:
    slow = JobBuffer("b", policy=FlushEvery(1.0), flush_time=2.5)
    result = simulate([0.5, 3.2], slow, until=20.0)
    assert columns(result, "flushes", "start", "end") == [(1.0, 3.5), (4.0, 6.5)]


def test_one_tick_starts_one_flush() -> None:
    drained = JobBuffer("b", policy=FlushEvery(5.0), drain=DrainAtMost(2))
    assert batches(simulate([1.0] * 5, drained)) == [(5.0, [0, 1]), (10.0, [2, 3]), (15.0, [4])]
    listed = JobBuffer("b", policy=FlushAt([2.0, 3.0]), drain=DrainAtMost(1))
    assert batches(simulate([1.0] * 5, listed)) == [(2.0, [0]), (3.0, [1])]
    checked = JobBuffer("b", policy=FlushAtSize(1).checked_every(4.0), drain=DrainAtMost(2))
    assert batches(simulate([1.0] * 3, checked)) == [(4.0, [0, 1]), (8.0, [2])]


def test_the_first_tick_of_a_clock_is_its_phase_and_0_is_a_tick() -> None:
    assert batches(simulate([0.0, 0.0, 1.0], FlushEvery(5.0))) == [(0.0, [0, 1]), (5.0, [2])]
    assert batches(simulate([0.0, 1.0], FlushEvery(5.0, phase=2.0))) == [(2.0, [0, 1])]


def test_flush_anchors_count_from_0_before_the_first_flush_and_leave_the_anchor_out() -> None:
    for anchor in ("flush_start", "flush_end"):
        assert batches(simulate([0.0, 6.0], FlushEvery(5.0, anchor=anchor))) == [(5.0, [0]), (10.0, [1])]


def test_flush_anchors_differ_by_the_time_a_flush_takes() -> None:
    def starts(anchor: str) -> list[object]:
        slow = JobBuffer("b", policy=FlushEvery(5.0, anchor=anchor), flush_time=1.0)  # type: ignore[arg-type]
        return column(simulate([1.0, 7.0, 12.0], slow, until=30.0), "flushes", "start")

    assert starts("flush_start") == [5.0, 10.0, 15.0]
    assert starts("flush_end") == [5.0, 11.0, 17.0]


def test_size_flushes_reset_a_flush_anchor_and_leave_a_clock_alone() -> None:
    times = [1.0, 2.0, 3.0, 4.0, 11.5, 12.0]
    fixed = simulate(times, FlushEvery(5.0) | FlushAtSize(3))
    reset = simulate(times, FlushEvery(5.0, anchor="flush_end") | FlushAtSize(3))
    assert batches(fixed) == [(3.0, [0, 1, 2]), (5.0, [3]), (15.0, [4, 5])]
    assert batches(reset) == [(3.0, [0, 1, 2]), (8.0, [3]), (13.0, [4, 5])]


@pytest.mark.parametrize(
    ("policy", "flushes"),
    [
        (FlushEvery(5.0) | FlushAtSize(3), [(3.0, [0, 1, 2]), (5.0, [3]), (15.0, [4, 5])]),
        (FlushEvery(5.0, anchor="flush_end") | FlushAtSize(3), [(3.0, [0, 1, 2]), (8.0, [3]), (13.0, [4, 5])]),
        (FlushEvery(5.0, anchor="flush_start") | FlushAtSize(3), [(3.0, [0, 1, 2]), (8.0, [3]), (13.0, [4, 5])]),
        (FlushAfterAge(5.0) | FlushAtSize(3), [(3.0, [0, 1, 2]), (9.0, [3]), (16.5, [4, 5])]),
        (FlushWhenIdle(5.0) | FlushAtSize(3), [(3.0, [0, 1, 2]), (9.0, [3]), (17.0, [4, 5])]),
    ],
)
def test_the_trace_that_tells_the_rules_of_real_systems_apart(
    policy: FlushPolicy, flushes: list[tuple[float, list[int]]]
) -> None:
    assert batches(simulate([1.0, 2.0, 3.0, 4.0, 11.5, 12.0], policy)) == flushes


def test_and_means_that_both_have_come_due_and_not_at_a_tick() -> None:
    # the tick at 5 has passed when the second job comes: it goes at once, in the rank of flushes due
    result = simulate([1.0, 7.0, 7.0], FlushEvery(5.0) & FlushAtSize(2))
    assert batches(result) == [(7.0, [0, 1, 2])]
    assert batches(simulate([1.0, 2.0], FlushEvery(5.0) & FlushAtSize(2))) == [(5.0, [0, 1])]


def test_looked_at_on_a_grid_only_a_full_buffer_waits_for_the_tick() -> None:
    assert batches(simulate([1.0, 7.0, 7.0], FlushAtSize(2).checked_every(5.0))) == [(10.0, [0, 1, 2])]
    assert batches(simulate([1.0, 5.0], FlushAtSize(2).checked_every(5.0))) == [(5.0, [0, 1])]


def test_never_and_past_the_last_time_jobs_stay() -> None:
    assert batches(simulate([1.0, 2.0], NeverFlush())) == []
    assert batches(simulate([1.0, 4.0], FlushAt([3.0]))) == [(3.0, [0])]


def test_causes_are_the_leaves_that_were_selected() -> None:
    policy = FlushAtSize(3) | FlushAfterAge(2.0) | FlushEvery(5.0)
    result = simulate([1.0, 2.0, 2.5, 4.0, 10.5, 11.0], policy)
    assert columns(result, "flushes", "start", "cause") == [
        (2.5, "FlushAtSize(3)"),
        (5.0, "FlushEvery(5.0)"),
        (12.5, "FlushAfterAge(2.0)"),
    ]


def test_on_equality_the_cause_is_the_leftmost() -> None:
    ages = FlushAfterAge(2.0), FlushWhenIdle(2.0)
    assert column(simulate([1.0], ages[0] | ages[1]), "flushes", "cause") == ["FlushAfterAge(2.0)"]
    assert column(simulate([1.0], ages[1] | ages[0]), "flushes", "cause") == ["FlushWhenIdle(2.0)"]
    assert column(simulate([1.0], ages[1] & ages[0]), "flushes", "cause") == ["FlushWhenIdle(2.0)"]


def test_the_cause_is_chosen_when_the_flush_starts() -> None:
    # armed for the age at 6; the second job at 6 fills the buffer before the timer rings
    policy = FlushAfterAge(5.0) | FlushAtSize(2)
    assert columns(simulate([1.0, 6.0], policy), "flushes", "start", "cause") == [(6.0, "FlushAtSize(2)")]


def test_the_cause_under_a_grid_is_the_leaf_inside() -> None:
    policy = (FlushAtSize(9) | FlushAfterAge(2.0)).checked_every(5.0)
    assert columns(simulate([1.0], policy), "flushes", "start", "cause") == [(5.0, "FlushAfterAge(2.0)")]


# --- drains and capacity ----------------------------------------------------------------------------------------------


def test_what_a_drain_leaves_keeps_its_age() -> None:
    aged = JobBuffer("b", policy=FlushAfterAge(5.0), drain=DrainAtMost(2))
    result = simulate([1.0, 2.0, 3.0, 4.0, 4.0], aged)
    assert batches(result) == [(6.0, [0, 1]), (8.0, [2, 3]), (9.0, [4])]
    assert column(result, "flushes", "oldest_age") == [5.0, 5.0, 5.0]


def test_what_is_left_and_still_due_goes_in_the_same_instant() -> None:
    sized = JobBuffer("b", policy=FlushAtSize(4) | FlushAtSize(2), drain=DrainAtMost(1))
    assert batches(simulate([1.0] * 3, sized)) == [(1.0, [0]), (1.0, [1])]
    aged = JobBuffer("b", policy=FlushAfterAge(5.0), drain=DrainAtMost(2))
    assert batches(simulate([1.0] * 5, aged)) == [(6.0, [0, 1]), (6.0, [2, 3]), (6.0, [4])]


def test_bytes_with_a_drain_of_as_many_is_the_rule_that_the_job_which_would_not_fit_stays() -> None:
    kafka = JobBuffer("b", policy=FlushAtBytes(100), drain=DrainAtMost(nbytes=100))
    jobs = producer([1.0, 2.0, 3.0, 4.0, 5.0], nbytes=[60, 50, 50, 120, 1])
    result = simulate(jobs, kafka)
    # 60 | 50 + 50, just full | 120 alone, over the limit
    assert batches(result) == [(2.0, [0]), (3.0, [1, 2]), (4.0, [3])]
    assert column(result, "flushes", "nbytes") == [60, 100, 120]


def test_a_full_buffer_drops_the_newest() -> None:
    full = JobBuffer("b", policy=FlushEvery(10.0), capacity=Capacity(jobs=2))
    result = simulate([1.0, 2.0, 3.0, 12.0], full, until=30.0)
    assert batches(result) == [(10.0, [0, 1]), (20.0, [3])]
    assert columns(result, "jobs", "outcome", "lost_at", "loss_cause")[2] == ("lost", 3.0, "capacity")
    assert columns(result, "buffer_size", "time", "size")[:4] == [(0.0, 0), (1.0, 1), (2.0, 2), (10.0, 0)]


def test_a_full_buffer_drops_the_oldest_and_each_dropped_job_writes_a_row() -> None:
    bounded = JobBuffer("b", policy=FlushEvery(10.0), capacity=Capacity(nbytes=10, on_full="drop_oldest"))
    result = simulate(producer([1.0, 2.0, 3.0, 4.0], nbytes=[4, 4, 2, 9]), bounded)
    # 9 bytes need the room of all three
    assert columns(result, "buffer_size", "time", "size", "nbytes") == [
        (0.0, 0, 0),
        (1.0, 1, 4),
        (2.0, 2, 8),
        (3.0, 3, 10),
        (4.0, 2, 6),
        (4.0, 1, 2),
        (4.0, 0, 0),
        (4.0, 1, 9),
        (10.0, 0, 0),
    ]
    assert columns(result, "jobs", "outcome", "lost_at") == [("lost", 4.0)] * 3 + [("flushed", None)]
    assert column(result, "flushes", "oldest_age") == [6.0]


@pytest.mark.parametrize("on_full", ["drop_newest", "drop_oldest"])
def test_a_job_larger_than_the_limit_is_itself_dropped(on_full: str) -> None:
    capacity = Capacity(nbytes=10, on_full=on_full)  # type: ignore[arg-type]
    result = simulate(producer([1.0, 2.0], nbytes=[4, 11]), JobBuffer("b", policy=FlushEvery(10.0), capacity=capacity))
    assert batches(result) == [(10.0, [0])]
    assert columns(result, "jobs", "outcome", "loss_cause")[1] == ("lost", "capacity")
    assert column(result, "buffer_size", "size") == [0, 1, 0]


def test_jobs_in_flight_do_not_count() -> None:
    busy = JobBuffer("b", policy=FlushAtSize(2), capacity=Capacity(jobs=2), flush_time=5.0)
    result = simulate([1.0, 2.0, 3.0, 4.0, 5.0], busy, until=20.0)
    assert batches(result) == [(2.0, [0, 1]), (7.0, [2, 3])]
    assert column(result, "jobs", "loss_cause") == [None, None, None, None, "capacity"]


def test_the_oldest_job_after_a_drop_sets_the_age() -> None:
    bounded = JobBuffer("b", policy=FlushAfterAge(5.0), capacity=Capacity(jobs=1, on_full="drop_oldest"))
    assert batches(simulate([1.0, 3.0], bounded)) == [(8.0, [1])]


# --- the flush operation ----------------------------------------------------------------------------------------------


def test_a_flush_takes_a_fixed_time_and_so_much_for_each_job() -> None:
    charged = JobBuffer("b", policy=FlushEvery(5.0), flush_time=FlushTime(0.1, per_job=0.7))
    result = simulate([1.0, 2.0, 3.0], charged)
    assert column(result, "flushes", "end") == [5.0 + (0.1 + 0.7 * 3)]


def test_the_ith_flush_of_a_buffer_takes_its_ith_draw_whatever_the_others_do() -> None:
    drawn = FlushTime(Exponential(0.25))
    both = [JobBuffer(name, policy=FlushEvery(p), flush_time=drawn) for name, p in (("a", 2.0), ("b", 3.0))]
    simulation = timed([float(k) for k in range(1, 30)], *both, until=40.0)
    result = simulation.run(seed=5)
    workload = Workload(simulation.producers, seed=5, until=40.0)
    for name in ("a", "b"):
        own = result.flushes[result.flushes.buffer == name]
        draws = workload.draws(name, "flush", 1, drawn.fixed).at_least(len(own))[: len(own)]
        assert own.end.tolist() == (own.start + draws).tolist()


def test_storage_is_emptied_at_the_start_and_jobs_reach_the_queue_at_the_end() -> None:
    slow = JobBuffer("b", policy=FlushAtSize(2), flush_time=3.0)
    result = simulate([1.0, 2.0, 2.5], slow)
    assert columns(result, "buffer_size", "time", "size") == [(0.0, 0), (1.0, 1), (2.0, 2), (2.0, 0), (2.5, 1)]
    assert columns(result, "work", "flush_id", "queued_at") == [(0, 5.0), (0, 5.0)]
    assert columns(result, "flushes", "start", "end", "reduced_size") == [(2.0, 5.0, 2)]


def test_jobs_are_recorded_with_their_flush_and_their_work() -> None:
    result = simulate([1.0, 2.0], FlushEvery(5.0), workers=[PushWorkers(1, service=0.5)])
    assert columns(result, "jobs", "flush_id", "flushed_at", "work_id", "finished_at", "outcome") == [
        (0, 5.0, 0, 5.5, "flushed"),
        (0, 5.0, 1, 6.0, "flushed"),
    ]
    assert columns(result, "flushes", "oldest_age", "mean_age") == [(4.0, 3.5)]


KEYED = producer([1.0, 1.0, 1.0, 1.0, 1.0], keys=["a", "a", None, "a", None], queues=["x", "y", "x", "x", "x"])


@pytest.mark.parametrize(
    ("reduce", "carriers", "queues", "items"),
    [
        (KeepAll(), [0, 1, 2, 3, 4], ["x", "y", "x", "x", "x"], [1, 1, 1, 1, 1]),
        (UniqueByKey(), [0, 1, 2, 0, 3], ["x", "y", "x", "x"], [1, 1, 1, 1]),
        (Merge(), [0, 1, 0, 0, 0], ["x", "y"], [4, 1]),
    ],
)
def test_built_in_reduces_say_which_work_carries_which_job(
    reduce: object, carriers: list[int], queues: list[str], items: list[int]
) -> None:
    result = simulate(KEYED, JobBuffer("b", policy=FlushEvery(5.0), reduce=reduce))  # type: ignore[arg-type]
    assert column(result, "jobs", "work_id") == carriers
    assert columns(result, "work", "queue", "items") == list(zip(queues, items, strict=True))
    assert column(result, "flushes", "reduced_size") == [len(queues)]


# --- several buffers --------------------------------------------------------------------------------------------------


def test_a_job_is_stored_in_all_its_buffers_before_any_is_asked() -> None:
    result = simulate([1.0], JobBuffer("a", policy=FlushAtSize(1)), JobBuffer("b", policy=FlushAtSize(1)))
    assert columns(result, "buffer_size", "time", "buffer", "size") == [
        (0.0, "a", 0),
        (0.0, "b", 0),
        (1.0, "a", 1),
        (1.0, "b", 1),
        (1.0, "a", 0),
        (1.0, "b", 0),
    ]


def test_a_job_of_two_buffers_has_two_rows_and_comes_to_the_queue_twice() -> None:
    result = simulate([1.0], JobBuffer("a", policy=FlushEvery(3.0)), JobBuffer("b", policy=FlushEvery(2.0)))
    assert columns(result, "jobs", "job_id", "copy", "buffer", "flushed_at", "work_id") == [
        (0, 0, "a", 3.0, 1),
        (0, 1, "b", 2.0, 0),
    ]
    assert column(result, "work", "queued_at") == [2.0, 3.0]


def test_a_job_that_no_buffer_collects_passes_by() -> None:
    jobs = producer([1.0, 2.0], queues=["x", "y"])
    result = simulate(jobs, JobBuffer("b", policy=FlushEvery(5.0), collect="x"), workers=[PushWorkers(service=0.5)])
    assert columns(result, "jobs", "buffer", "flush_id", "work_id", "finished_at", "outcome") == [
        ("b", 0, 1, 5.5, "flushed"),
        (None, None, 0, 2.5, "bypassed"),
    ]
    assert columns(result, "work", "flush_id", "queue", "queued_at") == [(None, "y", 2.0), (0, "x", 5.0)]


def test_buffers_due_at_one_instant_flush_in_their_order() -> None:
    result = simulate([1.0], JobBuffer("z", policy=FlushEvery(5.0)), JobBuffer("a", policy=FlushEvery(5.0)))
    assert column(result, "flushes", "buffer") == ["z", "a"]


# --- ties -------------------------------------------------------------------------------------------------------------


def test_a_flush_that_ends_comes_before_an_arrival() -> None:
    jobs = producer([1.0, 4.0], queues=["x", "y"])
    slow = JobBuffer("b", policy=FlushAtSize(1), collect="x", flush_time=3.0)
    assert columns(simulate(jobs, slow), "work", "queue", "queued_at") == [("x", 4.0), ("y", 4.0)]


def test_producers_that_meet_keep_their_order() -> None:
    made = [Producer("z", Trace([1.0, 2.0])), Producer("a", Trace([1.0, 1.0, 2.0]))]
    assert column(simulate(made, NeverFlush()), "jobs", "producer") == ["z", "a", "a", "z", "a"]


def test_a_flush_due_comes_before_the_end_of_a_back_off() -> None:
    result = retries_against_flushes().run(seed=SEED)
    assert columns(result, "work", "queued_at", "started_at", "finished_at") == [
        (1.0, 1.0, 12.0),  # attempts at 1 and, behind work 1, at 11
        (10.0, 10.0, 20.0),
    ]


@dataclass(frozen=True)
class Later(FlushPolicy):
    """Due 3 s after it was asked last, which it notes."""

    asked: list[float] = field(default_factory=list, compare=False)

    def due(self, view: BufferView) -> float:
        self.asked.append(view.now)
        return view.now + 3.0 if view.now < 5.0 else -math.inf


def test_a_policy_is_asked_after_an_arrival_that_found_no_room_too_unless_nothing_is_there() -> None:
    # there is room for the first; the second, at 3 s, is lost: due at 6 s in place of at 4 s
    policy = Later()
    result = simulate([1.0, 3.0], policy=policy, capacity=Capacity(1))
    assert policy.asked == [1.0, 3.0, 6.0]
    assert batches(result) == [(6.0, [0])]
    # each is larger than all the room
    policy = Later()
    result = simulate(producer([1.0, 3.0], nbytes=[9, 9]), policy=policy, capacity=Capacity(nbytes=5))
    assert column(result, "jobs", "outcome") == ["lost", "lost"]
    assert policy.asked == []


# --- the end ----------------------------------------------------------------------------------------------------------


def test_nothing_at_until_happens() -> None:
    result = simulate([1.0, 9.0, 10.0], FlushEvery(5.0), until=10.0)
    assert batches(result) == [(5.0, [0])]
    assert column(result, "jobs", "outcome") == ["flushed", "buffered"]
    ending = simulate([1.0], JobBuffer("b", policy=FlushAtSize(1), flush_time=9.0), until=10.0)
    assert columns(ending, "flushes", "start", "end", "reduced_size") == [(1.0, None, None)]
    assert columns(ending, "jobs", "outcome", "flushed_at", "finished_at") == [("in_flight", 1.0, None)]


def test_a_run_without_jobs_has_empty_tables_and_the_first_sizes() -> None:
    result = simulate([50.0], FlushEvery(5.0), until=10.0)
    assert len(result.jobs) == len(result.flushes) == len(result.work) == 0
    assert columns(result, "buffer_size", "time", "buffer", "size", "nbytes") == [(0.0, "b", 0, 0)]


class DrainNone(Drain):
    def count(self, sizes, nbytes):
        return 0

    def __repr__(self):
        return "DrainNone()"


def test_a_drain_of_the_users_that_takes_no_job_is_named():
    with pytest.raises(InvalidValueError, match=r"^count of DrainNone\(\) must be >= 1, got 0$"):
        simulate([1.0, 2.0], policy=FlushAtSize(2), drain=DrainNone())
