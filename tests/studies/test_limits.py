from __future__ import annotations

import math
import re

import pytest

from bufsim import InvalidTypeError, InvalidValueError
from bufsim.statistics import Interval
from bufsim.studies.expressions import Limit, metric


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
