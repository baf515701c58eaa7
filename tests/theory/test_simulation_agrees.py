"""The simulation against the recorded closed forms, within 4 of its own standard errors over independent runs.

A fast subset runs always; the rest is marked slow. Families and quantities that are not simulated are named, with the
reason, in `models.LEFT_OUT` and `models.LEFT_OUT_QUANTITIES`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bufsim_tests import theory_models as models
from bufsim_tests.theory_cases import closed_forms

FAST = {
    "size_or_max_age/0",
    "periodic/1",
    "periodic_capacity/0",
    "natural_batching/0",
    "race_loss_periodic/0",
    "celery_phase_from_first/0",
}
RUNS = 24
SIMULATED = [
    pytest.param(model, id=model["name"], marks=[] if model["name"] in FAST else pytest.mark.slow)
    for model in closed_forms()
    if model["family"] in models.FAMILIES
]


def standard_errors_off(expected: float, values: list[float]) -> float:
    """How many of its own standard errors the mean of the runs is off."""
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    # what is the same in every run, such as the rate of a clock, must be the value itself
    return abs(float(np.mean(values)) - expected) / max(error, 1e-9 * max(abs(expected), 1e-3))


def measure(model: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """Each quantity of a recorded model, as measured by every run."""
    found = []
    for simulated in models.FAMILIES[model["family"]](model["params"]):
        runs = [simulated.run(seed) for seed in range(RUNS)]
        for name, how in simulated.measured().items():
            if name in model["quantities"]:
                found.append((name, [how(run) for run in runs]))
    return found


@pytest.mark.parametrize("model", SIMULATED)
def test_the_simulation_agrees_with_the_closed_form(model: dict[str, Any]) -> None:
    off = {name: standard_errors_off(model["quantities"][name]["value"], values) for name, values in measure(model)}
    assert {name: error for name, error in off.items() if error > 4.0} == {}


def test_every_recorded_quantity_is_measured_or_left_out_by_name() -> None:
    for model in closed_forms():
        if model["family"] in models.LEFT_OUT:
            continue
        measured = {name for one in models.FAMILIES[model["family"]](model["params"]) for name in one.measured()}
        left_out = {name for family, name in models.LEFT_OUT_QUANTITIES if family == model["family"]}
        assert set(model["quantities"]) - measured - left_out - models.EXACT == set(), model["name"]


def test_every_recorded_family_is_simulated_or_left_out_with_its_reason() -> None:
    recorded = {model["family"] for model in closed_forms()}
    assert recorded == set(models.FAMILIES) | set(models.LEFT_OUT)
    assert not set(models.FAMILIES) & set(models.LEFT_OUT)


def test_an_error_of_two_percent_in_the_wait_would_be_seen() -> None:
    model = next(model for model in closed_forms() if model["name"] == "size_or_max_age/0")
    values = dict(measure(model))["mean_wait"]
    assert standard_errors_off(1.02 * model["quantities"]["mean_wait"]["value"], values) > 4.0
