from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
import simpy

from bufsim.engines import order
from bufsim.engines.environment import Environment, Moment

RANKS = [order.STOP, order.FLUSH_END, order.ARRIVAL, order.FLUSH_DUE, order.SERVICE_END, order.START]


def test_events_stand_at_absolute_times_to_the_last_bit() -> None:
    generator = random.Random(1)
    times = sorted(10.0 ** generator.uniform(-6.0, 6.0) for _ in range(50))
    env, met = Environment(), []

    def follow(event: simpy.Event) -> None:
        met.append(env.now)
        if len(met) < len(times):
            env.at(times[len(met)], follow, priority=1)

    env.at(times[0], follow, priority=1)
    env.run()
    assert met == times
    # negative control: delays do lose bits
    assert any(now + (then - now) != then for now, then in itertools.pairwise([0.1, *times]))


def test_at_one_instant_events_come_by_rank_then_by_index() -> None:
    events = [(time, rank, index) for time in (1.0, 2.0) for rank in RANKS for index in (0, 1, 2**32 - 1)]
    env, met = Environment(), []
    shuffled = random.Random(1).sample(events, len(events))
    for event in shuffled:
        env.at(event[0], lambda _, event=event: met.append(event), priority=order.priority(event[1], event[2]))
    env.run()
    assert met == events


def test_ranks_are_in_the_order_that_the_model_declares() -> None:
    assert sorted(RANKS) == RANKS
    assert len(set(RANKS)) == 6


def test_an_event_of_an_earlier_rank_made_at_this_instant_comes_first() -> None:
    env, met = Environment(), []

    def ends(event: simpy.Event) -> None:
        met.append("due")
        env.at(env.now, lambda _: met.append("end"), priority=order.priority(order.FLUSH_END, 5))

    env.at(1.0, ends, priority=order.priority(order.FLUSH_DUE, 0))
    env.at(1.0, lambda _: met.append("start"), priority=order.priority(order.START, 0))
    env.run()
    assert met == ["due", "end", "start"]


def test_events_of_a_users_process_come_before_those_of_the_model() -> None:
    env, met = Environment(), []
    env.at(1.0, lambda _: met.append("model"), priority=order.priority(order.STOP, 0))

    def process() -> Iterator[simpy.Event]:
        yield env.timeout(1.0)
        met.append("user")
        yield env.timeout(0.0)
        met.append("user again")

    env.process(process())
    env.run()
    assert met == ["user", "user again", "model"]


def test_a_process_can_wait_for_a_moment_that_was_placed() -> None:
    env = Environment()
    moment = env.at(3.0, lambda _: None, priority=1)

    def process() -> Iterator[simpy.Event]:
        yield moment
        seen.append(env.now)

    seen: list[float] = []
    env.process(process())
    env.run()
    assert seen == [3.0]


def test_a_moment_can_be_set_again_once_it_has_happened() -> None:
    env, met = Environment(), []

    def again(event: simpy.Event) -> None:
        met.append(env.now)
        if env.now < 3.0:
            moment.set(env.now + 1.0, 1)

    moment = Moment(env, again)
    moment.set(1.0, 1)
    env.run()
    assert met == [1.0, 2.0, 3.0]


def test_an_error_in_a_callback_reaches_the_one_who_runs() -> None:
    env = Environment()

    def fail(event: simpy.Event) -> None:
        raise RuntimeError("in a callback")

    env.at(1.0, fail, priority=1)
    with pytest.raises(RuntimeError, match="in a callback"):
        env.run()


def test_the_end_of_a_run_is_not_part_of_it() -> None:
    env, met = Environment(), []
    for time in (1.0, 2.0):
        env.at(time, lambda _, time=time: met.append(time), priority=1)
    env.run(until=2.0)
    assert met == [1.0]
    assert env.now == 2.0
