from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from bufsim_tests.generated import SEED, simulations
from bufsim_tests.models import producer, rows, simulate, timed
from hypothesis import given, settings

import bufsim
from bufsim import BufsimError, FlushAtSize, FlushEvery, InvalidValueError, JobBuffer, PushWorkers, Result
from bufsim.engines.simpy_engine import Model
from bufsim.engines.workload import Workload
from bufsim.results.metrics import METRICS
from bufsim.results.records import SCHEMAS, Tables

TABLES = tuple(SCHEMAS)


def at_level(simulation, recorded, seed=1) -> Result:
    workload = Workload(simulation.producers, seed=seed, until=simulation.until)
    return Model(
        simulation, workload, lambda record: Result.of(simulation, workload, "simpy", record, recorded=recorded)
    ).run()


def test_a_result_says_what_made_it():
    simulation = timed()
    result = simulation.run(seed=5, replication=3)
    assert result.simulation is simulation
    assert (result.seed, result.replication, result.engine, result.recorded) == (5, 3, "simpy", "all")
    assert list(result.versions) == ["bufsim", "python", "numpy", "pandas", "simpy"]
    assert result.versions["bufsim"] == bufsim.__version__
    assert (result.window.start, result.window.end) == (0.0, 20.0)


def test_a_result_cannot_be_changed():
    result = simulate()
    with pytest.raises(AttributeError):
        result.seed = 2  # type: ignore[misc]


def test_changing_a_table_changes_no_result():
    result = simulate([1.0, 2.0])
    table = result.jobs
    table["wait"] = 0.0
    table.loc[0, "created_at"] = 99.0
    table.loc[0, "nbytes"] = 99
    assert "wait" not in result.jobs
    assert result.jobs.created_at.tolist() == [1.0, 2.0]
    assert result.flushes.oldest_age.tolist() == [1.0]
    assert result.jobs.nbytes.tolist() == [0, 0]


def test_tables_are_made_when_they_are_asked_for(monkeypatch):
    def refuse(tables):
        raise AssertionError("made")

    monkeypatch.setattr(Tables, "flushes", property(refuse))
    result = simulate([1.0, 2.0])
    assert len(result.jobs) == 2
    with pytest.raises(AssertionError, match="made"):
        result.flushes  # noqa: B018  # the access makes it


@pytest.mark.parametrize(("recorded", "there"), [("all", TABLES), ("flushes", ("flushes",)), ("summary", ())])
def test_a_record_level_keeps_its_tables_and_always_the_tally(recorded, there):
    simulation = timed([1.0, 2.0, 3.0], workers=[PushWorkers(1, service=1.0)])
    whole, part = simulation.run(seed=1), at_level(simulation, recorded)
    assert part.recorded == recorded
    assert part.tally == whole.tally
    assert part.warnings() == whole.warnings()
    for name in TABLES:
        if name in there:
            pd.testing.assert_frame_equal(getattr(part, name), getattr(whole, name), check_exact=True)
        else:
            message = rf"{name} was left out at the record level '{recorded}'; run again with record='all'"
            with pytest.raises(BufsimError, match=message):
                getattr(part, name)


def test_an_unknown_record_level_is_refused():
    with pytest.raises(InvalidValueError, match="recorded must be one of 'all', 'flushes', 'summary', got 'flush'"):
        at_level(timed(), "flush")


def test_a_result_can_be_made_of_a_tally_alone_or_with_flushes():
    whole = simulate([1.0, 2.0])
    alone = Result.from_tally(whole.simulation, 1, 0, "compiled", whole.tally)
    with_flushes = Result.from_tally(whole.simulation, 1, 0, "compiled", whole.tally, flushes=whole.flushes)
    assert (alone.recorded, with_flushes.recorded) == ("summary", "flushes")
    assert "numba" in alone.versions
    assert alone.metric("mean_wait_s") == whole.metric("mean_wait_s")
    assert with_flushes.flushes.equals(whole.flushes)


@settings(max_examples=30)
@given(simulation=simulations())
def test_quantiles_of_times_are_exact_from_tables_and_near_from_the_tally(simulation):
    result = simulation.run(seed=SEED)
    jobs, work = result.jobs, result.work
    samples = {
        "wait_s": jobs.flushed_at - jobs.created_at,
        "end_to_end_s": jobs.finished_at - jobs.created_at,
        "queue_wait_s": work.started_at - work.queued_at,
    }
    for name, values in samples.items():
        for q in (0.5, 0.95, 0.99):
            exact = inverse(values, q)
            found = result.metric(f"p{100 * q:g}_{name}")
            assert found == pytest.approx(exact, nan_ok=True, abs=0.0, rel=0.0)
            near = METRICS[f"p{100 * q:g}_{name}"](result.tally)
            assert near == pytest.approx(exact, nan_ok=True, rel=1 / 1024)


def inverse(values: pd.Series, q: float) -> float:
    known = values.dropna()
    return float(np.quantile(known, q, method="inverted_cdf")) if len(known) else float("nan")


def test_quantiles_of_one_buffer_are_those_of_its_rows():
    result = simulate(
        producer([1.0, 2.0, 3.0, 4.0], queues=["x", "y", "x", "y"]),
        JobBuffer("a", policy=FlushEvery(8.0), collect="x"),
        JobBuffer("b", policy=FlushEvery(9.0), collect="y"),
    )
    assert [result.metric("p50_wait_s", of) for of in ("a", "b", None)] == [5.0, 5.0, 5.0]
    assert [result.metric("p99_wait_s", of) for of in ("a", "b", None)] == [7.0, 7.0, 7.0]
    assert [result.metric("p25_wait_s", of) for of in ("a", "b", None)] == [5.0, 5.0, 5.0]


def test_the_summary_is_tidy_and_holds_every_metric_of_every_buffer_and_queue():
    result = simulate([1.0, 2.0], workers=[PushWorkers(1, service=1.0)])
    summary = result.summary()
    assert summary.columns.tolist() == ["scope", "name", "metric", "value", "unit"]
    assert summary.metric.tolist() == list(METRICS)
    value = summary.set_index("metric").value
    assert value["mean_wait_s"] == 0.5
    assert value["utilisation"] == 0.1
    assert rows(summary.query("metric == 'bypassed_jobs'"), "scope", "name", "unit") == [("model", "", "jobs")]


def test_a_result_can_be_pickled():
    result = simulate([1.0, 2.0, 3.0], workers=[PushWorkers(1, service=1.0)])
    again = pickle.loads(pickle.dumps(result))
    assert again.simulation == result.simulation
    assert again.tally == result.tally
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name), check_exact=True)


def test_conservation_is_checked_when_a_result_is_made():
    simulation = timed([1.0])
    workload = Workload(simulation.producers, seed=1, until=simulation.until)

    def conclude(record):
        record.size_jobs[-1] = 7
        return Result.of(simulation, workload, "simpy", record)

    with pytest.raises(BufsimError, match="ends with size 7, but 1 jobs are left in it"):
        Model(simulation, workload, conclude).run()


def test_a_tally_that_does_not_conserve_jobs_is_refused():
    from dataclasses import replace

    tally = simulate([1.0]).tally
    with pytest.raises(BufsimError, match="do not make the 2 rows of the run: a bug in bufsim"):
        replace(tally, rows=2)
    with pytest.raises(BufsimError, match="do not agree with 1 jobs left in buffers: a bug in bufsim"):
        replace(tally, outcomes=(0, 1, 0, 0, 0))


def test_a_sample_is_the_value_after_all_events_of_its_time():
    result = simulate(producer([1.0, 2.0, 4.0], nbytes=[5, 6, 7]), until=5.0)
    assert rows(result.sample(1.0), "time", "buffer", "size", "nbytes") == [
        (0.0, "b", 0, 0),
        (1.0, "b", 1, 5),
        (2.0, "b", 0, 0),
        (3.0, "b", 0, 0),
        (4.0, "b", 1, 7),
    ]


def test_a_sample_has_a_row_for_each_buffer_and_takes_durations():
    result = simulate([1.0], *(JobBuffer(name, policy=FlushAtSize(9)) for name in ("a", "b")), until=120.0)
    sample = result.sample("1min")
    assert rows(sample, "time", "buffer", "size") == [(0, "a", 0), (0, "b", 0), (60, "a", 1), (60, "b", 1)]
    with pytest.raises(InvalidValueError, match="dt must be > 0, got 0"):
        result.sample(0)


def test_samples_stand_at_multiples_that_are_not_accumulated():
    grid = simulate(until=10.0).sample(0.1).time
    assert grid.tolist() == [k * 0.1 for k in range(100)]


def test_times_become_timedeltas():
    tables = simulate([1.0, 2.5]).to_timedelta()
    assert list(tables) == list(TABLES)
    assert tables["jobs"].created_at.tolist() == [pd.Timedelta(seconds=1), pd.Timedelta(seconds=2.5)]
    assert tables["jobs"].finished_at.isna().all()
    assert {str(dtype) for dtype in tables["jobs"].dtypes if dtype.kind in "mM"} == {"timedelta64[ns]"}


def test_with_an_origin_times_become_dates_and_durations_do_not():
    tables = simulate([1.0, 2.5], workers=[PushWorkers(1, service=1.5)]).to_timedelta("2026-03-29 08:00+02:00")
    start = pd.Timestamp("2026-03-29 08:00+02:00")
    assert tables["flushes"].start.tolist() == [start + pd.Timedelta(seconds=2.5)]
    assert tables["flushes"].oldest_age.tolist() == [pd.Timedelta(seconds=1.5)]
    assert tables["work"].busy_time.tolist() == [pd.Timedelta(seconds=1.5)] * 2
    assert tables["buffer_size"].time[0] == start


@pytest.mark.parametrize("origin", ["yesterday noon", object()])
def test_an_origin_that_is_no_date_is_refused(origin):
    with pytest.raises(TypeError, match="origin must be a datetime, or a text such as"):
        simulate().to_timedelta(origin)


def test_a_result_shows_its_header_and_main_metrics():
    simulation = timed([1.0, 2.0, 3.0], reduce=lambda jobs: jobs[:1], flush_time=0.5, until=7200.0)
    assert repr(simulation.run(seed=1)).splitlines() == [
        "Result  seed 1 · simpy engine · 2 h · 3 jobs created = 2 flushed + 1 buffered + 0 lost   (conservation holds)",
        "                                                      b",
        "peak buffer size, jobs                                2",
        "wait, mean / p99, s                                   0.5 / 1",
        "flushes, by cause                                     1",
        "empty ticks                                           0",
        "largest batch, jobs                                   2",
        "longest flush, s                                      0.5",
        "jobs after reduce                                     1",
        "work saved by reduce                                  50 %",
        "lost, jobs                                            0",
        "lost if stopped at a random moment, mean / p99, jobs  1 / 1",
        *simulation.run(seed=1).warnings(),
    ]


def test_a_result_shows_its_queues_if_they_have_workers():
    shown = repr(simulate([1.0, 2.0], workers=[PushWorkers(2, service=1.0)]))
    assert "utilisation of workers                                5 %" in shown
    assert "arrival to finish, mean / p99, s                      1.5 / 2" in shown


def test_the_html_of_a_result_escapes_what_the_user_wrote():
    result = simulate([1.0, 2.0], JobBuffer("<b>&", policy=FlushAtSize(2)))
    shown = result._repr_html_()
    assert "<th>&lt;b&gt;&amp;</th>" in shown
    assert "<b>" not in shown
    assert shown.count("<table>") == 1


def test_the_header_tells_of_warm_up_replication_and_copies():
    buffers = [JobBuffer(name, policy=FlushAtSize(9)) for name in ("a", "b")]
    shown = repr(timed([1.0] * 1500, *buffers, until=600.0, warm_up=60.0).run(seed=1, replication=2))
    assert shown.splitlines()[0] == (
        "Result  seed 1 · replication 2 · simpy engine · 10 min · metrics from 1 min on · 1,500 jobs created, 3,000 "
        "with their copies = 2,988 flushed + 12 buffered + 0 lost   (conservation holds)"
    )


def test_a_buffer_that_several_leaves_flush_shows_how_often_each_did():
    shown = repr(simulate([1.0, 2.0, 7.0], policy=FlushAtSize(2) | FlushEvery(5.0)))
    assert "2 (1 FlushAtSize(2), 1 FlushEvery(5.0))" in shown
