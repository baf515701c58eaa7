from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import InvalidTypeError, InvalidValueError
from bufsim.studies.expressions import Expression, Term, metric

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
