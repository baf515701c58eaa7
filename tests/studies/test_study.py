from __future__ import annotations

import concurrent.futures as futures
import html
import itertools
import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests.models import POLICIES, Failing, FailsAtTimes, OwnSize, bits, drawn, study_of

from bufsim import (
    CollectQueues,
    Exponential,
    FlushAtSize,
    FlushEvery,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    NotLoweredError,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
)
from bufsim.engines.randomness import stream
from bufsim.engines.workload import Workload
from bufsim.studies import progress as bars
from bufsim.studies import tasks
from bufsim.studies.study import Study
from bufsim.studies.study_numbers import IncompleteError

# what is declared


def test_a_study_tells_its_scenarios_and_its_seed():
    planned = study_of(seed=3)
    assert list(planned.scenarios) == [repr(policy) for policy in POLICIES]
    assert planned.seed == 3


def test_a_study_without_a_seed_draws_one():
    one, two = Study({"a": drawn()}), Study({"a": drawn()})
    assert one.seed != two.seed
    assert one.run(2, progress=False).seed == one.seed


def test_a_study_can_be_pickled():
    planned = study_of(seed=3)
    again = pickle.loads(pickle.dumps(planned))
    assert (again.seed, dict(again.scenarios)) == (planned.seed, dict(planned.scenarios))


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Study(drawn()), InvalidValueError, "a study of one simulation needs something to vary, such as pol"),
        (lambda: Study([drawn()]), InvalidTypeError, "scenarios must be a Simulation or a dict of them by name, got"),
        (lambda: Study({}), InvalidValueError, "scenarios must not be empty; give at least one, such as {'today':"),
        (lambda: Study({"a": 1}), InvalidTypeError, "scenario 'a' must be a Simulation, got 1"),
        (lambda: Study({1: drawn()}), InvalidTypeError, "scenario name must be a str, got 1"),
        (lambda: Study({"": drawn()}), InvalidValueError, "scenario name must not be empty"),
        (
            lambda: Study({"a": drawn()}, until=[1.0]),
            InvalidValueError,
            "until varies one simulation, got named scen",
        ),
        (lambda: Study({"a": drawn()}, seed=-1), InvalidValueError, "seed must be >= 0, got -1"),
        (lambda: Study({"a": drawn()}, seed=1.5), InvalidTypeError, "seed must be a whole number, got 1.5"),
    ],
)
def test_a_wrong_study_says_why(make, error, says):
    with pytest.raises(error) as raised:
        make()
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"replications": 1}, InvalidValueError, "replications must be >= 2, got 1: from one run nothing can be said"),
        ({"replications": -3}, InvalidValueError, "replications must be >= 0, got -3"),
        ({"replications": 2.5}, InvalidTypeError, "replications must be a whole number, got 2.5"),
        ({"first": -1}, InvalidValueError, "first must be >= 0, got -1"),
        ({"engine": "fast"}, InvalidValueError, "engine must be one of "),
        ({"progress": "yes"}, InvalidTypeError, "progress must be True, False or a function of the replications done"),
    ],
)
def test_a_wrong_run_says_why(options, error, says):
    with pytest.raises(error) as raised:
        study_of().run(**options)
    assert says in str(raised.value)


# the engines


def test_each_scenario_says_what_ran_it():
    result = study_of(FlushAtSize(5), OwnSize(5)).run(2, progress=False)
    assert list(result.engines.values()) == ["compiled", "simpy"]


def test_a_scenario_that_the_compiled_engine_cannot_take_is_refused_at_once():
    with pytest.raises(NotLoweredError, match=r"does not know the policy OwnSize\(5\) of buffer 'search'; run it with"):
        study_of(FlushAtSize(5), OwnSize(5)).run(2, engine="compiled", progress=False)


def test_both_engines_give_the_same_metrics():
    simpy, compiled = (study_of().run(3, engine=engine, progress=False) for engine in ("simpy", "compiled"))
    names = ("mean_wait_s", "p99_wait_s", "mean_buffer_size_jobs", "flush_rate_per_s", "peak_buffer_size_jobs")
    for name in names:
        np.testing.assert_allclose(simpy.values(name), compiled.values(name), rtol=1e-12)


# failures


def test_a_failing_scenario_is_reported_with_its_cause_and_stops_nobody_else():
    result = study_of(POLICIES[0], Failing(), POLICIES[1]).run(3, progress=False)
    assert result.complete
    assert result.finished == (repr(POLICIES[0]), repr(POLICIES[1]))
    assert result.failures.columns.tolist() == ["scenario", "replication", "error"]
    assert result.failures["replication"].tolist() == [0, 1, 2]
    assert set(result.failures["scenario"]) == {"Failing()"}
    assert set(result.failures["error"].str.partition(" (")[0]) == {"RuntimeError: no idea when"}
    assert result.failures["error"].str.contains("due, line").all()


def test_the_runs_of_a_scenario_that_fails_at_times_are_counted_without_those_that_failed():
    study = study_of(POLICIES[0], FailsAtTimes())
    often = study.scenarios["FailsAtTimes()"]
    first = [float(Workload(often.producers, seed=7, until=60.0, replication=n).jobs().time[0]) for n in range(8)]
    kept = [number for number, time in enumerate(first) if time >= 0.07]
    assert 2 <= len(kept) <= 6
    result = study.run(8, progress=False)
    assert sorted(result.tallies["FailsAtTimes()"]) == kept
    assert sorted(result.failures["replication"]) == [number for number in range(8) if number not in kept]
    assert result.replication_counts() == f"{POLICIES[0]!r} 8, FailsAtTimes() {len(kept)}"
    # it is no basis for a comparison, and takes nothing from the others
    assert (result.finished, result.replications) == ((repr(POLICIES[0]),), 8)
    assert "8 replications each" in repr(result)
    assert "1 scenario failed" in repr(result)


def test_the_others_are_as_without_it():
    with_it = study_of(POLICIES[0], Failing(), POLICIES[1]).run(3, progress=False)
    without = study_of(POLICIES[0], POLICIES[1]).run(3, progress=False)
    assert {name: one for name, one in bits(with_it).items() if one} == bits(without)


def test_the_result_says_that_a_scenario_failed():
    text = repr(study_of(POLICIES[0], Failing()).run(2, progress=False))
    assert "2 scenarios · 2 replications each" in text
    assert "1 scenario failed, see .failures" in text


def test_when_all_fail_the_result_still_shows_itself_and_numbers_say_why():
    result = study_of(Failing()).run(2, progress=False)
    assert repr(result) == "Study  seed 7 · 1 scenario · 1 scenario failed, see .failures"
    with pytest.raises(InvalidValueError, match=r"no scenario with 2 finished replications; scenario 'Failing.*' fail"):
        _ = result.replications


def raising(batch):
    raise KeyError("no such product")


def test_a_reduce_that_raises_is_logged_as_the_service_does_and_fails_nothing(caplog):
    # the ported service logs it, and the batch goes on as it is
    buffers = [JobBuffer("b", policy=FlushAtSize(4), reduce=raising)]
    simulation = Simulation(producers=[Producer("p", Poisson(5.0))], buffers=buffers, until=10.0)
    result = Study({"raising": simulation}, seed=1).run(2, progress=False)
    assert result.finished == ("raising",)
    assert "no such product" in caplog.text


def test_service_times_that_run_out_are_reported():
    short = drawn(workers=[PushWorkers(2, service=[0.1] * 5)])
    result = Study({"short": short, "long": drawn()}, seed=1).run(2, progress=False)
    assert result.finished == ("long",)
    assert result.failures["error"].str.contains("service times of queue 'default' must be at least .* values").all()


def test_some_failed_replications_leave_a_scenario_out():
    class Sometimes(OwnSize):
        def due(self, view):
            if view.oldest_at < 0.05:
                raise ValueError("too early")
            return super().due(view)

        def __repr__(self):
            return "Sometimes()"

    result = study_of(Sometimes(5), POLICIES[0]).run(8, progress=False)
    failed = result.failures["replication"].tolist()
    assert 0 < len(failed) < 8
    assert result.finished == (repr(POLICIES[0]),)
    assert sorted([*failed, *result.tallies["Sometimes()"]]) == list(range(8))


def test_failures_are_the_same_in_processes():
    here, there = (study_of(Failing(), POLICIES[0]).run(3, executor=ex, progress=False) for ex in (None, 2))
    assert here.failures.equals(there.failures)


def test_a_metric_that_is_undefined_in_a_scenario_is_shown_so():
    text = repr(study_of(NeverFlush(), POLICIES[0]).run(2, progress=False))
    assert "undefined" in text
    assert "NeverFlush()" in text


# how a study shows its progress


def test_a_function_is_told_of_each_replication():
    told = []
    study_of().run(2, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, 6) for n in range(1, 7)]


def test_a_quiet_study_says_nothing(capfd):
    study_of().run(2, progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_short_study_says_nothing(capfd, monkeypatch):
    monkeypatch.setattr(bars, "PATIENCE", 1000.0)
    study_of().run(2)
    out, err = capfd.readouterr()
    assert out == ""
    assert "run/s" not in err


def test_a_study_shows_one_bar_on_request(capfd):
    study_of().run(2, progress=False)  # what compiles says so in a line of its own
    capfd.readouterr()
    study_of().run(2, progress=True, executor=2)
    out, err = capfd.readouterr()
    assert out == ""
    # one line, written again and again: how often depends on how long it takes
    line, rest = err.split("\n")
    assert line.split("\r")[-1].startswith("replications: 100%")
    assert "6/6" in line.split("\r")[-1]
    assert rest == ""


# interrupts


@pytest.mark.parametrize("executor", [None, 2])
def test_an_interrupt_gives_what_is_finished_and_says_so(executor):
    def stop(done, total):
        if done >= 7:
            raise KeyboardInterrupt

    part = study_of().run(200, executor=executor, progress=stop)
    whole = bits(study_of().run(5, progress=False))
    assert not part.complete
    assert "INCOMPLETE: interrupted, this is what was finished" in repr(part)
    # what came in can be looked at and compared
    assert part.replications >= 2
    assert set(part.intervals("mean_wait").scenario) == set(part.scenarios)
    assert part.compare("mean_wait").sentences()
    assert 7 <= sum(map(len, part.tallies.values())) < 600
    for name, found in bits(part).items():
        for number in set(found) & set(whole[name]):
            assert found[number] == whole[name][number]


def test_an_interrupt_in_a_run_keeps_the_others():
    class Interrupted(OwnSize):
        def due(self, view):
            raise KeyboardInterrupt

        def __repr__(self):
            return "Interrupted()"

    part = study_of(POLICIES[0], Interrupted(3), POLICIES[1]).run(3, progress=False)
    assert not part.complete
    assert [len(found) for found in part.tallies.values()] == [1, 0, 0]


def test_a_part_has_something_of_every_scenario():
    def stop(done, total):
        if done == 7:
            raise KeyboardInterrupt

    part = study_of().run(10, progress=stop)
    assert [len(found) for found in part.tallies.values()] == [3, 2, 2]
    assert part.replications == 2


PARTS = {
    "nothing in common": ((0, 1, 2), (3, 4, 5), (0, 1, 2)),
    "one in common": ((0, 1, 2), (2, 3, 4), (2, 3)),
    "one scenario alone": ((0, 1, 2), (), ()),
    "nothing": ((), (), ()),
}


@pytest.mark.parametrize("kept", PARTS.values(), ids=PARTS)
def test_a_part_without_pairs_shows_what_there_is_and_says_why_nothing_is_compared(kept):
    whole = study_of(until=20.0).run(6, progress=False)
    tallies = {
        name: {number: whole.tallies[name][number] for number in numbers}
        for name, numbers in zip(whole.scenarios, kept, strict=True)
    }
    part = replace(whole, tallies=tallies, complete=False)
    counts = ", ".join(f"{name} {len(found)}" for name, found in tallies.items())
    for shown in (repr(part), html.unescape(part._repr_html_())):
        assert f"INCOMPLETE: interrupted, this is what was finished (replications: {counts})" in shown
    table = part.intervals("mean_wait")
    assert dict(zip(table.scenario, table.n, strict=True)) == {
        name: len(found) for name, found in tallies.items() if len(found) > 1
    }
    for ask in (
        lambda: part.compare("mean_wait"),
        lambda: part.compare("mean_wait", pairs="all"),
        lambda: part.pareto("mean_wait", "flush_rate"),
    ):
        with pytest.raises(IncompleteError, match=r"interrupted .*run it again \(with the same store, if it had one\)"):
            ask()
    assert isinstance(part.warnings(), list)


def test_of_many_scenarios_a_part_says_from_how_many_to_how_many_replications_they_have():
    whole = study_of(*(FlushAtSize(n) for n in range(2, 10)), until=20.0).run(3, progress=False)
    last = list(whole.scenarios)[-1]
    part = replace(whole, tallies={**whole.tallies, last: {}}, complete=False)
    assert "this is what was finished (replications: from 0 to 3 of 8 scenarios)" in repr(part)


@pytest.mark.parametrize("count", [1, 2])
def test_an_interrupted_pool_has_done_the_first_replications_of_all_scenarios(count, monkeypatch):
    # a worker hands back all but one of its chunk
    monkeypatch.setattr(tasks, "PATIENCE", 0.0)

    def stop(done, total):
        if done >= 30:
            raise KeyboardInterrupt

    with futures.ThreadPoolExecutor(count) as executor:
        part = study_of(until=5.0).run(200, executor=executor, progress=stop)
    assert 30 <= sum(map(len, part.tallies.values())) < 40
    assert part.replications >= 5


def test_an_interrupt_that_comes_too_soon_says_so():
    def stop(done, total):
        raise KeyboardInterrupt

    part = study_of().run(10, progress=stop)
    with pytest.raises(InvalidValueError, match="it was interrupted too soon: run it again"):
        _ = part.replications


# common random numbers


def runs(planned, replication=0):
    return {
        name: simulation.run(planned.seed, engine="compiled", replication=replication)
        for name, simulation in planned.scenarios.items()
    }


def test_every_scenario_meets_the_same_jobs():
    results = list(runs(study_of(*POLICIES, FlushAtSize(1))).values())
    for other in results[1:]:
        for column in ("created_at", "nbytes", "producer"):
            assert other.jobs[column].tolist() == results[0].jobs[column].tolist()


def test_the_i_th_work_of_a_queue_takes_the_same_service_time_under_every_policy():
    simulation = drawn(workers=[PushWorkers(2, service=Exponential(0.05))])
    times = [one.work["busy_time"].dropna() for one in runs(Study(simulation, policy=POLICIES, seed=3)).values()]
    least = min(map(len, times))
    assert least > 100
    for other in times[1:]:
        assert other.iloc[:least].tolist() == times[0].iloc[:least].tolist()


def test_what_else_is_in_the_model_shifts_nothing():
    alone = drawn()
    extended = Simulation(
        producers=[*alone.producers, Producer("imports", Poisson(3.0), queue="other")],
        buffers=[*alone.buffers, JobBuffer("others", policy=FlushEvery(4.0), collect=CollectQueues("other"))],
        workers=[*alone.workers, PollingWorkers(queue="other", service=Exponential(0.1))],
        until=alone.until,
    )
    one, two = (simulation.run(5).jobs.query("producer == 'edits'") for simulation in (alone, extended))
    assert one["created_at"].tolist() == two.loc[two["buffer"] == "search", "created_at"].tolist()


def test_replications_meet_different_jobs():
    planned = study_of()
    first, second = (next(iter(runs(planned, number).values())).jobs["created_at"].tolist() for number in (0, 1))
    assert not set(first) & set(second)


def test_replications_can_begin_where_others_ended():
    whole = bits(study_of().run(5, progress=False))
    rest = bits(study_of().run(3, first=2, progress=False))
    assert rest == {name: {n: found[n] for n in (2, 3, 4)} for name, found in whole.items()}


def test_adjacent_root_seeds_share_no_stream():
    # a seed that shifted by one per replication would repeat the neighbour's runs
    seen = Counter(
        tuple(stream(seed, name, purpose, replication).integers(0, 2**63, 2).tolist())
        for seed in range(20)
        for replication in range(20)
        for name, purpose in itertools.product(("edits", "search"), ("arrivals", "service 1"))
    )
    assert max(seen.values()) == 1
    firsts = [
        one.jobs["created_at"].tolist()
        for seed in (7, 8, 9)
        for number in range(3)
        for one in [drawn().run(seed, replication=number)]
    ]
    assert all(not set(one) & set(other) for one, other in itertools.combinations(firsts, 2))
