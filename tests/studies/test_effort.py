# ruff: noqa: RUF001  # an effort writes × as books do
from __future__ import annotations

import math

import numpy as np
import pytest
from bufsim_tests.models import Failing, OwnSize, drawn, study_of

from bufsim import Bulk, FlushAtSize, InvalidTypeError, Poisson, Producer, StepRate, TimeVarying, Trace, Uniform
from bufsim.studies import effort, running
from bufsim.studies import progress as bars
from bufsim.studies.effort import USUAL, Cost, Effort, jobs_by_scenario, measured, seconds_of
from bufsim.studies.running import ReplicationRunner

EFFORT = Effort(scenarios=60, replications=30, jobs=72_000.0, left=1800, seconds=25.3, workers=1)


def text_of(**changes):
    from dataclasses import replace

    return str(replace(EFFORT, **changes))


def test_an_effort_tells_runs_jobs_and_time():
    assert text_of() == "60 scenarios × 30 replications = 1,800 runs of about 72,000 jobs; about 25 s"


def test_it_tells_what_is_there_already():
    assert "= 1,800 runs of about 72,000 jobs, of which 1,300 are there already; about" in text_of(left=500)


def test_it_tells_on_how_many_workers():
    assert text_of(workers=2).endswith("; about 25 s on 2 workers")


def test_it_speaks_of_one_scenario_in_the_singular():
    assert text_of(scenarios=1, left=30).startswith("1 scenario × 30 replications = 30 runs")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.01, "1 s"),
        (1.4, "1 s"),
        (9.6, "10 s"),
        (118.0, "120 s"),
        (120.0, "2 min"),
        (1234.0, "21 min"),
        (7200.0, "2 h"),
        (100_000.0, "28 h"),
        (1e6, "12 days"),
    ],
)
def test_time_is_told_in_the_unit_that_people_would_use(seconds, words):
    assert text_of(seconds=seconds).endswith(f"; about {words}")


@pytest.mark.parametrize(
    ("jobs", "words"), [(0.0, "0"), (7.4, "7"), (98.7, "99"), (1234.0, "1,200"), (129_600_000.0, "130,000,000")]
)
def test_jobs_are_told_to_two_figures(jobs, words):
    assert f"of about {words} jobs" in text_of(jobs=jobs)


# how many jobs


@pytest.mark.parametrize(
    ("arrivals", "jobs"),
    [
        (Poisson(20.0), 1200.0),
        (Bulk(Poisson(2.0), 5), 600.0),
        (Trace([0.0, 1.0, 2.0]), 3),
        (Trace(np.arange(1000.0)), 60),
        (Trace(np.arange(1000.0)).scaled(3.0), 180),
    ],
)
def test_the_jobs_of_a_run_follow_from_the_arrivals(arrivals, jobs):
    simulation = drawn(producers=[Producer("p", arrivals)])
    assert jobs_by_scenario({"a": simulation}, 1)["a"] == pytest.approx(jobs, rel=0.15)


@pytest.mark.parametrize(
    "arrivals",
    [
        TimeVarying(lambda t: 5.0 + 0.0 * t, 5.0),
        TimeVarying(StepRate([0.0, 30.0, 60.0], [8.0, 2.0]), 8.0),
        Bulk(Poisson(2.0), Uniform(2.0, 3.0)),
    ],
)
def test_where_no_rate_is_known_the_first_replication_is_counted(arrivals):
    simulation = drawn(producers=[Producer("p", arrivals)], until=60.0)
    assert not math.isfinite(arrivals.mean_rate) or isinstance(arrivals, TimeVarying)
    counted = jobs_by_scenario({"a": simulation}, 3)["a"]
    if math.isnan(arrivals.mean_rate):
        assert counted == simulation.run(3, engine="simpy").tally.jobs
    else:
        assert counted == arrivals.mean_rate * 60.0


def test_the_jobs_of_several_producers_add_up():
    simulation = drawn(producers=[Producer("p", Poisson(2.0)), Producer("q", Poisson(3.0))])
    assert jobs_by_scenario({"a": simulation, "b": simulation.scaled(arrivals=2.0)}, 1) == {"a": 300.0, "b": 600.0}


# how long


def tasks(*policies, replications=2, **options):
    planned = study_of(*policies, **options)
    runner = ReplicationRunner(planned.scenarios, planned.seed, "auto")
    return list(runner.tasks(range(replications))), jobs_by_scenario(planned.scenarios, planned.seed)


def test_the_time_is_that_of_the_runs_and_of_their_jobs():
    some, jobs = tasks(FlushAtSize(5), OwnSize(5))
    costs = {"compiled": Cost(1.0, 0.01), "simpy": Cost(2.0, 0.1)}
    assert seconds_of(some, jobs, costs) == pytest.approx(2 * (1.0 + 6.0) + 2 * (2.0 + 60.0))


def clock(monkeypatch, costs):
    """Let runs take what they should, in place of what they do."""

    def timed(task, share):
        runs.append((task.engine, share))
        per_run, per_job = costs[task.engine]
        return per_run + per_job * share * 10.0 * task.simulation.until

    runs = []
    monkeypatch.setattr(effort, "run_time", timed)
    return runs


def test_the_costs_of_each_engine_are_found_from_two_lengths(monkeypatch):
    costs = {"compiled": Cost(0.001, 1e-7), "simpy": Cost(0.002, 5e-6)}
    runs = clock(monkeypatch, costs)
    some, jobs = tasks(FlushAtSize(5), OwnSize(5), until=36_000.0)
    found = measured(some, jobs)
    for engine, cost in costs.items():
        assert found[engine] == pytest.approx(cost)
    # each once for nothing, which may compile
    assert {engine for engine, share in runs} == {"compiled", "simpy"}
    assert len(runs) == 2 * 5


def test_only_some_of_many_scenarios_are_timed(monkeypatch):
    runs = clock(monkeypatch, USUAL)
    some, jobs = tasks(*(FlushAtSize(n) for n in range(1, 100)))
    measured(some, jobs)
    assert len(runs) == 5 * 5


def test_a_run_that_is_shorter_is_timed_whole(monkeypatch):
    runs = clock(monkeypatch, USUAL)
    some, jobs = tasks(until=1.0)
    measured(some, jobs)
    assert {share for _, share in runs} == {1.0}


def test_a_scenario_that_fails_is_not_timed():
    some, jobs = tasks(Failing())
    assert measured(some, jobs) == USUAL


def test_timing_stops_when_it_takes_too_long(monkeypatch):
    seconds = iter(range(0, 1000, 2))
    monkeypatch.setattr(effort, "monotonic", lambda: next(seconds))
    runs = clock(monkeypatch, USUAL)
    some, jobs = tasks(*(FlushAtSize(n) for n in range(1, 10)))
    assert measured(some, jobs) == USUAL
    assert runs == []


def test_a_real_run_is_timed():
    some, jobs = tasks(FlushAtSize(5), OwnSize(5), until=600.0)
    found = measured(some, jobs)
    assert all(cost.per_run >= 0.0 and cost.per_job >= 0.0 for cost in found.values())
    assert found["simpy"] != USUAL["simpy"]


# what is said


def test_a_study_estimates_its_effort(monkeypatch):
    clock(monkeypatch, {"compiled": Cost(0.0, 1e-6), "simpy": Cost(0.0, 1e-5)})
    monkeypatch.setattr(running, "cores", lambda: 2)
    estimate = study_of(*(FlushAtSize(n) for n in range(1, 61)), until=7200.0).estimate()
    assert str(estimate) == (
        "60 scenarios × 30 replications = 1,800 runs of about 72,000 jobs; about 65 s on 2 workers"
    )
    assert study_of(FlushAtSize(3)).estimate(5).seconds == pytest.approx(5 * 600 * 1e-6)
    assert study_of(FlushAtSize(3)).estimate(5, engine="simpy").seconds == pytest.approx(5 * 600 * 1e-5)
    assert study_of(FlushAtSize(3)).estimate(6, executor=3).seconds == pytest.approx(6 * 600 * 1e-6 / 3)
    with pytest.raises(InvalidTypeError, match="executor must be a number of processes"):
        study_of(FlushAtSize(3)).estimate(6, executor="all")


def long_study(monkeypatch):
    monkeypatch.setattr(running, "LONG", 0.0)
    clock(monkeypatch, {"compiled": Cost(0.5, 0.0), "simpy": Cost(0.5, 0.0)})


def test_long_work_is_told_before_it_starts(monkeypatch, capfd):
    long_study(monkeypatch)
    monkeypatch.setattr(bars, "PATIENCE", 1000.0)
    study_of().run(2)
    said = capfd.readouterr().err.replace("\r", "")
    assert said.startswith("3 scenarios × 2 replications = 6 runs of about 600 jobs; about 3 s\n")


def test_of_a_study_that_goes_on_the_rest_is_told(monkeypatch, capfd, tmp_path):
    study_of().run(2, store=tmp_path / "study.sqlite", progress=False)
    long_study(monkeypatch)
    study_of().run(4, store=tmp_path / "study.sqlite")
    assert "= 12 runs of about 600 jobs, of which 6 are there already; about 3 s\n" in capfd.readouterr().err
    study_of().run(4, store=tmp_path / "study.sqlite")
    assert "runs of about" not in capfd.readouterr().err


@pytest.mark.parametrize("progress", [False, lambda done, total: None])
def test_a_quiet_study_is_not_estimated(monkeypatch, capfd, progress):
    long_study(monkeypatch)
    monkeypatch.setattr(running, "measured", None)  # would fail
    study_of().run(2, progress=progress)
    assert capfd.readouterr() == ("", "")


def test_short_work_is_not_held_up_by_an_estimate(monkeypatch, capfd):
    monkeypatch.setattr(running, "measured", None)  # would fail
    study_of().run(2)
    assert "runs of about" not in capfd.readouterr().err
