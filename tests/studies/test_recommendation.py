from __future__ import annotations

import re

import numpy as np
import pytest
from bufsim_tests.models import Failing, drawn, served

from bufsim import (
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Trace,
)
from bufsim.formats import in_full
from bufsim.studies.expressions import cost
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

COST = cost(per_flush=40.0, per_job_second=1.0)
TODAY = FlushAtSize(80) | FlushAfterAge(5.0)
SIMULATION = served(TODAY, workers=[PushWorkers(2, service=Exponential(0.05))], warm_up=10.0)
POLICIES = [FlushAtSize(size) | FlushAfterAge(5.0) for size in (10, 20, 30, 40, 80)]


@pytest.fixture(scope="module")
def result():
    return Study(SIMULATION, policy=POLICIES, seed=4, baseline=TODAY).run(12, progress=False)


def test_the_choice_is_the_best_of_those_that_keep_every_limit(result):
    free = result.recommend(minimise=COST, fresh=0)
    assert free.selection.chosen == free.choice.name
    limited = result.recommend(minimise=COST, subject_to=["p95_wait <= 3.5s"], fresh=0)
    passing = [one.name for one in limited.judged_options if one.verdict == "pass"]
    assert passing == [repr(policy) for policy in POLICIES[:3]]
    values = {name: result.values(COST)[name].mean() for name in passing}
    assert limited.choice.name == min(values, key=values.get)
    assert limited.qualifies
    assert limited.exit_status == 0


def test_the_value_is_estimated_again_on_replications_that_nobody_has_seen(result):
    answer = result.recommend(minimise=COST, progress=False)
    assert answer.choice.fresh == 12
    name = answer.choice.name
    again = Study(SIMULATION, policy=POLICIES, seed=4).run(12, first=12, progress=False)
    assert answer.choice.value == again.interval(COST, name)
    assert answer.choice.value != result.interval(COST, name)
    samples = again.samples(COST)
    gap = samples[name] - samples[repr(TODAY)]
    assert answer.choice.difference.estimate == pytest.approx(gap.mean())
    assert answer.choice.gain.estimate == pytest.approx(gap.mean() / samples[repr(TODAY)].mean())
    assert answer.choice.gain.high < 0.0
    assert "(on 12 fresh replications)" in answer.sentence()
    assert result.recommend(minimise=COST, fresh=5, progress=False).choice.value.n == 5


def test_without_fresh_replications_the_answer_says_that_it_is_flattered(result):
    answer = result.recommend(minimise=COST, fresh=0)
    assert answer.choice.value == result.interval(COST, answer.choice.name)
    assert "(on the replications that chose it, which flatter it; fresh=None re-estimates it)" in answer.sentence()


def test_the_answer_is_told_in_the_planners_words(result):
    answer = result.recommend(minimise=COST, subject_to=["p95_wait <= 3.5s", "peak_buffer_size <= 100"], progress=False)
    lines = answer.sentence().splitlines()
    assert lines[0] == "Of 5 options (60 runs, 12 replications each, common random numbers, seed 4):"
    assert re.fullmatch(
        r"  size \d+ \| age 5 s keeps all 2 limits and has the lowest cost of those that do: "
        r"[\d.]+ \[[\d.]+, [\d.]+\] per s, [\d.]+ \[[\d.]+, [\d.]+\] % less than today's "
        r"size 80 \| age 5 s \(on 12 fresh replications\)\.",
        lines[1],
    )
    assert re.fullmatch(r"  Binding limit: p95 wait ≤ 3.5 s: 3.\d+ \[2.\d+, 3.\d+\] s.*\.", lines[2])
    assert lines[-1].startswith("  Pass 3 · fail 2 · undecided 0")
    assert repr(answer) == answer.sentence()
    assert "<table" in answer._repr_html_()


def test_what_is_not_separable_from_the_choice_is_named_with_the_replications_needed():
    policies = [FlushAtSize(27), FlushAtSize(28), FlushAtSize(29), FlushAtSize(90)]
    answer = Study(SIMULATION, policy=policies, seed=4).run(5, progress=False).recommend(minimise=COST, fresh=0)
    assert set(answer.selection.tie_set) == {repr(policy) for policy in policies[:3]}
    assert "is one of 3 with the lowest cost: " in answer.sentence()
    (line,) = (one for one in answer.sentences() if "Not separable" in one)
    assert line.startswith("  Not separable from it at n = 5: ")
    assert (
        len(re.findall(r"\(difference -?[\d.]+ \[.*?\] per s; about [\d,]+ replications would be needed\)", line)) == 2
    )
    assert {tie.first for tie in answer.ties} == set(answer.selection.tie_set) - {answer.choice.name}


def test_a_recorded_load_binds_exactly_and_the_sentence_says_at_which_load():
    recorded = Simulation(
        # at twice the load two copies lie at random, so that jobs wait less for a batch to be full
        producers=[Producer("edits", Trace(np.arange(0.0, 200.0, 0.5)))],
        buffers=[JobBuffer("search", policy=FlushEvery(2.0))],
        until=200.0,
    )
    policies = [FlushAtSize(10) | FlushAfterAge(5.0), FlushAtSize(4) | FlushAfterAge(5.0)]
    study = Study(recorded, policy=policies, arrivals_scale=[1, 2], seed=4).run(3, progress=False)
    limited = {"subject_to": ["max_wait <= 4.6s"], "progress": False}
    answer = study.recommend(minimise="flush_rate", **limited)
    (line,) = (one for one in answer.sentences() if "Binding" in one)
    # the first of ten jobs waits for nine gaps of half a second
    assert line == "  Binding limit: max wait ≤ 4.6 s at today's load: 4.5 s (exact: nothing is drawn at random)."
    assert "with the lowest" not in answer.sentence()
    assert answer.choice.is_deterministic


def test_what_an_exact_choice_gains_has_no_interval():
    recorded = Simulation(
        producers=[Producer("edits", Trace(np.arange(0.0, 200.0, 0.5)))],
        buffers=[JobBuffer("search", policy=FlushEvery(2.0))],
        until=200.0,
    )
    policies = [FlushEvery(2.0), FlushEvery(4.0)]
    study = Study(recorded, policy=policies, seed=4, baseline=policies[0]).run(3, progress=False)
    answer = study.recommend(minimise="flush_count", progress=False)
    # at 0, 4, ... 196, in place of 0, 2, ... 198
    assert answer.sentences()[1] == (
        "  every 4 s has the lowest flush_count: 50 flushes (exact: nothing is drawn at random), 50 % less than "
        "today's every 2 s (on 3 fresh replications)."
    )


def test_an_undecided_limit_counts_as_not_kept(result):
    middle = result.interval("mean_wait", repr(POLICIES[1])).estimate
    answer = result.recommend(maximise="mean_batch_size", subject_to=[f"mean_wait <= {middle!r}"], fresh=0)
    verdicts = [one.verdict for one in answer.judged_options]
    assert verdicts == ["pass", "undecided", "fail", "fail", "fail"]
    assert answer.choice.name == repr(POLICIES[0])
    assert "undecided 1 (undecided counts as not allowed" in answer.sentence()
    # 1.01 jobs a batch are chosen, and more might be allowed
    assert [option.name for option in answer.better_but_undecided] == [repr(POLICIES[1])]
    told = next(line for line in answer.sentences() if "Better, but undecided: " in line)
    assert f"mean wait ≤ {in_full(middle)} s (undecided: " in told


def test_an_undecided_option_that_is_no_better_is_not_told(result):
    middle = result.interval("mean_wait", repr(POLICIES[1])).estimate
    answer = result.recommend(minimise="mean_batch_size", subject_to=[f"mean_wait <= {middle!r}"], fresh=0)
    assert answer.choice.name == repr(POLICIES[0])
    assert answer.better_but_undecided == ()
    assert "Better, but undecided" not in answer.sentence()


def test_no_option_qualifies_is_an_answer_with_the_nearest_miss(result):
    answer = result.recommend(minimise=COST, subject_to=["p99_wait <= 0.5s"])
    assert (answer.choice, answer.selection, answer.headroom) == (None, None, None)
    assert not answer.qualifies
    assert answer.exit_status == 1
    assert answer.nearest_miss.name == repr(POLICIES[0])
    lines = answer.sentences()
    assert lines[1] == "  No option qualifies: pass 0 · fail 5 · undecided 0."
    assert lines[2].startswith("  Nearest is size 10 | age 5 s: p99 wait ≤ 500 ms (fail: 1.")
    assert lines[3].startswith("  No scenario keeps p99 wait ≤ 500 ms: size 10 | age 5 s comes")
    assert answer.ties == ()


def test_an_undecided_option_is_nearer_than_one_that_fails(result):
    middle = result.interval("mean_wait", repr(POLICIES[0])).estimate
    answer = result.recommend(minimise=COST, subject_to=[f"mean_wait <= {middle * 0.9999!r}"])
    assert not answer.qualifies
    assert (answer.nearest_miss.name, answer.nearest_miss.verdict) == (repr(POLICIES[0]), "undecided")
    assert "would decide 1 of them" in answer.sentence()


def test_what_is_done_today_may_be_the_choice():
    study = Study(SIMULATION, policy=POLICIES, seed=4, baseline=POLICIES[2])
    answer = study.run(12, progress=False).recommend(minimise=COST, progress=False)
    assert answer.choice.name == repr(POLICIES[2])
    assert ", and is what is done today (on 12 fresh replications)." in answer.sentence()
    assert answer.choice.gain is None


def test_a_gain_that_is_not_shown_is_not_claimed():
    study = Study(SIMULATION, policy=[FlushAtSize(28), FlushAtSize(29)], seed=4, baseline=FlushAtSize(29))
    answer = study.run(4, progress=False).recommend(minimise=COST, progress=False)
    if answer.choice.name == repr(FlushAtSize(28)):
        assert "not separable from today's size 29 (difference" in answer.sentence()
    else:
        assert "is what is done today" in answer.sentence()


def test_a_highest_value_is_chosen_where_more_is_better(result):
    answer = result.recommend(maximise="mean_batch_size", fresh=0)
    assert answer.choice.name == repr(TODAY)
    assert "the highest mean_batch_size_jobs" in answer.sentence()


def test_a_policy_must_keep_its_limits_at_every_load_and_is_valued_at_todays():
    study = Study(SIMULATION, policy=[FlushAtSize(20), FlushAtSize(60)], arrivals_scale=[1, 3], seed=4)
    result = study.run(6, progress=False)
    answer = result.recommend(minimise=COST, subject_to=["mean_batch_size <= 50", "arrival_rate >= 8"], fresh=0)
    assert answer.origin.loads == 2
    assert answer.choice.name == repr(FlushAtSize(20))
    base = next(name for name in study.scenarios if name.startswith(repr(FlushAtSize(20))))
    assert answer.choice.value == result.interval(COST, base)
    assert "Of 2 options x 2 loads (24 runs" in answer.sentence()
    assert "keeps all 2 limits at every load up to 3 times today's and" in answer.sentence()
    assert answer.headroom.holds_up_to == 3.0
    only_high = result.recommend(minimise=COST, subject_to=["arrival_rate <= 20"])
    assert not only_high.qualifies
    assert result.recommend(minimise=COST, subject_to=["arrival_rate <= 20"], up_to=1, fresh=0).qualifies


def test_headroom_says_up_to_which_load_the_limits_hold_and_which_breaks_first(result):
    answer = result.recommend(
        minimise=COST,
        subject_to=["utilisation <= 0.9", "p99_wait <= 4s"],
        headroom=[2, 3, 6],
        progress=False,
    )
    room = answer.headroom
    assert [scale for scale, _ in room.loads] == [1.0, 2.0, 3.0, 6.0]
    # 10 jobs/s at 0.05 s on two workers: load 0.25, so that 0.9 is passed at 3.6 times
    assert room.holds_up_to == 3.0
    scale, check = room.first_to_break
    assert (scale, check.limit.expression.name, check.verdict) == (6.0, "utilisation", "fail")
    (line,) = (one for one in answer.sentences() if "Headroom" in one)
    assert line.startswith(
        "  Headroom: every limit is kept at up to 3 times today's load; at 6 times utilisation ≤ 90 % breaks first: "
    )
    assert room.table().load.unique().tolist() == [1.0, 2.0, 3.0, 6.0]
    early = result.recommend(minimise=COST, subject_to=["utilisation <= 0.26"], headroom=[4], fresh=0, progress=False)
    assert early.headroom.first_to_break[0] == 4.0
    enough = result.recommend(minimise=COST, subject_to=["utilisation <= 0.9"], headroom=[2], fresh=0, progress=False)
    assert enough.headroom.sentences() == [
        "Headroom: every limit is kept at up to 2 times today's load, the most that was tried."
    ]


def test_an_option_that_did_not_finish_or_has_no_value_is_undecided():
    scenarios = {
        "fails": drawn(Failing()),
        "never": drawn(NeverFlush()),
        "fine": drawn(FlushAtSize(20)),
    }
    answer = Study(scenarios, seed=1).run(4, progress=False).recommend(minimise="mean_wait", fresh=0)
    reasons = {one.name: one.reason for one in answer.judged_options}
    assert reasons["fails"] == "did not finish: fails"
    assert "it has no value in 4 of 4 replications" in reasons["never"]
    assert answer.choice.name == "fine"
    assert answer.table().set_index("option").verdict.to_dict() == {
        "fails": "undecided",
        "never": "undecided",
        "fine": "pass",
    }


def test_a_limit_that_fresh_replications_do_not_confirm_is_told(result):
    chosen = result.recommend(minimise=COST, fresh=0).choice.name
    fresh = Study(SIMULATION, policy=POLICIES, seed=4).run(2, first=12, progress=False)
    # a bound that the study's replications keep for certain, and two fresh ones leave open
    bound = result.interval("mean_wait", chosen, confidence=0.995).high * 1.0001
    assert fresh.interval("mean_wait", chosen).high > bound
    answer = result.recommend(minimise=COST, subject_to=[f"mean_wait <= {bound!r}"], fresh=2, progress=False)
    if answer.choice.name == chosen:
        assert "The fresh replications do not confirm that " in answer.sentence()


def test_the_table_has_a_row_an_option_and_the_checks_a_row_a_limit(result):
    answer = result.recommend(minimise=COST, subject_to=["p95_wait <= 3.5s", "peak_buffer_size <= 100"], fresh=0)
    table = answer.table()
    assert table.option.tolist() == [repr(policy) for policy in POLICIES]
    chosen = table.set_index("option").loc[answer.choice.name]
    assert chosen.in_tie_set
    assert np.isnan(chosen.difference)
    assert chosen.binding.startswith("p95_wait_s")
    rivals = table[(table.verdict == "pass") & (table.option != answer.choice.name)]
    assert (rivals.difference > 0).all()
    assert len(answer.checks()) == 10


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({}, InvalidTypeError, "give either minimise=... or maximise=..."),
        ({"minimise": "mean_wiat"}, InvalidValueError, "did you mean 'mean_wait_s'?"),
        ({"minimise": COST, "subject_to": ["p99_wiat <= 1"]}, InvalidValueError, "got 'p99_wiat'"),
        ({"minimise": COST, "subject_to": 3}, InvalidTypeError, "limits must be a list such as ['p99_wait <= 2s']"),
        ({"minimise": COST, "fresh": 1}, InvalidValueError, "fresh must be 0 or >= 2, got 1"),
        ({"minimise": COST, "headroom": [2]}, InvalidValueError, "headroom needs limits to break"),
        (
            {"minimise": COST, "subject_to": ["mean_wait <= 9"], "headroom": 2},
            InvalidTypeError,
            "headroom must be a list of loads such as [1.5, 2, 3], got 2",
        ),
        (
            {"minimise": COST, "subject_to": ["mean_wait <= 9"], "headroom": [0]},
            InvalidValueError,
            "a load of headroom must be > 0, got 0",
        ),
        ({"minimise": COST, "up_to": 0.5}, InvalidValueError, "up_to must reach the lowest load of the study"),
    ],
)
def test_a_wrong_question_says_what_to_ask(result, asked, error, message):
    with pytest.raises(error, match=re.escape(message)):
        result.recommend(**asked)


@pytest.fixture(scope="module")
def at_loads() -> StudyResult:
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(10.0))],
        buffers=[JobBuffer("buffer", policy=TODAY)],
        until=100.0,
        warm_up=10.0,
    )
    study = Study(simulation, policy=POLICIES, arrivals_scale=[1, 2, 4], seed=4, baseline=TODAY)
    return study.run(10, progress=False)


def test_values_count_at_the_load_that_is_asked_for(at_loads: StudyResult) -> None:
    for load in (1.0, 2.0, 4.0):
        answer = at_loads.recommend(minimise=COST, load=load, up_to=4.0, fresh=0)
        at_load = {name: f"{name} · arrivals ×{load:g}" for name in map(repr, POLICIES)}  # noqa: RUF001
        means = {name: at_loads.values(COST)[scenario].mean() for name, scenario in at_load.items()}
        assert answer.choice is not None
        assert answer.choice.name == min(means, key=lambda name: means[name])
        assert answer.choice.value == at_loads.interval(COST, at_load[answer.choice.name])


def test_the_gain_is_over_todays_policy_at_that_load(at_loads: StudyResult) -> None:
    answer = at_loads.recommend(minimise=COST, load=2.0, fresh=10, progress=False)
    assert answer.choice is not None
    assert answer.choice.difference is not None
    assert answer.choice.difference.high < 0.0
    sentence = answer.sentence()
    assert "per s at 2 times today's load, " in sentence
    assert "less than today's size 80 | age 5 s" in sentence
    todays = at_loads.recommend(minimise=COST, load=1.0, fresh=10, progress=False)
    assert "times today's load" not in todays.sentence()


def test_headroom_counts_from_todays_load(at_loads: StudyResult) -> None:
    limits = ["peak_buffer_size <= 60"]
    answer = at_loads.recommend(
        minimise=COST, subject_to=limits, load=2.0, up_to=2.0, headroom=[3.0, 12.0], progress=False
    )
    assert answer.headroom is not None
    assert [scale for scale, _ in answer.headroom.loads] == [1.0, 2.0, 3.0, 12.0]
    again = at_loads.recommend(minimise=COST, subject_to=limits, load=1.0, up_to=2.0, headroom=[3.0], progress=False)
    assert again.headroom is not None
    # 3 times today's load is the same whichever load the values count at
    if again.choice is not None and answer.choice is not None and again.choice.name == answer.choice.name:
        assert answer.headroom.loads[2] == again.headroom.loads[2]


def test_a_load_that_was_not_run_is_refused(at_loads: StudyResult) -> None:
    with pytest.raises(InvalidValueError, match=r"load must be one of the study's loads that count, 1, 2, 4, got 3"):
        at_loads.recommend(minimise=COST, load=3.0, fresh=0)
    with pytest.raises(InvalidValueError, match=r"loads that count, 1, 2, got 4"):
        at_loads.recommend(minimise=COST, load=4.0, up_to=2.0, fresh=0)


def test_the_runs_counted_are_those_at_the_loads_that_count(at_loads: StudyResult) -> None:
    answer = at_loads.recommend(minimise=COST, load=2.0, up_to=2.0, fresh=0)
    assert answer.origin.sentence().startswith("Of 5 options x 2 loads (100 runs, 10 replications each")


def test_what_fresh_replications_do_not_confirm_is_said_as_a_limit_kept(at_loads: StudyResult) -> None:
    chosen = at_loads.recommend(minimise=COST, load=2.0, up_to=2.0, fresh=0).choice
    assert chosen is not None
    scenario = f"{chosen.name} · arrivals ×2"  # noqa: RUF001
    bound = at_loads.interval("mean_wait", scenario, confidence=0.995).high * 1.0001
    # two fresh replications leave open what ten have shown
    answer = at_loads.recommend(
        minimise=COST, subject_to=[f"mean_wait <= {bound!r}"], load=2.0, up_to=2.0, fresh=2, progress=False
    )
    notes = " ".join(answer.notes)
    assert "may or may not" not in notes
    assert not answer.notes or "do not confirm that" in notes
