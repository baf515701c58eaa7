from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bufsim_tests.models import simulate, timed

from bufsim import (
    CollectQueues,
    Constant,
    Deterministic,
    DrainAtMost,
    DrainUntil,
    FlushAfterAge,
    FlushAt,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    Merge,
    NeverFlush,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
    StepRate,
    Storage,
    TimeVarying,
    Trace,
)


def test_a_policy_that_never_comes_due_for_the_last_jobs_is_named():
    assert simulate([1.0, 2.0, 3.0]).warnings() == [
        "never due: FlushAtSize(2) alone: 1 of the jobs stayed in buffer 'b' to the end; without an age limit the last "
        "jobs wait for ever. Add `| FlushAfterAge(...)`."
    ]
    assert len(simulate([19.0], policy=FlushAt([5.0])).warnings()) == 1


def test_jobs_that_will_be_flushed_after_the_end_are_no_reason_to_warn():
    for policy in (FlushAtSize(9) | FlushAfterAge(5.0), FlushEvery(50.0), FlushAfterAge(99).checked_every(1.0)):
        assert simulate([19.0], policy=policy).warnings() == []


def test_a_buffer_that_the_user_flushes_is_no_reason_to_warn():
    assert simulate([1.0], policy=NeverFlush()).warnings() == []


def test_more_work_than_the_workers_can_do_is_named():
    times = [float(second) for second in range(19)]
    result = simulate(times, policy=FlushAtSize(1), workers=[PushWorkers(2, service=3.0)])
    assert result.warnings() == [
        "unstable: load 1.43 of the capacity of the workers of queue 'default': no steady state; waits grow with "
        "`until`. Shown for 20 s only."
    ]
    assert simulate(times, policy=FlushAtSize(1), workers=[PushWorkers(4, service=3.0)]).warnings() == []


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize("record", ["all", "flushes", "summary"])
def test_an_overload_is_named_before_anything_has_finished(engine, record):
    # 100 jobs of 20 s each come in 10 s to one worker: 200 times what it can do
    times = [0.1 * tenth for tenth in range(100)]
    model = timed(times, policy=FlushAtSize(1), workers=[PushWorkers(1, service=20.0)], until=10.0)
    result = model.run(seed=1, engine=engine, record=record)
    assert result.metric("completed_jobs") == 0.0
    assert [text for text in result.warnings() if text.startswith("unstable: load 200 of the capacity")] != []


@pytest.mark.parametrize("record", ["all", "flushes", "summary"])
def test_a_load_of_exactly_all_that_the_workers_can_do_is_no_overload(record):
    # a job of 0.1 s every 0.1 s: in floating point the sums of both come out in either order
    times = [0.1 * tenth for tenth in range(300)]
    model = timed(times, policy=FlushAtSize(1), workers=[PushWorkers(1, service=0.1)], until=30.0)
    assert [model.run(seed=1, engine=engine, record=record).warnings() for engine in ("simpy", "compiled")] == [[], []]
    more = timed([*times, 29.95], policy=FlushAtSize(1), workers=[PushWorkers(1, service=0.1)], until=30.0)
    assert more.run(seed=1, record=record).warnings() != []


def test_each_attempt_and_each_item_is_part_of_the_load():
    def unstable(service, *, batch=1, **others):
        workers = PushWorkers(1, service=service, **others)
        result = simulate(range(20), policy=FlushAtSize(batch), reduce=Merge(), workers=[workers])
        return [text.partition(" of the capacity")[0] for text in result.warnings() if text.startswith("unstable")]

    # 20 jobs in 20 s, each tried 1 + 0.5 + 0.25 times: 1.75 times what the service times alone bring
    assert unstable(0.5, failure=0.5, retries=2) == []
    assert unstable(0.6, failure=0.5, retries=2) == ["unstable: load 1.05"]
    # 4 merged jobs of 5 items each: 4 · (0.5 + 5 · 0.9) s = 20 s of service in 20 s; with 1 s an item 22 s
    assert unstable(0.5, per_item=0.9, batch=5) == []
    assert unstable(0.5, per_item=1.0, batch=5) == ["unstable: load 1.1"]
    assert unstable([1.0, 2.0] * 10) == ["unstable: load 1.5"]


def test_polling_workers_start_one_job_a_poll():
    times = [0.1 * tenth for tenth in range(190)]
    slow = simulate(times, policy=FlushAtSize(1), workers=[PollingWorkers(service=0.001)])
    assert slow.warnings()[0].startswith("unstable: load 1.9 of the capacity")
    fast = simulate(times, policy=FlushAtSize(1), workers=[PollingWorkers(service=0.001, poll_interval=0.05)])
    assert fast.warnings() == []


def test_a_job_that_carries_very_many_items_is_named():
    many = {"policy": FlushEvery(5.0), "reduce": Merge(), "until": 100.0}
    assert simulate([1.0] * 500, workers=[PushWorkers(1, service=0.1, per_item=0.02)], **many).warnings() == [
        "large job: one job of queue 'default' carries 500 items (reduce merges a batch): 10 s of service at the time "
        "per item given. Bound the batch."
    ]
    assert simulate([1.0] * 1200, workers=[PushWorkers(1, service=0.1)], **many).warnings() == [
        "large job: one job of queue 'default' carries 1,200 items (reduce merges a batch), and items take no time, "
        "since the workers have no per_item. Give it, or bound the batch."
    ]
    assert simulate([1.0] * 400, workers=[PushWorkers(1, service=0.1, per_item=0.02)], **many).warnings() == []
    assert simulate([1.0] * 1200, **many).warnings() == []


def test_every_buffer_and_queue_is_looked_at():
    buffers = [JobBuffer(name, policy=FlushAtSize(2)) for name in ("a", "b")]
    assert len(simulate([1.0, 2.0, 3.0], *buffers).warnings()) == 2


CASES = Path(__file__).parents[1] / "data" / "cases"
ALL_LEVELS = [
    ("simpy", "all"),
    ("simpy", "flushes"),
    ("simpy", "summary"),
    ("compiled", "all"),
    ("compiled", "summary"),
]


def model(*arrivals, until=None, **options):
    producers = [Producer(f"p{number}", one) for number, one in enumerate(arrivals)]
    return Simulation(producers=producers, buffers=[JobBuffer("b", policy=FlushEvery("1s"))], until=until, **options)


@pytest.mark.parametrize(("engine", "record"), ALL_LEVELS)
def test_a_run_that_goes_on_long_after_its_arrivals_says_so(engine, record):
    # Case 13 has 4 jobs; each 0.5 s in the buffer, they make 2 job-seconds: over 4 s 0.5 on average
    short = Trace.read(CASES / "13-short-trace.csv")
    result = model(short, until="1h").run(seed=1, engine=engine, record=record)
    assert result.metric("mean_buffer_size_jobs") == pytest.approx(2.0 / 3600.0)
    assert result.warnings() == [
        "arrivals end: none can come after 3.5 s, and the run goes on to 1 h: that is 99.9 % of what is counted, so "
        "that rates and means over time are too low by as much. Leave out `until`, or end the run there."
    ]
    while_it_lasts = model(short, until="4s").run(seed=1, engine=engine, record=record)
    assert (while_it_lasts.metric("mean_buffer_size_jobs"), while_it_lasts.warnings()) == (0.5, [])
    known = model(Trace.read(CASES / "13-short-trace.csv", length="4s")).run(seed=1, engine=engine, record=record)
    assert (known.metric("mean_buffer_size_jobs"), known.warnings()) == (0.5, [])


def test_what_is_counted_is_what_counts_and_a_tenth_of_it_may_be_empty():
    hour = Trace(np.arange(0.0, 3600.0, 10.0), length=3600)
    assert model(hour, until="66min").run(seed=1).warnings() == []
    assert [text.split(":")[0] for text in model(hour, until="67min").run(seed=1).warnings()] == ["arrivals end"]
    # of the 10 min that are counted 6 min are empty
    (text,) = model(hour, until="66min", warm_up="56min").run(seed=1).warnings()
    assert "that is 60 % of what is counted" in text
    # where others go on, nothing has ended
    assert model(hour, Poisson(1.0), until="2h").run(seed=1).warnings() == []
    steps = TimeVarying(StepRate([0, 600, 1200], [1.0, 0.0]), 1.0)
    (text,) = model(steps, until="1h").run(seed=1).warnings()
    assert "none can come after 10 min, and the run goes on to 1 h" in text
    assert text.endswith("End the run there.")


def test_until_the_last_jobs_are_flushed_and_served_a_run_is_not_empty():
    hour = Trace(np.arange(0.0, 3600.0, 10.0), length=3600)
    slow = [PushWorkers(360, service=600.0)]
    # by hand: 75 min after an hour; the last of the jobs are finished 10 min after it, and 5 of 75 min are empty
    assert model(hour, until="75min", workers=slow).run(seed=1).warnings() == []
    assert len(model(hour, until="75min").run(seed=1).warnings()) == 1


def test_a_stretch_that_is_not_longer_than_one_between_jobs_is_nothing_unusual():
    assert model(Trace([1.0, 5.0, 6.0]), until=10.0).run(seed=1).warnings() == []
    assert model(Deterministic(10.0), until=25.0).run(seed=1).warnings() == []
    assert len(model(Deterministic(10.0, 20.0), until=45.0).run(seed=1).warnings()) == 1


@pytest.mark.parametrize(("engine", "record"), ALL_LEVELS)
def test_times_of_a_clock_that_begin_after_the_end_are_no_run_without_jobs_in_silence(engine, record):
    epoch = Trace.read(CASES / "04-epoch-seconds.csv", time="timestamp")
    result = model(epoch, until="1h").run(seed=1, engine=engine, record=record)
    assert result.warnings() == [
        "no jobs: the first job of producer 'p0' comes at 1760000000 s, and the run ends at 1 h (where its times count "
        "from another moment, as those of a clock do, read it with origin='first')."
    ]
    first = Trace.read(CASES / "04-epoch-seconds.csv", time="timestamp", origin="first")
    whole = model(first).run(seed=1, engine=engine, record=record)
    assert (whole.metric("arrivals_jobs"), whole.warnings()) == (4, [])


def test_whoever_makes_no_job_is_named_with_the_reason():
    late = Trace([100.0])
    (text,) = model(Trace([1.0, 6.0]), late, until=10.0).run(seed=1).warnings()
    assert text.startswith("no jobs: the first job of producer 'p1' comes at 100 s, and the run ends at 10 s")
    (text,) = model(Poisson(1e-9), Deterministic(20.0), until=10.0).run(seed=1).warnings()
    assert text == (
        "no jobs: producer 'p0' made none by chance, 1e-08 were to be expected in 10 s; the first job of producer 'p1' "
        "comes at 20 s, and the run ends at 10 s."
    )
    (text,) = model(TimeVarying(StepRate([0, 5], [0.0]), 1.0), until=10.0).run(seed=1).warnings()
    assert text == "no jobs: the first job of producer 'p0' never comes, and the run ends at 10 s."


def test_arrivals_that_begin_late_are_named_with_the_way_out():
    late = Trace(np.arange(5000.0, 5100.0))
    (text,) = model(late, until=5100.0).run(seed=1).warnings()
    assert text.startswith("arrivals begin late: none can come before 5,000 s, which is 98 % of what is counted")
    assert text.endswith("read it with origin='first'.")
    assert model(late, until=5100.0, warm_up=5000.0).run(seed=1).warnings() == []


def test_copies_that_may_lie_farther_back_than_the_recording_is_long_are_warned_of():
    def warned(shift, factor):
        log = Producer("log", Trace([float(second) for second in range(1, 60)], shift=shift, length="1min"))
        simulation = Simulation(producers=[log], buffers=[JobBuffer("b", policy=FlushEvery(5.0))])
        return [text for text in simulation.scaled(arrivals=factor).run(seed=1).warnings() if "copies" in text]

    (text,) = warned("2min", 2)
    said = "copies crowd: shift=2 min of producer 'log' is longer than its recording of 1 min, so that copies crowd"
    assert text == f"{said} at its start. Give a shorter shift."
    assert warned("59s", 2) == warned("2min", 1) == warned(None, 2) == []
    assert "which is longer than the recording of 1 min" in Trace([1.0], shift="2min", length="1min").scaling
    assert "longer than the recording" not in Trace([1.0], shift="10s", length="1min").scaling


def test_a_recording_whose_jobs_are_all_at_0_ends_at_0():
    log = Producer("log", Trace([0.0, 0.0]))
    (text,) = timed(log, FlushAtSize(1), until=5.0).run(seed=1).warnings()
    assert text.startswith("arrivals end: none can come after 0 s, and the run goes on to 5 s: that is 100 %")


@pytest.mark.parametrize("record", ["all", "flushes", "summary"])
def test_a_storage_of_the_simulation_that_no_buffer_uses_is_named(record):
    def warned(shared, *own):
        buffers = [JobBuffer(f"b{i}", policy=FlushEvery(1.0), storage=storage) for i, storage in enumerate(own)]
        model = Simulation(producers=[Producer("p", Poisson(9.0))], buffers=buffers, until=9.0, storage=shared)
        return model.run(seed=1, record=record).warnings()

    durable, volatile = Storage(durable=True), Storage()
    (text,) = warned(durable, volatile, volatile)
    assert text == (
        "unused storage: Storage(durable=True) of the simulation holds no jobs, since each buffer has a storage of its "
        "own. Leave it out, or leave out those of the buffers that shall lie in it."
    )
    # negative controls: one buffer lies in it, and the one that nobody has given
    assert warned(durable, volatile, None) == warned(volatile, durable, durable) == []


@pytest.mark.parametrize("record", ["all", "flushes", "summary"])
@pytest.mark.parametrize("kind", [DrainAtMost, DrainUntil])
def test_jobs_that_are_known_to_be_larger_than_a_batch_are_named(kind, record):
    def warned(drain, **options):
        buffer = JobBuffer("b", policy=FlushEvery(1.0), drain=drain, collect=CollectQueues("a"))
        options = {"arrivals": Deterministic(1.0), "queue": "a"} | options
        model = Simulation(producers=[Producer("p", **options)], buffers=[buffer], until=4.0)
        return model.run(seed=1, record=record).warnings()

    (text,) = warned(kind(nbytes="1 kB"), nbytes="2 kB")
    assert text == (
        "larger than a batch: jobs of producer 'p' have up to 2,000 bytes, more than the 1,000 bytes that a flush "
        "of buffer 'b' takes: it takes such a job all the same, and its batch is above the limit. Raise it, or split "
        "such jobs."
    )
    log = Trace([0.5, 1.5, 2.5, 3.5], nbytes=[10, 3000, 20, 9000], queues=["a", "a", "b", "b"])
    (text,) = warned(kind(nbytes="1 kB"), arrivals=log, queue=None)
    assert "have up to 3,000 bytes, more" in text
    (text,) = warned(kind(nbytes=1_000_000), nbytes=Constant(1_000_001))
    assert "have up to 1,000,001 bytes, more than the 1,000,000 bytes" in text
    # negative controls: a job that just fits, no limit in bytes, and jobs that the buffer does not collect
    assert warned(kind(nbytes="1 kB"), nbytes="1 kB") == warned(kind(5), nbytes="1 MB") == []
    others = Trace([0.5, 1.5, 2.5, 3.5], nbytes=[10, 1000, 20, 9000], queues=["a", "a", "b", "b"])
    assert warned(kind(nbytes="1 kB"), arrivals=others, queue=None) == []
