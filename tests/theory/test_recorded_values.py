from __future__ import annotations

from typing import Any

import pytest
from bufsim_tests.theory_cases import FAMILIES, RENAMED, closed_forms

from bufsim import theory

MODELS = [pytest.param(model, id=model["name"]) for model in closed_forms()]


def computed(model: dict[str, Any]) -> dict[str, float]:
    """The model's quantities under their recorded names."""
    family = model["family"]
    form = FAMILIES[family](model["params"])
    return {name: form.quantities[RENAMED.get((family, name), name)] for name in model["quantities"]}


@pytest.mark.parametrize("model", MODELS)
def test_every_recorded_quantity_is_equal_to_nine_digits(model: dict[str, Any]) -> None:
    expected = {name: recorded["value"] for name, recorded in model["quantities"].items()}
    # the absolute part is for values such as 4e-18 only
    assert computed(model) == pytest.approx(expected, rel=1e-9, abs=1e-24)


def standard_errors_off(value: float, recorded: dict[str, Any]) -> float:
    # some replays have no spread: the flush rate on the clock, an event with a chance of 4e-11 that was never met
    return abs(value - recorded["mc_value"]) / (recorded["mc_se"] + 1e-10)


@pytest.mark.parametrize("model", MODELS)
def test_every_monte_carlo_value_is_within_four_standard_errors(model: dict[str, Any]) -> None:
    for name, value in computed(model).items():
        recorded = model["quantities"][name]
        if recorded["mc_value"] is not None:
            assert standard_errors_off(value, recorded) < 4.0, name


def test_an_error_of_one_percent_would_be_seen_by_monte_carlo() -> None:
    waits = [
        (computed(model)["mean_wait"], model["quantities"]["mean_wait"])
        for model in closed_forms()
        if "mean_wait" in model["quantities"]
    ]
    seen = [standard_errors_off(1.01 * value, recorded) > 4.0 for value, recorded in waits]
    assert len(seen) > 20
    assert sum(seen) >= len(seen) - 2


def test_every_recorded_family_has_a_function() -> None:
    assert {model["family"] for model in closed_forms()} == set(FAMILIES)
    assert len(FAMILIES) == 38
    assert sum(len(model["quantities"]) for model in closed_forms()) == 261


def test_every_rename_is_used() -> None:
    recorded = {(model["family"], name) for model in closed_forms() for name in model["quantities"]}
    assert set(RENAMED) <= recorded


def test_every_function_is_checked_by_a_recorded_family_or_by_a_decision_problem() -> None:
    functions = {name for name in theory.__all__ if name[0].islower()}
    by_family = {FAMILIES[model["family"]](model["params"]).family for model in closed_forms()}
    by_problem = {
        "age_only",
        "bulks_and_workers",
        "bulks_and_workers_from_empty",
        "bursty_size_or_age",
        "cost_of_age",
        "cost_of_period",
        "cost_of_size",
        "size_until",
    }
    # the curve whose average over time bulks_and_workers_from_empty is
    by_law = {"mean_in_system_at"}
    # two servers on one real store, recorded: tests/theory/test_races.py
    by_record = {"race_two_flushers", "race_two_free_flushers"}
    assert functions == by_family | by_problem | by_law | by_record
