from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bufsim_tests.models import served

from bufsim import (
    Capacity,
    Deterministic,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Storage,
)
from bufsim.studies import running
from bufsim.studies.formulas import limit
from bufsim.studies.plan import PLANNED, Plan, PlanAnswer

TODAY = FlushAfterAge(5.0)
SIMULATION = served(TODAY, workers=[PushWorkers(2, service="20ms")])
POLICIES = [FlushAtSize(size) | FlushAfterAge(5.0) for size in (10, 20, 40)]
ASKED: dict[str, Any] = {
    "policies": POLICIES,
    "minimise": "40 * flush_rate_per_s + mean_buffer_size_jobs",
    "limits": ["peak_buffer_size <= 60"],
    "loads": [1, 2, 3],
    "load": 2,
    "replications": 6,
    "seed": 4,
}


@pytest.fixture(scope="module")
def answer() -> PlanAnswer:
    return Plan(SIMULATION, **ASKED).run(progress=False)


def test_a_plan_runs_every_policy_at_every_load(answer: PlanAnswer) -> None:
    assert len(answer.study.scenarios) == 4 * 3
    assert answer.study.replications == 6
    assert [option.name for option in answer.options()] == [repr(one) for one in (TODAY, *POLICIES)]


def test_the_choice_keeps_the_limits_up_to_the_load_planned_for_and_is_valued_at_it(answer: PlanAnswer) -> None:
    found = answer.recommendation
    assert found.choice is not None
    assert found.choice.name == answer.favourite
    assert found.origin.load == 2.0
    assert found.origin.loads == 2
    assert "at 2 times today's load" in found.sentence()
    assert answer.exit_status == 0
    # today's policy has peaks of some 80 jobs at twice the load
    assert next(one for one in found.judged_options if one.name == answer.today).verdict == "fail"


def test_higher_loads_that_were_run_and_others_are_headroom() -> None:
    plan = Plan(SIMULATION, **ASKED | {"headroom": [2.5, 4]})
    assert plan.headroom == (2.5, 3.0, 4.0)
    found = plan.run(progress=False).recommendation.headroom
    assert found is not None
    assert [scale for scale, _ in found.loads] == [1.0, 2.0, 2.5, 3.0, 4.0]


def test_the_second_look_and_what_else_is_run_is_on_replications_that_nobody_has_seen(answer: PlanAnswer) -> None:
    assert answer.recommendation.choice is not None
    assert answer.recommendation.choice.fresh == 6
    assert list(answer.stressed.tallies[PLANNED]) == list(range(12, 18))
    assert set(answer.stressed.scenarios) == {
        PLANNED,
        "half as many jobs again",
        "workers twice as slow",
        "half of the workers gone",
        "a stop of 10 s in the middle",
    }
    left_out = [one.name for one in answer.stress_tests() if one.simulation is None]
    assert left_out == ["bursts twice as long"]


def test_what_moves_the_choice_is_looked_at_at_the_load_planned_for(answer: PlanAnswer) -> None:
    assert [expression.name for expression in answer.sensitivity.base] == [
        "peak_buffer_size_jobs",
        "40.0 * flush_rate_per_s + mean_buffer_size_jobs",
    ]
    arrivals = next(one for one in answer.sensitivity.effects if one.variation.name == "arrivals")
    assert arrivals.variation.value == "20 jobs/s"


def test_no_policy_qualifies_is_an_answer_and_the_nearest_is_looked_at() -> None:
    answer = Plan(SIMULATION, **ASKED | {"limits": ["mean_wait <= 1ms"]}).run(progress=False)
    assert answer.exit_status == 1
    assert answer.recommendation.choice is None
    assert answer.favourite == repr(POLICIES[0])
    assert answer.sensitivity.base


def test_one_seed_gives_one_answer(answer: PlanAnswer) -> None:
    again = Plan(SIMULATION, **ASKED).run(progress=False)
    assert again.recommendation.sentences() == answer.recommendation.sentences()
    assert again.sensitivity.table().equals(answer.sensitivity.table())
    assert Plan(SIMULATION, **ASKED | {"seed": None}).seed != Plan(SIMULATION, **ASKED | {"seed": None}).seed


def test_what_is_done_today_is_the_policy_of_the_buffers_unless_it_is_given() -> None:
    assert Plan(SIMULATION, **ASKED).today == TODAY
    given = Plan(SIMULATION, **ASKED | {"today": FlushEvery(2.0)})
    assert given.today == FlushEvery(2.0)
    assert given.simulation.buffers[0].policy == FlushEvery(2.0)
    # today's is not tried twice, nor is another
    plan = Plan(SIMULATION, **ASKED | {"policies": [TODAY, *POLICIES, POLICIES[0]]})
    assert plan.options == (TODAY, *POLICIES)


def test_more_may_be_better() -> None:
    asked = {key: value for key, value in ASKED.items() if key != "minimise"}
    plan = Plan(SIMULATION, **asked | {"maximise": "mean_batch_size", "limits": [limit("peak_buffer_size <= 1000")]})
    assert plan.run(progress=False).recommendation.choice is not None
    assert not plan.is_cost


def test_without_a_load_the_highest_is_planned_for_and_without_loads_todays() -> None:
    assert Plan(SIMULATION, **ASKED | {"load": None}).load == 3.0
    assert Plan(SIMULATION, policies=POLICIES, minimise="mean_wait").load == 1.0


def test_an_interrupt_keeps_what_is_finished_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute, store = running.execute, tmp_path / "plan.sqlite"
    ran: list[int] = []

    def counted(tasks: list[object], *others: Any) -> None:
        ran.append(len(tasks))
        execute(tasks, *others)  # type: ignore[arg-type]  # passed on

    def interrupted(tasks: list[object], *others: Any) -> None:
        execute(tasks[:30], *others)  # type: ignore[arg-type]  # passed on
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "execute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Plan(SIMULATION, **ASKED).run(progress=False, store=store)
    monkeypatch.setattr(running, "execute", counted)
    Plan(SIMULATION, **ASKED).run(progress=False, store=store)
    assert ran[0] == 12 * 6 - 30


@pytest.mark.parametrize("when", [1, 2, 3, 4])
def test_an_interrupt_at_any_later_time_is_no_answer(when: int, monkeypatch: pytest.MonkeyPatch) -> None:
    execute, calls = running.execute, []

    def interrupted(tasks: list[object], *others: Any) -> None:
        calls.append(len(tasks))
        if len(calls) > when:
            raise KeyboardInterrupt
        execute(tasks, *others)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(running, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Plan(SIMULATION, **ASKED | {"headroom": [4]}).run(progress=False)
    assert len(calls) > when


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no policies": ({"policies": []}, InvalidValueError, r"policies must hold at least one other than today's"),
    "only today's": (
        {"policies": [TODAY]},
        InvalidValueError,
        r"at least one other than today's FlushAfterAge\(5\.0\)",
    ),
    "one policy": ({"policies": POLICIES[0]}, InvalidTypeError, r"policies must be a list, got .*; write \["),
    "no policy": (
        {"policies": ["size(3)"]},
        InvalidTypeError,
        r"a policy in policies must be a flush policy, got 'size",
    ),
    "today in words": ({"today": "every(2s)"}, InvalidTypeError, r"today must be a flush policy, got 'every\(2s\)'"),
    "no objective": ({"minimise": None}, InvalidTypeError, r"give either minimise=... or maximise=..."),
    "no loads": ({"loads": []}, InvalidValueError, r"loads must have at least one load, got none; write loads=\[1\]"),
    "a load of 0": ({"loads": [0, 1]}, InvalidValueError, r"a load of loads must be > 0, got 0"),
    "another load": ({"load": 5}, InvalidValueError, r"load must be one of the loads, 1, 2, 3, got 5; add it to them"),
    "one run": ({"replications": 1}, InvalidValueError, r"replications must be >= 2, got 1: from one run nothing"),
    "low headroom": ({"headroom": [2]}, InvalidValueError, r"headroom must be above the load planned for, 2, got 2"),
    "nothing to break": ({"limits": [], "headroom": [4]}, InvalidValueError, r"headroom needs limits to break; give"),
    "limits as text": ({"limits": "p99_wait <= 2s"}, InvalidTypeError, r"limits must be a list, got 'p99_wait <= 2s'"),
    "no such metric": ({"limits": ["p99_wiat <= 2s"]}, InvalidValueError, r"metric must be one of .*did you mean"),
    "empty assumption": ({"assumptions": [""]}, InvalidValueError, r"an assumption must not be empty"),
    "confidence of 95": ({"confidence": 95}, InvalidValueError, r"confidence must be"),
    "no title": ({"title": ""}, InvalidValueError, r"title must not be empty"),
}


@pytest.mark.parametrize(("asked", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_question_says_what_to_ask(asked: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Plan(SIMULATION, **ASKED | asked)


def test_buffers_with_different_policies_need_one_for_today() -> None:
    model = Simulation(
        producers=[Producer("jobs", Poisson(10.0))],
        buffers=[JobBuffer("one", policy=TODAY), JobBuffer("two", policy=FlushEvery(2.0))],
        until=100.0,
    )
    with pytest.raises(
        InvalidValueError, match=r"today must be given where buffers have different policies, got Flush"
    ):
        Plan(model, **ASKED)
    assert Plan(model, **ASKED | {"today": TODAY}).today == TODAY


def test_repr_says_how_much_will_be_run() -> None:
    assert repr(Plan(SIMULATION, **ASKED)) == "Plan(<a plan: 4 policies x 3 loads x 6 replications, seed 4>)"


# what else is chosen


def full() -> Simulation:
    """A job a second in room for 3; the server holds them for 5 s, and one worker takes 0.8 s for each."""
    return Simulation(
        producers=[Producer("p", Deterministic(1.0))],
        buffers=[JobBuffer("b", policy=FlushEvery(5.0), capacity=Capacity(jobs=3))],
        workers=[PushWorkers(1, service=0.8)],
        until=100.5,
    )


VARIED: dict[str, Any] = {
    "vary": {"capacity": [Capacity(jobs=20), None], "concurrency": [1, 2]},
    "minimise": "utilisation",
    "replications": 2,
    "seed": 1,
}


def test_what_else_is_varied_is_an_option_with_every_policy_and_today_is_one_of_them() -> None:
    plan = Plan(full(), **VARIED)
    assert plan.vary == {"capacity": (Capacity(jobs=3), Capacity(jobs=20), None), "concurrency": (1, 2)}
    assert plan.today_name == "FlushEvery(5.0) · capacity Capacity(jobs=3) · concurrency 1"
    assert repr(plan).startswith("Plan(<a plan: 6 options x 1 loads x 2 replications")
    answer = plan.run(progress=False, engine="simpy")
    assert len(answer.study.scenarios) == 6
    # of 5 jobs in 5 s 3 find room: today's options lose, and two workers are half as busy as one
    assert [option.name for option in answer.recommendation.losing] == [
        f"FlushEvery(5.0) · capacity Capacity(jobs=3) · concurrency {count}" for count in (1, 2)
    ]
    lost = answer.study.interval("lost_share", f"{plan.today_name} · arrivals ×1").estimate  # noqa: RUF001
    assert lost == pytest.approx(0.4, abs=0.01)
    assert answer.changes(answer.favourite) == {"capacity": Capacity(jobs=20), "concurrency": 2}
    assert answer.policy(answer.favourite) == FlushEvery(5.0)
    alike = answer.alike(answer.favourite).scenarios
    assert [simulation.buffers[0].capacity for simulation in alike.values()] == [Capacity(jobs=20)]
    told = answer.recommendation.sentence()
    assert "every 5 s · capacity 20 jobs · concurrency 2" in told
    assert "today's every 5 s · capacity 3 jobs · concurrency 1" in told


@pytest.mark.parametrize(
    ("vary", "error", "message"),
    [
        ({"capcity": [1]}, InvalidValueError, "did you mean 'capacity'?"),
        ({"policy": [FlushEvery(1.0)]}, InvalidValueError, "vary cannot have policy: give the policies as policies"),
        ({"until": ["1h"]}, InvalidValueError, "vary cannot have until: it is the length of the runs"),
        ({"capacity": [Capacity(jobs=3)]}, InvalidValueError, "vary capacity must hold at least one value other than"),
        ({"capacity": 5}, InvalidTypeError, "vary capacity must be a list, got 5; write [5]"),
        (
            {"poll_interval": [1.0]},
            InvalidValueError,
            "poll_interval is a field of other workers than the simulation has",
        ),
        (3, InvalidTypeError, "vary must hold the values of fields, such as {'drain': [...]}, got 3"),
        ({}, InvalidValueError, "policies must hold at least one other than today's"),
    ],
)
def test_what_cannot_be_varied_says_why(vary: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        Plan(full(), minimise="utilisation", vary=vary)


def test_what_buffers_have_differently_is_not_varied_for_all_of_them() -> None:
    own = full()
    two = [*own.buffers, JobBuffer("c", policy=FlushEvery(5.0))]
    with pytest.raises(InvalidValueError, match=r"vary capacity needs one value that all have today.*jobs=3\), None"):
        Plan(replace(own, buffers=two), minimise="utilisation", vary={"capacity": [Capacity(jobs=9)]})


def test_todays_storage_is_that_of_the_buffers_and_the_same_in_all() -> None:
    (buffer,) = full().buffers
    durable, slow = Storage(durable=True), Storage(durable=True, read_delete_window=1.0)
    own = replace(full(), buffers=[replace(buffer, storage=durable)], stops=Stops(at=[5.0]))
    plan = Plan(own, minimise="utilisation", vary={"storage": [durable, slow]})
    assert plan.vary == {"storage": (durable, slow)}
    assert plan.today_name.endswith(f"storage {durable!r}")
    two = replace(own, buffers=[*own.buffers, JobBuffer("c", policy=buffer.policy)])
    with pytest.raises(InvalidValueError, match="vary storage needs one value that all have today"):
        Plan(two, minimise="utilisation", vary={"storage": [slow]})
