from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bufsim_tests.generated import SEED, simulations
from bufsim_tests.results_oracle import Oracle, integral, time_at
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim import Result, Simulation
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.results.measures import SIZES, TIMES, Histogram, LevelDistribution, Sample
from bufsim.results.records import OUTCOMES

close = pytest.approx


@st.composite
def runs(draw: st.DrawFn) -> Result:
    simulation: Simulation = draw(simulations())
    warm_up = draw(st.sampled_from((0.0, 0.25, 0.5, 0.3))) * simulation.until
    return replace(simulation, warm_up=warm_up).run(seed=SEED)


def check_sample(sample: Sample, values: list[float]) -> None:
    assert sample.count == len(values)
    assert sample.total == close(sum(values))
    assert sample.squares == close(sum(value * value for value in values))
    assert sample.largest == max(values, default=0.0)
    assert sample.histogram == Histogram.of(TIMES, np.array(values))


def check_distribution(kept: LevelDistribution, spans: list[tuple[int, float]]) -> None:
    assert kept.integral == close(integral(spans))
    assert kept.squares == close(integral(spans, 2))
    held = dict(zip(kept.time_at.bins.tolist(), kept.time_at.amounts.tolist(), strict=True))
    wanted = {int(SIZES.index(np.array([value]))[0]): span for value, span in time_at(spans).items()}
    assert held == close(wanted, abs=1e-12)


@settings(max_examples=20)
@given(result=runs())
def test_counts_of_a_buffer_are_those_of_its_tables(result: Result) -> None:
    oracle = Oracle(result)
    for buffer, kept in result.tally.buffers.items():
        rows = [row for row in oracle.jobs if row["buffer"] == buffer]
        arrived = [row for row in rows if oracle.seen(row["created_at"])]
        lost = [row["loss_cause"] for row in rows if oracle.seen(row["lost_at"])]
        assert kept.arrivals == len(arrived)
        assert kept.further_copies == sum(row["copy"] > 0 for row in arrived)
        assert kept.lost == tuple(lost.count(cause) for cause in LOSS_CAUSES)
        sizes = [row for row in oracle.sizes if row["buffer"] == buffer]
        rises = [b["size"] > a["size"] and oracle.seen(b["time"]) for a, b in itertools.pairwise(sizes)]
        assert kept.stored == sum(rises)
        assert (kept.left, kept.left_nbytes) == (sizes[-1]["size"], sizes[-1]["nbytes"])
        assert kept.empty_ticks == oracle.empty_ticks(buffer)


@settings(max_examples=20)
@given(result=runs())
def test_flushes_of_a_buffer_are_those_of_its_tables(result: Result) -> None:
    oracle = Oracle(result)
    for buffer, kept in result.tally.buffers.items():
        seen = [flush for flush in oracle.flushes if flush["buffer"] == buffer and oracle.seen(flush["start"])]
        ended = [flush for flush in seen if not pd.isna(flush["end"])]
        batches = [flush["batch_size"] for flush in seen]
        causes = [flush["cause"] for flush in seen]
        durations = [flush["end"] - flush["start"] for flush in ended]
        assert kept.flushes == len(seen)
        assert kept.causes == {cause: causes.count(cause) for cause in causes}
        assert kept.batch_jobs == sum(batches)
        assert kept.batch_squares == sum(size * size for size in batches)
        assert kept.largest_batch == max(batches, default=0)
        assert kept.batches == Histogram.of(SIZES, np.array(batches))
        assert kept.ended == len(ended)
        assert kept.ended_jobs == sum(flush["batch_size"] for flush in ended)
        assert kept.reduced_jobs == sum(flush["reduced_size"] for flush in ended)
        assert kept.largest_reduced == max((flush["reduced_size"] for flush in ended), default=0)
        assert kept.batch_nbytes == sum(flush["nbytes"] for flush in seen)
        assert kept.largest_nbytes == max((flush["nbytes"] for flush in seen), default=0)
        assert kept.flush_time == close(sum(durations))
        assert kept.longest_flush == max(durations, default=0.0)
        rows = [row for row in oracle.jobs if row["buffer"] == buffer and oracle.seen(row["flushed_at"])]
        check_sample(kept.waits, [row["flushed_at"] - row["created_at"] for row in rows])


@settings(max_examples=20)
@given(result=runs())
def test_levels_of_buffers_are_those_of_the_rows_that_are_there(result: Result) -> None:
    oracle = Oracle(result)
    tally = result.tally
    for buffer, levels in [*((name, kept.levels) for name, kept in tally.buffers.items()), (None, tally.buffer_levels)]:
        check_distribution(levels.size, oracle.spans(oracle.rows_in("buffered", buffer)))
        check_distribution(levels.exposed, exposed := oracle.spans_up(oracle.rows_in("exposed", buffer)))
        in_flight = oracle.spans(oracle.rows_in("in_flight", buffer))
        assert levels.in_flight.integral == close(integral(in_flight))
        assert levels.in_flight.peak == max(value for value, span in in_flight if span > 0.0)
        assert levels.exposed.peak == max((value for value, span in exposed if span > 0.0), default=0)


@settings(max_examples=20)
@given(result=runs())
def test_bytes_and_peaks_of_buffers_are_those_of_their_series(result: Result) -> None:
    oracle = Oracle(result)
    for buffer, kept in result.tally.buffers.items():
        rows = [row for row in oracle.sizes if row["buffer"] == buffer]
        before = [row for row in rows if row["time"] < oracle.start][-1:]
        counted = [*before, *(row for row in rows if oracle.seen(row["time"]))]
        assert kept.levels.size.peak == max(row["size"] for row in counted)
        assert kept.levels.nbytes.peak == max(row["nbytes"] for row in counted)
        bounds = [max(row["time"], oracle.start) for row in counted] + [oracle.end]
        spans = [high - low for low, high in itertools.pairwise(bounds)]
        nbytes = sum(row["nbytes"] * span for row, span in zip(counted, spans, strict=True))
        assert kept.levels.nbytes.integral == close(nbytes)


@settings(max_examples=20)
@given(result=runs())
def test_queues_are_those_of_the_work_table(result: Result) -> None:
    oracle = Oracle(result)
    tally = result.tally
    for queue, kept in tally.queues.items():
        works = [work for work in oracle.work if work["queue"] == queue]
        handed = [work for work in works if oracle.seen(work["queued_at"])]
        finished = [work for work in works if oracle.seen(work["finished_at"])]
        assert kept.enqueued == len(handed)
        assert kept.items == sum(work["items"] for work in handed)
        assert kept.largest_items == max((work["items"] for work in handed), default=0)
        assert kept.completed == sum(work["outcome"] == "completed" for work in finished)
        assert kept.failed == sum(work["outcome"] == "failed" for work in finished)
        assert kept.attempts == sum(work["attempts"] for work in finished)
        assert kept.service_time == close(sum(work["busy_time"] for work in finished))
        assert kept.longest_service == max((work["busy_time"] for work in finished), default=0.0)
        assert kept.busy_time == close(oracle.busy_time(queue))
        assert kept.busy_time <= kept.concurrency * tally.window.span * (1.0 + 1e-12)
        started = [work for work in works if oracle.seen(work["started_at"])]
        check_sample(kept.waits, [work["started_at"] - work["queued_at"] for work in started])
        rows = [row for row in oracle.jobs if row["queue"] == queue and oracle.seen(row["finished_at"])]
        check_sample(kept.end_to_end, [row["finished_at"] - row["created_at"] for row in rows])


@settings(max_examples=20)
@given(result=runs())
def test_levels_of_queues_are_those_of_the_works_that_are_there(result: Result) -> None:
    oracle = Oracle(result)
    tally = result.tally
    for queue, levels in [*((name, kept.levels) for name, kept in tally.queues.items()), (None, tally.queue_levels)]:
        waiting = oracle.spans(oracle.works_in("started_at", queue))
        unfinished = oracle.spans(oracle.works_in("finished_at", queue))
        assert levels.waiting.integral == close(integral(waiting))
        assert levels.waiting.peak == max(value for value, span in waiting if span > 0.0)
        assert levels.unfinished.integral == close(integral(unfinished))
        assert levels.unfinished.peak == max(value for value, span in unfinished if span > 0.0)


@settings(max_examples=20)
@given(result=runs())
def test_the_run_as_a_whole_is_counted(result: Result) -> None:
    oracle = Oracle(result)
    tally = result.tally
    outcomes = [row["outcome"] for row in oracle.jobs]
    outside = [row for row in oracle.jobs if pd.isna(row["buffer"])]
    lost = [row["loss_cause"] for row in outside if oracle.seen(row["lost_at"])]
    assert tally.jobs == len({row["job_id"] for row in oracle.jobs})
    assert tally.outcomes == tuple(outcomes.count(name) for name in OUTCOMES)
    assert tally.bypassed == sum(oracle.seen(row["created_at"]) for row in outside)
    assert tally.bypassed_lost == tuple(lost.count(cause) for cause in LOSS_CAUSES)
