from __future__ import annotations

import datetime as dt
import math
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import (
    CollectQueues,
    FlushAt,
    GivenFailures,
    GivenTimes,
    Simulation,
    StepRate,
    Stops,
    Trace,
    checks,
    memory,
)
from bufsim.errors import InvalidTypeError, InvalidValueError


@pytest.mark.parametrize("value", [2, 2.0, Fraction(2), np.int64(2), np.float32(2.0)])
def test_any_real_number_becomes_a_float(value: object) -> None:
    for check in (checks.finite, checks.positive, checks.not_negative):
        number = check("x", value)
        assert number == 2.0
        assert type(number) is float


def test_a_negative_zero_becomes_zero() -> None:
    assert math.copysign(1.0, checks.not_negative("x", -0.0)) == 1.0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_bounds_are_where_they_are_said_to_be(value: float) -> None:
    def passes(check: Callable[[str, object], float]) -> bool:
        try:
            return check("x", value) == value
        except InvalidValueError:
            return False

    assert passes(checks.finite)
    assert passes(checks.positive) == (value > 0)
    assert passes(checks.not_negative) == (value >= 0)
    assert passes(checks.probability) == (0 <= value <= 1)


@pytest.mark.parametrize("check", [checks.finite, checks.positive, checks.not_negative, checks.probability])
def test_what_is_no_finite_number_is_refused(check: Callable[[str, object], float]) -> None:
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(InvalidValueError) as raised:
            check("rate", value)
        assert str(raised.value) == f"rate must be finite, got {value!r}"
    for wrong in ("1", None, True, [1.0], 1j):
        with pytest.raises(InvalidTypeError) as refused:
            check("rate", wrong)
        assert str(refused.value) == f"rate must be a number, got {wrong!r}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: checks.positive("rate", -1), "rate must be > 0, got -1"),
        (lambda: checks.positive("rate", 0), "rate must be > 0, got 0"),
        (lambda: checks.not_negative("age", -0.5), "age must be >= 0, got -0.5"),
        (lambda: checks.probability("failure", 1.1), "failure must be between 0 and 1, got 1.1"),
        (lambda: checks.integer("n", 0, at_least=1), "n must be >= 1, got 0"),
        (lambda: checks.text("id", ""), "id must not be empty; give it a name"),
        (lambda: checks.unique("ids", ["a", "b", "a"]), "ids must be unique, got 'a' twice; rename one"),
    ],
)
def test_a_broken_rule_is_named_with_the_value(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        make()
    assert str(raised.value) == message


@pytest.mark.parametrize("value", [1.0, "1", None, True, math.nan])
def test_an_integer_is_a_whole_number_and_no_bool(value: object) -> None:
    with pytest.raises(InvalidTypeError) as raised:
        checks.integer("n", value, at_least=1)
    assert str(raised.value) == f"n must be a whole number, got {value!r}"


def test_an_integer_of_numpy_becomes_an_int() -> None:
    assert type(checks.integer("n", np.int32(3), at_least=1)) is int


def test_a_text_is_a_str() -> None:
    assert checks.text("id", "a") == "a"
    with pytest.raises(InvalidTypeError, match="id must be a str, got 3"):
        checks.text("id", 3)


def test_different_values_are_unique() -> None:
    checks.unique("ids", ["a", "b"])


def test_one_of_suggests_the_nearest() -> None:
    assert checks.one_of("engine", "simpy", ("simpy", "compiled")) == "simpy"
    with pytest.raises(InvalidValueError) as raised:
        checks.one_of("engine", "complied", ("simpy", "compiled"))
    assert str(raised.value) == ("engine must be one of 'simpy', 'compiled', got 'complied'; did you mean 'compiled'?")
    with pytest.raises(InvalidValueError, match=r"got 3$"):
        checks.one_of("engine", 3, ("simpy", "compiled"))


def test_what_resembles_nothing_is_given_no_suggestion() -> None:
    assert checks.did_you_mean("qqq", ["simpy", "compiled"]) == ""


# --- units ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (5, 5.0),
        (0.25, 0.25),
        ("30s", 30.0),
        ("30 s", 30.0),
        ("1.5 min", 90.0),
        ("1h30min", 5400.0),
        ("1h 30min", 5400.0),
        ("2d", 172800.0),
        ("250ms", 0.25),
        (".5s", 0.5),
        ("1e3s", 1000.0),
        (dt.timedelta(minutes=1, milliseconds=500), 60.5),
        ("30 seconds", 30.0),
        ("15 minutes", 900.0),
        ("1 hour", 3600.0),
        ("1 day", 86400.0),
        ("2 weeks", 1_209_600.0),
        ("1 Hour 30 Minutes", 5400.0),
        ("5\u00b5s", 5e-6),
        ("5\u03bcs", 5e-6),
        (np.timedelta64(2, "s"), 2.0),
        (np.timedelta64(7, "ms"), 0.007),
        (pd.Timedelta("1min"), 60.0),
    ],
)
def test_seconds_take_numbers_texts_and_timedeltas(value: object, seconds: float) -> None:
    assert checks.seconds("age", value) == seconds


@pytest.mark.parametrize("value", ["", "5", "s", "five s", "5s!", "5s 3", "-5s", "nan s"])
def test_a_text_that_is_no_duration_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        checks.seconds("age", value)
    assert str(raised.value) == (
        f"age must be a number with a unit, such as '30s', '15min' or '1h30min', got {value!r}"
    )


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (
            checks.seconds,
            "2m",
            "age has the unknown unit 'm' in '2m'; the units are us, ms, s, min, h, d, or second, minute, hour, day, "
            "week; did you mean '2min'?",
        ),
        (checks.seconds, "2 mintes", "did you mean 'minutes'?"),
        (
            partial(checks.nbytes, at_least=1),
            "64M",
            "age has the unknown unit 'M' in '64M'; the units are B or bytes, kB, MB, GB (powers of 1000), KiB, MiB, "
            "GiB (powers of 1024); did you mean '64 MB'?",
        ),
    ],
)
def test_an_unknown_unit_is_named_with_those_there_are(read, value, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidValueError) as raised:
        read("age", value)
    assert str(raised.value).endswith(message)


@pytest.mark.parametrize("value", [np.timedelta64(1, "M"), np.timedelta64("NaT", "s"), np.timedelta64(3)])
def test_a_timedelta_of_no_fixed_length_is_refused(value: np.timedelta64) -> None:
    with pytest.raises(InvalidValueError, match="age must be a timedelta in weeks, days or less, got "):
        checks.seconds("age", value)


def test_a_timedelta_is_no_number() -> None:
    with pytest.raises(InvalidTypeError, match=r"rate must be a number, got np\.timedelta64"):
        checks.positive("rate", np.timedelta64(2, "s"))
    with pytest.raises(InvalidTypeError, match=r"n must be a whole number, got np\.timedelta64"):
        checks.integer("n", np.timedelta64(2, "s"), at_least=1)


@pytest.mark.parametrize(("value", "number"), [("512 bytes", 512.0), ("2 kb", 2000.0), ("2 hours", 7200.0), (3, 3)])
def test_a_measure_is_a_size_or_a_duration_by_its_unit(value: object, number: float) -> None:
    assert checks.measure("mean", value) == number


@pytest.mark.parametrize(
    ("value", "nbytes"),
    [
        (5, 5),
        ("5 B", 5),
        ("64 MiB", 2**26),
        ("500 kB", 500_000),
        ("1.5 KiB", 1536),
        ("2GB", 2 * 10**9),
        ("64 KB", 64_000),
        ("64 mb", 64_000_000),
        ("512 bytes", 512),
        ("1 byte", 1),
        ("2 kib", 2048),
    ],
)
def test_bytes_take_ints_and_texts(value: object, nbytes: int) -> None:
    assert checks.nbytes("limit", value, at_least=1) == nbytes


def test_bytes_that_break_the_rule_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="limit must be >= 1, got 0"):
        checks.nbytes("limit", "0 B", at_least=1)
    with pytest.raises(InvalidTypeError, match=r"limit must be a whole number, got 1\.5"):
        checks.nbytes("limit", 1.5, at_least=1)
    with pytest.raises(InvalidValueError, match="limit must be a number with a unit, such as '64 MiB' or '500 kB'"):
        checks.nbytes("limit", "much", at_least=1)


@pytest.mark.parametrize(
    ("value", "unit", "number"),
    [
        (2, "s", 2.0),
        ("2", "s", 2.0),
        ("2 s", "s", 2.0),
        ("50ms", "s", 0.05),
        ("1h30min", "s", 5400.0),
        (dt.timedelta(minutes=1), "s", 60.0),
        ("64 MiB", "bytes", 64.0 * 2**20),
        ("1000", "bytes", 1000.0),
        ("1_000 jobs", "jobs", 1000.0),
        ("0.5 1/s", "1/s", 0.5),
        ("40 %", "", 0.4),
        ("-3.5e1", "jobs", -35.0),
        (".5", "", 0.5),
    ],
)
def test_an_amount_is_read_by_the_unit_of_its_metric(value, unit, number):
    assert checks.amount("limit", value, unit) == pytest.approx(number)


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [
        ("2s", "jobs", "limit must be a number of jobs, got '2s'"),
        ("many", "", "limit must be a number, got 'many'"),
        ("40 %", "jobs", "limit must be a number of jobs, got '40 %'"),
        (
            "2 parsecs",
            "s",
            "limit has the unknown unit 'parsecs' in '2 parsecs'; the units are us, ms, s, min, h, d, or second",
        ),
        ("2 MB/s", "bytes", "limit must be a number with a unit, such as '64 MiB' or '500 kB', got '2 MB/s'"),
        (float("nan"), "s", "limit must be finite, got nan"),
    ],
)
def test_a_wrong_amount_says_what_it_must_be(value, unit, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        checks.amount("limit", value, unit)


def test_only_seconds_take_a_timedelta():
    with pytest.raises(InvalidTypeError, match=r"limit must be a number, got datetime.timedelta\(seconds=1\)"):
        checks.amount("limit", dt.timedelta(seconds=1), "jobs")


@pytest.mark.parametrize("number", [10**400, 10**5000, -(10**400)], ids=["400", "5000", "-400"])
def test_a_number_that_no_float_holds_is_refused(number: int) -> None:
    with pytest.raises(InvalidValueError, match="rate must be finite, got"):
        checks.finite("rate", number)


def test_a_whole_number_has_a_largest_that_both_engines_hold_exactly() -> None:
    assert checks.integer("size", 2**53, at_least=1) == 2**53
    for number in (2**53 + 1, 2**63, 10**20, 10**5000):
        with pytest.raises(InvalidValueError, match="size must be <= 9,007,199,254,740,992, got"):
            checks.integer("size", number, at_least=1)
    with pytest.raises(InvalidValueError, match="nbytes must be <="):
        checks.nbytes("nbytes", "9223372036854775808 B", at_least=0)


@pytest.mark.parametrize(
    "text",
    ["1e99999999s", "1e-9999999s", "1e-350s", f"{'9' * 100_000}s", "9" * 100_000],
    ids=["e+", "e-", "0", "s", ""],
)
def test_a_duration_that_no_float_holds_is_refused_at_once(text: str) -> None:
    with pytest.raises(InvalidValueError, match="age must"):
        checks.seconds("age", text)


def test_what_is_written_as_zero_is_zero() -> None:
    assert checks.seconds("age", "0e5 s") == checks.written_number("age", "0.000") == 0.0


def test_half_a_letter_is_no_text() -> None:
    with pytest.raises(InvalidValueError, match=r"id must be text that UTF-8 can hold, got 'a\\ud800'"):
        checks.text("id", "a\ud800")


# --- many values ------------------------------------------------------------------------------------------------------

MANY: dict[str, Callable[[Any], object]] = {
    "times": Trace,
    "keys": lambda many: Trace([1.0], keys=many),
    "nbytes": lambda many: Trace([1.0], nbytes=many),
    "times of flushes": FlushAt,
    "at": lambda many: Stops(at=many),
    "edges": lambda many: StepRate(many, [1.0]),
    "rates": lambda many: StepRate([0.0, 1.0], many),
    "given times": GivenTimes,
    "given failures": GivenFailures,
    "queues": CollectQueues,
    "producers": lambda many: Simulation(producers=many, buffers=[], until=1.0),
}


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize(("many", "count"), [(range(10**18), 10**18), (range(10**20), sys.maxsize)])
def test_more_values_than_memory_holds_are_refused_before_they_are_counted_out(
    name: str, many: range, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "physical", lambda: 16e9)
    with pytest.raises(InvalidValueError) as raised:
        MANY[name](many)
    more = "more than " if count == sys.maxsize else ""
    message = f" must fit into the 16 GB of memory of this machine, got {more}{count:,} values; give fewer"
    assert str(raised.value) == name.removesuffix(" of flushes") + message


def test_how_many_values_fit_is_known_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "physical", lambda: 320.0)
    checks.fits("times", range(10))
    with pytest.raises(InvalidValueError, match="got 11 values"):
        checks.fits("times", range(11))
    checks.fits("times", range(320), each=1)
    # what does not say how many it yields, as an iterator does
    checks.fits("times", iter(range(11)))
    # a system that does not say what it has
    monkeypatch.setattr(memory, "physical", lambda: math.inf)
    checks.fits("times", range(11))
    with pytest.raises(InvalidValueError, match=f"times must fit into memory, got {10**18:,} values; give fewer"):
        checks.fits("times", range(10**18))
