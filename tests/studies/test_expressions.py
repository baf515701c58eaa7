from __future__ import annotations

import copy
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bufsim import InvalidTypeError, InvalidValueError
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, Limit, Term, cost, metric
from bufsim.studies.formulas import expression

NAMES = ("mean_wait_s", "p99_wait_s", "flush_rate_per_s", "work_saved_share")
factors = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x + 0.0)


@st.composite
def expressions(draw):
    total = draw(factors) + metric(draw(st.sampled_from(NAMES)), draw(st.sampled_from((None, "search"))))
    for _ in range(draw(st.integers(0, 3))):
        total = total + draw(factors) * metric(draw(st.sampled_from(NAMES)))
    return total


@given(expressions())
def test_the_repr_of_an_expression_makes_it_again(expression):
    assert eval(repr(expression)) == expression
    assert hash(eval(repr(expression))) == hash(expression)


@given(expressions(), expressions(), factors)
def test_arithmetic_is_that_of_linear_combinations(one, other, factor):
    def value(expression):
        return expression.constant + sum(
            term.factor * (NAMES.index(term.metric) + 1.5 + (term.of is not None)) for term in expression.terms
        )

    close = {"rel": 1e-9, "abs": 1e-3}
    assert value(one + other) == pytest.approx(value(one) + value(other), **close)
    assert value(one - other) == pytest.approx(value(one) - value(other), **close)
    assert value(factor * one) == pytest.approx(factor * value(one), **close)
    assert value(factor - one) == pytest.approx(factor - value(one), **close)
    assert value(one / 4) == pytest.approx(value(one) / 4, **close)
    assert value(-one) == -value(one)
    assert +one is one


def test_each_metric_stands_once_and_none_with_factor_0():
    wait = metric("mean_wait")
    assert (wait + wait).terms == (Term(2.0, "mean_wait_s", None),)
    assert (wait + 1 - wait).terms == ()
    assert len((wait + metric("mean_wait", of="search")).terms) == 2


def test_numbers_of_numpy_leave_the_arithmetic_to_the_expression():
    assert np.float64(2.0) * metric("mean_wait") == 2.0 * metric("mean_wait")
    assert (np.float64(2.0) >= metric("mean_wait")) == (metric("mean_wait") <= 2.0)


def test_a_name_may_leave_out_the_unit():
    assert metric("p99.9_wait") == metric("p99.9_wait_s")
    assert metric("p99_wait").unit == "s"
    assert metric("p99_wait").is_metric
    assert not (2 * metric("p99_wait")).is_metric


def test_unit_and_direction_are_those_that_all_parts_share():
    wait, saved, rate = metric("mean_wait"), metric("work_saved"), metric("flush_rate")
    assert ((wait + metric("max_wait")).unit, (wait + metric("max_wait")).better) == ("s", "lower")
    assert ((wait + rate).unit, (wait + rate).better) == ("", None)
    assert ((-wait).better, (3 * wait).better, (1 - saved).better) == ("higher", "lower", "lower")


def test_an_expression_may_be_given_a_name_a_unit_and_a_direction():
    named = (60.0 * metric("flush_rate")).named("flushes a minute", unit="1/min", better="lower")
    assert (named.name, named.unit, named.better) == ("flushes a minute", "1/min", "lower")
    assert eval(repr(named)) == named
    assert (named + 1).name == "60.0 * flush_rate_per_s + 1.0"
    assert pickle.loads(pickle.dumps(named)) == named == copy.deepcopy(named)


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x * x,
        lambda x: x / x,
        lambda x: 1 / x,
        lambda x: x**2,
        lambda x: abs(x),
    ],
)
def test_what_is_not_linear_is_refused_with_the_reason(write):
    with pytest.raises(InvalidTypeError, match="is not linear, and the mean of such values over replications is not"):
        write(metric("mean_wait"))


@pytest.mark.parametrize("other", ["2s", None, True, [1.0]])
def test_what_is_no_number_cannot_be_added(other):
    with pytest.raises(InvalidTypeError, match=re.escape("+ in an expression of metrics takes numbers and metrics")):
        metric("mean_wait") + other


def test_division_by_0_is_refused():
    with pytest.raises(InvalidValueError, match=re.escape("(mean_wait_s) / 0 is no number; divide by another one")):
        metric("mean_wait") / 0


@pytest.mark.parametrize("write", [lambda x: x < 2, lambda x: x > 2])
def test_a_strict_limit_is_refused(write):
    with pytest.raises(InvalidTypeError, match=r"a limit is written with <= or >=, got [<>]; write"):
        write(metric("mean_wait"))


@pytest.mark.parametrize("bound", [None, True, [2.0]])
def test_a_limit_takes_a_number_a_text_or_a_duration(bound):
    with pytest.raises(InvalidTypeError, match=r"the limit of mean_wait_s must be a number or a text such as '2s'"):
        _ = metric("mean_wait") <= bound


def test_two_expressions_are_limited_by_their_difference():
    limit = metric("mean_wait") <= 0.5 * metric("p99_wait")
    assert limit.expression == metric("mean_wait") - 0.5 * metric("p99_wait")
    assert limit.bound == 0.0


def test_an_unknown_metric_is_told_with_the_nearest():
    with pytest.raises(InvalidValueError, match="got 'mean_wiat'; did you mean 'mean_wait_s'"):
        metric("mean_wiat")
    with pytest.raises(InvalidTypeError, match="of must be a str, got 3"):
        metric("mean_wait", of=3)


def test_an_expression_without_a_metric_is_a_constant():
    nothing = metric("mean_wait") - metric("mean_wait") + 2
    assert str(nothing) == "2.0"
    assert repr(nothing) == "Expression((), 2.0)"
    assert nothing == Expression((), 2.0)


def test_a_cost_is_prices_times_rates():
    found = cost(
        per_flush=1.0, per_empty_tick=2.0, per_work=3.0, per_job_second=4.0, per_byte_second=5.0, per_lost_job=6.0
    )
    assert {term.metric: term.factor for term in found.terms} == {
        "flush_rate_per_s": 1.0,
        "empty_tick_rate_per_s": 2.0,
        "enqueued_rate_per_s": 3.0,
        "mean_buffer_size_jobs": 4.0,
        "mean_buffer_nbytes": 5.0,
        "lost_rate_per_s": 6.0,
    }
    assert (found.name, found.unit, found.better) == ("cost", "per s", "lower")
    assert eval(repr(found)) == found


def test_a_lost_job_that_costs_nothing_is_said_otherwise():
    with pytest.raises(
        InvalidValueError, match=re.escape("per_lost_job must be > 0, got 0; leave it out, and say with")
    ):
        cost(per_flush=1.0, per_lost_job=0)
    with pytest.raises(InvalidValueError, match="per_lost_job must be >= 0, got -1"):
        cost(per_flush=1.0, per_lost_job=-1)


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


@given(expressions())
def test_the_text_of_an_expression_is_read_back(written):
    assume(written.terms)
    assert expression(str(written)) == written


def interval(low, high, estimate=None):
    return Interval((low + high) / 2 if estimate is None else estimate, low, high, 0.95, 30, "t")


@pytest.mark.parametrize(
    ("low", "high", "at_most", "at_least"),
    [
        (1.0, 1.9, "pass", "fail"),
        (1.9, 2.1, "undecided", "undecided"),
        (2.1, 2.5, "fail", "pass"),
        (2.0, 2.0, "pass", "pass"),
        (1.5, 2.0, "pass", "undecided"),
    ],
)
def test_a_limit_passes_only_with_its_whole_interval(low, high, at_most, at_least):
    wait = metric("p99_wait")
    assert (wait <= "2s").verdict(interval(low, high)) == at_most
    assert (wait >= "2s").verdict(interval(low, high)) == at_least


def test_an_open_end_cannot_pass():
    limit = metric("p99_loss_at_stop") <= 1000
    assert limit.verdict(interval(500.0, math.inf, 600.0)) == "undecided"
    assert limit.verdict(interval(1001.0, math.inf, 1100.0)) == "fail"


def test_a_wait_that_is_the_age_limit_up_to_rounding_keeps_it():
    rounded = (3.3 + 5.0) - 3.3
    assert rounded > 5.0
    assert (metric("p99_wait") <= 5.0).verdict(interval(rounded, rounded)) == "pass"
    assert (metric("p99_wait") <= 5.0).verdict(interval(5.001, 5.001)) == "fail"


def test_the_room_is_a_share_of_the_bound():
    assert (metric("mean_wait") <= 2.0).room(1.5) == 0.25
    assert (metric("mean_wait") >= 2.0).room(1.5) == -0.25
    assert (metric("lost_jobs") <= 0).room(3.0) == -3.0


def test_a_limit_shows_itself_in_words_and_as_code():
    limit = metric("peak_buffer_nbytes", of="search") <= "64 MiB"
    assert str(limit) == "peak_buffer_nbytes[search] <= 67,108,864 bytes"
    assert repr(limit) == "metric('peak_buffer_nbytes', of='search') <= 67108864.0"
    assert eval(repr(limit)) == limit
    assert hash(eval(repr(limit))) == hash(limit)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda: metric("mean_wait") <= -1,
            "mean_wait_s is never below 0, so that nothing can meet a limit <= -1; raise it",
        ),
        (
            lambda: metric("work_saved") >= 40,
            "work_saved_share is a share of at most 1, so that nothing can meet a limit >= 40; write '40 %' or 0.4",
        ),
        (lambda: metric("mean_wait") <= "soon", "the limit of mean_wait_s must be a number with a unit"),
        (lambda: Limit(metric("mean_wait"), "<", 1.0), "side must be one of '<=', '>=', got '<'"),
    ],
)
def test_a_limit_that_nothing_can_meet_is_refused_when_it_is_written(write, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        write()


def test_a_difference_may_be_limited_below_0():
    assert (metric("mean_wait") - metric("p50_wait") <= -1).bound == -1.0


def test_two_limits_in_one_comparison_are_refused_since_python_would_drop_one():
    with pytest.raises(InvalidTypeError, match=re.escape("[low <= metric, metric <= high]")):
        1 <= metric("mean_wait") <= 2  # noqa: B015  # the comparison is what is tested


def test_a_name_with_a_buffer_in_brackets_says_how_python_writes_it():
    with pytest.raises(InvalidValueError, match=r"write metric\('p99_wait', of='search'\)"):
        metric("p99_wait[search]")
