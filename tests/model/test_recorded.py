from __future__ import annotations

import gc

import numpy as np

from bufsim import Trace
from bufsim.model import recorded as module
from bufsim.model.recorded import Coded, recorded


def test_a_column_becomes_numbers_in_order_of_first_appearance_and_none_becomes_minus_one() -> None:
    values, codes = Coded.of(["b", None, "a", "b"])
    assert values == ("b", "a")
    assert (codes.tolist(), codes.dtype) == ([0, -1, 1, 0], np.int32)
    assert Coded.of([]).codes.tolist() == []


def test_what_follows_from_a_trace_is_found_once() -> None:
    trace = Trace([0.0, 1.0, 1.0], keys=["x", None, "x"], queues=["q", "r", "q"])
    assert recorded(trace).keys is recorded(trace).keys
    assert recorded(trace).queues.values == ("q", "r")
    times, positions = recorded(trace).instants
    assert (times.tolist(), positions.tolist()) == ([0.0, 1.0], [0, 1, 1])


def test_equal_traces_keep_their_keys_as_they_are_written() -> None:
    whole, broken = Trace([0.0], keys=[1]), Trace([0.0], keys=[1.0])
    assert whole == broken
    assert [repr(recorded(trace).keys.values) for trace in (whole, broken)] == ["(1,)", "(1.0,)"]


def test_it_is_forgotten_with_the_trace() -> None:
    trace = Trace([0.0, 2.0], keys=["x", "y"])
    name = id(trace.times)
    _ = recorded(trace).instants
    assert name in module._HELD
    del trace
    gc.collect()
    assert name not in module._HELD
