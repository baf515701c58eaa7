from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from bufsim import (
    Bulk,
    Capacity,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    NotLoweredError,
    Poisson,
    Producer,
    PushWorkers,
    Result,
    Simulation,
    Trace,
)
from bufsim.results.records import SCHEMAS

TABLES = tuple(SCHEMAS)
EDITS = Producer("edits", Poisson(20.0), queue="index")
MAILS = Producer("mails", Poisson(5.0), queue="email")


def simulation(*, policy: FlushPolicy = FlushEvery(5.0), producers: tuple[Producer, ...] = (EDITS,)) -> Simulation:  # noqa: B008 - a value
    return Simulation(
        producers=producers,
        buffers=[JobBuffer("b", policy=policy)],
        workers=[PushWorkers(2, service=Exponential(0.05))],
        until=60.0,
    )


def assert_same(left: Result, right: Result) -> None:
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(left, table), getattr(right, table), check_exact=True)


def test_one_seed_gives_one_result() -> None:
    assert_same(simulation().run(seed=1), simulation().run(seed=1))
    assert_same(simulation().run(seed=1), simulation().build(seed=1).run())
    assert_same(simulation().run(seed=1), pickle.loads(pickle.dumps(simulation())).run(seed=1))


def test_another_seed_or_replication_gives_another_result() -> None:
    times = simulation().run(seed=1).jobs.created_at.tolist()
    assert times != simulation().run(seed=2).jobs.created_at.tolist()
    assert times != simulation().run(seed=1, replication=1).jobs.created_at.tolist()
    assert simulation().run(seed=1, replication=1).replication == 1


def test_the_seed_is_in_the_result_also_when_none_was_given() -> None:
    assert simulation().run(seed=17).seed == 17
    drawn = simulation().run()
    assert drawn.seed >= 0
    assert_same(drawn, simulation().run(seed=drawn.seed))
    assert drawn.seed != simulation().run().seed


def test_the_result_says_which_engine_ran() -> None:
    assert simulation().run(seed=1).engine == "simpy"
    assert simulation().build(seed=1).run().engine == "simpy"


def test_every_policy_meets_the_same_arrivals() -> None:
    one = simulation().run(seed=1)
    other = simulation(policy=FlushAtSize(7) | FlushAfterAge(1.0)).run(seed=1)
    assert one.jobs.created_at.tolist() == other.jobs.created_at.tolist()
    assert len(one.flushes) != len(other.flushes)


def test_another_producer_shifts_nobodys_numbers() -> None:
    alone = simulation().run(seed=1).jobs
    for producers in ((EDITS, MAILS), (MAILS, EDITS)):
        both = simulation(producers=producers).run(seed=1).jobs
        assert both[both.producer == "edits"].created_at.tolist() == alone.created_at.tolist()


def test_a_longer_run_begins_as_the_shorter_does() -> None:
    short = simulation().run(seed=1)
    longer = Simulation(
        producers=simulation().producers, buffers=simulation().buffers, workers=simulation().workers, until=120.0
    ).run(seed=1)
    assert longer.jobs.created_at[: len(short.jobs)].tolist() == short.jobs.created_at.tolist()
    assert longer.flushes.start[: len(short.flushes)].tolist() == short.flushes.start.tolist()


def test_a_run_leaves_the_simulation_as_it_was() -> None:
    one = simulation()
    before = repr(one), hash(one)
    one.run(seed=1)
    assert (repr(one), hash(one)) == before


def test_a_simulation_can_be_given_another_policy() -> None:
    two = Simulation(
        producers=[EDITS],
        buffers=[JobBuffer("a", policy=FlushEvery(5.0)), JobBuffer("b", policy=FlushEvery(5.0))],
        until=60.0,
    )
    assert [b.policy for b in two.with_policy(FlushAtSize(3)).buffers] == [FlushAtSize(3)] * 2
    assert [b.policy for b in two.with_policy(FlushAtSize(3), buffer="b").buffers] == [FlushEvery(5.0), FlushAtSize(3)]
    with pytest.raises(InvalidValueError, match="buffer must be one of 'a', 'b', got 'c'"):
        two.with_policy(FlushAtSize(3), buffer="c")
    with pytest.raises(InvalidTypeError, match="policy must be a FlushPolicy"):
        two.with_policy(5.0)  # type: ignore[arg-type]


def test_a_simulation_can_be_given_more_arrivals() -> None:
    assert [p.arrivals for p in simulation(producers=(EDITS, MAILS)).scaled(arrivals=2.0).producers] == [
        Poisson(40.0),
        Poisson(10.0),
    ]
    with pytest.raises(InvalidValueError):
        simulation().scaled(arrivals=0.0)


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_twice_the_load_of_a_day_keeps_its_busy_hour(engine: Literal["simpy", "compiled"]) -> None:
    # In hour 12 of case 03 there are 30 flushes of 120 jobs; twice as many are 240, and there is room for 200
    day = Producer("shop", Trace.read(Path(__file__).parent / "data" / "cases" / "03-one-busy-hour.csv"))
    buffer = JobBuffer("b", policy=FlushEvery("2min"), capacity=Capacity(200))
    today = Simulation(producers=[day], buffers=[buffer], until="1d")
    for seed in (1, 2):
        assert today.scaled(arrivals=2).run(seed=seed, engine=engine).metric("lost_jobs") == 30 * (240 - 200)
        # turned like a ring, the busy hours miss each other
        alone = today.scaled(arrivals=2, keep="independent").run(seed=seed, engine=engine)
        assert alone.metric("lost_jobs") < 100
    assert today.scaled(arrivals=2, keep="independent") == today.scaled(arrivals=1, keep="independent").scaled(
        arrivals=2
    )
    assert today.scaled(arrivals=2, shift=7).producers[0].trace == day.trace.keeping(shift=7)  # type: ignore[union-attr]
    bulk = replace(today, producers=[Producer("p", Bulk(day.arrivals, 2))])
    assert bulk.scaled(arrivals=2, keep="independent").run(seed=1, engine=engine).metric("lost_jobs") < 2600
    assert bulk.scaled(arrivals=2).run(seed=1, engine=engine).metric("lost_jobs") == 30 * (480 - 200)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"engine": "complied"},
            InvalidValueError,
            "engine must be one of 'simpy', 'compiled', 'auto', got 'complied'",
        ),
        ({"engine": None}, InvalidValueError, "engine must be one of 'simpy', 'compiled', 'auto', got None"),
        ({"seed": -1}, InvalidValueError, "seed must be >= 0, got -1"),
        ({"seed": 1.5}, InvalidTypeError, "seed must be a whole number, got 1.5"),
        ({"seed": 1, "replication": -1}, InvalidValueError, "replication must be >= 0, got -1"),
        ({"seed": 1, "record": "none"}, InvalidValueError, "record must be one of 'all', 'flushes', 'summary', got "),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        simulation().run(**options)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)


def test_a_build_with_a_wrong_seed_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="seed must be >= 0, got -1"):
        simulation().build(seed=-1)


class Hurried(FlushPolicy):
    """A policy of the user's, which the compiled engine cannot take."""

    def due(self, view: object) -> float:
        return -math.inf


def test_auto_takes_the_simpy_engine_for_what_cannot_be_compiled_and_says_so() -> None:
    assert simulation(policy=Hurried()).run(seed=1, engine="auto").engine == "simpy"


def test_compiled_refuses_what_it_cannot_take_and_names_the_part() -> None:
    with pytest.raises(NotLoweredError, match="Hurried"):
        simulation(policy=Hurried()).run(seed=1, engine="compiled")
