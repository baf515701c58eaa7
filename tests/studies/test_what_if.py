from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bufsim import (
    Bulk,
    Bursty,
    Constant,
    Exponential,
    FlushEvery,
    FlushTime,
    InvalidValueError,
    JobBuffer,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Trace,
)
from bufsim.model.arrivals import Arrivals
from bufsim.model.traces import ScaledTrace
from bufsim.model.workers import GivenTimes, Workers
from bufsim.studies.what_if import (
    SHARE,
    Burst,
    StressTest,
    busiest,
    scaled_otherwise,
    scaling_sentences,
    stress_tests,
    variations,
    with_longer_bursts,
)


def timed(*workers: Workers, flush_time: FlushTime | str = "0s") -> Simulation:
    return Simulation(
        producers=[Producer("edits", Poisson(10.0))],
        buffers=[JobBuffer("search", policy=FlushEvery(5.0), flush_time=flush_time)],
        workers=workers,
        until=120.0,
        warm_up=20.0,
    )


def test_every_time_that_is_not_0_can_be_moved() -> None:
    model = timed(
        PollingWorkers(service=Exponential(0.02), per_item=0.005, queue="default"),
        flush_time=FlushTime(0.05, per_job=0.002),
    )
    assert [(one.name, one.value) for one in variations(model)] == [
        ("arrivals", "10 jobs/s"),
        ("time of a flush", "50 ms"),
        ("time of a flush for each job", "2 ms"),
        ("service time", "20 ms"),
        ("service time for each item", "5 ms"),
        ("interval between polls", "200 ms"),
    ]
    assert [one.name for one in variations(timed())] == ["arrivals"]


def test_a_variation_moves_one_thing_by_the_factor_and_leaves_the_rest() -> None:
    model = timed(PollingWorkers(service=Constant(0.02), per_item=0.005), flush_time=FlushTime(0.05, per_job=0.002))
    moved = {one.name: one for one in variations(model, 2.0)}
    assert moved["arrivals"].higher == model.scaled(arrivals=2.0)
    assert moved["arrivals"].lower == model.scaled(arrivals=0.5)
    for name, measure in {
        "time of a flush": lambda one: one.buffers[0].flush_time.fixed.expected_value(),
        "time of a flush for each job": lambda one: one.buffers[0].flush_time.per_job,
        "service time": lambda one: one.workers[0].service.expected_value(),
        "service time for each item": lambda one: one.workers[0].per_item,
        "interval between polls": lambda one: one.workers[0].poll_interval,
    }.items():
        before = measure(model)
        assert measure(moved[name].higher) == pytest.approx(2.0 * before)
        assert measure(moved[name].lower) == pytest.approx(0.5 * before)
        for other, variation in moved.items():
            if other != name:
                assert measure(variation.higher) == before


def test_a_longer_flush_is_longer_in_the_run() -> None:
    (moved,) = [one for one in variations(timed(flush_time="50ms"), 3.0) if one.name == "time of a flush"]
    assert moved.higher.run(1).metric("longest_flush_s") == pytest.approx(0.15)


def test_workers_without_polls_or_with_given_times_are_left_where_nothing_can_be_moved() -> None:
    names = [one.name for one in variations(timed(PushWorkers(2, service=GivenTimes([0.1] * 2000))))]
    assert names == ["arrivals"]


def test_of_a_distribution_of_scipys_the_mean_is_told() -> None:
    model = timed(PushWorkers(1, service=stats.gamma(2.0, scale=0.05), queue="default"))
    assert ("service time", "100 ms") in [(one.name, one.value) for one in variations(model)]


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_a_factor_must_move_something(factor: float) -> None:
    with pytest.raises(InvalidValueError, match=r"factor - 1 must be > 0"):
        variations(timed(), factor)


# ten seconds: the busiest second is [3, 4), with three of the eight jobs
TIMES = [0.5, 2.0, 3.0, 3.25, 3.75, 4.0, 7.0, 10.0]


def arriving(*arrivals: Arrivals, until: float = 12.0, **of_producer: object) -> Simulation:
    producers = [Producer(f"p{place}", one, **of_producer) for place, one in enumerate(arrivals)]  # type: ignore[arg-type]
    return Simulation(producers=producers, buffers=[JobBuffer("search", policy=FlushEvery(2.0))], until=until)


def longer(*arrivals: Arrivals, until: float = 12.0, **of_producer: object) -> tuple[Simulation, str]:
    found = with_longer_bursts(arriving(*arrivals, until=until, **of_producer))
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


def test_copies_that_keep_the_hours_hold_it_where_it_was_and_the_run_gets_longer() -> None:
    model, _ = longer(ScaledTrace(Trace(TIMES, shift=0, length=11), 2.0))
    arrivals = model.producers[0].arrivals
    assert arrivals == ScaledTrace(
        Trace([0.5, 2.0, 3.0, 3.25, 3.75, 4.0, 4.25, 4.75, 5.0, 8.0, 11.0], shift=0, length=12), 2.0
    )
    assert model.until == 13.0
    assert model.run(1).metric("arrivals_jobs") == 22


def test_turned_copies_of_a_trace_hold_it_and_the_run_is_as_long_as_before() -> None:
    model, _ = longer(ScaledTrace(Trace(TIMES, keep="independent"), 2.0))
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
    assert with_longer_bursts(arriving(arrivals)) is None


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
    found = with_longer_bursts(arriving(trace, until=2e6))
    if found is None:
        assert SHARE * trace.times[-1] == 0.0
        return
    after = found[0].producers[0].trace
    assert after is not None
    assert len(trace) < len(after) <= 2 * len(trace)


NAMES = [
    "half as many jobs again",
    "bursts twice as long",
    "workers twice as slow",
    "half of the workers gone",
    "a stop of 10 s in the middle",
]


NO_WORKERS = "not looked at, because the model has no workers"


def simulation(*workers: Workers, arrivals: Arrivals | None = None, stops: Stops | None = None) -> Simulation:
    return Simulation(
        producers=[Producer("edits", arrivals or Poisson(10.0)), Producer("imports", Poisson(1.0), queue="slow")],
        buffers=[JobBuffer("search", policy=FlushEvery(5.0))],
        workers=workers,
        until=120.0,
        warm_up=20.0,
        stops=stops,
    )


def by_name(model: Simulation) -> dict[str, StressTest]:
    return {one.name: one for one in stress_tests(model)}


def stressed(model: Simulation, name: str) -> Simulation:
    found = by_name(model)[name].simulation
    assert found is not None
    return found


def test_each_is_looked_at_or_says_why_not() -> None:
    found = stress_tests(simulation())
    assert [one.name for one in found] == NAMES
    assert [one.simulation is None for one in found] == [False, True, True, True, False]
    assert [one.meaning for one in found[1:4]] == [
        "not looked at, because no arrivals are recorded or Bursty",
        NO_WORKERS,
        NO_WORKERS,
    ]


def test_more_load_and_slower_workers() -> None:
    model = simulation(PollingWorkers(service=Constant(0.02), per_item=0.005))
    assert stressed(model, "half as many jobs again") == model.scaled(arrivals=1.5)
    (slow,) = stressed(model, "workers twice as slow").workers
    assert isinstance(slow, PollingWorkers)
    assert (slow.service.expected_value(), slow.per_item, slow.poll_interval) == (0.04, 0.01, 0.4)  # type: ignore[union-attr]


def test_given_times_are_doubled() -> None:
    (slow,) = stressed(
        simulation(PushWorkers(1, service=GivenTimes([0.1, 0.2] * 1000))), "workers twice as slow"
    ).workers
    assert slow.service == GivenTimes([0.2, 0.4] * 1000)


def test_half_of_the_workers_rounded_down_are_gone_and_a_single_one_stays() -> None:
    pools = [PushWorkers(5, queue="default"), PollingWorkers(1, queue="slow")]
    found = by_name(simulation(*pools))["half of the workers gone"]
    assert found.simulation is not None
    assert [pool.concurrency for pool in found.simulation.workers] == [3, 1]
    assert found.meaning == "of 5 workers of a queue 3 are left, for the whole run"
    two = by_name(simulation(PushWorkers(2)))["half of the workers gone"]
    assert two.meaning == "of 2 workers of a queue 1 is left, for the whole run"


def test_the_workers_that_are_left_work_longer() -> None:
    model = simulation(PushWorkers(4, service=0.05))
    busy, busier = (one.run(1).metric("utilisation") for one in (model, stressed(model, "half of the workers gone")))
    assert busier > 1.9 * busy


def test_with_one_worker_a_queue_none_can_go() -> None:
    found = by_name(simulation(PollingWorkers()))["half of the workers gone"]
    assert found.simulation is None
    assert found.meaning == (
        "not looked at, because no queue has more than one worker, and without it nothing of the queue is served"
    )


def test_longer_bursts_say_what_they_are() -> None:
    found = by_name(simulation(arrivals=Bursty(50.0, 0.0, 1.0, 4.0)))["bursts twice as long"]
    assert found.simulation is not None
    assert found.simulation.producers[0].arrivals == Bursty(50.0, 0.0, 2.0, 4.0)
    assert found.meaning == "edits: high phases last 2 s on average, in place of 1 s, at the same rates"


def test_a_stop_loses_jobs_in_the_middle_of_what_is_counted() -> None:
    stopped = stressed(simulation(), NAMES[-1])
    assert stopped.stops == Stops(at=[70.0], downtime=10.0)
    assert stopped.run(1).metric("lost_jobs") > 0
    assert by_name(simulation())[NAMES[-1]].meaning.startswith("the server stops at 70 s; ")


def test_a_model_that_stops_already_gets_no_other_stop() -> None:
    found = by_name(simulation(stops=Stops(at=[30.0], downtime=1.0)))[NAMES[-1]]
    assert found == StressTest(NAMES[-1], "not looked at, because the model has stops of its own", None)


def test_scaled_recordings_can_be_scaled_in_the_other_way() -> None:
    as_recorded, drawn = Trace(TIMES), Poisson(1.0)
    assert scaled_otherwise(arriving(as_recorded, drawn)) is None
    turned = ScaledTrace(Trace(TIMES, keep="independent"), 2.0)
    found = scaled_otherwise(arriving(Bulk(ScaledTrace(Trace(TIMES, shift=5), 2.0), 3), drawn, as_recorded))
    assert found is not None
    assert (found.keep, found.other) == ("pattern", "independent")
    assert [one.arrivals for one in found.simulation.producers] == [Bulk(turned, 3), drawn, as_recorded]
    back = scaled_otherwise(arriving(turned))
    assert back is not None
    assert back.simulation.producers[0].arrivals == ScaledTrace(Trace(TIMES), 2.0)


def test_how_recorded_jobs_are_scaled_is_told_of_each_producer_that_has_some() -> None:
    told = scaling_sentences(arriving(Trace(TIMES), Poisson(1.0), Bulk(Trace(TIMES, keep="independent"), 2)))
    assert [text.partition(":")[0] for text in told] == [
        "Recorded jobs of 'p0' at other loads",
        "Recorded jobs of 'p2' at other loads",
    ]
    assert told[0].endswith("so that the hours of the recording stay (keep='pattern').")
    assert told[1].endswith("so that neither their hours nor their bursts coincide (keep='independent').")
