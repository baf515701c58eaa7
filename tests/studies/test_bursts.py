from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim import Bulk, Bursty, FlushEvery, JobBuffer, Poisson, Producer, Simulation, Trace
from bufsim.model.arrivals import Arrivals
from bufsim.model.traces import ScaledTrace
from bufsim.studies.what_if import SHARE, Burst, busiest, with_longer_bursts

# ten seconds: the busiest second is [3, 4), with three of the eight jobs
TIMES = [0.5, 2.0, 3.0, 3.25, 3.75, 4.0, 7.0, 10.0]


def simulation(*arrivals: Arrivals, until: float = 12.0, **of_producer: object) -> Simulation:
    producers = [Producer(f"p{place}", one, **of_producer) for place, one in enumerate(arrivals)]  # type: ignore[arg-type]
    return Simulation(producers=producers, buffers=[JobBuffer("search", policy=FlushEvery(2.0))], until=until)


def longer(*arrivals: Arrivals, until: float = 12.0, **of_producer: object) -> tuple[Simulation, str]:
    found = with_longer_bursts(simulation(*arrivals, until=until, **of_producer))
    assert found is not None
    return found


def test_the_burst_of_a_recording_is_its_busiest_tenth() -> None:
    assert busiest(TIMES, 1.0) == Burst(start=3.0, length=1.0, first=2, last=5)


def test_of_windows_with_as_many_jobs_the_first_counts_and_its_end_is_open() -> None:
    assert busiest([0.0, 1.0, 2.0, 3.0], 1.0) == Burst(0.0, 1.0, 0, 1)


def test_the_jobs_of_the_burst_come_twice_and_all_later_ones_later() -> None:
    model, said = longer(Trace(TIMES, keys=list("abcdefgh"), nbytes=range(8), queues=["q"] * 8, data=range(8)))
    trace = model.producers[0].trace
    assert trace is not None
    assert trace.times.tolist() == [0.5, 2.0, 3.0, 3.25, 3.75, 4.0, 4.25, 4.75, 5.0, 8.0, 11.0]
    assert "".join(map(str, trace.keys or ())) == "abcdecdefgh"
    assert trace.nbytes is not None
    assert trace.nbytes.tolist() == [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7]
    assert trace.data == (0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7)
    assert trace.queues == ("q",) * 11
    # nothing drops out at the end of the run
    assert model.until == 13.0
    assert model.run(1).metric("arrivals_jobs") == 11
    assert said == "p0: the busiest 1 s of the recording, from 3 s on with 3 jobs, come twice, one after the other"


def test_the_burst_keeps_its_rate_and_doubles_its_length() -> None:
    trace = Trace(np.arange(0.0, 100.0, 0.5).tolist() + [100.0 + k / 50.0 for k in range(500)])
    before = trace.times[(trace.times >= 100.0) & (trace.times < 109.0)]
    after = longer(trace, until=200.0)[0].producers[0].trace
    assert after is not None
    # a window of 10.998 s holds the 500 fast jobs, whatever slow ones it holds too
    inside = after.times[(after.times >= 100.0) & (after.times < 109.0)]
    assert len(inside) == len(before)
    gaps = np.diff(after.times)
    assert np.count_nonzero(np.isclose(gaps, 0.02)) == 2 * np.count_nonzero(np.isclose(np.diff(trace.times), 0.02))


def test_the_burst_is_one_that_the_run_sees() -> None:
    late = Trace([*TIMES, 100.0, 100.1, 100.2, 100.3, 100.4])
    # up to 11 s the longest recording is of 10 s
    assert longer(late, until=11.0)[1].startswith("p0: the busiest 1 s of the recording, from 3 s on with 3 jobs")
    assert longer(late, until=200.0)[1].startswith("p0: the busiest 10 s of the recording, from 500 ms on with 8 jobs")


def test_the_copies_of_a_scaled_trace_hold_it_and_the_run_is_as_long_as_before() -> None:
    model, _ = longer(ScaledTrace(Trace(TIMES), 2.0))
    arrivals = model.producers[0].arrivals
    assert isinstance(arrivals, ScaledTrace)
    assert (arrivals.factor, len(arrivals.trace)) == (2.0, 11)
    assert model.until == 12.0


def test_data_that_a_producer_adds_goes_with_its_rows() -> None:
    model, _ = longer(Trace(TIMES), data=list("abcdefgh"))
    assert model.producers[0].data == tuple("abcdecdefgh")


def test_high_phases_are_doubled_at_equal_rates_also_in_bulks() -> None:
    bursty = Bursty(50.0, 5.0, 2.0, 8.0)
    model, said = longer(Bulk(bursty, 3), Poisson(1.0))
    assert model.producers[0].arrivals == Bulk(Bursty(50.0, 5.0, 4.0, 8.0), 3)
    assert model.producers[1].arrivals == Poisson(1.0)
    assert model.until == 12.0
    assert said == "p0: high phases last 4 s on average, in place of 2 s, at the same rates"
    # (50·2 + 5·8) / 10 becomes (50·4 + 5·8) / 12
    assert (bursty.mean_rate, Bursty(50.0, 5.0, 4.0, 8.0).mean_rate) == (14.0, 20.0)


def test_several_producers_have_a_burst_each() -> None:
    model, said = longer(Trace(TIMES), Bursty(50.0, 5.0, 2.0, 8.0))
    assert said.count("; ") == 1
    assert model.until == 13.0


@pytest.mark.parametrize("arrivals", [Poisson(3.0), Trace([0.0, 0.0]), Trace([500.0]), Bulk(Poisson(2.0), 2)])
def test_what_has_no_bursts_is_left_alone(arrivals: Arrivals) -> None:
    assert with_longer_bursts(simulation(arrivals)) is None


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40), st.integers(1, 5_000))
@settings(deadline=None, derandomize=True)
def test_no_window_of_that_length_holds_more(milliseconds: list[int], length: int) -> None:
    times = sorted(milliseconds)
    burst = busiest(np.array(times, dtype=float), float(length))
    assert burst.last - burst.first == sum(burst.start <= time < burst.start + length for time in times)
    counts = [sum(start <= time < start + length for time in times) for start in range(-length, 10_001, 97)]
    assert burst.last - burst.first >= max(counts)


@given(st.lists(st.floats(0.0, 1e6), min_size=2, max_size=40))
@settings(deadline=None, derandomize=True)
def test_the_longer_trace_is_in_order_and_has_every_job(times: list[float]) -> None:
    trace = Trace(sorted(times))
    found = with_longer_bursts(simulation(trace, until=2e6))
    if found is None:
        assert SHARE * trace.times[-1] == 0.0
        return
    after = found[0].producers[0].trace
    assert after is not None
    assert len(trace) < len(after) <= 2 * len(trace)
