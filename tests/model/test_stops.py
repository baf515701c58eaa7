from __future__ import annotations

import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from bufsim import InvalidTypeError, InvalidValueError, Stops


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_given_stops_are_those_before_the_end_with_their_restarts() -> None:
    stops = Stops(at=[10.0, 20.0, 30.0], downtime=2.5)
    assert stops.times(generator(), 30.0) == [(10.0, 12.5), (20.0, 22.5)]
    # a restart may lie after the end
    assert stops.times(generator(), 21.0) == [(10.0, 12.5), (20.0, 22.5)]
    assert stops.times(generator(), 5.0) == []


def test_drawn_stops_follow_one_another_without_overlap() -> None:
    stops = Stops(mean_time_between=5.0, downtime=2.0)
    pairs = stops.times(generator(), 10_000.0)
    up = [stop - before for (stop, _), before in zip(pairs, [0.0, *(restart for _, restart in pairs)], strict=False)]
    assert all(restart == stop + 2.0 for stop, restart in pairs)
    assert min(up) >= 0.0
    # the mean of some 1,400 exponentials lies within 4 standard errors
    assert abs(np.mean(up) - 5.0) < 4 * 5.0 / math.sqrt(len(up))
    assert pairs == stops.times(generator(), 10_000.0)
    assert pairs != stops.times(generator(2), 10_000.0)
    # a longer run has the same first stops
    assert stops.times(generator(), 20_000.0)[: len(pairs)] == pairs


def test_a_stop_may_fall_on_the_restart_of_the_one_before() -> None:
    assert Stops(at=[1.0, 3.0], downtime=2.0).times(generator(), 9.0) == [(1.0, 3.0), (3.0, 5.0)]


def test_times_may_have_units() -> None:
    assert Stops(at=["1h"], downtime="30s") == Stops(at=[3600.0], downtime=30.0)
    assert Stops(mean_time_between="1d") == Stops(mean_time_between=86400.0)


@pytest.mark.parametrize("stops", [Stops(at=[1.0, 2.0], downtime=0.5), Stops(mean_time_between=5.0)])
def test_stops_are_values(stops: Stops) -> None:
    again = pickle.loads(pickle.dumps(stops))
    assert again == stops
    assert hash(again) == hash(stops)
    assert eval(repr(stops), {"Stops": Stops}) == stops


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (Stops, InvalidValueError, "Stops needs either at or mean_time_between, got both or neither"),
        (
            lambda: Stops(at=[1.0], mean_time_between=1.0),
            InvalidValueError,
            "Stops needs either at or mean_time_between, got both or neither",
        ),
        (
            lambda: Stops(at=[]),
            InvalidValueError,
            "at must not be empty; a server that never stops has stops=None",
        ),
        (lambda: Stops(at=[-1.0]), InvalidValueError, "at[0] must be >= 0, got -1.0"),
        (lambda: Stops(at=[1.0, math.nan]), InvalidValueError, "at[1] must be finite, got nan"),
        (lambda: Stops(at=[1.0, "x"]), InvalidValueError, "at[1] must be a number with a unit, such as "),
        (lambda: Stops(at=3600.0), InvalidTypeError, "at must be a list of times, got 3600.0; write [3600.0]"),
        (lambda: Stops(at="1h"), InvalidTypeError, "at must be a list of times, got '1h'; write ['1h']"),
        (
            lambda: Stops(at=[1.0, 2.0], downtime=1.5),
            InvalidValueError,
            "stops must not overlap, got at[1]=2.0 before the restart of at[0]=1.0 with downtime 1.5; "
            "move it, or shorten the downtime",
        ),
        (lambda: Stops(at=[2.0, 1.0]), InvalidValueError, "stops must not overlap, got at[1]=1.0 before "),
        (lambda: Stops(at=[1.0, 1.0]), InvalidValueError, "stops must not overlap, got at[1]=1.0 before "),
        (lambda: Stops(mean_time_between=0), InvalidValueError, "mean_time_between must be > 0, got 0.0"),
        (lambda: Stops(at=[1.0], downtime=-1), InvalidValueError, "downtime must be >= 0, got -1.0"),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(message)
