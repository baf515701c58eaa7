from __future__ import annotations

import datetime as dt
import re

import pytest

from bufsim import InvalidTypeError, InvalidValueError
from bufsim.statistics import Margin
from bufsim.studies.expressions import amount, margin


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
    assert amount("limit", value, unit) == pytest.approx(number)


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
        amount("limit", value, unit)


def test_only_seconds_take_a_timedelta():
    with pytest.raises(InvalidTypeError, match=r"limit must be a number, got datetime.timedelta\(seconds=1\)"):
        amount("limit", dt.timedelta(seconds=1), "jobs")


def test_a_margin_is_an_amount_or_a_share():
    assert margin("margin", "5 %", "s") == Margin(0.05, relative=True)
    assert margin("margin", "50ms", "s") == Margin(0.05)
    assert margin("margin", 3, "jobs") == Margin(3.0)
    given = Margin(0.1, relative=True)
    assert margin("margin", given, "s") is given


@pytest.mark.parametrize("value", [0, "0 %", "-1s"])
def test_a_margin_must_be_above_0(value):
    with pytest.raises(InvalidValueError):
        margin("margin", value, "s")
