"""What people call says what it takes, what it returns, and shows one call that runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import bufsim
from bufsim.studies.plan import Plan

CALLED: list[Callable[..., Any]] = [
    bufsim.load_scenario,
    bufsim.Simulation.run,
    bufsim.Study.run,
    bufsim.Study.estimate,
    Plan.run,
    bufsim.StudyResult.compare,
    bufsim.StudyResult.best,
    bufsim.StudyResult.recommend,
    bufsim.StudyResult.check,
    bufsim.StudyResult.pareto,
    bufsim.StudyResult.intervals,
    bufsim.Result.metric,
    bufsim.Result.sample,
    bufsim.Result.save,
    bufsim.Result.summary,
]


def documented(function: Callable[..., Any]) -> set[str]:
    """Return the names in the section on parameters."""
    told = inspect.getdoc(function) or ""
    section = told.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    entries = [line.partition(" : ")[0] for line in section.splitlines() if not line.startswith(" ")]
    return {name for entry in entries for name in re.findall(r"\w+", entry)}


@pytest.mark.parametrize("function", CALLED, ids=lambda function: function.__qualname__)
def test_it_documents_every_argument_and_has_an_example(function: Callable[..., Any]) -> None:
    assert documented(function) == set(inspect.signature(function).parameters) - {"self"}
    told = inspect.getdoc(function) or ""
    assert "\nExamples\n--------\n>>> " in told


@pytest.mark.parametrize("kind", [bufsim.Result, bufsim.StudyResult, bufsim.Simulation, bufsim.Study, Plan])
def test_each_class_that_people_meet_has_an_example(kind: type) -> None:
    assert "\nExamples\n--------\n>>> " in (inspect.getdoc(kind) or "")
