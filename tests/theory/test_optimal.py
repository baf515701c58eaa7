from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import theory
from bufsim.errors import InvalidValueError

COSTS = {
    "rate": st.floats(0.01, 100.0),
    "cost_per_flush": st.floats(0.01, 1000.0),
    "cost_per_job_second": st.floats(0.01, 100.0),
}


@given(**COSTS)
def test_the_best_of_each_kind_is_no_worse_than_its_neighbours(**cost: float) -> None:
    best = theory.best_policies(**cost)
    size = int(best.best_size)
    for other in {max(1, size - 1), size, size + 1, 2 * size}:
        assert theory.cost_of_size(size=other, **cost).cost_rate >= best.cost_size * (1.0 - 1e-12)
    for factor in (0.5, 0.99, 1.0, 1.01, 2.0):
        age, period = best.best_age * factor, best.best_period * factor
        assert theory.cost_of_age(age=age, **cost).cost_rate >= best.cost_age * (1.0 - 1e-12)
        if period > 0.0:
            assert theory.cost_of_period(period=period, **cost).cost_rate >= best.cost_period * (1.0 - 1e-12)


@given(**COSTS)
def test_best_size_costs_less_than_best_age_less_than_best_period(**cost: float) -> None:
    best = theory.best_policies(**cost)
    slack = 1.0 + 1e-9
    assert best.cost_size <= best.cost_age * slack
    assert best.cost_age <= best.cost_period * slack
    assert best.cost_period <= best.cost_period_charged_always * slack


@given(**COSTS)
def test_costs_are_those_of_flushes_and_of_the_buffer(**cost: float) -> None:
    rate, flush, hold = cost["rate"], cost["cost_per_flush"], cost["cost_per_job_second"]
    size, age = theory.size_only(rate=rate, size=12), theory.age_only(rate=rate, age=3.0)
    clock = theory.periodic(rate=rate, period=3.0)
    expected = [flush * form.flush_rate + hold * form.time_avg_buffer for form in (size, age)]
    expected.append(flush * clock.nonempty_flush_rate + hold * clock.time_avg_buffer)
    found = [
        theory.cost_of_size(size=12, **cost).cost_rate,
        theory.cost_of_age(age=3.0, **cost).cost_rate,
        theory.cost_of_period(period=3.0, **cost).cost_rate,
    ]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.9, 2.0])
def test_where_a_flush_is_cheap_no_job_should_wait(ratio: float) -> None:
    best = theory.best_policies(rate=1.0, cost_per_flush=ratio / 2.0, cost_per_job_second=1.0)
    assert (best.best_size, best.best_age, best.best_period) == (1.0, 0.0, 0.0)
    assert best.cost_size == best.cost_age == best.cost_period == ratio / 2.0


def test_the_best_period_leaves_0_smoothly() -> None:
    below, above = (
        theory.best_policies(rate=1.0, cost_per_flush=1.0 + shift, cost_per_job_second=1.0).best_period
        for shift in (0.4e-6, 0.6e-6)
    )
    assert below == pytest.approx(1.5 * 0.4e-6, rel=1e-5)
    assert above == pytest.approx(1.5 * 0.6e-6, rel=1e-5)


def test_costs_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="cost_per_flush must be > 0, got 0"):
        theory.best_period(rate=1.0, cost_per_flush=0, cost_per_job_second=1.0)
    with pytest.raises(InvalidValueError, match="cost_per_job_second must be > 0, got -1"):
        theory.best_policies(rate=1.0, cost_per_flush=1.0, cost_per_job_second=-1)
