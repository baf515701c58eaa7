"""Durations and sizes are taken as people write them, wherever a user gives one."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bufsim
from bufsim import FlushAtSize, InvalidTypeError, InvalidValueError, checks
from bufsim.studies.study import Study

DURATION, SIZE, EITHER, OTHER = "duration", "size", "duration or size", "neither"
POLICY = FlushAtSize(5)
PRODUCERS = [bufsim.Producer("edits", bufsim.Poisson(1.0))]
BUFFERS = [bufsim.JobBuffer("search", policy=POLICY)]

# each field of each public value, so that a new one is thought of
FIELDS = {
    "Backoff": {"first": DURATION, "factor": OTHER, "longest": DURATION},
    "Bulk": {"arrivals": OTHER, "size": OTHER},
    "Bursty": {
        "high_rate": OTHER,
        "low_rate": OTHER,
        "mean_high": DURATION,
        "mean_low": DURATION,
        "start": OTHER,
    },
    "Capacity": {"jobs": OTHER, "nbytes": SIZE, "on_full": OTHER},
    "CollectAll": {},
    "CollectQueues": {"queues": OTHER},
    "Constant": {"value": EITHER},
    "Deterministic": {"interval": DURATION, "offset": DURATION},
    "DrainAll": {},
    "DrainAtMost": {"n": OTHER, "nbytes": SIZE, "repeat": OTHER},
    "DrainUntil": {"n": OTHER, "nbytes": SIZE, "repeat": OTHER},
    "Exponential": {"mean": EITHER},
    "FlushAfterAge": {"age": DURATION},
    "FlushAfterGap": {"gap": DURATION},
    "FlushAt": {"times": [DURATION]},
    "FlushAtBytes": {"nbytes": SIZE},
    "FlushAtSize": {"size": OTHER},
    "FlushCron": {"expression": OTHER, "start": OTHER},
    "FlushEvery": {"period": DURATION, "phase": DURATION, "anchor": OTHER, "repeat": OTHER, "spent_by": OTHER},
    "FlushTime": {"fixed": DURATION, "per_job": DURATION},
    "FlushWhenIdle": {"idle": DURATION},
    "Gamma": {"mean": EITHER, "scv": OTHER},
    "Geometric": {"mean": OTHER},  # of numbers of jobs
    "GivenTimes": {"times": OTHER, "digest": OTHER},  # an array of data
    "GivenFailures": {"failures": OTHER, "digest": OTHER},
    "JobBuffer": {
        "id": OTHER,
        "policy": OTHER,
        "collect": OTHER,
        "reduce": OTHER,
        "drain": OTHER,
        "capacity": OTHER,
        "flush_time": OTHER,
        "storage": OTHER,
        "items": OTHER,
    },
    "KeepAll": {},
    "LogNormal": {"mean": EITHER, "scv": OTHER},
    "Merge": {},
    "NeverFlush": {},
    "Poisson": {"rate": OTHER},
    "PollingWorkers": {
        "concurrency": OTHER,
        "queue": OTHER,
        "service": DURATION,
        "per_item": DURATION,
        "failure": OTHER,
        "retries": OTHER,
        "backoff": DURATION,
        "poll_interval": DURATION,
    },
    "Producer": {
        "name": OTHER,
        "arrivals": OTHER,
        "queue": OTHER,
        "keys": OTHER,
        "nbytes": SIZE,
        "data": OTHER,
    },
    "PushWorkers": {
        "concurrency": OTHER,
        "queue": OTHER,
        "service": DURATION,
        "per_item": DURATION,
        "failure": OTHER,
        "retries": OTHER,
        "backoff": DURATION,
    },
    "Renewal": {"distribution": DURATION},
    "SearchIndexReduce": {},
    "Simulation": {
        "producers": OTHER,
        "buffers": OTHER,
        "workers": OTHER,
        "until": DURATION,
        "warm_up": DURATION,
        "storage": OTHER,
        "durable_queue": OTHER,
        "stops": OTHER,
    },
    "Sinusoid": {"mean": OTHER, "amplitude": OTHER, "period": DURATION},
    "StepRate": {"edges": [DURATION], "rates": OTHER, "repeat": OTHER},
    "Stops": {"at": [DURATION], "mean_time_between": DURATION, "downtime": DURATION},
    "Storage": {"durable": OTHER, "read_delete_window": DURATION, "strategy": OTHER, "servers": OTHER},
    "TimeVarying": {"rate": OTHER, "max_rate": OTHER},
    # arrays of data, which `Trace.read` takes in any unit
    "Trace": {
        "times": OTHER,
        "keys": OTHER,
        "nbytes": OTHER,
        "queues": OTHER,
        "data": OTHER,
        "keep": OTHER,
        "shift": DURATION,
        "length": DURATION,
    },
    "Uniform": {"low": EITHER, "high": EITHER},
    "UniformKeys": {"n": OTHER},
    "UniqueByKey": {},
    "Zipf": {"n": OTHER, "exponent": OTHER},
}
# what comes out of runs, and what the engines show to policies
NOT_GIVEN = {"BufferView", "Result", "Study", "StudyResult"}

MAKE = {
    "Backoff": lambda **o: bufsim.Backoff(**{"first": 1.0, "longest": 100.0} | o),
    "Bursty": lambda **o: bufsim.Bursty(**{"high_rate": 2.0, "low_rate": 1.0, "mean_high": 1.0, "mean_low": 1.0} | o),
    "Deterministic": lambda **o: bufsim.Deterministic(**{"interval": 1.0} | o),
    "FlushEvery": lambda **o: bufsim.FlushEvery(**{"period": 100.0} | o),
    "FlushTime": lambda **o: bufsim.FlushTime(**{"fixed": 0.0} | o),
    "Gamma": lambda **o: bufsim.Gamma(**{"scv": 1.0} | o),
    "LogNormal": lambda **o: bufsim.LogNormal(**{"scv": 1.0} | o),
    "Producer": lambda **o: bufsim.Producer("edits", bufsim.Poisson(1.0), **o),
    "Simulation": lambda **o: bufsim.Simulation(**{"producers": PRODUCERS, "buffers": BUFFERS, "until": 99.0} | o),
    "Sinusoid": lambda **o: bufsim.Sinusoid(2.0, 1.0, **o),
    "StepRate": lambda **o: bufsim.StepRate([0.0, *o["edges"]], [1.0]),
    "Stops": lambda **o: bufsim.Stops(**({} if "at" in o else {"mean_time_between": 999.0}) | o),
    "Trace": lambda **o: bufsim.Trace([0.0], **o),
    "Uniform": lambda **o: bufsim.Uniform(**{"low": 0.0, "high": 1e9} | o),
}
GIVEN = [(name, field, kind) for name, fields in FIELDS.items() for field, kind in fields.items() if kind != OTHER]


def public_values():
    for name in bufsim.__all__:
        kind = getattr(bufsim, name)
        if dataclasses.is_dataclass(kind) and name not in NOT_GIVEN:
            yield name, {field.name for field in dataclasses.fields(kind)}


def test_every_field_of_every_public_value_is_looked_at():
    assert dict(public_values()) == {name: set(fields) for name, fields in FIELDS.items()}


def taken(name, field, kind, value):
    """What a public value holds of a duration or a size, written in some way."""
    given_ = [value] if isinstance(kind, list) else value
    return getattr(MAKE.get(name, getattr(bufsim, name))(**{field: given_}), field)


@pytest.mark.parametrize(("name", "field", "kind"), [one for one in GIVEN if one[2] != SIZE])
@pytest.mark.parametrize("written", ["30s", "0.5min", "30000 ms", dt.timedelta(seconds=30)])
def test_a_duration_is_taken_as_people_write_it(name, field, kind, written):
    assert taken(name, field, kind, written) == taken(name, field, kind, 30.0)


@pytest.mark.parametrize(("name", "field", "kind"), [one for one in GIVEN if one[2] in (SIZE, EITHER)])
@pytest.mark.parametrize("written", ["64 KiB", "65536 B", "0.0625MiB"])
def test_a_size_is_taken_as_people_write_it(name, field, kind, written):
    assert taken(name, field, kind, written) == taken(name, field, kind, 65536)


@pytest.mark.parametrize(("name", "field", "kind"), GIVEN)
@pytest.mark.parametrize("wrong", ["soon", "30 lightyears", "-3s", "", "nan s", "3"])
def test_what_is_no_duration_or_size_is_refused_by_name(name, field, kind, wrong):
    with pytest.raises((InvalidValueError, InvalidTypeError), match=r"^\w+(\[\d\])? (has the unknown unit|must be)"):
        taken(name, field, kind, wrong)


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: POLICY.checked_every("5s", phase="500ms"), POLICY.checked_every(5.0, phase=0.5)),
        (lambda: bufsim.Producer("a", bufsim.Poisson(1.0), nbytes=bufsim.Exponential("2 KiB")).nbytes.mean, 2048.0),
    ],
)
def test_so_is_what_methods_take(call, value):
    assert call() == value


def test_results_take_durations():
    result = MAKE["Simulation"]().run(1)
    assert result.sample("10s").equals(result.sample(dt.timedelta(seconds=10)))


def test_grids_take_durations_and_sizes():
    planned = Study(MAKE["Simulation"](), until=["1min", "2min"], capacity=[bufsim.Capacity(nbytes="1 MiB")], seed=1)
    assert [one.until for one in planned.scenarios.values()] == [60.0, 120.0]
    assert {one.buffers[0].capacity.nbytes for one in planned.scenarios.values()} == {2**20}


# what is written, and what it means


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250us", 250e-6),
        ("250 µs", 250e-6),
        ("7ms", 0.007),
        ("1.5s", 1.5),
        (".5 s", 0.5),
        ("2sec", 2.0),
        ("15min", 900.0),
        ("1h30min", 5400.0),
        ("1d 2h 3min 4s 5ms", 93784.005),
        ("1e3s", 1000.0),
        (dt.timedelta(hours=1), 3600.0),
        (5, 5.0),
    ],
)
def test_durations_mean_what_they_say(written, seconds):
    assert checks.seconds("age", written) == seconds
    assert checks.measure("age", written) == seconds


@pytest.mark.parametrize(
    ("written", "nbytes"),
    [
        ("1 B", 1),
        ("500 kB", 500_000),
        ("2MB", 2_000_000),
        ("1.5 GB", 1_500_000_000),
        ("1 KiB", 1024),
        ("64 MiB", 2**26),
    ],
)
def test_sizes_mean_what_they_say(written, nbytes):
    assert checks.nbytes("limit", written, at_least=0) == nbytes
    assert checks.measure("limit", written) == nbytes


@given(st.integers(0, 10**6), st.sampled_from(["us", "ms", "s", "min", "h", "d"]))
def test_a_duration_is_rounded_once(number, unit):
    from fractions import Fraction

    lengths = {"us": Fraction(1, 10**6), "ms": Fraction(1, 1000), "s": 1, "min": 60, "h": 3600, "d": 86400}
    assert checks.seconds("age", f"{number}{unit}") == float(number * lengths[unit])


@pytest.mark.parametrize("function", [checks.seconds, checks.measure])
def test_an_unknown_unit_names_the_units(function):
    with pytest.raises(InvalidValueError) as error:
        function("age", "5m")
    assert str(error.value) == (
        "age has the unknown unit 'm' in '5m'; the units are us, ms, s, min, h, d, or second, minute, hour, day, week; "
        "did you mean '5min'?"
    )


def test_an_unknown_unit_of_a_size_names_the_units():
    with pytest.raises(InvalidValueError) as error:
        checks.measure("limit", "5 XB")
    assert str(error.value) == (
        "limit has the unknown unit 'XB' in '5 XB'; the units are B or bytes, kB, MB, GB (powers of 1000), "
        "KiB, MiB, GiB (powers of 1024)"
    )


@pytest.mark.parametrize("wrong", ["", "s", "5", "5 s 6", "5,5s", "--5s"])
def test_a_text_that_is_no_duration_shows_one(wrong):
    with pytest.raises(
        InvalidValueError, match=r"age must be a number with a unit, such as '30s', '15min' or '1h30min'"
    ):
        checks.seconds("age", wrong)


def test_a_duration_beyond_all_numbers_is_refused():
    with pytest.raises(InvalidValueError, match="age must be finite, got '1e400d'"):
        checks.seconds("age", "1e400d")


def test_what_may_be_a_duration_or_a_size_is_left_as_it_is_if_it_is_neither():
    assert checks.measure("mean", -1) == -1
    assert checks.measure("mean", None) is None


def test_a_number_of_the_wrong_kind_is_refused():
    with pytest.raises(InvalidTypeError, match="age must be a number, got None"):
        checks.seconds("age", None)
    with pytest.raises(InvalidTypeError, match="age must be a number, got True"):
        checks.seconds("age", True)
