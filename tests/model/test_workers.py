from __future__ import annotations

import datetime as dt
import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest

import bufsim
from bufsim import (
    Backoff,
    Constant,
    Exponential,
    GivenFailures,
    GivenTimes,
    InvalidTypeError,
    InvalidValueError,
    PollingWorkers,
    PushWorkers,
    Trace,
)
from bufsim.model.workers import mean_attempts, service_source


@pytest.mark.parametrize("wrong", [[True], np.array([True]), [1.0, True], [1j], np.array([0.5 + 0j])])
def test_truth_values_and_complex_numbers_are_no_times(wrong):
    for takes_times in (GivenTimes, Trace, lambda wrong: GivenTimes([[0.5], wrong[-1:]])):
        with pytest.raises(InvalidTypeError, match="times must be a sequence of numbers, got"):
            takes_times(wrong)


def test_the_defaults_are_those_of_vendures_strategies() -> None:
    push, polling = PushWorkers(), PollingWorkers()
    assert push.concurrency == 3
    assert (polling.concurrency, polling.poll_interval) == (1, 0.2)
    for workers in (push, polling):
        assert workers.queue is None
        assert workers.service == Constant(0.0)
        assert (workers.per_item, workers.failure, workers.retries) == (0.0, 0.0, 0)
        assert workers.backoff == Backoff(0.0)


def test_durations_may_have_units() -> None:
    workers = PollingWorkers(service="20ms", per_item="5ms", backoff="1s", poll_interval=dt.timedelta(milliseconds=500))
    assert workers == PollingWorkers(service=0.02, per_item=0.005, backoff=Backoff(1.0), poll_interval=0.5)
    assert Backoff("1s", longest="1min") == Backoff(1.0, longest=60.0)


def test_service_times_are_a_distribution_or_given() -> None:
    assert PushWorkers(service=0.02).service == Constant(0.02)
    assert PushWorkers(service=Exponential(0.02)).service == Exponential(0.02)
    for given in ([0.5, 0.25], (0.5, 0.25), np.array([0.5, 0.25]), GivenTimes([0.5, 0.25])):
        assert PushWorkers(service=given).service == GivenTimes([0.5, 0.25])
    assert service_source(PushWorkers(service=[0.5])).tolist() == [0.5]
    assert service_source(PushWorkers(service=0.5)) == Constant(0.5)


def test_given_times_are_a_value_of_their_own() -> None:
    source = np.array([0.5, 0.25])
    given = GivenTimes(source)
    source[0] = 9.0
    assert given.times.tolist() == [0.5, 0.25]
    with pytest.raises(ValueError, match="read-only"):
        given.times[0] = 1.0
    again = pickle.loads(pickle.dumps(given))
    assert again == given
    assert hash(again) == hash(given)
    assert not again.times.flags.writeable
    assert given != GivenTimes([0.25, 0.5])
    assert given != [0.5, 0.25]
    assert repr(given) == "GivenTimes(<2 times>)"


def test_given_times_have_a_column_for_each_attempt_or_one() -> None:
    given = PushWorkers(service=[[0.5, "2s"], [0.25, 1.0]]).service
    assert given == GivenTimes(np.array([[0.5, 2.0], [0.25, 1.0]]))
    assert given != GivenTimes([0.5, 2.0, 0.25, 1.0])
    assert repr(given) == "GivenTimes(<2 \N{MULTIPLICATION SIGN} 2 times>)"


def test_given_failures_are_a_value_of_their_own() -> None:
    given = PushWorkers(failure=[[True, False], [False, False]]).failure
    again = pickle.loads(pickle.dumps(given))
    assert again == given == GivenFailures(np.array([[True, False], [False, False]]))
    assert hash(again) == hash(given)
    assert given != GivenFailures([True, False])
    assert repr(given) == "GivenFailures(<2 \N{MULTIPLICATION SIGN} 2 attempts>)"


def test_the_mean_number_of_attempts_counts_those_that_follow_a_failure() -> None:
    # 1 + 1/2 + 1/4 with two retries; every attempt fails; 3, 2 and 1 attempts of three jobs; those of one column again
    assert mean_attempts(PushWorkers(failure=0.5, retries=2)) == 1.75
    assert mean_attempts(PushWorkers(failure=1.0, retries=4)) == 5.0
    given = [[True, True, False], [True, False, False], [False, True, True]]
    assert mean_attempts(PushWorkers(failure=given, retries=2)) == 2.0
    assert mean_attempts(PushWorkers(failure=given, retries=1)) == pytest.approx(5 / 3)
    assert mean_attempts(PushWorkers(failure=given)) == 1.0
    assert mean_attempts(PushWorkers(failure=[True, False], retries=3)) == (4 + 1) / 2


@pytest.mark.parametrize(
    "workers",
    [
        PushWorkers(),
        PollingWorkers(),
        PushWorkers(4, queue="email", service=Exponential(0.1), per_item=0.01, failure=0.1, retries=3, backoff=1.0),
        PollingWorkers(2, poll_interval=0.5, backoff=Backoff(1.0, factor=2.0, longest=60.0)),
    ],
)
def test_workers_are_values(workers: PushWorkers | PollingWorkers) -> None:
    again = pickle.loads(pickle.dumps(workers))
    assert again == workers
    assert hash(again) == hash(workers)
    assert eval(repr(workers), vars(bufsim)) == workers
    with pytest.raises(AttributeError):
        workers.concurrency = 9  # type: ignore[misc]


def test_service_times_are_read_as_people_write_them() -> None:
    assert GivenTimes(["1s", "250ms"]) == GivenTimes([dt.timedelta(seconds=1), 0.25]) == GivenTimes([1.0, 0.25])
    assert PushWorkers(1, service=["1s"]) == PushWorkers(1, service=np.array([1000], dtype="timedelta64[ms]"))
    assert PushWorkers(1, service=np.timedelta64(20, "ms")) == PushWorkers(1, service=0.02)


def test_push_and_polling_workers_are_never_equal() -> None:
    assert PushWorkers(1) != PollingWorkers(1)


@pytest.mark.parametrize("kind", [PushWorkers, PollingWorkers])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"concurrency": 0}, InvalidValueError, "concurrency must be >= 1, got 0"),
        ({"concurrency": 1.5}, InvalidTypeError, "concurrency must be a whole number, got 1.5"),
        ({"queue": ""}, InvalidValueError, "queue must not be empty; give it a name"),
        ({"queue": 3}, InvalidTypeError, "queue must be a str, got 3"),
        ({"service": -1}, InvalidValueError, "service must be >= 0, got -1"),
        ({"service": math.nan}, InvalidValueError, "service must be finite, got nan"),
        ({"service": "fast"}, InvalidValueError, "service must be a number with a unit, such as "),
        (
            {"service": []},
            InvalidValueError,
            "given times must be one row a job, with one column or one an attempt, and",
        ),
        ({"service": [[[1.0]]]}, InvalidValueError, "given times must be one row a job, with one column or one an"),
        ({"service": [1.0, -2.0]}, InvalidValueError, "given times must be finite and >= 0, got -2.0 in row 1"),
        ({"service": [math.nan]}, InvalidValueError, "given times must be finite and >= 0, got nan in row 0"),
        ({"service": ["a"]}, InvalidValueError, "given times[0] must be a number with a unit, such as "),
        ({"service": [{}]}, InvalidTypeError, "given times must be numbers, a row each, got [{}]"),
        ({"service": [[1.0], [1.0, 2.0]]}, InvalidTypeError, "given times must be numbers, a row each, got [[1.0], ["),
        ({"per_item": -1}, InvalidValueError, "per_item must be >= 0, got -1.0"),
        ({"failure": 1.5}, InvalidValueError, "failure must be between 0 and 1, got 1.5"),
        ({"failure": math.nan}, InvalidValueError, "failure must be finite, got nan"),
        ({"failure": [1, 0]}, InvalidTypeError, "given failures must be True or False each, got [1, 0]"),
        ({"failure": []}, InvalidValueError, "given failures must be one row a job, with one column or one an attempt"),
        (
            {"failure": [[True], [True, False]]},
            InvalidTypeError,
            "given failures must have as many columns in each row",
        ),
        ({"retries": -1}, InvalidValueError, "retries must be >= 0, got -1"),
        ({"backoff": -1}, InvalidValueError, "first must be >= 0, got -1.0"),
    ],
)
def test_wrong_values_are_refused(
    kind: type[PushWorkers | PollingWorkers], options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        kind(**options)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PollingWorkers(poll_interval=0), "poll_interval must be > 0, got 0.0"),
        (lambda: PollingWorkers(poll_interval=math.inf), "poll_interval must be finite, got inf"),
        (lambda: Backoff(1.0, factor=0.5), "factor must be >= 1, got 0.5"),
        (lambda: Backoff(1.0, factor=0), "factor must be > 0, got 0"),
        (lambda: Backoff(-1.0), "first must be >= 0, got -1.0"),
        (lambda: Backoff(1.0, longest=-1), "longest must be >= 0, got -1.0"),
        (lambda: Backoff(math.inf), "first must be finite, got inf"),
    ],
)
def test_wrong_intervals_and_back_offs_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        make()
    assert str(raised.value) == message


def test_a_repr_names_the_options_in_the_order_of_the_documentation() -> None:
    pool = PollingWorkers(2, poll_interval="1s", service=0.5, failure=0.1)
    assert repr(pool) == "PollingWorkers(concurrency=2, service=Constant(0.5), failure=0.1, poll_interval=1.0)"
