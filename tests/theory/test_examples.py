from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from bufsim import theory

MODULES = sorted(module.name for module in pkgutil.iter_modules(theory.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_every_docstring_run(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"bufsim.theory.{name}"))
    assert results.failed == 0
    # poisson and quantile are helpers without examples, quantities is a table
    assert (results.attempted > 0) == (name not in {"poisson", "quantile", "quantities"})
