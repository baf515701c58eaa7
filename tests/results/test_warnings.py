from __future__ import annotations

from bufsim_tests.models import simulate

from bufsim import (
    FlushAfterAge,
    FlushAt,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    Merge,
    NeverFlush,
    PollingWorkers,
    PushWorkers,
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
