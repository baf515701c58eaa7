from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bufsim_tests.generated import SEED, simulations
from bufsim_tests.models import producer, rows, simulate, timed
from hypothesis import given, settings

from bufsim import (
    BufsimError,
    Capacity,
    FlushAfterAge,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushWhenIdle,
    JobBuffer,
    KeepAll,
    Merge,
    NeverFlush,
    PushWorkers,
    Stops,
    Storage,
    UniqueByKey,
)
from bufsim.engines.recording import Recording
from bufsim.engines.simpy_engine import Model
from bufsim.engines.workload import Workload
from bufsim.results.records import SCHEMAS, Copies, Tables, check_conservation, schema


def record_of(simulation, seed=1) -> Recording:
    workload = Workload(simulation.producers, seed=seed, until=simulation.until)
    return Model(simulation, workload, lambda record: record).run()


def test_a_run_by_hand_gives_these_tables():
    result = simulate(
        producer([1.0, 2.0, 4.0], keys=["a", "a", "b"], nbytes=[10, 20, 30]),
        reduce=UniqueByKey(),
        flush_time=0.5,
        workers=[PushWorkers(1, service=3.0)],
        until=10.0,
    )
    assert rows(result.jobs, "job_id", "copy", "producer", "queue", "buffer", "key", "nbytes", "created_at") == [
        (0, 0, "p", "default", "b", "a", 10, 1.0),
        (1, 0, "p", "default", "b", "a", 20, 2.0),
        (2, 0, "p", "default", "b", "b", 30, 4.0),
    ]
    assert rows(
        result.jobs, "flush_id", "flushed_at", "work_id", "finished_at", "outcome", "lost_at", "loss_cause"
    ) == [
        (0, 2.0, 0, 5.5, "flushed", None, None),
        (0, 2.0, 0, 5.5, "flushed", None, None),
        (None, None, None, None, "buffered", None, None),
    ]
    assert rows(result.flushes, *result.flushes.columns) == [("b", 2.0, 2.5, "FlushAtSize(2)", 2, 1, 30, 1.0, 0.5)]
    assert rows(result.buffer_size, *result.buffer_size.columns) == [
        (0.0, "b", 0, 0),
        (1.0, "b", 1, 10),
        (2.0, "b", 2, 30),
        (2.0, "b", 0, 0),
        (4.0, "b", 1, 30),
    ]
    assert rows(result.work, *result.work.columns) == [(0, "default", 2.5, 2.5, 5.5, 3.0, 1, 1, "completed")]


def test_a_job_has_a_row_for_each_buffer_that_collects_it_and_one_without_a_buffer_if_none_does():
    result = simulate(
        producer([1.0, 2.0], queues=["x", "y"]),
        *(JobBuffer(name, policy=NeverFlush(), collect="x") for name in ("a", "b", "c")),
    )
    assert rows(result.jobs, "job_id", "copy", "buffer", "outcome") == [
        (0, 0, "a", "buffered"),
        (0, 1, "b", "buffered"),
        (0, 2, "c", "buffered"),
        (1, 0, None, "bypassed"),
    ]
    assert rows(result.work, "flush_id", "queue", "queued_at") == [(None, "y", 2.0)]


def test_a_flush_that_has_not_ended_leaves_its_jobs_in_flight():
    result = simulate([1.0, 2.0], flush_time=50.0)
    assert rows(result.jobs, "flush_id", "outcome", "finished_at") == [(0, "in_flight", None), (0, "in_flight", None)]
    assert rows(result.flushes, "end", "reduced_size") == [(None, None)]


def test_a_custom_reduce_links_the_jobs_that_it_keeps_and_the_others_finish_with_the_last():
    service = [1.0, 5.0]
    result = simulate(
        [1.0, 2.0, 3.0],
        policy=FlushAtSize(3),
        reduce=lambda jobs: [jobs[2], jobs[0]],
        workers=[PushWorkers(2, service=service)],
    )
    assert rows(result.jobs, "work_id", "finished_at") == [(1, 8.0), (None, 8.0), (0, 4.0)]


def test_jobs_whose_reduce_hands_over_nothing_have_no_finish():
    result = simulate([1.0, 2.0], reduce=lambda jobs: [], workers=[PushWorkers(1, service=1.0)])
    assert rows(result.jobs, "work_id", "finished_at", "outcome") == [(None, None, "flushed")] * 2
    assert len(result.work) == 0


def test_jobs_without_a_known_work_are_unfinished_while_one_of_their_flush_is():
    result = simulate(
        [1.0, 2.0],
        reduce=lambda jobs: [type(jobs[0])(queue_name="default", data=None, id=str(i)) for i in range(2)],
        workers=[PushWorkers(2, service=[1.0, 100.0])],
    )
    assert rows(result.jobs, "work_id", "finished_at") == [(None, None)] * 2


def test_a_volatile_queue_loses_the_jobs_that_its_works_carry():
    result = simulate(
        [1.0, 2.0, 3.0, 4.0],
        reduce=Merge(),
        workers=[PushWorkers(1, service=1.5)],
        durable_queue=False,
        stops=Stops(at=[4.5]),
    )
    # the first batch was finished at 3.5, the second was in service
    assert rows(result.jobs, "work_id", "finished_at", "outcome", "lost_at", "loss_cause") == [
        (0, 3.5, "flushed", None, None),
        (0, 3.5, "flushed", None, None),
        (1, None, "lost", 4.5, "queue"),
        (1, None, "lost", 4.5, "queue"),
    ]
    assert rows(result.work, "outcome", "busy_time", "attempts") == [("completed", 1.5, 1), ("lost", 0.0, 1)]


def test_a_job_without_a_known_work_is_lost_with_any_work_of_its_flush():
    result = simulate(
        [1.0, 2.0],
        reduce=lambda jobs: [type(jobs[0])(queue_name="default", data=None, id=str(i)) for i in range(2)],
        workers=[PushWorkers(2, service=[1.0, 100.0])],
        durable_queue=False,
        stops=Stops(at=[10.0]),
    )
    assert rows(result.jobs, "outcome", "lost_at", "loss_cause", "finished_at") == [("lost", 10.0, "queue", None)] * 2


def test_every_other_loss_names_its_time_and_cause():
    def losses(result):
        return rows(result.jobs, "outcome", "lost_at", "loss_cause")

    kept = ("buffered", None, None)
    assert losses(simulate([1.0, 2.0], policy=NeverFlush(), capacity=Capacity(1))) == [kept, ("lost", 2.0, "capacity")]
    oldest = Capacity(1, on_full="drop_oldest")
    assert losses(simulate([1.0, 2.0], policy=NeverFlush(), capacity=oldest)) == [("lost", 2.0, "capacity"), kept]
    stops = Stops(at=[3.0], downtime=2.0)
    assert losses(simulate([1.0, 4.0], stops=stops)) == [("lost", 3.0, "buffer"), ("lost", 4.0, "down")]
    assert losses(simulate([1.0, 2.0], flush_time=5.0, stops=stops)) == [("lost", 3.0, "in_flight")] * 2
    storage = Storage(durable=True, read_delete_window=1.0)
    assert losses(simulate([1.0, 2.0, 2.5], storage=storage))[2] == ("lost", 2.5, "race")


SIZE, AGE = FlushAtSize(3), FlushAfterAge(2.5)
SPELLINGS = {
    "never": SIZE | AGE | NeverFlush(),
    "never first": NeverFlush() | SIZE | AGE,
    "twice": SIZE | AGE | SIZE,
    "a size of one": (SIZE & FlushAtSize(1)) | AGE,
    "absorbed": SIZE | AGE | (AGE & FlushAtBytes(10**9)),
    "turned": AGE | SIZE,
    "a rule that never comes": SIZE | AGE | FlushAtSize(10**6),
}
TIMES = [0.1, 0.2, 0.3, 4.0, 9.0, 9.1, 9.2, 15.0]


@pytest.mark.parametrize("policy", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_tables_with_the_same_values_compare_equal_however_the_policy_is_spelled(policy, engine):
    plain = timed(TIMES, policy=SIZE | AGE).run(seed=1)
    other = timed(TIMES, policy=policy)
    tables = other.run(seed=1, engine=engine)
    assert plain.flushes.cause.tolist() == [repr(SIZE), repr(AGE), repr(SIZE), repr(AGE)]
    for name in SCHEMAS:
        assert getattr(plain, name).equals(getattr(tables, name)), name
    kept = other.run(seed=1, engine=engine, record="flushes").flushes
    assert plain.flushes.equals(kept)
    pd.testing.assert_frame_equal(plain.flushes, kept)
    assert plain.tally.buffers == tables.tally.buffers
    # the negative control: another cause is another table
    assert not plain.flushes.equals(timed(TIMES, policy=SIZE | FlushWhenIdle(2.5)).run(seed=1).flushes)


def test_the_categories_of_causes_are_those_that_occur():
    causes = simulate(TIMES, policy=FlushAfterAge(2.5) | FlushAtSize(100) | NeverFlush()).flushes["cause"]
    assert list(causes.cat.categories) == [repr(AGE)]
    assert list(simulate([1.0], policy=NeverFlush()).flushes["cause"].cat.categories) == []


def test_attempts_are_those_that_have_started():
    result = simulate(
        [1.0, 2.0],
        policy=FlushAtSize(1),
        workers=[PushWorkers(2, service=[0.5, 9.0], failure=1.0, retries=2, backoff="1s")],
        until=14.0,
    )
    assert rows(result.attempts, *result.attempts) == [
        (0, 1, 1.0, 1.5, "failed"),
        (0, 2, 2.5, 3.0, "failed"),
        (0, 3, 4.0, 4.5, "failed"),
        (1, 1, 2.0, 11.0, "failed"),
        (1, 2, 12.0, None, "running"),
    ]
    assert list(simulate([1.0], policy=NeverFlush()).attempts.columns) == [
        column.name for column in SCHEMAS["attempts"]
    ]


def test_busy_time_is_the_sum_of_the_finished_attempts_in_order():
    result = simulate(
        [1.0, 2.0],
        policy=FlushAtSize(1),
        workers=[PushWorkers(2, service=[0.1, 9.0], failure=1.0, retries=2, per_item=0.2, backoff="1s")],
        until=14.0,
    )
    # the first ends its three attempts; the second is in its second attempt at the end
    assert rows(result.work, "busy_time", "attempts", "outcome") == [
        ((0.1 + 0.2) + (0.1 + 0.2) + (0.1 + 0.2), 3, "failed"),
        (9.0 + 0.2, 2, "running"),
    ]


def test_tables_share_memory_with_the_recording():
    simulation = timed([1.0, 2.0, 3.0], reduce=KeepAll())
    record = record_of(simulation)
    tables = Tables(record, lambda queue, attempt, n: (np.zeros(n), 0.0))
    assert np.shares_memory(tables.jobs["created_at"].to_numpy(), record.job_time)
    assert np.shares_memory(tables.flushes["start"].to_numpy(), record.flush_start)
    assert np.shares_memory(tables.work["queued_at"].to_numpy(), record.work_queued_at)


def test_columns_that_are_the_same_in_all_rows_take_the_space_of_one():
    tables = Tables(record_of(timed([1.0, 2.0, 3.0])), lambda queue, attempt, n: (np.zeros(n), 0.0))
    assert tables.jobs["finished_at"].to_numpy().strides == (0,)
    assert tables.jobs["copy"].to_numpy().strides == (0,)


@settings(max_examples=40)
@given(simulation=simulations())
def test_tables_agree_with_one_another(simulation):
    result = simulation.run(seed=SEED)
    jobs, flushes, sizes = result.jobs, result.flushes, result.buffer_size
    by_flush = jobs[jobs.flush_id.notna()].groupby("flush_id")
    assert by_flush.size().tolist() == flushes.batch_size[flushes.batch_size > 0].tolist()
    assert by_flush.nbytes.sum().tolist() == flushes.nbytes[flushes.batch_size > 0].tolist()
    ages = jobs.flushed_at - jobs.created_at
    assert ages.groupby(jobs.flush_id).max().tolist() == flushes.oldest_age.tolist()
    assert ages.groupby(jobs.flush_id).mean().tolist() == pytest.approx(flushes.mean_age.tolist())
    left = jobs[jobs.outcome == "buffered"].groupby("buffer", observed=False).size()
    assert sizes.groupby("buffer", observed=False)["size"].last().tolist() == left.tolist()


@settings(max_examples=40)
@given(simulation=simulations())
def test_every_row_has_one_outcome_that_its_other_columns_bear_out(simulation):
    jobs, flushes = (result := simulation.run(seed=SEED)).jobs, result.flushes
    ended = jobs.flush_id.map(flushes.end).notna()
    lost = jobs.lost_at.notna()
    outcome = pd.Series("buffered", jobs.index)
    outcome[jobs.flush_id.notna() & ended] = "flushed"
    outcome[jobs.flush_id.notna() & ~ended] = "in_flight"
    outcome[jobs.buffer.isna()] = "bypassed"
    outcome[lost] = "lost"
    assert jobs.outcome.tolist() == outcome.tolist()
    assert (jobs.loss_cause.notna() == lost).all()
    assert (jobs["copy"] == jobs.groupby("job_id").cumcount()).all()


def test_mean_ages_do_not_depend_on_how_many_flushes_are_summed_at_once(monkeypatch):
    simulation = timed(np.linspace(0.1, 19.0, 700).tolist(), policy=FlushEvery(0.7))
    whole = Tables(record_of(simulation), None).flushes
    monkeypatch.setattr("bufsim.results.records.BLOCK", 50)
    assert Tables(record_of(simulation), None).flushes.equals(whole)


def test_a_size_that_is_not_the_jobs_left_is_found():
    record = record_of(timed([1.0]))
    with pytest.raises(BufsimError, match="buffer 'b' ends with size 2, but 1 jobs are left in it: a bug in bufsim"):
        check_conservation(Copies(replace(record, size_jobs=np.array([2]))))


@pytest.mark.parametrize("jobs", [[2, 1], [1, 2], [2, 3], [4, 0]])
def test_a_batch_size_that_is_not_the_jobs_taken_is_found(jobs):
    record = record_of(timed([1.0, 2.0, 3.0, 4.0]))
    check_conservation(Copies(record))
    with pytest.raises(BufsimError, match="the batch sizes are not the numbers of jobs that the flushes took"):
        check_conservation(Copies(replace(record, flush_jobs=np.array(jobs))))


RUNS = {
    "plain": lambda: simulate([1.0, 2.0, 3.0]),
    "with keys, bytes and workers": lambda: simulate(
        producer([1.0, 2.0, 3.0], keys=["a", None, "a"], nbytes=[1, 2, 3]),
        reduce=Merge(),
        workers=[PushWorkers(1, service=1.0)],
    ),
    "with two buffers, losses and jobs that pass by": lambda: simulate(
        producer([1.0, 2.0, 3.0, 7.0], queues=["x", "x", "y", "x"]),
        *(JobBuffer(name, policy=FlushEvery(2.0), collect="x") for name in ("a", "b")),
        stops=Stops(at=[6.5], downtime=1.0),
        durable_queue=False,
    ),
    "with a reduce of one's own": lambda: simulate([1.0, 2.0], reduce=lambda jobs: jobs[:1]),
    "without jobs": lambda: simulate([30.0]),
    "without flushes": lambda: simulate([1.0], policy=FlushAtSize(5)),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("table", SCHEMAS)
def test_the_tables_have_the_columns_and_dtypes_of_their_schema(table, name):
    frame: pd.DataFrame = getattr(RUNS[name](), table)
    assert frame.columns.tolist() == [column.name for column in SCHEMAS[table]]
    assert [str(dtype) for dtype in frame.dtypes] == [column.dtype for column in SCHEMAS[table]]


def test_the_schema_can_be_had_as_a_table():
    table = schema()
    assert table.columns.tolist() == ["table", "column", "dtype", "unit", "meaning"]
    assert len(table) == sum(map(len, SCHEMAS.values()))
    assert table["meaning"].str.len().gt(0).all()


def test_every_duration_and_time_has_its_unit():
    table = schema().set_index(["table", "column"])
    assert set(table.unit[table.dtype == "float64"]) == {"s"}
    assert table.unit["jobs", "nbytes"] == "bytes"
