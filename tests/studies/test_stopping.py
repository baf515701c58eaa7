from __future__ import annotations

import re

import pytest
from bufsim_tests.models import by_name

from bufsim import FlushAfterAge, FlushAtSize, InvalidValueError, NeverFlush
from bufsim.statistics import Margin
from bufsim.studies.study import Study

POLICIES = {"a": FlushAtSize(40) | FlushAfterAge(5.0), "b": FlushAtSize(42) | FlushAfterAge(5.0)}


def study(seed=6, **policies):
    scenarios = by_name(policies or POLICIES, until=100.0)
    return Study(scenarios, seed=seed)


def test_it_runs_until_every_half_width_of_every_scenario_is_reached():
    stopped = study().run_until(half_widths={"mean_wait": "3 %", "p99_wait": "100ms"}, first=5, progress=False)
    assert stopped.reached
    assert stopped.look.replications in (5, 10, 20, 40, 80)
    table = stopped.table()
    half = (table.high - table.low) / 2
    waits = table.metric == "mean_wait_s"
    assert (half[waits] <= 0.03 * table.estimate[waits]).all()
    assert (half[~waits] <= 0.1).all()
    assert table.n.unique().tolist() == [stopped.look.replications]


def test_the_numbers_are_those_of_the_same_study_run_at_once():
    stopped = study().run_until(half_widths={"mean_wait": "3 %"}, first=5, progress=False)
    at_once = study().run(stopped.look.replications, progress=False)
    assert stopped.result.values("mean_wait").equals(at_once.values("mean_wait"))


def test_each_look_keeps_a_confidence_that_leaves_room_for_the_others():
    stopped = study().run_until(half_widths={"mean_wait": "0.1 %"}, first=5, most=20, progress=False)
    assert not stopped.reached
    assert stopped.look.replications == 20
    spent = [1.0 - look.confidence for look in stopped.plan.looks()]
    assert sum(spent) == pytest.approx(0.05)
    at_look = stopped.result.interval("mean_wait", "a", confidence=stopped.look.confidence)
    row = stopped.table().iloc[0]
    assert (row.low, row.high) == (at_look.low, at_look.high)
    assert stopped.missing[0].startswith(f"mean_wait_s of a is {at_look}, wider than ± 0.1 %")
    lines = stopped.sentences()
    assert lines[0] == "Stopped at 20 replications, look 3 of 3: not everything that was wanted is reached."
    assert lines[-1] == "Each interval is at 98.33 %, so that all looks together keep 95 %."


def test_what_the_result_is_asked_further_has_the_confidence_of_the_look():
    stopped = study().run_until(half_widths={"mean_wait": "0.1 %"}, first=5, most=20, progress=False)
    result, level = stopped.result, stopped.look.confidence
    assert level == pytest.approx(1 - 0.05 / 3)
    assert result.interval("mean_wait", "a") == result.interval("mean_wait", "a", confidence=level)
    assert set(result.intervals().confidence) == {level}
    assert {row.comparison.interval.confidence for row in result.compare("mean_wait").rows} == {level}
    assert {check.interval.confidence for check in result.check("mean_wait <= 3s").checks} == {level}
    assert result.best(minimise="mean_wait").confidence == level
    assert set(result.plot.pareto.frame("p99_wait", "flush_rate").confidence) == {level}
    # another is taken where it is asked for, and a plain study keeps 95 %
    assert result.interval("mean_wait", "a", confidence=0.9).confidence == 0.9
    assert set(result.plot.pareto.frame("p99_wait", "flush_rate", confidence=0.9).confidence) == {0.9}
    assert study().run(5, progress=False).interval("mean_wait", "a").confidence == 0.95


def test_it_runs_until_a_comparison_is_decided_and_tells_it():
    stopped = study().run_until(separated="mean_wait", first=5, progress=False)
    (row,) = stopped.comparisons.rows
    assert row.verdict == "better"
    assert row.comparison.interval.confidence == pytest.approx(stopped.look.confidence)
    assert row.sentence() in stopped.sentences()
    equivalent = study().run_until(separated=["mean_wait"], margin="10 %", first=5, progress=False)
    assert equivalent.comparisons.rows[0].verdict == "equivalent"


def test_it_runs_until_the_best_is_found_or_shown_to_be_near_enough():
    best = study().run_until(minimise="mean_wait", first=5, progress=False)
    assert best.selection.winner == "a"
    assert best.selection.sentence("s") in best.sentences()
    tied = study(a=FlushAtSize(40), b=FlushAtSize(40) | FlushAfterAge(100.0))
    never = tied.run_until(minimise="mean_wait", first=5, most=10, progress=False)
    assert never.missing == ("a, b are not separable",)
    near = tied.run_until(maximise="mean_wait", indifference="1 %", first=5, most=10, progress=False)
    assert near.reached
    assert near.goals.indifference == Margin(0.01, relative=True)
    assert near.comparisons is None


def test_all_goals_must_be_reached():
    stopped = study().run_until(
        half_widths={"mean_wait": "90 %"}, minimise="mean_wait", separated="flush_rate", first=5, progress=False
    )
    assert stopped.reached
    assert stopped.look.replications >= 5


def test_a_metric_that_is_undefined_is_never_reached_and_says_why():
    stopped = study(a=NeverFlush()).run_until(half_widths={"mean_wait": "1 %"}, first=2, most=4, progress=False)
    assert not stopped.reached
    assert "lengthen the runs" in stopped.missing[0]


def test_an_interrupt_ends_it_with_what_is_finished():
    def interrupt(done, total):
        if done == 6:
            raise KeyboardInterrupt

    stopped = study().run_until(half_widths={"mean_wait": "1 %"}, first=5, progress=interrupt)
    assert stopped.missing[-1] == "it was interrupted"
    assert not stopped.result.complete
    assert stopped.result.replications in (2, 3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "run_until needs something to reach: half_widths={'mean_wait': '1 %'}, separated=['mean_wait']"),
        ({"indifference": "1 %"}, "run_until needs something to reach"),
        ({"separated": "mean_wait", "indifference": "1 %"}, "indifference goes with minimise=... or maximise=..."),
        ({"half_widths": {"mean_wiat": "1 %"}}, "did you mean 'mean_wait_s'?"),
        ({"half_widths": {"mean_wait": "0 %"}}, "the half-width of mean_wait_s must be > 0"),
        ({"minimise": "mean_wait", "most": 5}, "most must be >= first = 10, got 5"),
        ({"minimise": "mean_wait", "engine": "fast"}, "engine must be one of 'auto', 'simpy', 'compiled', got 'fast'"),
    ],
)
def test_a_wrong_goal_says_what_to_ask(asked, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        study().run_until(**asked)
