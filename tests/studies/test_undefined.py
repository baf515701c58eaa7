"""A scenario in which a metric has no value, such as the wait where nothing is flushed, in every question there is."""

from __future__ import annotations

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bufsim_tests.models import Failing, by_name, drawn

from bufsim import FlushAfterAge, FlushAtSize, NeverFlush
from bufsim.errors import InvalidValueError
from bufsim.studies.estimates import UndefinedError
from bufsim.studies.study import Study

POLICIES = {"size": FlushAtSize(7), "never": NeverFlush(), "age": FlushAfterAge(2.0)}
SAYS = (
    r"^{metric} of never is undefined: it has no value in 4 of 4 replications \(there is nothing to take it of, such "
    r"as waits where nothing was flushed\); lengthen the runs, or leave it out: result\.without\('never'\)$"
)


def run(baseline="size", **policies):
    scenarios = by_name(policies or POLICIES, until=20.0)
    return Study(scenarios, seed=1, baseline=baseline).run(4, progress=False, engine="simpy", executor=1)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def result():
    return run()


@pytest.mark.parametrize("metric", ["mean_wait_s", "p99_wait_s", "max_wait_s", "sd_wait_s"])
def test_its_row_is_there_without_numbers_and_says_why_and_the_others_keep_theirs(result, metric):
    table = result.intervals(metric).set_index("scenario")
    assert table.index.tolist() == ["size", "never", "age"]
    assert np.isnan(table.loc["never", ["estimate", "low", "high"]].to_numpy(float)).all()
    assert table.method["never"].startswith(f"{metric} of never is undefined: it has no value in 4 of 4 replications")
    alone = result.without("never").intervals(metric).set_index("scenario")
    assert table.drop("never").equals(alone)


@pytest.mark.parametrize(
    ("metric", "ask"),
    [
        ("mean_wait_s", lambda result: result.interval("mean_wait", "never")),
        ("p99_wait_s", lambda result: result.interval("p99_wait", "never")),
        ("max_wait_s", lambda result: result.interval("max_wait", "never")),
        ("max_wait_s", lambda result: result.quantile_over_runs("max_wait", "never", 0.9)),
        ("mean_wait_s", lambda result: result.plot.replications("mean_wait", scenario="never")),
    ],
)
def test_what_asks_for_its_number_names_the_scenario_the_metric_and_the_way_out(result, metric, ask):
    with pytest.raises(UndefinedError, match=SAYS.format(metric=metric)):
        ask(result)


@pytest.mark.parametrize(
    ("metric", "ask"),
    [
        ("p99_wait_s", lambda result: result.samples("p99_wait")),
        ("mean_wait_s", lambda result: result.compare()),
        ("p99_wait_s", lambda result: result.compare("flush_rate", "p99_wait")),
        ("max_wait_s", lambda result: result.best(minimise="max_wait")),
        ("mean_wait_s", lambda result: result.pareto("flush_rate", "mean_wait")),
        ("p99_wait_s", lambda result: result.plot.pareto("flush_rate", "p99_wait")),
        ("mean_wait_s", lambda result: result.plot.differences("mean_wait")),
        ("mean_wait_s", lambda result: result.plot.smore("wait")),
        ("largest_work_items", lambda result: result.plot.work_saved()),
    ],
)
def test_what_needs_a_number_of_each_does_so_and_the_way_out_is_one(result, metric, ask):
    with pytest.raises(UndefinedError, match=SAYS.format(metric=metric)):
        ask(result)
    assert ask(result.without("never")) is not None


def test_its_comparisons_can_be_left_out_and_the_adjustment_counts_those_that_are_left(result):
    rows = result.compare("mean_wait", "flush_rate", pairs="all", where_defined=True).rows
    assert [(row.expression.name, row.first, row.second) for row in rows] == [
        ("mean_wait_s", "size", "age"),
        ("flush_rate_per_s", "size", "never"),
        ("flush_rate_per_s", "size", "age"),
        ("flush_rate_per_s", "never", "age"),
    ]
    assert {row.comparison.family for row in rows} == {4}
    assert result.compare("mean_wait", pairs=[("never", "age")], where_defined=True).sentences() == []


def test_what_is_told_of_it_to_those_who_write_no_python_has_none(result):
    with pytest.raises(UndefinedError) as raised:
        result.interval("mean_wait", "never")
    assert raised.value.text.endswith("lengthen the runs, or leave it out")
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    told = [result.intervals("mean_wait").method[1], repr(result.check("mean_wait <= 3s"))]
    assert not any("result.without" in text for text in told)


def test_without_workers_it_is_not_the_length_of_the_runs():
    unserved = drawn(FlushAtSize(7), until=20.0, workers=[])
    result = Study({"alone": unserved}, seed=1).run(4, progress=False, engine="simpy", executor=1)
    says = (
        r"^utilisation of alone is undefined: nothing serves the queue, for the model has no workers; give it some, "
        r"or ask for another metric$"
    )
    with pytest.raises(UndefinedError, match=says):
        result.interval("utilisation", "alone")
    # negative control: what needs no workers has its value, or another reason
    assert result.interval("enqueued_rate", "alone").estimate > 0.0
    with pytest.raises(UndefinedError, match=r"lengthen the runs"):
        run().interval("mean_end_to_end", "never")


def test_it_keeps_no_limit_and_says_why(result):
    checks = {one.scenario: one for one in result.check("mean_wait <= 3s").checks}
    assert {name: one.verdict for name, one in checks.items()} == {"size": "pass", "never": "undecided", "age": "pass"}
    assert "mean_wait_s of never is undefined: it has no value in 4 of 4 replications" in checks["never"].sentence()


def test_it_is_not_recommended_and_the_others_are_judged(result):
    limited = result.recommend(minimise="flush_rate", subject_to="p50_wait <= 3s", fresh=0)
    assert limited.choice.name == "age"
    aimed = result.recommend(minimise="mean_wait", fresh=0)
    assert aimed.choice.name == "size"
    (never,) = (one for one in aimed.judged_options if one.name == "never")
    assert never.reason.startswith("mean_wait_s of never is undefined")


@pytest.mark.parametrize("fresh", [0, 3])
def test_as_what_is_done_today_it_leaves_the_choice_without_a_gain_and_the_answer_says_so(fresh):
    answer = run("never").recommend(minimise="mean_wait", fresh=fresh, progress=False)
    assert (answer.choice.name, answer.choice.gain, answer.choice.difference) == ("size", None, None)
    assert ", and there is no value of today's never to compare it with" in answer.sentence()


def test_so_does_one_that_failed():
    answer = run("failing", failing=Failing(), **POLICIES).recommend(minimise="flush_rate", fresh=0)
    assert ", and there is no value of today's failing to compare it with" in answer.sentence()


def test_where_it_has_a_value_in_some_replications_only_it_is_told_in_how_many():
    # one job in 10 s on average: some runs of 10 s flush none
    scenarios = {"rare": drawn(FlushAtSize(1), rate=0.1, until=10.0)}
    result = Study(scenarios, seed=1).run(12, progress=False, engine="simpy", executor=1)
    missing = int(result.values("max_wait")["rare"].isna().sum())
    assert 0 < missing < 12
    with pytest.raises(UndefinedError, match=rf"max_wait_s of rare is undefined: it has no value in {missing} of 12"):
        result.interval("max_wait", "rare")
    # negative control: the mean over all jobs needs no job in every run
    assert result.interval("mean_wait", "rare").estimate == 0.0


def test_a_result_without_a_scenario_has_the_numbers_of_the_others(result):
    others = result.without("never")
    assert others.finished == ("size", "age")
    assert list(others.scenarios) == list(others.engines) == list(others.tallies) == ["size", "age"]
    assert others.baseline == "size"
    assert run("never").without("never").baseline is None
    assert others.values("mean_wait").equals(result.values("mean_wait")[["size", "age"]])
    # the result itself is as it was
    assert result.finished == ("size", "never", "age")


def test_without_must_name_scenarios_and_leave_one(result):
    with pytest.raises(InvalidValueError, match=r"a scenario to leave out must be one of .*, got 'nevr'"):
        result.without("nevr")
    with pytest.raises(InvalidValueError, match=r"without must leave a scenario, got all 3"):
        result.without("size", "never", "age")
