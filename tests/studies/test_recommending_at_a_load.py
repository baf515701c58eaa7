"""A recommendation for a load that is not today's."""

from __future__ import annotations

import pytest

from bufsim import FlushAfterAge, FlushAtSize, InvalidValueError, JobBuffer, Poisson, Producer, Simulation
from bufsim.studies.expressions import cost
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

COST = cost(per_flush=40.0, per_job_second=1.0)
TODAY = FlushAtSize(80) | FlushAfterAge(5.0)
POLICIES = [FlushAtSize(size) | FlushAfterAge(5.0) for size in (10, 20, 30, 40, 80)]


@pytest.fixture(scope="module")
def result() -> StudyResult:
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(10.0))],
        buffers=[JobBuffer("buffer", policy=TODAY)],
        until=100.0,
        warm_up=10.0,
    )
    study = Study(simulation, policy=POLICIES, arrivals_scale=[1, 2, 4], seed=4, baseline=TODAY)
    return study.run(10, progress=False)


def test_values_count_at_the_load_that_is_asked_for(result: StudyResult) -> None:
    for load in (1.0, 2.0, 4.0):
        answer = result.recommend(minimise=COST, load=load, up_to=4.0, fresh=0)
        at_load = {name: f"{name} · arrivals ×{load:g}" for name in map(repr, POLICIES)}  # noqa: RUF001
        means = {name: result.values(COST)[scenario].mean() for name, scenario in at_load.items()}
        assert answer.choice is not None
        assert answer.choice.name == min(means, key=lambda name: means[name])
        assert answer.choice.value == result.interval(COST, at_load[answer.choice.name])


def test_the_gain_is_over_todays_policy_at_that_load(result: StudyResult) -> None:
    answer = result.recommend(minimise=COST, load=2.0, fresh=10, progress=False)
    assert answer.choice is not None
    assert answer.choice.difference is not None
    assert answer.choice.difference.high < 0.0
    sentence = answer.sentence()
    assert "per s at 2 times today's load, " in sentence
    assert "less than today's size 80 | age 5 s" in sentence
    todays = result.recommend(minimise=COST, load=1.0, fresh=10, progress=False)
    assert "times today's load" not in todays.sentence()


def test_headroom_counts_from_todays_load(result: StudyResult) -> None:
    limits = ["peak_buffer_size <= 60"]
    answer = result.recommend(
        minimise=COST, subject_to=limits, load=2.0, up_to=2.0, headroom=[3.0, 12.0], progress=False
    )
    assert answer.headroom is not None
    assert [scale for scale, _ in answer.headroom.loads] == [1.0, 2.0, 3.0, 12.0]
    again = result.recommend(minimise=COST, subject_to=limits, load=1.0, up_to=2.0, headroom=[3.0], progress=False)
    assert again.headroom is not None
    # 3 times today's load is the same whichever load the values count at
    if again.choice is not None and answer.choice is not None and again.choice.name == answer.choice.name:
        assert answer.headroom.loads[2] == again.headroom.loads[2]


def test_a_load_that_was_not_run_is_refused(result: StudyResult) -> None:
    with pytest.raises(InvalidValueError, match=r"load must be one of the study's loads that count, 1, 2, 4, got 3"):
        result.recommend(minimise=COST, load=3.0, fresh=0)
    with pytest.raises(InvalidValueError, match=r"loads that count, 1, 2, got 4"):
        result.recommend(minimise=COST, load=4.0, up_to=2.0, fresh=0)


def test_the_runs_counted_are_those_at_the_loads_that_count(result: StudyResult) -> None:
    answer = result.recommend(minimise=COST, load=2.0, up_to=2.0, fresh=0)
    assert answer.origin.sentence().startswith("Of 5 options x 2 loads (100 runs, 10 replications each")


def test_what_fresh_replications_do_not_confirm_is_said_as_a_limit_kept(result: StudyResult) -> None:
    chosen = result.recommend(minimise=COST, load=2.0, up_to=2.0, fresh=0).choice
    assert chosen is not None
    scenario = f"{chosen.name} · arrivals ×2"  # noqa: RUF001
    bound = result.interval("mean_wait", scenario, confidence=0.995).high * 1.0001
    # two fresh replications leave open what ten have shown
    answer = result.recommend(
        minimise=COST, subject_to=[f"mean_wait <= {bound!r}"], load=2.0, up_to=2.0, fresh=2, progress=False
    )
    notes = " ".join(answer.notes)
    assert "may or may not" not in notes
    assert not answer.notes or "do not confirm that" in notes
