from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import BufsimError, InvalidTypeError, InvalidValueError
from bufsim.statistics import Margin
from bufsim.studies.expressions import cost, metric
from bufsim.studies.formulas import expression, limit, margin, one_objective


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("mean_wait", metric("mean_wait")),
        ("p99.9_wait_s", metric("p99.9_wait")),
        ("p99_wait[search]", metric("p99_wait", of="search")),
        ("p99_wait['my buffer']", metric("p99_wait", of="my buffer")),
        (
            "0.4 * flush_rate_per_s + 0.01 * mean_buffer_size_jobs",
            0.4 * metric("flush_rate") + 0.01 * metric("mean_buffer_size"),
        ),
        ("mean_wait * 2 - 1", 2 * metric("mean_wait") - 1),
        ("-(mean_wait - 3) / 1e1", (3 - metric("mean_wait")) / 10),
        ("2*3*mean_wait", 6 * metric("mean_wait")),
        ("- -mean_wait", metric("mean_wait")),
        ("cost(per_flush=0.4, per_job_second=.01)", cost(per_flush=0.4, per_job_second=0.01)),
        ("60 * cost(per_flush=1)", 60 * metric("flush_rate")),
    ],
)
def test_a_formula_is_read_as_python_would_compute_it(text, meant):
    assert expression(text) == meant


@given(st.text(alphabet="mean_wait p99[]()+-*/.,<>= 0123456789'", max_size=30))
def test_no_text_does_anything_but_become_an_expression_or_an_error(text):
    for read in (expression, limit):
        with contextlib.suppress(BufsimError):
            assert repr(read(text))


@pytest.mark.parametrize("bound", ["nan", "NaN", "inf", "-inf", "Infinity"])
def test_a_limit_that_is_not_finite_is_refused(bound):
    with pytest.raises(InvalidValueError) as raised:
        limit(f"p99_wait <= {bound}")
    assert str(raised.value) == f"limit must have a finite number on its right, got 'p99_wait <= {bound}'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "expression must have a metric in it, got '3'; write for example 'mean_wait'"),
        ("mean_wait +", "expression ends too early, at character 12 of 'mean_wait +'; expected a metric or a number"),
        ("mean_wait max_wait", "expression has 'max_wait', which does not fit there, at character 11"),
        ("2mean_wait", "expression has '2', which does not fit there, at character 1"),
        ("mean_wait ^ 2", "expression has '^', which does not fit there, at character 11"),
        ("(mean_wait", "expected )"),
        ("mean_wait[", "expected the name of a buffer or a queue"),
        ("mean_wiat * 2", "did you mean 'mean_wait_s'?"),
        ("cost(per_flash=1)", "a price must be one of 'per_flush'"),
        ("cost(per_flush=mean_wait)", "expected a number"),
        ("cost(per_flush=1", "expected ,"),
        (
            "__import__('os')",
            "metric must be one of those that `bufsim metrics` lists (in Python: bufsim.results.metrics.METRICS), "
            "got '__import__'",
        ),
    ],
)
def test_a_wrong_formula_says_where_and_what_to_write(text, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        expression(text)


@pytest.mark.parametrize("text", ["mean_wait * mean_wait", "1 / mean_wait"])
def test_a_formula_that_is_not_linear_is_refused(text):
    with pytest.raises(InvalidTypeError, match="is not linear"):
        expression(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("p99_wait <= 2s", metric("p99_wait") <= 2.0),
        ("p99_wait<=1h30min", metric("p99_wait") <= 5400.0),
        ("peak_buffer_nbytes[search] <= 64 MiB", metric("peak_buffer_nbytes", of="search") <= 64 * 2**20),
        ("work_saved >= 40 %", metric("work_saved") >= 0.4),
        ("lost_jobs <= 0", metric("lost_jobs") <= 0),
        ("2 * mean_wait <= p99_wait", 2 * metric("mean_wait") <= metric("p99_wait")),
        ("mean_wait <= 0.5 * p99_wait", metric("mean_wait") <= 0.5 * metric("p99_wait")),
    ],
)
def test_a_limit_is_read_with_its_amount(text, meant):
    assert limit(text) == meant
    assert limit(meant) is meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean_wait < 2s", "limit must have one <= or >= in it, got 'mean_wait < 2s'; write for example"),
        ("1 <= mean_wait <= 2", "limit must have one <= or >= in it"),
        ("2s >= mean_wait", "limit must have the metric on its left, got '2s >= mean_wait'; turn it round"),
        ("mean_wait <= ", "the limit of mean_wait_s must be a number with a unit"),
        ("<= 2s", "limit must have the metric on its left"),
    ],
)
def test_a_wrong_limit_says_what_to_write(text, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        limit(text)


def test_what_is_no_text_is_refused():
    with pytest.raises(InvalidTypeError, match="metric must be a name or an expression of metrics, got 3"):
        expression(3)
    with pytest.raises(InvalidTypeError, match="limit must be such as metric"):
        limit(3)
    with pytest.raises(InvalidTypeError, match=re.escape("of='search' goes with a metric's name")):
        expression(metric("mean_wait"), "search")


def test_an_objective_is_to_be_low_or_high_and_not_both():
    assert one_objective("mean_wait", None) == (metric("mean_wait"), True)
    assert one_objective(None, "work_saved") == (metric("work_saved"), False)
    for both in ((None, None), ("mean_wait", "work_saved")):
        with pytest.raises(InvalidTypeError, match=r"give either minimise=\.\.\. or maximise="):
            one_objective(*both)


@pytest.mark.parametrize("depth", [51, 10_000])
def test_a_formula_that_is_nested_too_deeply_is_refused(depth):
    with pytest.raises(InvalidValueError, match=r"expression is nested more than 50 deep at character 52 of "):
        expression("(" * depth + "mean_wait" + ")" * depth)
    assert expression("(" * 50 + "mean_wait" + ")" * 50) == metric("mean_wait")


def test_a_long_formula_is_read():
    assert expression(" + ".join(["mean_wait"] * 1_000)) == 1_000 * metric("mean_wait")
    assert expression("-" * 9_999 + "mean_wait") == -metric("mean_wait")


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(InvalidValueError, match="a number in an expression must be finite, got inf"):
        expression("1e999 * mean_wait")


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
