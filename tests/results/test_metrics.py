from __future__ import annotations

import dataclasses
import math
import pickle
import re

import numpy as np
import pytest
from bufsim_tests.models import producer, rows, simulate, timed

from bufsim import (
    Capacity,
    FlushAfterAge,
    FlushAfterGap,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    FlushWhenIdle,
    Gamma,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    Merge,
    NeverFlush,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    UniqueByKey,
)
from bufsim.cli import printing
from bufsim.cli.main import main
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.results import metrics, shown
from bufsim.results.causes import FAMILIES
from bufsim.results.metrics import METRICS, Metric, Quantile, find
from bufsim.studies.formulas import expression
from bufsim.studies.study import Study

#: the buffer holds 1 job on [1, 2), 2 on [2, 4), 3 at 4; 1 on [6, 9), 2 on [9, 11)
RESULT = simulate(
    producer([1.0, 2.0, 4.0, 6.0, 9.0], keys=["a", "a", "b", "c", "c"], nbytes=[10, 10, 10, 20, 40]),
    policy=FlushAtSize(3) | FlushAfterAge(5.0),
    reduce=UniqueByKey(),
    flush_time=1.0,
    workers=[PushWorkers(2, service=3.0)],
)
BY_HAND = {
    "mean_wait_s": (3 + 2 + 0 + 5 + 2) / 5,
    "sd_wait_s": np.std([3, 2, 0, 5, 2]),
    "max_wait_s": 5.0,
    "p50_wait_s": 2.0,
    "p95_wait_s": 5.0,
    "mean_buffer_size_jobs": (1 + 4 + 3 + 4) / 20,
    "sd_buffer_size_jobs": np.std([0] * 12 + [1] * 4 + [2] * 4),
    "peak_buffer_size_jobs": 3,
    "p50_buffer_size_jobs": 0,
    "p95_buffer_size_jobs": 2,
    "mean_buffer_nbytes": (10 + 40 + 60 + 120) / 20,
    "peak_buffer_nbytes": 60,
    "mean_in_flight_jobs": 5 / 20,
    "peak_in_flight_jobs": 3,
    "mean_in_flight_nbytes": 90 / 20,
    "peak_in_flight_nbytes": 60,
    "arrivals_jobs": 5,
    "arrival_rate_per_s": 0.25,
    "buffered_at_end_jobs": 0,
    "duplicates_jobs": 0,
    "repeated_jobs": 0,
    "flush_count": 2,
    "flush_rate_per_s": 0.1,
    "empty_tick_count": 0,
    "mean_batch_size_jobs": 2.5,
    "sd_batch_size_jobs": 0.5,
    "largest_batch_size_jobs": 3,
    "p50_batch_size_jobs": 2,
    "mean_batch_size_seen_jobs": (3 * 3 + 2 * 2) / 5,
    "largest_batch_nbytes": 60,
    "mean_reduced_size_jobs": 1.5,
    "largest_reduced_size_jobs": 2,
    "reduction_ratio": 5 / 3,
    "work_saved_share": 2 / 5,
    "mean_flush_s": 1.0,
    "longest_flush_s": 1.0,
    "lost_jobs": 0,
    "lost_share": 0.0,
    "mean_loss_at_stop_jobs": (12 + 3 + 2) / 20,
    "largest_loss_at_stop_jobs": 3,
    "p99_loss_at_stop_jobs": 3,
    # both works of the first batch start at 5, that of the second at 12
    "utilisation": 9 / 40,
    "mean_end_to_end_s": (7 + 6 + 4 + 9 + 6) / 5,
    "max_end_to_end_s": 9.0,
    "p50_end_to_end_s": 6.0,
    "mean_queue_wait_s": 0.0,
    "mean_queue_size_jobs": 0.0,
    "mean_unfinished_jobs": 9 / 20,
    "peak_unfinished_jobs": 2,
    "enqueued_jobs": 3,
    "enqueued_rate_per_s": 0.15,
    "completed_jobs": 3,
    "throughput_per_s": 0.15,
    "failed_jobs": 0,
    "mean_attempts": 1.0,
    "mean_service_s": 3.0,
    "longest_service_s": 3.0,
    "mean_work_items": 1.0,
    "largest_work_items": 1,
    "bypassed_jobs": 0,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_run_by_hand_has_these_metrics(name):
    assert RESULT.metric(name) == pytest.approx(BY_HAND[name])


def test_warm_up_is_cut():
    result = simulate([1.0, 2.0, 12.0, 15.0], flush_time=1.0, warm_up=10.0, workers=[PushWorkers(1, service=1.0)])
    assert result.metric("mean_wait_s") == 1.5
    assert result.metric("mean_buffer_size_jobs") == 0.3
    assert result.metric("flush_rate_per_s") == 0.1
    assert result.metric("utilisation") == 0.2
    assert result.metric("arrivals_jobs") == 2


def test_waits_are_those_of_jobs_whose_flush_starts_in_the_window_whenever_they_arrived():
    assert simulate([1.0, 12.0], warm_up=10.0).metric("mean_wait_s") == (11 + 0) / 2


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_is_a_number_or_undefined_where_nothing_happens(name):
    value = simulate([30.0]).metric(name)
    assert isinstance(value, float)
    assert value == 0.0 or math.isnan(value)


def test_means_of_nothing_are_undefined_and_counts_of_nothing_zero():
    result = simulate([30.0])
    assert math.isnan(result.metric("mean_wait_s"))
    assert math.isnan(result.metric("p99_wait_s"))
    assert math.isnan(result.metric("largest_batch_size_jobs"))
    assert math.isnan(result.metric("utilisation"))
    assert result.metric("flush_rate_per_s") == 0.0
    assert result.metric("p99_buffer_size_jobs") == 0.0


def test_losses_are_counted_by_cause():
    result = simulate([1.0, 2.0, 5.5], policy=FlushAtSize(9), capacity=Capacity(1), stops=Stops(at=[5.0], downtime=1.0))
    found = {cause: result.metric(f"lost_{cause}_jobs") for cause in LOSS_CAUSES}
    assert found == dict.fromkeys(LOSS_CAUSES, 0.0) | {"capacity": 1.0, "buffer": 1.0, "down": 1.0}
    assert result.metric("lost_share") == 1.0


def two_buffers():
    return simulate(
        producer([1.0, 2.0, 3.0, 4.0], queues=["x", "x", "y", "z"]),
        JobBuffer("a", policy=FlushEvery(4.0), collect=["x", "y"], reduce=Merge()),
        JobBuffer("b", policy=FlushEvery(6.0), collect="x"),
        workers=[PushWorkers(1, queue="x", service=1.0), PushWorkers(3, queue="y", service=2.0)],
        until=10.0,
    )


def test_all_buffers_together_have_the_sum_of_their_levels_and_pooled_tallies():
    result = two_buffers()
    assert [result.metric("mean_wait_s", of) for of in ("a", "b", None)] == [2.0, 4.5, (3 + 2 + 1 + 5 + 4) / 5]
    assert [result.metric("peak_buffer_size_jobs", of) for of in ("a", "b", None)] == [3.0, 2.0, 5.0]
    sizes = [result.metric("mean_buffer_size_jobs", of) for of in ("a", "b", None)]
    assert sizes == pytest.approx([0.6, 0.9, 1.5])
    assert [result.metric("duplicates_jobs", of) for of in ("a", "b", None)] == [0, 2, 2]
    assert result.metric("p50_wait_s") == 3.0
    assert result.metric("bypassed_jobs") == 1


def test_all_queues_together_use_all_workers():
    result = two_buffers()
    assert result.metric("utilisation", "x") == 0.3
    assert result.metric("utilisation", "y") == pytest.approx(2 / 30)
    assert result.metric("utilisation") == pytest.approx((3 + 2) / 40)
    assert math.isnan(result.metric("utilisation", "z"))


def test_polling_workers_that_idle_between_polls_are_not_in_use():
    result = simulate([1.0, 1.0], workers=[PollingWorkers(service=0.5, poll_interval=2.0)], until=10.0)
    assert result.metric("utilisation") == 0.1


def test_utilisation_counts_the_part_of_a_service_that_lies_in_the_window():
    # in service from 2 to 12, and from 12 to the end
    result = simulate([1.0, 2.0], workers=[PushWorkers(1, service=10.0)], warm_up=4.0)
    assert result.metric("utilisation") == 1.0


RECORDED = [
    pytest.param(engine, record, id=f"{engine}-{record}")
    for engine in ("simpy", "compiled")
    for record in ("all", "flushes", "summary")
]


@pytest.mark.parametrize(("engine", "record"), RECORDED)
def test_a_worker_that_is_in_a_later_attempt_at_the_end_is_in_use(engine, record):
    # tried from 1 to 67, again from 67 on: 99 of 100 s
    workers = PushWorkers(1, service=66.0, failure=1.0, retries=1)
    model = timed([1.0], policy=FlushAtSize(1), workers=[workers], until=100.0)
    assert model.run(seed=1, engine=engine, record=record).metric("utilisation") == 0.99


@pytest.mark.parametrize(("engine", "record"), RECORDED)
def test_attempts_before_the_window_are_not_in_it(engine, record):
    # two attempts from 0 to 50 and to 100, of which the window of 11 s holds the last 10
    workers = PushWorkers(1, service=50.0, failure=1.0, retries=1)
    model = timed([0.0], policy=FlushAtSize(1), workers=[workers], warm_up=90.0, until=101.0)
    result = model.run(seed=1, engine=engine, record=record)
    assert result.metric("utilisation") == 10.0 / 11.0
    assert result.metric("mean_service_s") == 100.0


@pytest.mark.parametrize(("engine", "record"), RECORDED)
def test_an_attempt_that_is_lost_with_the_queue_counts_up_to_then(engine, record):
    # in service from 0 to 6, after a wait of 2 s from 8 on, and lost at 11: 9 of 20 s
    workers = PushWorkers(1, service=6.0, failure=1.0, retries=1, backoff=2.0)
    stops = Stops(at=[11.0], downtime=1.0)
    model = timed([0.0], policy=FlushAtSize(1), workers=[workers], stops=stops, durable_queue=False)
    result = model.run(seed=1, engine=engine, record=record)
    assert result.metric("utilisation") == 9.0 / 20.0
    if record == "all":
        assert rows(result.attempts, *result.attempts) == [(0, 1, 0.0, 6.0, "failed"), (0, 2, 8.0, 11.0, "lost")]


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_utilisation_with_retries_is_what_the_jobs_bring(engine):
    # M/G/1 with geometric attempts: load = λ·E[attempts]·E[S] = 0.3 · 1 / (1 − 0.25) · 1
    until = 40_000.0
    model = Simulation(
        producers=[Producer("p", Poisson(0.3))],
        buffers=[JobBuffer("b", policy=FlushAtSize(1))],
        workers=[PushWorkers(1, service=Gamma(1.0, scv=2.0), failure=0.25, retries=60)],
        warm_up=1000.0,
        until=until,
    )
    # the standard deviation of the work brought in t s is sqrt(λ·t·E[W²]), where W is the work of a job
    mean, second = 1.0 / 0.75, 2.0 / 0.75 + (1.0 + 0.25) / 0.75**2
    deviation = math.sqrt(0.3 * second / (until - 1000.0))
    result = model.run(seed=4, engine=engine)
    assert result.metric("utilisation") == pytest.approx(0.3 * mean, abs=4.0 * deviation)
    begin, end = result.attempts["started_at"], result.attempts["ended_at"].fillna(until)
    by_hand = (end.clip(1000.0, until) - begin.clip(1000.0, until)).sum() / (until - 1000.0)
    assert result.metric("utilisation") == pytest.approx(by_hand, rel=1e-12)


def test_a_job_that_is_tried_again_is_counted_when_it_is_finished():
    workers = PushWorkers(1, service=2.0, failure=1.0, retries=1, backoff="3s")
    result = simulate([1.0], policy=FlushAtSize(1), workers=[workers])
    assert result.metric("utilisation") == 4.0 / 20.0
    assert result.metric("mean_attempts") == 2.0
    assert result.metric("failed_jobs") == 1.0


KINDS = {
    "size": FlushAtSize(12),
    "bytes": FlushAtBytes(500),
    "age": FlushAfterAge(2.0),
    "idle": FlushWhenIdle(0.3),
    "gap": FlushAfterGap(0.7),
    "clock": FlushEvery(3.0),
}


def poisson_run(policy, **options):
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(5.0), nbytes=50)],
        buffers=[JobBuffer("buffer", policy=policy, **options)],
        until=200.0,
        warm_up=20.0,
    )
    return simulation.run(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shares_of_the_causes_are_those_of_the_flushes(kind):
    others = [policy for name, policy in KINDS.items() if name != kind]
    result = poisson_run(KINDS[kind] | others[0] | others[1])
    seen = result.flushes[result.flushes.start >= 20.0]
    mine = seen.cause.astype(str) == repr(KINDS[kind])
    assert result.metric(f"flushes_by_{kind}_share") == pytest.approx(mine.mean())
    assert sum(result.metric(f"flushes_by_{name}_share") for name in KINDS) == pytest.approx(1.0)


class FlushAtSizeOfTheDay(FlushPolicy):
    """A leaf of the user's own, whose name begins like one of bufsim's."""

    def due(self, view):
        return view.oldest_at + 4.0 / view.size


def test_the_shares_of_all_causes_add_to_one_whatever_leaves_there_are():
    policy = FlushAtSizeOfTheDay() | FlushAfterAge(1.5) | FlushAtSize(9)
    model = Simulation(
        producers=[Producer("jobs", Poisson(5.0))], buffers=[JobBuffer("buffer", policy=policy)], until=200.0
    ).build(1)

    def operator():
        while True:
            yield model.env.timeout(7.0)
            model.flush("buffer")

    model.env.process(operator())
    result = model.run()
    own = result.flushes.cause.astype(str).isin(["FlushAtSizeOfTheDay()", "manual"])
    assert 0.0 < own.mean() < 1.0
    assert result.metric("flushes_by_other_share") == pytest.approx(own.mean())
    shares = [result.metric(f"flushes_by_{family.name}_share") for family in FAMILIES]
    assert sum(shares) == pytest.approx(1.0)


def test_without_a_flush_there_is_no_share():
    assert math.isnan(poisson_run(NeverFlush()).metric("flushes_by_size_share"))


def test_the_rate_of_loss_is_a_second():
    result = poisson_run(NeverFlush(), capacity=Capacity(jobs=100))
    assert result.metric("lost_jobs") > 0
    assert result.metric("lost_rate_per_s") == result.metric("lost_jobs") / 180.0


def test_every_cause_metric_has_a_meaning():
    assert METRICS["flushes_by_age_share"].meaning.endswith("because the oldest job was old enough")
    assert METRICS["lost_down_jobs"].meaning == "Jobs lost because they arrived while the server was down"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("mean_wait", "mean_wait_s"),
        ("p99_wait", "p99_wait_s"),
        ("p99.9_wait", "p99.9_wait_s"),
        ("p2.5_end_to_end_s", "p2.5_end_to_end_s"),
        ("median_wait", "p50_wait_s"),
        ("median_loss_at_stop_jobs", "p50_loss_at_stop_jobs"),
        ("mean_in_flight", "mean_in_flight_jobs"),
        ("peak_buffer_size", "peak_buffer_size_jobs"),
        ("flush_rate", "flush_rate_per_s"),
        ("work_saved", "work_saved_share"),
        ("largest_work", "largest_work_items"),
        ("utilisation", "utilisation"),
    ],
)
def test_a_name_is_understood_without_its_unit(alias, name):
    assert find(alias).name == name


def test_any_quantile_is_a_metric():
    found = find("p12.5_buffer_size_jobs")
    assert found.quantile == Quantile("buffer_size_jobs", 0.125)
    assert (found.unit, found.kind, found.average) == ("jobs", "buffer", "time-weighted")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mean_wiat_s", "got 'mean_wiat_s'; did you mean 'mean_wait_s'?"),
        ("lost", "got 'lost'; did you mean 'lost_jobs'?"),
        ("p99_nothing", "got 'p99_nothing'"),
        ("median_nothing", "got 'median_nothing'"),
        ("p0_wait_s", "a quantile must be above p0 and below p100, got 'p0_wait_s'"),
        ("p100_wait", "a quantile must be above p0 and below p100, got 'p100_wait_s'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, message):
    with pytest.raises(InvalidValueError) as error:
        find(name)
    assert message in str(error.value)


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(InvalidTypeError, match="metric must be a str, got 3"):
        find(3)


@pytest.mark.parametrize("name", ["mean_wait_s", "p99_wait_s"])
def test_an_unknown_buffer_is_refused_with_the_nearest(name):
    with pytest.raises(
        InvalidValueError, match=rf"{name} is about a buffer, one of 'b', got of='bb'; did you mean 'b'\?"
    ):
        RESULT.metric(name, "bb")


def test_a_metric_of_the_model_takes_no_name():
    with pytest.raises(InvalidValueError, match="bypassed_jobs is about the whole model, got of='b'; leave it out"):
        RESULT.metric("bypassed_jobs", "b")


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_row_has_its_unit_in_its_name_and_says_what_it_means(name):
    ends = {"s": "_s", "jobs": "_jobs", "bytes": "_nbytes", "1/s": "_per_s", "items": "_items"}
    ends |= {"flushes": "_count", "ticks": "_count"}
    row = METRICS[name]
    assert row.name == name
    assert name.endswith(ends.get(row.unit, ""))
    assert len(row.meaning) > 15
    assert not metrics.without_unit(name).endswith(tuple(end.replace("_", " ") for end in ends.values()))


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("mean_wait", "lower"),
        ("p99.9_wait", "lower"),
        ("peak_buffer_nbytes", "lower"),
        ("lost_capacity_jobs", "lower"),
        ("p99_loss_at_stop", "lower"),
        ("longest_flush", "lower"),
        ("work_saved", "higher"),
        ("throughput", "higher"),
        ("flush_rate", None),
        ("p95_batch_size", None),
        ("utilisation", None),
    ],
)
def test_waits_sizes_and_losses_are_better_low_and_work_saved_high(name, direction):
    assert find(name).better == direction


def test_only_what_has_no_unit_reads_in_per_cent():
    shares = [row for row in METRICS.values() if row.percent]
    assert {row.unit for row in shares} == {""}
    assert {"utilisation", "work_saved_share", "lost_share", "flushes_by_size_share"} <= {row.name for row in shares}
    assert [find(name).written(0.25) for name in ("lost_share", "mean_wait")] == ["25 %", "0.25"]


def test_what_is_shown_by_default_are_metrics():
    lines = [*shown.SHOWN_OF_BUFFER, *shown.SHOWN_OF_QUEUE, *shown.SHOWN_OF_RUN]
    assert all(line.label for line in lines)
    lines += [*shown.REPORTED_FLUSHES, *shown.REPORTED_USE]
    names = [name for line in lines for name in line.metrics]
    names += [*shown.shown_of_study(loses=True), *shown.REPORTED_AT_A_STOP, *shown.REPORTED_UNDER_STRESS]
    for flag in (True, False):
        names += shown.shown_of_comparison(takes_time=flag, reduces=flag, loses=flag)
    assert set(names) <= set(METRICS)
    assert shown.shown_of_comparison(takes_time=False, reduces=False, loses=True)[0] == "lost_share"
    assert not any("lost" in name for name in shown.shown_of_study(loses=False))


def test_a_row_more_is_a_metric_everywhere(monkeypatch, capsys):
    row = Metric(
        "squared_arrivals_jobs",
        "jobs",
        "buffer",
        "count",
        "lower",
        "Jobs that arrived, squared",
        lambda b, _: b.arrivals**2,
    )
    monkeypatch.setitem(METRICS, row.name, row)
    monkeypatch.setattr(shown, "SHOWN_OF_BUFFER", (*shown.SHOWN_OF_BUFFER, shown.Line((row.name,), "squared")))
    monkeypatch.setattr(shown, "SHOWN_OF_RUN", (*shown.SHOWN_OF_RUN, shown.Line((row.name,), "squared, all")))
    assert RESULT.metric("squared_arrivals") == 25.0
    assert RESULT.summary().set_index("metric").loc[row.name, "value"] == 25.0
    assert re.search(r"\nsquared +25\n", f"{RESULT!r}\n")
    study = Study({"today": RESULT.simulation}).run(2)
    assert study.interval("squared_arrivals", "today").estimate == 25.0
    assert expression("2 * squared_arrivals_jobs").better == "lower"
    assert re.search(r"squared, all +25$", printing.text(printing.table({"run": RESULT})))
    assert main(["metrics", "squared"]) == 0
    assert capsys.readouterr().out == "squared_arrivals_jobs  jobs   Jobs that arrived, squared\n"


def test_quantiles_more_are_metrics_everywhere(monkeypatch):
    row = dataclasses.replace(metrics.QUANTILES["wait_s"], of="stay_s", meaning="the stays", columns=None)
    monkeypatch.setitem(metrics.QUANTILES, row.of, row)
    assert find("median_stay").meaning == "50 % quantile of the stays"
    assert RESULT.metric("p99_stay") == METRICS["p99_wait_s"](RESULT.tally)


def test_metrics_can_be_pickled():
    for name in [*METRICS, "p99.9_wait_s"]:
        again = pickle.loads(pickle.dumps(find(name)))
        assert again == find(name)
        assert again(RESULT.tally) == pytest.approx(find(name)(RESULT.tally), nan_ok=True)
