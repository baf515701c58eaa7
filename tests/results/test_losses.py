from __future__ import annotations

import pytest
from bufsim_tests.generated import SEED, simulations
from bufsim_tests.models import producer, simulate, timed
from hypothesis import given, settings

from bufsim import (
    Capacity,
    CollectQueues,
    FlushAfterAge,
    FlushAt,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    NeverFlush,
    PushWorkers,
    Result,
    Stops,
    Storage,
)
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.results.losses import REASONS, can_lose, lost_share, possible_causes
from bufsim.studies.study import Study
from bufsim.vendure import InMemoryJobBufferStorageStrategy

SURVIVORS = "waits are those of the survivors, the jobs that flushes took"
TEN = [float(second) for second in range(1, 11)]
FULL = {"policy": FlushAt([11.0]), "capacity": Capacity(jobs=3)}


def lost(result: Result) -> list[str]:
    return [sentence for sentence in result.warnings() if sentence.startswith("lost: ")]


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize("record", ["all", "flushes", "summary"])
def test_of_ten_jobs_a_buffer_for_three_loses_seven_and_says_so_at_every_record_level(engine, record):
    result = timed(TEN, **FULL).run(1, engine=engine, record=record)
    assert result.warnings() == [
        f"lost: 7 jobs, 70 % of those that came to buffers: all because the buffer was full; {SURVIVORS}"
    ]
    assert result.metric("lost_share") == 0.7
    assert lost_share([result.tally]) == 0.7


def test_it_stands_where_a_result_is_looked_at_and_in_a_file(tmp_path):
    pytest.importorskip("pyarrow")
    result = simulate(TEN, **FULL)
    again = Result.load(result.save(tmp_path / "run.zip"))
    for shown in (repr(result), result._repr_html_().replace("&#x27;", "'"), repr(again)):
        assert result.warnings()[0] in shown
        assert "7 lost" in shown


def test_what_is_lost_otherwise_is_said_with_its_cause():
    slow = {"policy": FlushEvery(5.0), "flush_time": 2.0}
    # the flush of 10 s has 5 jobs in flight at the stop of 11 s; those of 11.5 and 12 s find the server down
    stopped = simulate([*TEN[5:], 11.5, 12.0], stops=Stops(at=[11.0], downtime=3.0), **slow)
    assert lost(stopped) == [
        "lost: 7 jobs, 100 % of those that came to buffers: 5 in flight at a stop, 2 because they arrived while the "
        f"server was down; {SURVIVORS}"
    ]
    volatile = simulate([1.0, 2.0, 9.0], policy=NeverFlush(), stops=Stops(at=[5.0]))
    assert lost(volatile)[0].startswith(
        "lost: 2 jobs, 66.7 % of those that came to buffers: all from a volatile buffer"
    )
    racing = simulate([4.0, 5.2, 9.0], policy=FlushEvery(5.0), storage=Storage(read_delete_window=0.5))
    assert "all because they arrived between a flush's read and its delete" in lost(racing)[0]
    queued = {"policy": FlushAtSize(1), "workers": [PushWorkers(1, service=9.0)], "durable_queue": False}
    assert "3 jobs, 100 %" in lost(simulate([1.0, 2.0, 3.0], stops=Stops(at=[5.0]), **queued))[0]
    assert "all from a volatile queue at a stop" in lost(simulate([1.0, 2.0, 3.0], stops=Stops(at=[5.0]), **queued))[0]


def test_of_several_buffers_each_is_named_and_so_is_what_no_buffer_collects():
    queues = ["a", "a", "a", "b", "b", "c"]
    buffers = [
        JobBuffer("first", policy=FlushAt([11.0]), collect=CollectQueues("a"), capacity=Capacity(jobs=1)),
        JobBuffer("second", policy=FlushAt([11.0]), collect=CollectQueues("b")),
    ]
    jobs, stops = producer(TEN[:6], queues=queues), Stops(at=[8.0])
    result = simulate(jobs, *buffers, stops=stops, durable_queue=False, workers=[PushWorkers(1, service=9.0)])
    # first: 2 of 3 find it full, 1 is there at the stop; second: 2 at the stop; the job of queue c is in service
    assert lost(result) == [
        "lost: 6 jobs, 100 % of those that came to buffers: 2 of buffer 'first' because the buffer was full, 1 of "
        "buffer 'first' and 2 of buffer 'second' from a volatile buffer at a stop, 1 that no buffer collects from a "
        "volatile queue at a stop"
    ]


def test_where_nothing_is_lost_nothing_is_said():
    assert simulate(TEN, policy=FlushAt([11.0]), capacity=Capacity(jobs=10)).warnings() == []
    assert simulate(TEN, policy=FlushAt([11.0])).warnings() == []


def test_what_is_lost_in_the_warm_up_does_not_count():
    assert lost(simulate(TEN, warm_up=10.5, **FULL)) == []


def test_jobs_that_fail_for_good_are_told():
    failing = PushWorkers(1, service=1.0, failure=1.0, retries=1)
    result = simulate([1.0, 5.0], policy=FlushAfterAge(0.0), workers=[failing])
    assert result.warnings() == [
        "failed: 100 % of the jobs that queue 'default' finished failed for good, 2 jobs: no attempt was left"
    ]
    assert simulate([1.0, 5.0], policy=FlushAfterAge(0.0), workers=[PushWorkers(1, service=1.0)]).warnings() == []


class Keeping(InMemoryJobBufferStorageStrategy):
    """A strategy of the user's own."""


@pytest.mark.parametrize(
    ("options", "causes"),
    [
        ({}, ()),
        ({"flush_time": 1.0}, ()),
        ({"storage": Storage(durable=True), "durable_queue": False}, ()),
        ({"capacity": Capacity(nbytes=100)}, ("capacity",)),
        ({"stops": Stops(at=[5.0])}, ("buffer", "in_flight")),
        ({"stops": Stops(at=[5.0]), "storage": Storage(durable=True)}, ("in_flight",)),
        (
            {"stops": Stops(mean_time_between=5.0, downtime=1.0), "durable_queue": False},
            ("buffer", "in_flight", "queue", "down"),
        ),
        ({"storage": Storage(read_delete_window=0.1)}, ("race",)),
        ({"storage": Storage(strategy=Keeping)}, ("storage",)),
    ],
)
def test_what_a_model_can_lose_follows_from_its_declaration(options, causes):
    model = timed(**options)
    assert possible_causes(model, model.buffers[0]) == causes
    assert can_lose(model) is bool(causes)


def test_what_each_buffer_can_lose_follows_from_its_own_storage_and_the_queues_that_its_jobs_reach():
    buffers = [
        JobBuffer("a", policy=NeverFlush(), collect="x", storage=Storage(durable=True, read_delete_window=0.1)),
        JobBuffer("b", policy=NeverFlush(), collect="y"),
        JobBuffer("c", policy=NeverFlush(), storage=Storage(durable=True, strategy=Keeping)),
    ]
    jobs = producer([1.0, 2.0], queues=["x", "y"])
    model = timed(jobs, *buffers, stops=Stops(at=[5.0]), durable_queue="x")
    assert [possible_causes(model, buffer) for buffer in buffers] == [
        ("in_flight", "race"),
        ("buffer", "in_flight", "queue"),
        ("in_flight", "queue", "storage"),
    ]
    assert possible_causes(model) == ("buffer", "in_flight", "queue", "race", "storage")
    calm = timed(jobs, *buffers[:1], storage=Storage(read_delete_window=0.1))
    assert can_lose(calm)
    assert not can_lose(timed(jobs, JobBuffer("b", policy=NeverFlush(), storage=Storage()), storage=calm.storage))


def test_a_reduce_of_the_users_own_may_bring_jobs_to_a_volatile_queue():
    own = JobBuffer("own", policy=NeverFlush(), reduce=list)
    model = timed([1.0], own, stops=Stops(at=[5.0]), durable_queue=["default"])
    assert "queue" in possible_causes(model, own)


@settings(max_examples=60)
@given(simulations())
def test_nothing_is_lost_for_a_cause_that_the_declaration_rules_out_and_each_that_was_is_named(simulation):
    result = simulation.run(SEED)
    (sentence,) = lost(result) or [""]
    found = result.jobs.loss_cause[result.jobs.lost_at >= simulation.warm_up].dropna().unique()
    # of all together also what no buffer collects
    holders = (*simulation.buffers, None)
    possible = {cause for holder in holders for cause in possible_causes(simulation, holder)}
    assert set(found) <= possible
    assert {cause for cause, reason in REASONS.items() if reason in sentence} == set(found)


def test_every_cause_has_its_reason():
    assert tuple(REASONS) == LOSS_CAUSES


def test_a_study_shows_the_loss_where_any_of_its_scenarios_can_lose_jobs():
    study = Study({"small": timed(TEN, **FULL), "large": timed(TEN, policy=FlushAt([11.0]))}, seed=1)
    result = study.run(2, progress=False)
    assert result.shown[-1] == "lost_share"
    assert result.intervals().query("metric == 'lost_share'")["estimate"].tolist() == [0.7, 0.0]
    sentence = "lost: small: 7 jobs a run, 70 % of those that came to buffers: all because the buffer was full"
    assert result.warnings()[0] == f"{sentence}; {SURVIVORS}"
    for shown in (repr(result), result._repr_html_()):
        assert "lost_share" in shown
        assert f"{sentence}; {SURVIVORS}" in shown
    without = Study({"large": timed(TEN, policy=FlushAt([11.0]))}, seed=1).run(2, progress=False)
    assert "lost" not in repr(without)
    assert "lost_share" not in without.shown


def test_many_scenarios_that_lose_jobs_are_counted():
    scenarios = {f"for {n}": timed(TEN, policy=FlushAt([11.0]), capacity=Capacity(jobs=n)) for n in range(1, 9)}
    shown = repr(Study(scenarios, seed=1).run(2, progress=False))
    assert shown.endswith(f"lost: 8 of 8 scenarios lose jobs, see lost_share and .warnings(); {SURVIVORS}")
