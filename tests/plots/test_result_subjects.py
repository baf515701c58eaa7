from __future__ import annotations

import pytest
from bufsim_tests import result_plots_small as small

from bufsim import FlushAtSize, FlushEvery
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.plots import subjects


def run(policy, seed=1):
    return small.simulation(policy=policy).run(seed=seed)


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
    assert subjects.label([small.two_buffers()], None, "email buffer") == [repr(small.POLICY)]
    assert subjects.label([small.two_buffers()], None) == [repr(small.POLICY)]


def test_given_labels_are_taken():
    assert subjects.label([small.first()], "today") == ["today"]


def test_there_must_be_as_many_labels_as_results():
    with pytest.raises(InvalidValueError, match="labels must be as many as the results, 1, got"):
        subjects.label([small.first()], ["a", "b"])


def test_labels_must_differ():
    with pytest.raises(InvalidValueError, match="labels must be unique, got 'a' twice"):
        subjects.label([small.first(), small.first()], ["a", "a"])


def test_a_plot_takes_a_result():
    with pytest.raises(InvalidTypeError, match="a plot takes at least one result, got none; give what Simulation"):
        subjects.of_buffers([], None, None)


def test_an_unknown_buffer_or_queue_has_a_suggestion():
    with pytest.raises(InvalidValueError, match="did you mean 'search'"):
        subjects.of_buffers([small.first()], None, "serch")
    with pytest.raises(InvalidValueError, match="did you mean 'default'"):
        subjects.of_queues([small.first()], None, "defualt")


def test_buffers_of_several_results_stand_together():
    result = small.two_buffers()
    groups = subjects.by_part(subjects.of_buffers([result, result], ["a", "b"], None))
    assert [[(one.label, one.place, one.part) for one in group] for group in groups] == [
        [("a", 0, "index buffer"), ("b", 1, "index buffer")],
        [("a", 0, "email buffer"), ("b", 1, "email buffer")],
    ]
