from __future__ import annotations

import re

import pytest
from bufsim_tests.studies_small import declare

from bufsim import FlushAfterAge, FlushAtSize, InvalidValueError
from bufsim.studies.scenarios import Option, options
from bufsim.studies.study import Study

ONE, TWO = FlushAtSize(10), FlushAtSize(20) | FlushAfterAge(2.0)


def grid(**over):
    return Study(declare(), seed=1, **over)


def of(study, **asked):
    return options(study.scenarios, study.coordinates, study.scenarios, **asked)


def test_scenarios_that_differ_in_their_load_only_are_one_option():
    found = of(grid(policy=[ONE, TWO], arrivals_scale=[2, 0.5, 1]))
    assert [one.name for one in found] == [repr(ONE), repr(TWO)]
    assert [scale for scale, _ in found[0].scenarios] == [0.5, 1.0, 2.0]
    assert found[0].base() == f"{ONE!r} · arrivals \N{MULTIPLICATION SIGN}1"


def test_without_scale_1_the_lowest_load_is_the_base():
    assert of(grid(policy=[ONE], arrivals_scale=[3, 2]))[0].base() == f"{ONE!r} · arrivals \N{MULTIPLICATION SIGN}2"


def test_named_scenarios_are_an_option_each():
    study = Study({"a": declare(ONE), "b": declare(TWO)}, seed=1)
    assert of(study) == (Option("a", ((1.0, "a"),)), Option("b", ((1.0, "b"),)))


def test_a_study_of_loads_alone_has_one_option_called_by_its_policy():
    assert [one.name for one in of(grid(arrivals_scale=[1, 2]))] == [repr(declare().buffers[0].policy)]


def test_what_did_not_finish_is_missing():
    study = grid(policy=[ONE], arrivals_scale=[1, 2])
    first, second = study.scenarios
    (option,) = options(study.scenarios, study.coordinates, [first])
    assert option.missing == (second,)


def test_loads_above_a_bound_may_be_left_out():
    study = grid(policy=[ONE], arrivals_scale=[1, 2, 4])
    assert [scale for scale, _ in of(study, up_to=2)[0].scenarios] == [1.0, 2.0]
    with pytest.raises(InvalidValueError, match=re.escape("up_to must reach the lowest load of the study, got 0.5")):
        of(study, up_to=0.5)


@pytest.mark.parametrize("meant", [TWO, repr(TWO), f"{TWO!r} · arrivals \N{MULTIPLICATION SIGN}1"])
def test_the_baseline_is_a_scenario_an_option_or_a_policy(meant):
    study = grid(policy=[ONE, TWO], arrivals_scale=[1, 2])
    today = Study(declare(), seed=1, baseline=meant, policy=[ONE, TWO], arrivals_scale=[1, 2])
    assert today.baseline == f"{TWO!r} · arrivals \N{MULTIPLICATION SIGN}1"
    assert study.baseline is None


def test_a_baseline_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(InvalidValueError, match=re.escape("baseline must be one of 'a', 'today', got 'toady'")):
        Study({"a": declare(), "today": declare()}, baseline="toady")
