from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pytest
from bufsim_tests import models
from matplotlib.colors import to_rgb

from bufsim import Deterministic, FlushAtSize, FlushEvery, TimeVarying
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject
from bufsim.statistics import Interval
from bufsim.studies.expressions import metric
from bufsim.studies.quantities import Quantity

# buffers and queues of results


def run(policy, seed=1):
    return models.worked(policy=policy).run(seed=seed)


def test_results_are_called_after_their_policies():
    results = [run(FlushAtSize(3)), run(FlushEvery(5.0))]
    assert subjects.label(results, None) == ["FlushAtSize(3)", "FlushEvery(5.0)"]


def test_results_of_one_policy_are_told_apart_by_their_seeds():
    results = [run(FlushAtSize(3), seed=4), run(FlushAtSize(3), seed=5)]
    assert subjects.label(results, None) == ["FlushAtSize(3), seed 4", "FlushAtSize(3), seed 5"]


def test_the_same_run_twice_is_told_apart_by_its_place():
    result = run(FlushAtSize(3))
    assert subjects.label([result, result], None) == ["FlushAtSize(3), seed 1, run 1", "FlushAtSize(3), seed 1, run 2"]


def test_a_chosen_buffer_names_its_results_by_its_own_policy():
    assert subjects.label([models.run_of_two_buffers()], None, "email buffer") == [repr(models.POLICY)]
    assert subjects.label([models.run_of_two_buffers()], None) == [repr(models.POLICY)]


def test_given_labels_are_taken():
    assert subjects.label([models.worked_run()], "today") == ["today"]


def test_there_must_be_as_many_labels_as_results():
    with pytest.raises(InvalidValueError, match="labels must be as many as the results, 1, got"):
        subjects.label([models.worked_run()], ["a", "b"])


def test_labels_must_differ():
    with pytest.raises(InvalidValueError, match="labels must be unique, got 'a' twice"):
        subjects.label([models.worked_run(), models.worked_run()], ["a", "a"])


def test_a_picture_takes_a_result():
    with pytest.raises(InvalidTypeError, match="a plot takes at least one result, got none; give what Simulation"):
        subjects.of_buffers([], None, None)


def test_an_unknown_buffer_or_queue_has_a_suggestion():
    with pytest.raises(InvalidValueError, match="did you mean 'search'"):
        subjects.of_buffers([models.worked_run()], None, "serch")
    with pytest.raises(InvalidValueError, match="did you mean 'default'"):
        subjects.of_queues([models.worked_run()], None, "defualt")


def test_buffers_of_several_results_stand_together():
    result = models.run_of_two_buffers()
    groups = subjects.by_part(subjects.of_buffers([result, result], ["a", "b"], None))
    assert [[(one.label, one.place, one.part) for one in group] for group in groups] == [
        [("a", 0, "index buffer"), ("b", 1, "index buffer")],
        [("a", 0, "email buffer"), ("b", 1, "email buffer")],
    ]


# scenarios of studies


def test_the_scenarios_at_todays_load_are_shown():
    shown = subjects.at_load(models.ramp_study())
    assert [(one.label, one.scale, one.is_today) for one in shown] == [("size 2", 1.0, False), ("size 4", 1.0, True)]


def test_today_is_today_at_every_load():
    assert [one.is_today for one in subjects.at_load(models.ramp_study(), 4.0)] == [False, True]


def test_a_load_must_have_been_run():
    with pytest.raises(InvalidValueError, match="load must be one of 1, 2, 4, got 3"):
        subjects.at_load(models.ramp_study(), 3)


def test_without_todays_load_the_lowest_is_shown():
    result = models.studied(models.edits(Deterministic(1.0)), policy=[FlushAtSize(2)], arrivals_scale=[4.0, 2.0])
    assert [one.scale for one in subjects.at_load(result)] == [2.0]


@pytest.mark.parametrize(
    "what",
    [
        FlushAtSize(4),
        "FlushAtSize(4)",
        "size 4",
        models.at_load(FlushAtSize(4), 2),
        models.at_load(FlushAtSize(4), 1),
    ],
)
def test_a_scenario_is_found_by_whatever_it_is_called(what):
    shown = subjects.at_load(models.ramp_study(), 2.0)
    assert subjects.find(what, shown, models.ramp_study()).name == models.at_load(FlushAtSize(4), 2)


def test_an_unknown_scenario_is_an_error_that_names_the_nearest():
    with pytest.raises(InvalidValueError, match=r"scenario must be one of .*'FlushAtSize\(5\)'.*did you mean"):
        subjects.at_load(models.exact_study(), scenarios=[FlushAtSize(5)])


def test_scenarios_are_shown_in_the_order_that_is_asked_for_in_their_own_colours():
    shown = subjects.at_load(models.exact_study(), scenarios=[FlushAtSize(8), FlushAtSize(2)])
    assert [(one.label, one.place) for one in shown] == [("size 8", 1), ("size 2", 0)]


def test_no_scenario_is_nothing_to_show():
    with pytest.raises(InvalidValueError, match="scenarios must hold at least one to show, got none"):
        subjects.at_load(models.exact_study(), scenarios=[])


def test_a_failed_scenario_leaves_the_colours_of_the_others():
    whole = {one.label: one.colour for one in subjects.at_load(models.exact_study())}
    assert {one.label: one.colour for one in subjects.at_load(models.interrupted_study())} == {
        label: whole[label] for label in ("size 2", "size 4")
    }


def subject(place):
    return ScenarioSubject("name", "option", "label", place, 1.0, False)


def test_the_first_policies_look_as_they_do_in_pictures_of_results():
    for place in range(12):
        assert subject(place).colour == style.policy_colour(place)
        assert subject(place).dashes == style.policy_dashes(place)


def test_up_to_24_policies_look_different():
    assert len({(subject(place).colour, subject(place).dashes) for place in range(24)}) == 24


def test_today_has_a_colour_that_no_other_policy_has_and_takes_none_of_theirs():
    today = ScenarioSubject("name", "option", "label", 3, 1.0, True)
    assert (today.colour, today.ink, today.dashes) == ("#000000", "#000000", "-")
    assert today.colour not in {subject(place).colour for place in range(12)}
    # sizes 2, 4 (today) and 8
    shown = subjects.at_load(models.exact_study())
    assert [one.colour for one in shown] == [style.policy_colour(0), style.TODAY, style.policy_colour(1)]


def test_today_and_six_more_are_told_apart_by_colour():
    today = ScenarioSubject("name", "option", "label", 0, 1.0, True)
    six = [subject(place) for place in range(6)]
    assert subjects.told_apart([today, *six])
    assert len({one.colour for one in [today, *six]}) == 7
    assert not subjects.told_apart([*six, subject(6)])


def test_letters_are_dark_enough_in_every_colour():
    for place in range(6):
        red, green, blue = to_rgb(subject(place).ink)
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue <= 0.43


def test_a_study_says_how_sure_it_is_and_at_which_load():
    about = subjects.about_study(models.ramp_study(), 0.9, load=2.0)
    assert about == "n = 3 replications · 90 % intervals, each by itself · 2 times today's load · seed 7"
    assert "load" not in subjects.about_study(models.exact_study(), 0.9, load=1.0)


def test_what_could_mislead_is_said_first():
    assert subjects.about_study(models.interrupted_study(), 0.95).startswith(
        "n = 3 replications · INTERRUPTED: a part of the study · 1 scenario not finished"
    )


def test_the_arrival_rate_is_the_declared_one():
    assert subjects.arrival_rate(models.ramp_study(), models.at_load(FlushAtSize(2), 4)) == 4.0


def test_an_arrival_rate_that_is_not_declared_is_that_which_was_seen():
    arrivals = TimeVarying(lambda time: 10.0 * (time < 20.0), 10.0)
    result = models.studied(models.edits(arrivals, until=40.0), policy=[FlushAtSize(2)])
    seen = result.values("arrivals").mean().item() / 40.0
    assert subjects.arrival_rate(result, "FlushAtSize(2)") == pytest.approx(seen)
    assert 4.0 < seen < 6.0


def test_short_labels_leave_out_what_all_but_todays_have_in_common():
    def named(label, *, is_today=False):
        return ScenarioSubject(label, label, label, 0, 1.0, is_today)

    grid = [named("size 4 | age 1 s"), named("size 8 | age 2 s")]
    assert subjects.shortened(grid) == (["4 | 1 s", "8 | 2 s"], "size | age")
    today = named("every 2 s", is_today=True)
    assert subjects.shortened([today, *grid]) == (["every 2 s", "4 | 1 s", "8 | 2 s"], "size | age")
    assert subjects.shortened([*grid, named("every 2 s")])[1] == ""


# axes


def test_open_ends_are_called_open_and_do_not_count():
    half = Interval(99.0, 97.0, math.inf, 0.95, 30, "t")
    assert subjects.written(half) == "99 [97, open]"
    assert subjects.ends([half]) == [97.0, 99.0]


def test_an_axis_is_a_log_axis_where_values_span_much_and_none_is_as_good_as_0():
    quantity = Quantity.of(metric("p99_wait"), [5.0])
    for values, scale in (([0.1, 5.0], "log"), ([1.0, 5.0], "linear"), ([0.0, 5.0], "linear"), ([1e-9, 5.0], "linear")):
        _, ax = plt.subplots()
        subjects.set_axis(ax, "x", quantity, values)
        assert ax.get_xscale() == scale
        low, high = ax.get_xlim()
        assert 0.0 <= low <= values[0]
        assert high >= values[1]
        assert ax.get_xlabel() == "p99 wait, s"


def test_a_log_axis_has_no_0():
    _, ax = plt.subplots()
    with pytest.raises(InvalidValueError, match="log needs values above 0, got 0 of p99 wait; leave log out"):
        subjects.set_axis(ax, "y", Quantity.of(metric("p99_wait"), [5.0]), [0.0, 5.0], log=True)


def test_a_constant_has_an_axis_too():
    _, ax = plt.subplots()
    subjects.set_axis(ax, "y", Quantity.of(metric("p99_wait"), [5.0]), [5.0])
    assert ax.get_ylim() == pytest.approx((4.5, 5.5))
