"""Every argument of every closed form is checked."""

from __future__ import annotations

import math

import pytest
from bufsim_tests.theory_examples import EXAMPLES

from bufsim import theory
from bufsim.errors import BufsimError

CASES = [(name, argument) for name, form in EXAMPLES.items() for argument in form.parameters]


@pytest.mark.parametrize("bad", [math.nan, -1, math.inf, "2", None, True], ids=repr)
@pytest.mark.parametrize(("name", "argument"), CASES, ids=[f"{name}-{argument}" for name, argument in CASES])
def test_a_bad_argument_is_an_error_that_names_it(name: str, argument: str, bad: object) -> None:
    arguments = {**EXAMPLES[name].parameters, argument: bad}
    with pytest.raises(BufsimError, match=rf"{argument} must be "):
        getattr(theory, name)(**arguments)
