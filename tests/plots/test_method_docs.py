from __future__ import annotations

import inspect

import pytest

from bufsim.plots import StudyPlots
from bufsim.plots.result_plots import ResultPlots, drawn_by

METHODS = [
    pytest.param(method, id=f"{kind.__name__}.{name}")
    for kind in (ResultPlots, StudyPlots)
    for name, method in vars(kind).items()
    if inspect.isfunction(method) and not name.startswith("_")
]


@pytest.mark.parametrize("method", METHODS)
def test_each_method_documents_what_it_takes_and_returns(method):
    told = inspect.getdoc(method)
    parameters = told.partition("Parameters\n----------\n")[2].partition("\n\nReturns\n-------\nAxes")[0]
    entries = [line for line in parameters.splitlines() if not line.startswith(" ")]
    named = [name for entry in entries for name in entry.partition(" : ")[0].replace("*", "").split(", ")]
    # no more and no less, and not the result, which it fills in
    assert sorted(named) == sorted(set(inspect.signature(method).parameters) - {"self"})
    assert "Returns\n-------\nAxes" in told


def test_there_are_methods_to_look_at():
    assert len(METHODS) == 13


def test_without_docstrings_nothing_is_made_up():
    def bare():
        pass

    assert drawn_by(bare)(bare).__doc__ is None
