"""Traces: values by content, arrivals as recorded, copies that do not coincide."""

from __future__ import annotations

import copy
import datetime as dt
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.traces import ScaledTrace, Trace

FULL = Trace(
    [0.0, 0.5, 0.5, 2.0], keys=["a", 7, None, "a"], nbytes=[1, 2, 3, 4], queues=["p", "q", "p", "q"], data=[{}, 1, 2, 3]
)


def generator(seed: int = 5) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def test_a_trace_arrives_as_it_was_recorded():
    assert FULL.all_times(generator(), 10.0).tolist() == [0.0, 0.5, 0.5, 2.0]
    assert FULL.all_times(generator(), 2.0).tolist() == [0.0, 0.5, 0.5]
    assert Trace([3.0]).all_times(generator(), 3.0).tolist() == []


def test_a_trace_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        FULL.times[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        FULL.nbytes[0] = 1
    with pytest.raises(AttributeError):
        FULL.times = np.zeros(1)
    own = np.array([1.0, 2.0])
    trace = Trace(own)
    own[0] = 9.0
    assert trace.times.tolist() == [1.0, 2.0]


def test_traces_are_equal_if_their_contents_are():
    again = Trace(FULL.times, keys=FULL.keys, nbytes=FULL.nbytes, queues=FULL.queues, data=FULL.data)
    assert again == FULL
    assert hash(again) == hash(FULL)
    assert again.digest == FULL.digest
    assert Trace([0.0]) == Trace([-0.0])
    assert hash(Trace([0.0])) == hash(Trace([-0.0]))
    assert FULL != 3.0


@pytest.mark.parametrize(
    "change",
    [{"keys": None}, {"keys": ["a", 7, None, "b"]}, {"nbytes": None}, {"nbytes": [1, 2, 3, 5]}, {"queues": ["p"] * 4}],
    ids=str,
)
def test_a_trace_with_other_contents_is_another(change):
    parts = {"keys": FULL.keys, "nbytes": FULL.nbytes, "queues": FULL.queues, "data": FULL.data}
    other = Trace(FULL.times, **{**parts, **change})
    assert other != FULL
    assert other.digest != FULL.digest


def test_the_digest_stays_the_same_from_one_version_to_the_next():
    assert FULL.digest == "124c951178fbb794529bc14c31981871"


def test_pickling_and_copying_keep_the_content_and_the_lock():
    for again in (pickle.loads(pickle.dumps(FULL)), copy.deepcopy(FULL), copy.copy(FULL)):
        assert again == FULL
        assert not again.times.flags.writeable


def test_the_repr_says_what_is_in_the_trace():
    assert repr(Trace([0.484, 320.1])) == "Trace(<2 times, 0.484 .. 320.1 s>)"
    assert repr(FULL) == "Trace(<4 times, 0 .. 2 s, with keys, nbytes, queues, data>)"
    assert repr(ScaledTrace(Trace([1.0]), 2)) == "ScaledTrace(Trace(<1 times, 1 .. 1 s>), 2.0)"


def test_missing_keys_of_every_kind_are_none():
    keys = [None, math.nan, np.nan, pd.NA, pd.NaT, "NA", 0]
    assert Trace(np.arange(7.0), keys=keys).keys == (None, None, None, None, None, "NA", 0)


def test_arrays_and_series_are_taken_as_columns():
    trace = Trace(pd.Series([1.0, 2.0]), keys=np.array([5, 6]), nbytes=pd.Series([7, 8]), queues=pd.Series(["a", "b"]))
    assert trace == Trace([1.0, 2.0], keys=[5, 6], nbytes=[7, 8], queues=["a", "b"])
    assert all(type(key) is int for key in trace.keys)


def test_mean_rate_counts_up_to_the_last_time():
    assert FULL.mean_rate == 2.0
    assert math.isnan(Trace([0.0]).mean_rate)
    assert FULL.scaled(2.5).mean_rate == 5.0


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([], r"times must be one sequence of at least one number, got shape \(0,\)"),
        ([[1.0], [2.0]], r"times must be one sequence of at least one number, got shape \(2, 1\)"),
        ([-1.0, 2.0], r"times\[0\] must be >= 0 s, got -1\.0; give an earlier origin, or leave it out"),
        ([1.0, 3.0, 2.5], r"times\[2\] goes back: 2\.5 after 3\.0; sort the jobs by time first"),
        ([1.0, math.nan], r"times\[1\] is missing"),
        ([1.0, math.inf], r"times\[1\] must be finite, got inf"),
    ],
)
def test_wrong_times_are_named_by_their_position(times, message):
    with pytest.raises(InvalidValueError, match=f"^{message}$"):
        Trace(times)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"keys": ["a"]}, InvalidValueError, "keys must have one value a job, got 1 values for 2 times"),
        ({"keys": "ab"}, InvalidTypeError, "keys must be a sequence with one value a job, got 'ab'"),
        ({"keys": 3}, InvalidTypeError, "keys must be a sequence with one value a job, got 3"),
        ({"keys": ["a", ["b"]]}, InvalidTypeError, r"keys\[1\] must be hashable, got \['b'\]; give its id, or a tuple"),
        ({"keys": ["a", ("b", [])]}, InvalidTypeError, r"keys\[1\] must be hashable, got \('b', \[\]\); .*"),
        ({"nbytes": [1, -1]}, InvalidValueError, r"nbytes\[1\] must be >= 0, got -1"),
        ({"nbytes": [1, 1.5]}, InvalidTypeError, r"nbytes\[1\] must be a whole number, got 1\.5"),
        ({"nbytes": [True, 1]}, InvalidTypeError, r"nbytes\[0\] must be a whole number, got True"),
        ({"queues": ["a", ""]}, InvalidValueError, r"queues\[1\] must be a queue's name, got ''"),
        ({"queues": [None, "a"]}, InvalidValueError, r"queues\[0\] must be a queue's name, got None"),
        ({"data": [1, 2, 3]}, InvalidValueError, "data must have one value a job, got 3 values for 2 times"),
    ],
)
def test_wrong_columns_are_named(columns, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        Trace([1.0, 2.0], **columns)


@pytest.mark.parametrize("times", [["a"], ["1.5"]])
def test_texts_that_are_no_durations_are_an_error(times):
    with pytest.raises(InvalidValueError, match=r"^times\[0\] must be a number with a unit, such as '30s'"):
        Trace(times)


@pytest.mark.parametrize(
    "times",
    [
        ["1s", "1min"],
        [1, "60s"],
        [dt.timedelta(seconds=1), pd.Timedelta("1min")],
        np.array([1000, 60_000], dtype="timedelta64[ms]"),
        pd.Series(pd.to_timedelta([1, 60], unit="s")),
    ],
)
def test_times_and_sizes_are_read_as_people_write_them(times):
    assert Trace(times, nbytes=["1 kB", 5]) == Trace([1.0, 60.0], nbytes=[1000, 5])


def test_a_missing_timedelta_is_named():
    with pytest.raises(InvalidValueError, match=r"^times\[1\] is missing$"):
        Trace(np.array([1, "NaT"], dtype="timedelta64[s]"))


def test_a_size_that_is_none_is_named_by_its_position():
    with pytest.raises(InvalidValueError, match=r"^nbytes\[0\] has the unknown unit 'kg' in '1 kg'"):
        Trace([1.0], nbytes=["1 kg"])


@pytest.mark.parametrize("times", [[True], [1.0, None], [[1.0], 2.0], {1.0: 2.0}])
def test_times_that_are_no_numbers_are_an_error(times):
    with pytest.raises(InvalidTypeError, match=r"^times must be a sequence of numbers, got "):
        Trace(times)


def turned(trace: Trace, factor: float) -> ScaledTrace:
    return ScaledTrace(trace.keeping("independent"), factor)


@given(
    gaps=st.lists(st.floats(0.0, 10.0), min_size=1, max_size=50),
    factor=st.floats(0.05, 5.0).filter(lambda factor: factor != 1.0),
    seed=st.integers(0, 1000),
)
def test_scaled_copies_are_whole_turned_and_kept_in_order(gaps, factor, seed):
    trace = Trace(np.cumsum(gaps))
    times, rows = turned(trace, factor).expanded(generator(seed), math.inf)
    assert (np.diff(times) >= 0.0).all()
    assert len(rows) == 0 or times[-1] <= trace.times[-1]
    copies = np.bincount(rows, minlength=len(trace))
    assert copies.min() >= math.floor(factor)
    assert copies.max() <= math.ceil(factor)


def test_a_copy_is_turned_by_one_shift():
    trace = Trace(np.cumsum(np.random.default_rng(1).exponential(1.0, 1000)))
    length = trace.times[-1]
    times, rows = turned(trace, 2.0).expanded(generator(), math.inf)
    shifts = (times - trace.times[rows]) % length
    assert len(np.unique(shifts.round(6))) == 2
    # the first copies are the same under every factor
    more, rows_of_more = turned(trace, 3.0).expanded(generator(), math.inf)
    assert set(zip(times.tolist(), rows.tolist(), strict=True)) < set(
        zip(more.tolist(), rows_of_more.tolist(), strict=True)
    )


def test_the_part_of_a_copy_keeps_each_job_with_its_probability():
    trace = Trace(np.arange(1.0, 100_001.0))
    for keep in ("pattern", "independent"):
        kept = len(ScaledTrace(trace.keeping(keep), 0.3).expanded(generator(), math.inf)[0])
        assert abs(kept - 30_000) <= 4.0 * math.sqrt(100_000 * 0.3 * 0.7)


def test_bursts_of_the_copies_do_not_coincide():
    burst = Trace(np.r_[np.zeros(100), 50.0, np.full(100, 100.0)])
    _, sizes = np.unique(turned(burst, 3.0).all_times(generator(), math.inf), return_counts=True)
    assert sizes.max() <= 200


def test_factors_multiply_and_1_is_the_trace_itself():
    assert FULL.scaled(1.0) is FULL
    assert FULL.scaled(2.0).scaled(3.0) == ScaledTrace(FULL, 6.0)
    assert FULL.scaled(2.0).scaled(0.5) is FULL
    assert ScaledTrace(FULL, 2.0).has_attributes
    assert not Trace([1.0]).has_attributes


RECORDED = st.lists(st.integers(0, 400), min_size=1, max_size=40).map(lambda gaps: Trace(np.cumsum(gaps) / 4.0))


def copies_of(trace: Trace, factor: float, seed: int) -> list[np.ndarray]:
    """Each copy's times, in the order of its jobs, of a whole factor; the first is the recording."""
    times, rows = ScaledTrace(trace, factor).expanded(generator(seed), math.inf)
    assert len(times) == factor * len(trace)
    assert (np.diff(times) >= 0.0).all()
    of_job = [np.sort(times[rows == row])[::-1] for row in range(len(trace))]
    assert all(len(own) == factor and own[0] == time for own, time in zip(of_job, trace.times, strict=True))
    return list(np.array(of_job).T)


@given(trace=RECORDED, factor=st.integers(2, 4), seed=st.integers(0, 1000))
def test_every_job_comes_again_not_before_the_job_before_it_nor_a_minute_earlier(trace, factor, seed):
    instants = np.unique(trace.times)
    before = np.array([max([0.0, time - 60.0, *instants[instants < time]]) for time in trace.times])
    for times in copies_of(trace, factor, seed):
        assert (before <= times).all()
        assert (times <= trace.times).all()
        # the order of the recording is that of each copy, and an instant's jobs stay together
        assert (np.diff(times) >= 0.0).all()
        assert (np.diff(times)[np.diff(trace.times) == 0.0] == 0.0).all()


@given(trace=RECORDED, shift=st.sampled_from([0.0, 0.25, 7.0, 300.0]), seed=st.integers(0, 1000))
def test_counts_in_a_window_are_multiplied_but_for_jobs_within_the_shift_of_its_ends(trace, shift, seed):
    times = ScaledTrace(trace.keeping(shift=shift), 3.0).all_times(generator(seed), math.inf)
    length = 40.0
    for start in np.arange(0.0, trace.times[-1] + length, length):
        recorded = np.count_nonzero((trace.times >= start) & (trace.times < start + length))
        # a copy is earlier by at most the shift: it can leave by the start, and come in by the end
        leave = np.count_nonzero((trace.times >= start) & (trace.times <= start + shift))
        enter = np.count_nonzero((trace.times >= start + length) & (trace.times <= start + length + shift))
        found = np.count_nonzero((times >= start) & (times < start + length))
        assert 3 * recorded - 2 * leave <= found <= 3 * recorded + 2 * enter


def test_copies_carry_keys_sizes_queues_and_data():
    times, rows = FULL.scaled(3).expanded(generator(), 10.0)
    assert len(times) == 12
    assert np.bincount(rows).tolist() == [3, 3, 3, 3]
    # by hand: the jobs at 0 s have no room before them, those at 0.5 s come in (0, 0.5], that at 2 s in (0.5, 2]
    assert times[rows == 0].tolist() == [0.0, 0.0, 0.0]
    assert (times[rows == 1] == times[rows == 2]).all()
    assert ((times[rows == 3] > 0.5) & (times[rows == 3] <= 2.0)).all()


def test_under_a_larger_factor_the_jobs_of_a_smaller_one_come_too():
    few, more = (
        set(zip(*map(tuple, FULL.scaled(factor).expanded(generator(), 9.0)), strict=True)) for factor in (2, 3)
    )
    half = set(zip(*map(tuple, FULL.scaled(1.5).expanded(generator(), 9.0)), strict=True))
    assert half <= few < more


def test_what_stays_of_a_trace_is_told_and_can_be_changed():
    assert repr(FULL.keeping("independent")).endswith("data>, keep='independent')")
    assert repr(Trace([1.0], shift="1min", length=90)) == "Trace(<1 times, 1 .. 1 s>, shift=60.0, length=90.0)"
    assert FULL.keeping("independent") != FULL
    assert FULL.keeping("independent").digest == FULL.digest
    assert FULL.keeping("independent").keeping("pattern") == FULL
    assert Trace([1.0], shift=5).keeping("independent") == Trace([1.0], keep="independent")
    assert Trace([1.0], shift=5).keeping(shift=7) == Trace([1.0], shift=7)
    for trace in (FULL.keeping("independent"), Trace([1.0], shift=5, length=7)):
        assert pickle.loads(pickle.dumps(trace)) == trace
    assert FULL.scaled(2, keep="independent").scaled(2).trace.keep == "independent"
    assert FULL.scaled(1, shift=3) == FULL.keeping(shift=3)
    assert "at most 1 min and not before the job before it" in FULL.scaling
    assert "at most 5 min," in Trace([1.0], shift="5min").scaling
    assert "at its own time" in Trace([1.0], shift=0).scaling
    assert "turned like a ring" in FULL.keeping("independent").scaling


def test_a_recording_has_a_length_by_default_one_that_just_holds_its_last_job():
    assert Trace([0.5, 3.5]).span == (0.5, math.nextafter(3.5, 9.0))
    assert Trace([0.5, 3.5], length="4s").span == (0.5, 4.0)
    assert Trace([0.5, 3.5], length="4s").mean_rate == 0.5
    assert Trace([100.0, 130.0]).scaled(2).span == (40.0, math.nextafter(130.0, 200.0))
    assert Trace([100.0, 130.0]).scaled(0.5).span[0] == 100.0
    assert Trace([100.0, 130.0], shift=7).scaled(2).span[0] == 93.0
    assert turned(Trace([100.0, 130.0]), 2.0).span[0] == 0.0
    # the ring is as long as the recording
    times = turned(Trace(np.arange(0.0, 50.0), length=100), 1.5).all_times(generator(), math.inf)
    assert times.max() > 60.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: Trace([1.0], keep="hours"),
            InvalidValueError,
            "keep must be one of 'pattern', 'independent', got 'hours'",
        ),
        (
            lambda: Trace([1.0], keep="independent", shift=1),
            InvalidValueError,
            "shift goes with keep='pattern', got keep='independent'; leave shift out",
        ),
        (lambda: Trace([1.0], shift=-1), InvalidValueError, r"shift must be >= 0, got -1\.0"),
        (
            lambda: Trace([1.0, 3.5], length=3.5),
            InvalidValueError,
            r"length must be > the last time = 3\.5 s, so that all jobs lie within it, got 3\.5",
        ),
        (lambda: ScaledTrace([1.0], 2.0), InvalidTypeError, r"trace must be a Trace, got \[1\.0\]"),
        (lambda: ScaledTrace(FULL, 0.0), InvalidValueError, r"factor must be > 0, got 0\.0"),
        (lambda: FULL.scaled(-1.0), InvalidValueError, r"factor must be > 0, got -1\.0"),
    ],
)
def test_wrong_copies_are_named(make, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        make()
