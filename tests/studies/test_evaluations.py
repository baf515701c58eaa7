from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests.studies_small import declare

from bufsim import (
    Bursty,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    Producer,
    Simulation,
)
from bufsim.results import metrics
from bufsim.statistics import mean_interval
from bufsim.studies.estimates import Measured, UndefinedError
from bufsim.studies.expressions import cost, metric
from bufsim.studies.study import Study

N = 8
POLICIES = {"size": FlushAtSize(20) | FlushAfterAge(3.0), "clock": FlushEvery(2.0)}


@pytest.fixture(scope="module")
def simulations():
    # long lulls: replications differ much in how many jobs they have, and many ticks find nothing
    bursty = [Producer("edits", Bursty(50.0, 0.1, mean_high=5.0, mean_low=50.0))]
    return {
        name: Simulation(producers=bursty, buffers=[JobBuffer("b", policy=policy)], until=300.0)
        for name, policy in POLICIES.items()
    }


@pytest.fixture(scope="module")
def result(simulations):
    return Study(simulations, seed=3).run(N, progress=False)


def test_the_value_of_an_expression_is_that_combination_of_the_values_of_its_metrics(result):
    for name in POLICIES:
        weighed = result.measured("0.4 * flush_rate_per_s - 2 * p95_wait_s + 0.5", name)
        rate, wait = (result.measured(one, name) for one in ("flush_rate", "p95_wait"))
        np.testing.assert_allclose(weighed.values(), 0.4 * rate.values() - 2 * wait.values() + 0.5)
        np.testing.assert_allclose(weighed.raw(), 0.4 * rate.raw() - 2 * wait.raw() + 0.5)
        assert weighed.interval(0.9) == mean_interval(weighed.values(), confidence=0.9)


def test_a_metric_alone_keeps_its_own_interval_also_where_it_is_scaled(result):
    for name in ("mean_wait_s", "p95_wait_s", "flush_count"):
        tallies = [result.tallies["size"][number] for number in range(N)]
        own = Measured(metrics.find(name), None, tallies).interval(0.9)
        assert result.interval(name, "size", confidence=0.9) == own
        turned = result.interval(3 - 2 * metric(name), "size", confidence=0.9)
        assert (turned.low, turned.high) == pytest.approx((3 - 2 * own.high, 3 - 2 * own.low))
        assert turned.method == own.method


def test_costs_are_weighed_again_without_another_run(result):
    rate, size = (result.values(one)["size"] for one in ("flush_rate", "mean_buffer_size"))
    for flush in (1.0, 40.0):
        weighed = result.values(cost(per_flush=flush, per_job_second=2.0))["size"]
        np.testing.assert_allclose(weighed, flush * rate + 2.0 * size)


def test_jobs_batches_and_ticks_are_never_averaged_together(result, simulations):
    """Each mean is a ratio of sums over all replications, over the jobs, the flushes or the time of its own."""
    runs = {name: [one.run(3, replication=number) for number in range(N)] for name, one in simulations.items()}
    waits = np.concatenate([(run.jobs.flushed_at - run.jobs.created_at).dropna() for run in runs["size"]])
    batches = np.concatenate([run.flushes.batch_size for run in runs["size"]])
    of_jobs, of_flushes = (result.interval(name, "size") for name in ("mean_wait", "mean_batch_size"))
    # the jackknife takes out the bias of order 1/n that is left in a ratio of sums
    assert of_jobs.estimate == pytest.approx(waits.mean(), rel=0.02)
    assert of_flushes.estimate == pytest.approx(batches.mean(), rel=0.02)
    # negative control: the means of each run, averaged, are other numbers here
    assert np.mean(result.values("mean_wait")["size"]) > 1.04 * waits.mean()
    assert np.mean(result.values("mean_batch_size")["size"]) < 0.96 * batches.mean()
    # ticks at 0, 2, ..., 298 s that start no flush
    empty = [150 - len(run.flushes) for run in runs["clock"]]
    assert result.interval("empty_tick_rate", "clock").estimate == pytest.approx(sum(empty) / (N * 300.0))


def test_tables_take_expressions_too(result):
    weighed = cost(per_flush=1.0)
    assert result.intervals(weighed, "mean_wait").metric.unique().tolist() == ["cost", "mean_wait_s"]
    tidy = result.metrics(weighed)
    assert tidy.columns.tolist() == ["scenario", "replication", "metric", "value", "unit"]
    assert tidy.unit.unique().tolist() == ["per s"]
    assert tidy.value.tolist() == result.values(weighed).to_numpy().T.ravel().tolist()


def test_a_metric_of_a_buffer_that_is_not_there_is_an_error(result):
    with pytest.raises(InvalidValueError, match="mean_wait_s is about a buffer, one of 'b', got of='c'"):
        result.interval(metric("mean_wait", of="c"), "size")
    assert result.interval("mean_wait", "size", of="b") == result.interval("mean_wait", "size")


def test_what_one_run_stays_below_is_bounded_only_by_enough_runs(result):
    peaks = sorted(result.values("peak_buffer_size")["clock"])
    median = result.quantile_over_runs("peak_buffer_size", "clock", 0.5)
    assert (median.low, median.estimate, median.high) == (peaks[0], peaks[3], peaks[-1])
    high = result.quantile_over_runs("peak_buffer_size", "clock", 0.99)
    assert high.high == np.inf
    assert high.note == "no upper bound at 95 % from 8 observations (368 needed)"


def test_a_metric_without_a_value_is_told_with_its_scenario_and_is_missing_in_the_table():
    scenarios = {"never": declare(NeverFlush(), until=20.0), "fine": declare(FlushAtSize(20), until=20.0)}
    result = Study(scenarios, seed=1).run(3, progress=False)
    for ask in (
        lambda: result.interval("mean_wait", "never"),
        lambda: result.samples("mean_wait"),
        lambda: result.compare("mean_wait"),
        lambda: result.best(minimise="0 - mean_wait_s + flush_rate_per_s"),
    ):
        with pytest.raises(UndefinedError, match=r"mean_wait_s.* of never is undefined: .*lengthen the runs"):
            ask()
    table = result.intervals("mean_wait").set_index("scenario")
    assert np.isnan(table.estimate["never"])
    assert table.method["never"].startswith("mean_wait_s of never is undefined")
    assert table.estimate["fine"] > 0.0
    # a wrong level is no missing value
    with pytest.raises(InvalidValueError, match=r"write 0\.95 for 95 %") as raised:
        result.interval("mean_wait", "never", confidence=95)
    assert not isinstance(raised.value, UndefinedError)
