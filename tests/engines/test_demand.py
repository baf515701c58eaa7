from __future__ import annotations

import datetime as dt
import math

import pytest

from bufsim import (
    Backoff,
    Bulk,
    Bursty,
    Capacity,
    Constant,
    FlushAfterAge,
    FlushAtSize,
    FlushCron,
    Geometric,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
    Sinusoid,
    Stops,
    Study,
    TimeVarying,
    Trace,
    Uniform,
    UniformKeys,
    UniqueByKey,
    Zipf,
    memory,
)
from bufsim.engines import demand
from bufsim.model.workers import mean_attempts

GIB = 2.0**30
DAILY = FlushCron("* * * * *", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
CERTAIN = {"failure": 1.0, "retries": 1_000_000}


@pytest.fixture(autouse=True)
def _of_sixteen(monkeypatch):
    """A machine of 16 GiB, whatever this one has."""
    monkeypatch.setattr(memory, "physical", lambda: 16 * GIB)


def model(arrivals=None, *, policy=None, until=100.0, keys=None, nbytes=None, **parts):
    own = {name: parts.pop(name) for name in ("reduce", "capacity") if name in parts}
    producer = Producer("edits", arrivals or Trace([1.0]), keys=keys, nbytes=nbytes)
    buffer = JobBuffer("search", policy=policy or FlushAtSize(100), **own)
    return Simulation(producers=[producer], buffers=[buffer], until=until, **parts)


EVENTS = {
    "bulk": (lambda: model(Bulk(Trace([1.0]), Constant(1e12))), r"1e\+12 jobs and draws for producer 'edits'; shorten"),
    "drawn bulk": (lambda: model(Bulk(Trace([1.0]), Geometric(1e12))), r"1e\+12 jobs"),
    "rounded bulk": (lambda: model(Bulk(Trace([1.0]), Uniform(1e12, 1e12))), r"1e\+12 jobs"),
    "whole bulk": (lambda: model(Bulk(Trace([1.0, 2.0]), 10**12)), r"2e\+12 jobs"),
    "rate": (lambda: model(Poisson(1e10)), r"1e\+12 jobs"),
    "phases": (lambda: model(Bursty(1.0, 0.0, 1e-10, 1e-10)), r"1e\+12 jobs and draws"),
    "thinned": (lambda: model(TimeVarying(Sinusoid(1.0, 0.0, 1.0), 1e12)), r"1e\+14 jobs and draws"),
    "copies": (lambda: model(Trace([1.0, 2.0, 3.0]).scaled(1e12)), r"3e\+12 jobs"),
    "stops": (lambda: model(stops=Stops(mean_time_between=1e-10)), r"1e\+12 stops; give a longer mean_time_between"),
    "attempts": (
        lambda: model(Poisson(1e4), workers=[PushWorkers(**CERTAIN)]),
        r"1e\+12 attempts of all queues; lower retries, or give a longer backoff",
    ),
    "given failures": (
        lambda: model(Poisson(1e4), workers=[PushWorkers(failure=[True], retries=1_000_000)]),
        r"1e\+12 attempts",
    ),
}
MEMORY = {
    "jobs": (lambda: model(Poisson(1e7)), {"simpy", "all"}, "1,000,000,000 jobs"),
    "held": (lambda: model(Poisson(1e8), policy=NeverFlush()), {"simpy", "all", "summary"}, "10,000,000,000 jobs"),
    "bulk": (
        lambda: model(Bulk(Trace([1.0]), 10**10), policy=FlushAfterAge(1.0)),
        {"simpy", "all", "summary"},
        "10,000,000,000 jobs",
    ),
    "copies": (lambda: model(Trace([1.0]).scaled(1e9)), {"simpy", "all", "summary"}, "1,000,000,000"),
    "keys": (lambda: model(keys=UniformKeys(2**31 - 1)), {"simpy"}, "2,147,483,647 keys"),
    "laws of keys": (
        lambda: model(keys=Zipf(2**31 - 1, 1.0), reduce=UniqueByKey()),
        {"simpy", "all", "summary"},
        "2,147,483,647 keys",
    ),
    "attempts": (
        lambda: model(workers=[PushWorkers(**CERTAIN)]),
        {"simpy", "all", "summary"},
        "attempts up to number 1,000,001",
    ),
    "cron": (lambda: model(policy=DAILY, until=1e12), {"simpy", "all", "summary"}, "4,166,666,667 times of FlushCron"),
}
LEVELS = {"simpy": ("simpy", "summary"), "all": ("compiled", "all"), "summary": ("compiled", "summary")}


@pytest.mark.parametrize(("make", "figure"), EVENTS.values(), ids=EVENTS)
def test_more_events_than_a_machine_gets_through_are_refused(make, figure):
    for engine, record in LEVELS.values():
        with pytest.raises(InvalidValueError, match=rf"a run may have at most 274,877,906,944 .*, got about {figure}"):
            make().run(seed=1, engine=engine, record=record)
    with pytest.raises(InvalidValueError, match=figure):
        Study({"a": make()}, seed=1).run(replications=2)
    with pytest.raises(InvalidValueError, match=figure):
        make().build(seed=1)


@pytest.mark.parametrize(("make", "where", "figure"), MEMORY.values(), ids=MEMORY)
def test_more_memory_than_there_is_is_refused(make, where, figure):
    for level, (engine, record) in LEVELS.items():
        if level in where:
            needs = rf"the run needs at least .* most of it for {figure}.* this machine has 17\.2 GB; "
            with pytest.raises(InvalidValueError, match=needs):
                make().run(seed=1, engine=engine, record=record)
        else:
            demand.check(make(), engine=engine, record=record)


@pytest.mark.parametrize(("engine", "gigabytes"), [("simpy", 160), ("compiled", 40)])
def test_the_memory_of_jobs_is_so_many_bytes_each(engine, gigabytes):
    # a billion jobs, of which an engine writes down at least 160 or 40 bytes each
    with pytest.raises(
        InvalidValueError, match=rf"^the run needs at least {gigabytes} GB of memory, most of it for 1,0"
    ):
        model(Poisson(1e7)).run(seed=1, engine=engine, record="all")


HONEST = {
    "a billion": lambda: model(Poisson(1e7)),
    "bulks by size": lambda: model(Bulk(Trace([1.0]), 10**10)),
    "bulks with a capacity": lambda: model(
        Bulk(Trace([1.0]), 10**10), policy=FlushAfterAge(1.0), capacity=Capacity(jobs=100)
    ),
    "retries that end": lambda: model(Poisson(1e4), workers=[PushWorkers(failure=0.1, retries=1_000_000)]),
    "retries that take time": lambda: model(workers=[PushWorkers(**CERTAIN, service=0.01)]),
    "retries that wait": lambda: model(workers=[PushWorkers(**CERTAIN, backoff=Backoff(0.01))]),
    "retries that are polled": lambda: model(Poisson(1e4), workers=[PollingWorkers(**CERTAIN, poll_interval=0.01)]),
    "retries of few": lambda: model(Poisson(1e4), workers=[PushWorkers(**{**CERTAIN, "retries": 1000})]),
    "quick polls": lambda: model(workers=[PollingWorkers(poll_interval=1e-9)]),
    "no known rate": lambda: model(TimeVarying(lambda times: times * 0.0, 1.0)),
    "a year of cron": lambda: model(policy=DAILY, until=3e7),
}


@pytest.mark.parametrize("make", HONEST.values(), ids=HONEST)
def test_no_run_is_refused_that_fits(make):
    demand.check(make(), engine="compiled", record="summary")


@pytest.mark.parametrize(("jobs", "size", "fits"), [(2, 2**53, True), (512, 2**53, True), (513, 2**53, False)])
def test_all_bytes_of_a_run_are_counted_in_64_bits(jobs, size, fits):
    simulation = model(Trace([1.0] * jobs), nbytes=size)
    if fits:
        assert simulation.run(seed=1).metric("lost_jobs") == 0
    else:
        with pytest.raises(
            InvalidValueError, match=r"at most 2\*\*62 bytes in a run, got about 4.62e\+18; give nbytes"
        ):
            simulation.run(seed=1)


def test_a_bulk_that_no_column_holds_is_refused_when_it_is_drawn():
    class Huge(Geometric.__base__):
        def draw(self, generator, size):
            return [1e300] * size

        def expected_value(self):
            return math.nan

        def __hash__(self):
            return 1

    with pytest.raises(InvalidValueError, match=r"size of a bulk must be <= 9,007,199,254,740,992, got 1e\+300"):
        model(Bulk(Trace([1.0]), Huge())).run(seed=1)


@pytest.mark.parametrize(
    ("failure", "retries", "mean"),
    [
        (0.0, 5, 1.0),
        (1.0, 5, 6.0),
        (0.5, 2, 1.75),
        ([True, False], 3, 2.5),  # four attempts, and one
        ([[True, False], [True, True]], 3, 3.0),  # two attempts, and four
        ([[True, False], [True, True]], 1, 2.0),
        ([True], 0, 1.0),
    ],
)
def test_the_mean_number_of_attempts_is_known_at_once(failure, retries, mean):
    assert mean_attempts(PushWorkers(failure=failure, retries=retries)) == mean


def test_a_million_retries_are_the_most():
    assert PushWorkers(retries=1_000_000).retries == 1_000_000
    for kind in (PushWorkers, PollingWorkers):
        with pytest.raises(InvalidValueError, match="retries must be <= 1,000,000, got 1000000000"):
            kind(retries=10**9)


@pytest.mark.parametrize("replications", [5_000_001, 10**9, 2**53])
def test_a_study_of_more_runs_than_memory_holds_is_refused(replications):
    study = Study({"a": model(), "b": model(until=50.0)}, seed=1)
    for act in (study.run, study.estimate):
        with pytest.raises(
            InvalidValueError,
            match="at most 10,000,000 runs, and with 2 scenarios 5,000,000 replications, got more; give",
        ):
            act(replications)
