from __future__ import annotations

import copy
import dataclasses
import doctest
import importlib
import inspect
import math
import pickle
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
from bufsim_tests.theory_cases import EXAMPLES
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bufsim import theory
from bufsim.errors import BufsimError, InvalidValueError
from bufsim.theory.closed_form import (
    closed_form,
    poisson_at_most,
    poisson_capped_moments,
    poisson_excess,
    poisson_more_than,
    poisson_support,
)

FORMS = [pytest.param(form, id=name) for name, form in EXAMPLES.items()]
FORM = EXAMPLES["periodic"]


def test_there_is_an_example_of_every_function() -> None:
    public = {name for name in theory.__all__ if name[0].islower()}
    assert set(EXAMPLES) == public - {"mean_in_system_at"}
    assert theory.__all__ == sorted(theory.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))


@pytest.mark.parametrize("form", FORMS)
def test_repr_evaluates_back(form: theory.ClosedForm) -> None:
    assert eval(repr(form), vars(theory).copy()) == form


@pytest.mark.parametrize("form", FORMS)
def test_every_quantity_has_a_unit_and_a_meaning(form: theory.ClosedForm) -> None:
    assert set(form.quantities) <= set(theory.QUANTITIES)


def test_every_declared_quantity_is_one_of_a_closed_form() -> None:
    used = set().union(*(form.quantities for form in EXAMPLES.values()))
    assert used == set(theory.QUANTITIES)


@pytest.mark.parametrize("form", FORMS)
def test_shares_are_between_0_and_1_and_nothing_is_negative(form: theory.ClosedForm) -> None:
    for name, value in form.quantities.items():
        assert value >= 0.0
        if name.startswith("p_") or name.endswith("fraction"):
            assert value <= 1.0


@pytest.mark.parametrize("form", FORMS)
def test_docstring_is_numpydoc_with_every_parameter(form: theory.ClosedForm) -> None:
    function = getattr(theory, form.family)
    doc = inspect.getdoc(function) or ""
    for section in ("Parameters", "Notes", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in doc
    # a formula is derived in the Notes or has a reference
    assert "\nReferences\n" in doc or "derived in the Notes" in form.source
    declared = doc.split("Parameters\n----------\n")[1].split("\n\n")[0]
    for name in inspect.signature(function).parameters:
        assert any(name in line.split(" : ")[0].split(", ") for line in declared.splitlines() if " : " in line), name


@pytest.mark.parametrize("form", FORMS)
def test_arguments_are_keywords(form: theory.ClosedForm) -> None:
    signature = inspect.signature(getattr(theory, form.family))
    assert {parameter.kind for parameter in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert signature.return_annotation == "ClosedForm"


def test_quantities_are_attributes() -> None:
    assert FORM.mean_wait == FORM.quantities["mean_wait"] == 2.5
    assert "mean_wait" in dir(FORM)
    assert FORM.parameters == {"rate": 2.0, "period": 5.0}


def test_an_unknown_quantity_is_an_error_that_suggests_the_nearest() -> None:
    with pytest.raises(
        AttributeError, match=r"periodic has no quantity 'mean_wiat'; it has .*did you mean 'mean_wait'"
    ):
        _ = FORM.mean_wiat


def test_a_closed_form_is_a_frozen_hashable_value() -> None:
    again = theory.periodic(rate=2, period=5)
    assert again == FORM
    assert hash(again) == hash(FORM)
    assert theory.periodic(rate=2.0, period=4.0) != FORM
    with pytest.raises(dataclasses.FrozenInstanceError):
        FORM.source = "elsewhere"  # type: ignore[misc]  # what the test is about


@pytest.mark.parametrize("form", FORMS)
def test_a_closed_form_can_be_pickled_and_copied(form: theory.ClosedForm) -> None:
    assert pickle.loads(pickle.dumps(form)) == form
    assert copy.deepcopy(form) == form


def test_text_is_a_table_with_units_and_the_source() -> None:
    lines = str(FORM).splitlines()
    assert lines[0] == "periodic(rate=2.0, period=5.0)"
    assert "mean_wait 2.5 s: mean wait of a job in the buffer" in [" ".join(line.split()) for line in lines]
    assert lines[-1].startswith("source: Ross (2014)")


def test_html_is_a_table_with_units_and_the_source_escaped() -> None:
    page = FORM._repr_html_()
    assert page.count("<tr>") == 1 + len(FORM.quantities)
    assert "<td>mean_wait</td><td>2.5</td><td>s</td>" in page
    assert "source: Ross (2014)" in page
    assert "Deb &amp; Serfozo" in EXAMPLES["best_policies"]._repr_html_()


def test_numpy_scalars_print_as_numbers() -> None:
    assert repr(theory.periodic(rate=np.float64(2.0), period=np.int64(5))) == "periodic(rate=2.0, period=5)"


def test_a_value_beyond_a_float_is_an_error_that_names_it() -> None:
    @closed_form("nowhere")
    def huge(*, rate: float) -> dict[str, float]:
        return {"mean_batch": rate, "mean_wait": rate * 1e308 * 10.0}

    with pytest.raises(InvalidValueError, match=r"huge\(rate=2.0\) exceeds what a float can hold in mean_wait"):
        huge(rate=2.0)


@pytest.mark.parametrize("form", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_durations_may_be_written_with_a_unit(form: theory.ClosedForm) -> None:
    function = getattr(theory, form.family)
    durations = {name for name, kind in function.__annotations__.items() if kind == "Seconds"}
    written = {name: f"{value!r}s" if name in durations else value for name, value in form.arguments}
    assert function(**written) == form


def test_sizes_may_be_written_with_a_unit() -> None:
    form = theory.bytes_only(rate=2.0, mean_nbytes="100 bytes", nbytes="1 kB")
    assert form == theory.bytes_only(rate=2.0, mean_nbytes=100, nbytes=1000)


def test_a_rate_is_no_duration() -> None:
    with pytest.raises(TypeError, match="rate must be a number, got '2s'"):
        theory.periodic(rate="2s", period=5.0)  # type: ignore[arg-type]  # what the test is about
    with pytest.raises(InvalidValueError, match=r"period has the unknown unit 'm' in '5m'; .* did you mean '5min'"):
        theory.periodic(rate=2.0, period="5m")


def test_a_missing_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'period'"):
        theory.periodic(rate=2.0)  # type: ignore[call-arg]  # what the test is about


def test_importing_theory_does_not_load_scipy() -> None:
    code = "import sys, bufsim.theory; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


CASES = [(name, argument) for name, form in EXAMPLES.items() for argument in form.parameters]


@pytest.mark.parametrize("bad", [math.nan, -1, math.inf, "2", None, True], ids=repr)
@pytest.mark.parametrize(("name", "argument"), CASES, ids=[f"{name}-{argument}" for name, argument in CASES])
def test_a_bad_argument_is_an_error_that_names_it(name: str, argument: str, bad: object) -> None:
    arguments = {**EXAMPLES[name].parameters, argument: bad}
    with pytest.raises(BufsimError, match=rf"{argument} must be "):
        getattr(theory, name)(**arguments)


MODULES = sorted(module.name for module in pkgutil.iter_modules(theory.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_every_docstring_run(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"bufsim.theory.{name}"))
    assert results.failed == 0
    assert results.attempted > 0


MEANS = st.floats(1e-3, 200.0)


@given(mean=MEANS, cap=st.integers(0, 300))
def test_capped_moments_are_sums_over_the_distribution(mean: float, cap: int) -> None:
    counts = np.arange(1500)
    weights = stats.poisson.pmf(counts, mean)
    capped = np.minimum(counts, cap).astype(float)
    expected = (weights @ capped, weights @ capped**2)
    assert poisson_capped_moments(mean, cap) == pytest.approx(expected, rel=1e-10, abs=1e-300)


@given(mean=MEANS, cap=st.integers(0, 300))
def test_excess_is_a_sum_over_the_distribution(mean: float, cap: int) -> None:
    counts = np.arange(cap, cap + 1500)
    expected = stats.poisson.pmf(counts, mean) @ (counts - cap)
    assert poisson_excess(mean, cap) == pytest.approx(expected, rel=1e-7, abs=1e-290)


def test_excess_keeps_its_digits_far_above_the_mean() -> None:
    # P(X = 31) and little more; mean − E[min(X, 30)] would be 0
    assert poisson_excess(1.0, 30) == pytest.approx(4.6e-35, rel=0.1)


@given(mean=st.floats(1e-3, 1e7))
def test_support_has_all_the_probability_and_the_mean(mean: float) -> None:
    counts, weights = poisson_support(mean)
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert weights @ counts == pytest.approx(mean, rel=1e-11)


def test_tails_of_counts_below_0() -> None:
    assert poisson_at_most(-1, 3.0) == 0.0
    assert poisson_more_than(-1, 3.0) == 1.0
