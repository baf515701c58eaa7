from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bufsim_tests.malformed import QUICK, SLOW, UGLY, RawError, ending, try_all

import bufsim
from bufsim import (
    Backoff,
    Bulk,
    Bursty,
    Capacity,
    Constant,
    Deterministic,
    DrainAtMost,
    DrainUntil,
    Exponential,
    FlushAfterAge,
    FlushAfterGap,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushCron,
    FlushEvery,
    FlushTime,
    FlushWhenIdle,
    Gamma,
    Geometric,
    JobBuffer,
    LogNormal,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Renewal,
    Result,
    Simulation,
    Sinusoid,
    StepRate,
    Stops,
    Storage,
    Study,
    TimeVarying,
    Trace,
    Uniform,
    UniformKeys,
    Zipf,
)
from bufsim.scenario_files import scenario, scenario_text

PRODUCERS, BUFFERS = [Producer("edits", Trace([1.0, 2.0]))], [JobBuffer("search", policy=FlushAtSize(2))]
MODEL = Simulation(producers=PRODUCERS, buffers=BUFFERS, until=5.0)


def column(cells: list[Any]) -> pd.Series[Any]:
    """A column that holds any values, as they are."""
    whole = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):
        whole[row] = cell
    return pd.Series(whole, dtype=object)


CASES: dict[str, Callable[[Any], object]] = {
    "size": FlushAtSize,
    "bytes": FlushAtBytes,
    "age": FlushAfterAge,
    "idle": FlushWhenIdle,
    "gap": FlushAfterGap,
    "every": FlushEvery,
    "phase": lambda given: FlushEvery(1, phase=given),
    "anchor": lambda given: FlushEvery(1, anchor=given),
    "spent by": lambda given: FlushEvery(1, spent_by=given),
    "timer": lambda given: FlushEvery(1, anchor="activation", repeat=given),
    "at": FlushAt,
    "at one": lambda given: FlushAt([given]),
    "cron": lambda given: FlushCron("* * * * *", given),
    "expression": lambda given: FlushCron(given, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
    "checked": lambda given: FlushAtSize(1).checked_every(given),
    "or": lambda given: FlushAtSize(1) | given,
    "and": lambda given: FlushAtSize(1) & given,
    "rate": Poisson,
    "interval": lambda given: Deterministic(given, given),
    "renewal": Renewal,
    "bursty": lambda given: Bursty(given, 0, given, 1),
    "bulk": lambda given: Bulk(Poisson(1), given),
    "sinusoid": lambda given: Sinusoid(given, given, given),
    "edges": lambda given: StepRate(given, [1]),
    "edge": lambda given: StepRate([0, given], [given]),
    "rates": lambda given: StepRate([0, 1], given),
    "varying": lambda given: TimeVarying(given, 3),
    "most": lambda given: TimeVarying(Sinusoid(1, 1, 1), given),
    "trace": Trace,
    "times": lambda given: Trace([given, given]),
    "keys": lambda given: Trace([1.0], keys=given),
    "key": lambda given: Trace([1.0], keys=[given]),
    "sizes": lambda given: Trace([1.0], nbytes=given),
    "one size": lambda given: Trace([1.0], nbytes=[given]),
    "queues": lambda given: Trace([1.0], queues=given),
    "queue": lambda given: Trace([1.0], queues=[given]),
    "shift": lambda given: Trace([1.0], shift=given, length=given),
    "keep": lambda given: Trace([1.0], keep=given),
    "scaled": lambda given: Trace([1.0]).scaled(given),
    "column": lambda given: Trace.from_frame(pd.DataFrame({"time": column([given, given])})),
    "column of sizes": lambda given: Trace.from_frame(pd.DataFrame({"time": [1.0], "n": column([given])}), nbytes="n"),
    "origin": lambda given: Trace.from_frame(pd.DataFrame({"time": [1.0]}), origin=given),
    "dated origin": lambda given: Trace.from_frame(pd.DataFrame({"time": ["2026-01-01"]}), origin=given),
    "path": Trace.read,
    "scenario": bufsim.load_scenario,
    "result": Result.load,
    "constant": Constant,
    "exponential": Exponential,
    "uniform": lambda given: Uniform(given, given),
    "gamma": lambda given: Gamma(given, given),
    "lognormal": lambda given: LogNormal(given, given),
    "geometric": Geometric,
    "zipf": lambda given: Zipf(given, given),
    "exponent": lambda given: Zipf(10, given),
    "uniform keys": UniformKeys,
    "producer": lambda given: Producer(given, Poisson(1)),
    "arrivals": lambda given: Producer("a", given),
    "nbytes": lambda given: Producer("a", Poisson(1), nbytes=given),
    "data": lambda given: Producer("a", Poisson(1), data=given, queue=given),
    "buffer": lambda given: JobBuffer(given, policy=FlushAtSize(1)),
    "policy": lambda given: JobBuffer("a", policy=given),
    "collect": lambda given: JobBuffer("a", policy=FlushAtSize(1), collect=given),
    "reduce": lambda given: JobBuffer("a", policy=FlushAtSize(1), reduce=given),
    "drain": lambda given: JobBuffer("a", policy=FlushAtSize(1), drain=given),
    "room": lambda given: JobBuffer("a", policy=FlushAtSize(1), capacity=given),
    "flush time": lambda given: JobBuffer("a", policy=FlushAtSize(1), flush_time=given),
    "capacity": Capacity,
    "capacity in bytes": lambda given: Capacity(nbytes=given),
    "when full": lambda given: Capacity(1, on_full=given),
    "drain at most": lambda given: DrainAtMost(given, given),
    "drain until": lambda given: DrainUntil(given, given),
    "repeat": lambda given: DrainAtMost(1, repeat=given),
    "fixed": FlushTime,
    "per job": lambda given: FlushTime(1, per_job=given),
    "workers": PushWorkers,
    "service": lambda given: PushWorkers(service=given),
    "services": lambda given: PushWorkers(service=[given]),
    "failure": lambda given: PushWorkers(failure=given),
    "failures": lambda given: PushWorkers(failure=[given]),
    "retries": lambda given: PushWorkers(retries=given, per_item=given),
    "backoff": lambda given: PushWorkers(backoff=given),
    "factor": lambda given: Backoff(1, given, given),
    "polls": lambda given: PollingWorkers(poll_interval=given, queue=given),
    "stops": lambda given: Stops(at=given),
    "stop": lambda given: Stops(at=[given]),
    "between": lambda given: Stops(mean_time_between=given, downtime=given),
    "storage": lambda given: Storage(given, given),
    "strategy": lambda given: Storage(strategy=given),
    "producers": lambda given: Simulation(producers=given, buffers=BUFFERS, until=1),
    "buffers": lambda given: Simulation(producers=PRODUCERS, buffers=given, until=1),
    "until": lambda given: Simulation(producers=PRODUCERS, buffers=BUFFERS, until=given),
    "warm-up": lambda given: Simulation(producers=PRODUCERS, buffers=BUFFERS, until=5, warm_up=given),
    "load": lambda given: MODEL.scaled(arrivals=given),
    "seed": lambda given: MODEL.run(seed=given),
    "replication": lambda given: MODEL.run(seed=1, replication=given),
    "engine": lambda given: MODEL.run(seed=1, engine=given, record=given),
    "study": lambda given: Study(given),
    "scenarios": lambda given: Study({"a": given}),
    "study's seed": lambda given: Study({"a": MODEL}, seed=given),
}
"""Places where people write values; each takes one."""
VALUES: list[Any] = [
    *(0, 1, -1, 2, 2**31, 2**53, 2**53 + 1, 2**63, 10**20, 10**400, 10**5000, -(10**5000)),
    *(0.0, -0.0, 0.5, 1e-320, 1e300, math.inf, -math.inf, math.nan, 1j),
    *(None, True, False, ..., NotImplemented, object(), int, len, Trace, FlushAtSize),
    *([], [[]], [1, [2]], [None], [math.nan], (), {}, {"a": 1}, set(), range(3), b"abc", bytearray(3)),
    *(np.float64("nan"), np.int64(3), np.array([]), np.array([[1.0]]), np.array(["a"]), np.array([1j]), np.bool_(True)),
    *(np.timedelta64("NaT"), np.timedelta64(3, "s"), np.datetime64("2026-01-01"), np.array([None, 1], dtype=object)),
    *(pd.NA, pd.NaT, pd.Timestamp("2026-01-01"), pd.Timedelta("1s"), pd.Series([1.0, None]), pd.DataFrame({"a": [1]})),
    *(dt.timedelta(days=999_999_999), dt.timedelta(-1), dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, tzinfo=dt.UTC)),
    *(Decimal("NaN"), Decimal("1e400"), Decimal("0.1"), Fraction(1, 3), Fraction(10**400), "a" * 300, "a\0b", *UGLY),
]


def numbers(n: int, seed: int) -> Iterator[tuple[str, Any]]:
    draw = random.Random(seed)
    places = list(CASES)
    for number in range(n):
        yield places[number % len(places)], draw.choice(VALUES)


def put(case: tuple[str, Any]) -> None:
    """Put a value in its place; what is taken can be written, and is equal to itself."""
    place, given = case
    value = CASES[place](given)
    assert isinstance(repr(value), str)


def test_values_are_taken_as_meant_or_refused_with_a_sentence() -> None:
    taken, refused = try_all(put, numbers(8 * QUICK, seed=1))
    assert taken > QUICK // 3
    assert refused > QUICK


@pytest.mark.slow
def test_many_values_are_taken_as_meant_or_refused_with_a_sentence() -> None:
    try_all(put, ((place, given) for place in CASES for given in VALUES))


def named(names: list[str], folder: Path) -> None:
    """Run a model with such names; they come back from files, and stand in what is shown."""
    producer, queue, buffer, key = names
    simulation = Simulation(
        producers=[Producer(producer, Trace([1.0, 2.0], keys=[key, key]), queue=queue)],
        buffers=[JobBuffer(buffer, policy=FlushAtSize(2))],
        workers=[PushWorkers(1, queue=queue)],
        until=5.0,
    )
    result = simulation.run(seed=1)
    assert result.flushes.buffer.tolist() == [buffer]
    again = Result.load(result.save(folder / "run.zip"))
    assert again.jobs.queue.tolist() == [queue, queue]
    assert "\x1b" not in repr(result)
    result._repr_html_()
    drawn = Simulation(
        producers=[Producer(producer, Poisson(1.0), queue=queue)],
        buffers=[JobBuffer(buffer, policy=FlushAtSize(2))],
        until=5.0,
    )
    (folder / "s.toml").write_text(scenario_text(drawn), encoding="utf-8")
    assert bufsim.load_scenario(folder / "s.toml") == drawn


def names(n: int, seed: int) -> Iterator[list[str]]:
    draw = random.Random(seed)
    parts = [
        *UGLY,
        "a",
        "search",
        "\x1b[2J",
        "\x7f",
        "\x85",
        "\r\n",
        "'",
        '"',
        "\\",
        "$^$",
        "<script>",
        "=cmd",
        "\ufeff",
    ]
    for _ in range(n):
        yield ["".join(draw.choice(parts) for _ in range(draw.randint(0, 3))) for _ in range(4)]


def test_names_are_taken_as_meant_or_refused_with_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    taken, refused = try_all(lambda given: named(given, tmp_path), names(QUICK // 2, seed=1))
    assert taken
    assert refused


@pytest.mark.slow
def test_many_names_are_taken_as_meant_or_refused_with_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    try_all(lambda given: named(given, tmp_path), names(SLOW, seed=2))


def test_any_plain_table_is_read_as_a_scenario() -> None:
    for given in VALUES:
        for place in ("title", "simulation", "producer", "buffer", "workers", "storage", "stops"):
            document = {"producer": [{"name": "a", "arrivals": "poisson(1)"}], "buffer": [], place: given}
            ending(lambda document=document: scenario(document, name="s.toml"))


def test_a_place_that_lets_errors_through_is_found_out() -> None:
    with pytest.raises(RawError, match="end otherwise:"):
        try_all(lambda case: math.sqrt(case[1]), numbers(QUICK, seed=1))
