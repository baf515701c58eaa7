# ruff: noqa: RUF001  # names of scenarios write × as books do
from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from bufsim_tests.models import drawn
from hypothesis import given
from hypothesis import strategies as st

from bufsim import (
    Capacity,
    Constant,
    DrainAtMost,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    FlushWhenIdle,
    InvalidTypeError,
    InvalidValueError,
    JobBuffer,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Storage,
    Trace,
)
from bufsim.studies.scenarios import Option, grid, options, policy_grid
from bufsim.studies.study import Study
from bufsim.studies.tasks import drawn_from


def only(simulation, **over):
    """The one simulation of a grid of one."""
    (varied,) = grid(simulation, over).values()
    return varied


def test_every_combination_has_a_name_that_says_its_values():
    made = grid(drawn(), {"policy": [FlushEvery(2.0), FlushAtSize(5)], "arrivals_scale": [1, 2.5], "until": [9.0]})
    assert list(made) == [
        "FlushEvery(2.0) · arrivals ×1 · until 9.0",
        "FlushEvery(2.0) · arrivals ×2.5 · until 9.0",
        "FlushAtSize(5) · arrivals ×1 · until 9.0",
        "FlushAtSize(5) · arrivals ×2.5 · until 9.0",
    ]
    last = made["FlushAtSize(5) · arrivals ×2.5 · until 9.0"]
    assert last.buffers[0].policy == FlushAtSize(5)
    assert last.producers[0].arrivals == Poisson(25.0)
    assert last.until == 9.0


@pytest.mark.parametrize(
    ("over", "found"),
    [
        ({"policy": [FlushEvery(9.0)]}, lambda one: one.buffers[0].policy == FlushEvery(9.0)),
        ({"drain": [DrainAtMost(n=3)]}, lambda one: one.buffers[0].drain == DrainAtMost(n=3)),
        ({"capacity": [Capacity(jobs=5)]}, lambda one: one.buffers[0].capacity == Capacity(jobs=5)),
        ({"concurrency": [7]}, lambda one: one.workers[0].concurrency == 7),
        ({"service": ["20ms"]}, lambda one: one.workers[0].service == Constant(0.02)),
        ({"storage": [Storage(durable=True)]}, lambda one: one.storage.durable),
        ({"durable_queue": [False]}, lambda one: not one.durable_queue),
        ({"durable_queue": ["default"]}, lambda one: one.durable_queue == ("default",)),
        ({"warm_up": ["10s"]}, lambda one: one.warm_up == 10.0),
        ({"workers": [[]]}, lambda one: one.workers == ()),
        ({"arrivals_scale": [3]}, lambda one: one.producers[0].arrivals == Poisson(30.0)),
    ],
)
def test_a_field_is_found_wherever_it_stands(over, found):
    varied = only(drawn(), **over)
    assert found(varied)
    assert not found(drawn())


def test_a_whole_is_varied_before_its_parts_whatever_the_order():
    producers, workers = [Producer("new", Poisson(3.0))], [PushWorkers(5, service=Exponential(0.1))]
    for over in (
        {"arrivals_scale": [2], "producers": [producers], "concurrency": [9], "workers": [workers]},
        {"workers": [workers], "concurrency": [9], "producers": [producers], "arrivals_scale": [2]},
    ):
        varied = only(drawn(), **over)
        assert varied.producers == (Producer("new", Poisson(6.0)),)
        assert varied.workers == (PushWorkers(9, service=Exponential(0.1)),)


def test_storage_is_varied_in_all_buffers_also_where_one_had_its_own():
    own = JobBuffer("own", policy=FlushEvery(5.0), storage=Storage(read_delete_window=1.0))
    other = JobBuffer("other", policy=FlushEvery(5.0))
    simulation, durable = replace(drawn(), buffers=[own, other]), Storage(durable=True)
    varied = only(simulation, storage=[durable])
    assert [varied.storage_of(buffer) for buffer in varied.buffers] == [durable, durable]
    # other buffers do not bring theirs back, whatever is named first
    for names in (("storage", "buffers"), ("buffers", "storage")):
        over = {"storage": [durable], "buffers": [[own, other]]}
        varied = only(drawn(), **{name: over[name] for name in names})
        assert [varied.storage_of(buffer) for buffer in varied.buffers] == [durable, durable]


@pytest.mark.parametrize("storage", [None, "durable"])
def test_what_is_no_storage_is_not_varied(storage):
    with pytest.raises(InvalidTypeError, match="storage must be a Storage, such as Storage"):
        grid(drawn(), {"storage": [storage]})


def test_a_workers_field_is_varied_for_those_that_have_it():
    workers = [PushWorkers(2, queue="default"), PollingWorkers()]
    varied = only(drawn(workers=workers), poll_interval=["1s"])
    assert varied.workers == (PushWorkers(2, queue="default"), PollingWorkers(poll_interval=1.0))


@given(st.permutations(["policy", "arrivals_scale", "until", "concurrency", "durable_queue"]))
def test_a_combination_is_the_same_in_whatever_order_the_fields_are_named(names):
    values = {
        "policy": [FlushEvery(2.0), FlushAtSize(5)],
        "arrivals_scale": [1, 2],
        "until": [8.0, 9.0],
        "concurrency": [1, 2],
        "durable_queue": [True, False],
    }
    made = grid(drawn(), {name: values[name] for name in names})
    assert len(made) == 32
    assert set(made.values()) == set(grid(drawn(), values).values())


def test_scenarios_that_differ_in_their_policy_share_what_draws_follow_from():
    made = grid(drawn(), {"policy": [FlushAtSize(n) for n in range(1, 6)], "arrivals_scale": [1, 2, 3]})
    assert len({drawn_from(one) for one in made.values()}) == 3


@pytest.mark.parametrize(
    ("over", "error", "says"),
    [
        ({"polcy": [1]}, InvalidValueError, "a grid's field must be one of "),
        ({"polcy": [1]}, InvalidValueError, "got 'polcy'; did you mean 'policy'?"),
        ({"policy": FlushEvery(1.0)}, InvalidTypeError, "policy must be a list of values to try, got FlushEvery(1.0)"),
        ({"policy": FlushEvery(1.0)}, InvalidTypeError, "write policy=[FlushEvery(1.0)]"),
        (
            {"until": "5min"},
            InvalidTypeError,
            "until must be a list of values to try, got '5min'; write until=['5min']",
        ),
        (
            {"policy": []},
            InvalidValueError,
            "policy must have at least one value to try, got none; leave it out to keep",
        ),
        ({"until": [5.0, 5.0]}, InvalidValueError, "until must have values that are written differently, got 5.0 more"),
        ({"arrivals_scale": [0]}, InvalidValueError, "arrivals_scale must be > 0, got 0"),
        ({"until": [-1.0]}, InvalidValueError, "until must be > 0, got -1.0"),
        (
            {"poll_interval": [1.0]},
            InvalidValueError,
            "poll_interval is a field of other workers than the simulation has",
        ),
    ],
)
def test_a_wrong_grid_says_why(over, error, says):
    with pytest.raises(error) as raised:
        grid(drawn(), over)
    assert says in str(raised.value)


def test_a_workers_field_needs_workers():
    with pytest.raises(
        InvalidValueError, match=r"concurrency is a field of workers, and the simulation has none; give it workers"
    ):
        grid(drawn(workers=[]), {"concurrency": [1, 2]})


def test_values_that_look_the_same_are_to_be_named():
    traces = [[Producer("log", Trace([0.0, middle, 9.0]))] for middle in (1.0, 2.0)]
    with pytest.raises(InvalidValueError) as error:
        grid(drawn(), {"producers": traces})
    assert "producers must have values that are written differently" in str(error.value)
    assert "or give named scenarios: {'a': simulation, 'b': another}" in str(error.value)


def test_a_grid_that_explodes_is_refused_before_it_is_made():
    sizes = [FlushAtSize(n) for n in range(1, 1001)]
    with pytest.raises(InvalidValueError) as error:
        # to vary the concurrency of no workers is another error, as soon as one scenario is made
        grid(drawn(workers=[]), {"policy": sizes, "arrivals_scale": list(range(1, 101)), "concurrency": [1, 2]})
    assert str(error.value) == (
        "a grid must have at most 10,000 combinations, got 200,000 "
        "(1,000 values of policy × 100 values of arrivals_scale × 2 values of concurrency); "
        "leave out values, or split it"
    )


def test_a_grid_of_policies_joins_their_leaves():
    assert policy_grid(size=[100, 200], age=["5s", 10]) == [
        FlushAtSize(100) | FlushAfterAge(5.0),
        FlushAtSize(100) | FlushAfterAge(10.0),
        FlushAtSize(200) | FlushAfterAge(5.0),
        FlushAtSize(200) | FlushAfterAge(10.0),
    ]
    assert policy_grid(every=[3.0], idle=["1s"]) == [FlushWhenIdle(1.0) | FlushEvery(3.0)]
    assert policy_grid(size=[7]) == [FlushAtSize(7)]


def test_a_grid_of_no_policies_is_refused():
    with pytest.raises(InvalidValueError, match="policy_grid needs values for size, age, idle or every, got none"):
        policy_grid()


def test_the_leaves_check_their_values():
    with pytest.raises(InvalidValueError, match="size must be >= 1, got 0"):
        policy_grid(size=[0])
    with pytest.raises(InvalidValueError, match="age must be finite"):
        policy_grid(age=[math.inf])


ONE, TWO = FlushAtSize(10), FlushAtSize(20) | FlushAfterAge(2.0)


def varied_study(**over):
    return Study(drawn(), seed=1, **over)


def of(study, **asked):
    return options(study.scenarios, study.coordinates, study.scenarios, **asked)


def test_scenarios_that_differ_in_their_load_only_are_one_option():
    found = of(varied_study(policy=[ONE, TWO], arrivals_scale=[2, 0.5, 1]))
    assert [one.name for one in found] == [repr(ONE), repr(TWO)]
    assert [scale for scale, _ in found[0].scenarios] == [0.5, 1.0, 2.0]
    assert found[0].base() == f"{ONE!r} · arrivals \N{MULTIPLICATION SIGN}1"


def test_without_scale_1_the_lowest_load_is_the_base():
    assert (
        of(varied_study(policy=[ONE], arrivals_scale=[3, 2]))[0].base()
        == f"{ONE!r} · arrivals \N{MULTIPLICATION SIGN}2"
    )


def test_named_scenarios_are_an_option_each():
    study = Study({"a": drawn(ONE), "b": drawn(TWO)}, seed=1)
    assert of(study) == (Option("a", ((1.0, "a"),)), Option("b", ((1.0, "b"),)))


def test_a_study_of_loads_alone_has_one_option_called_by_its_policy():
    assert [one.name for one in of(varied_study(arrivals_scale=[1, 2]))] == [repr(drawn().buffers[0].policy)]


def test_what_did_not_finish_is_missing():
    study = varied_study(policy=[ONE], arrivals_scale=[1, 2])
    first, second = study.scenarios
    (option,) = options(study.scenarios, study.coordinates, [first])
    assert option.missing == (second,)


def test_loads_above_a_bound_may_be_left_out():
    study = varied_study(policy=[ONE], arrivals_scale=[1, 2, 4])
    assert [scale for scale, _ in of(study, up_to=2)[0].scenarios] == [1.0, 2.0]
    with pytest.raises(InvalidValueError, match=re.escape("up_to must reach the lowest load of the study, got 0.5")):
        of(study, up_to=0.5)


@pytest.mark.parametrize("meant", [TWO, repr(TWO), f"{TWO!r} · arrivals \N{MULTIPLICATION SIGN}1"])
def test_the_baseline_is_a_scenario_an_option_or_a_policy(meant):
    study = varied_study(policy=[ONE, TWO], arrivals_scale=[1, 2])
    today = Study(drawn(), seed=1, baseline=meant, policy=[ONE, TWO], arrivals_scale=[1, 2])
    assert today.baseline == f"{TWO!r} · arrivals \N{MULTIPLICATION SIGN}1"
    assert study.baseline is None


def test_a_baseline_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(InvalidValueError, match=re.escape("baseline must be one of 'a', 'today', got 'toady'")):
        Study({"a": drawn(), "today": drawn()}, baseline="toady")


class Own(FlushPolicy):
    def __init__(self, size):
        self.size = size

    def due(self, view):
        return -math.inf if view.size >= self.size else math.inf


class OwnWritten(Own):
    def __repr__(self):
        return f"OwnWritten({self.size})"


def test_policies_of_ones_own_that_are_written_alike_are_refused_with_the_way_out():
    with pytest.raises(InvalidValueError) as error:
        grid(drawn(), {"policy": [Own(3), Own(4)]})
    assert str(error.value) == (
        "policy must have values that are written differently, got Own() more than once; give the class Own a __repr__ "
        "that says what its values are, leave one out, or give named scenarios: {'a': simulation, 'b': another}"
    )
    assert list(grid(drawn(), {"policy": [OwnWritten(3), OwnWritten(4)]})) == ["OwnWritten(3)", "OwnWritten(4)"]
    for twice in (FlushAtSize(3), OwnWritten(3)):
        with pytest.raises(InvalidValueError) as error:
            grid(drawn(), {"policy": [twice, twice]})
        assert "__repr__" not in str(error.value)
