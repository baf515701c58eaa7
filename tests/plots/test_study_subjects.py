from __future__ import annotations

import pytest
from bufsim_tests import study_plots_small as small
from matplotlib.colors import to_rgb

from bufsim import Deterministic, FlushAtSize, TimeVarying
from bufsim.errors import InvalidValueError
from bufsim.plots import style, subjects
from bufsim.plots.subjects import ScenarioSubject


def test_the_scenarios_at_todays_load_are_shown():
    shown = subjects.at_load(small.ramp())
    assert [(one.label, one.scale, one.is_today) for one in shown] == [("size 2", 1.0, False), ("size 4", 1.0, True)]


def test_today_is_today_at_every_load():
    assert [one.is_today for one in subjects.at_load(small.ramp(), 4.0)] == [False, True]


def test_a_load_must_have_been_run():
    with pytest.raises(InvalidValueError, match="load must be one of 1, 2, 4, got 3"):
        subjects.at_load(small.ramp(), 3)


def test_without_todays_load_the_lowest_is_shown():
    result = small.run(small.declare(Deterministic(1.0)), policy=[FlushAtSize(2)], arrivals_scale=[4.0, 2.0])
    assert [one.scale for one in subjects.at_load(result)] == [2.0]


@pytest.mark.parametrize(
    "what", [FlushAtSize(4), "FlushAtSize(4)", "size 4", small.at(FlushAtSize(4), 2), small.at(FlushAtSize(4), 1)]
)
def test_a_scenario_is_found_by_whatever_it_is_called(what):
    shown = subjects.at_load(small.ramp(), 2.0)
    assert subjects.find(what, shown, small.ramp()).name == small.at(FlushAtSize(4), 2)


def test_an_unknown_scenario_is_an_error_that_names_the_nearest():
    with pytest.raises(InvalidValueError, match=r"scenario must be one of .*'FlushAtSize\(5\)'.*did you mean"):
        subjects.at_load(small.exact(), scenarios=[FlushAtSize(5)])


def test_scenarios_are_shown_in_the_order_that_is_asked_for_in_their_own_colours():
    shown = subjects.at_load(small.exact(), scenarios=[FlushAtSize(8), FlushAtSize(2)])
    assert [(one.label, one.place) for one in shown] == [("size 8", 1), ("size 2", 0)]


def test_no_scenario_is_nothing_to_show():
    with pytest.raises(InvalidValueError, match="scenarios must hold at least one to show, got none"):
        subjects.at_load(small.exact(), scenarios=[])


def test_a_failed_scenario_leaves_the_colours_of_the_others():
    whole = {one.label: one.colour for one in subjects.at_load(small.exact())}
    assert {one.label: one.colour for one in subjects.at_load(small.broken())} == {
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
    shown = subjects.at_load(small.exact())
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
    about = subjects.about_study(small.ramp(), 0.9, load=2.0)
    assert about == "n = 3 replications · 90 % intervals, each by itself · 2 times today's load · seed 7"
    assert "load" not in subjects.about_study(small.exact(), 0.9, load=1.0)


def test_what_could_mislead_is_said_first():
    assert subjects.about_study(small.broken(), 0.95).startswith(
        "n = 3 replications · INTERRUPTED: a part of the study · 1 scenario not finished"
    )


def test_the_arrival_rate_is_the_declared_one():
    assert subjects.arrival_rate(small.ramp(), small.at(FlushAtSize(2), 4)) == 4.0


def test_an_arrival_rate_that_is_not_declared_is_that_which_was_seen():
    arrivals = TimeVarying(lambda time: 10.0 * (time < 20.0), 10.0)
    result = small.run(small.declare(arrivals, until=40.0), policy=[FlushAtSize(2)])
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
