from __future__ import annotations

import re

import pytest

from bufsim import InvalidValueError
from bufsim.studies.expressions import cost, metric


def test_a_cost_is_prices_times_rates():
    found = cost(
        per_flush=1.0, per_empty_tick=2.0, per_work=3.0, per_job_second=4.0, per_byte_second=5.0, per_lost_job=6.0
    )
    assert {term.metric: term.factor for term in found.terms} == {
        "flush_rate_per_s": 1.0,
        "empty_tick_rate_per_s": 2.0,
        "handed_rate_per_s": 3.0,
        "mean_buffer_size_jobs": 4.0,
        "mean_buffer_nbytes": 5.0,
        "lost_rate_per_s": 6.0,
    }
    assert (found.name, found.unit, found.better) == ("cost", "per s", "lower")
    assert eval(repr(found)) == found


def test_a_cost_may_be_of_one_buffer():
    assert cost(per_flush=2.0, of="search").terms == (2.0 * metric("flush_rate", of="search")).terms


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ({}, "cost needs at least one price, got none; give it per_flush=... or per_job_second=..."),
        ({"per_flush": -1.0}, "per_flush must be >= 0, got -1.0"),
        (
            {"per_work": 1.0, "of": "search"},
            "per_work is about queues, not about buffer 'search'; leave out one of them",
        ),
    ],
)
def test_wrong_prices_are_refused(prices, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        cost(**prices)
