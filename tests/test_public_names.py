from __future__ import annotations

import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import bufsim

NAMES = bufsim.__all__


def test_the_public_names_stand_in_order_and_once() -> None:
    assert list(bufsim.__all__) == sorted(set(bufsim.__all__))


def test_a_star_import_gives_the_public_names_and_no_more() -> None:
    given: dict[str, object] = {}
    exec("from bufsim import *", given)
    assert set(given) - {"__builtins__"} == set(NAMES)


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'bufsim' has no attribute 'Flush'"):
        _ = bufsim.Flush


@pytest.mark.parametrize("name", ["theory.size_or_age", "vendure.Job"])
def test_a_wing_that_stands_beside_the_model_is_there_after_a_bare_import(name: str) -> None:
    subprocess.run([sys.executable, "-c", f"import bufsim; bufsim.{name}"], check=True)


def test_what_is_in_the_package_is_public_or_a_module() -> None:
    others = {name for name in vars(bufsim) if not name.startswith("_")} - set(NAMES)
    assert {name for name in others if not isinstance(getattr(bufsim, name), ModuleType)} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_opens_with_its_definition(name: str) -> None:
    document = inspect.getdoc(getattr(bufsim, name))
    assert document
    first = document.splitlines()[0]
    # dataclasses without a docstring get their signature for one
    assert not first.startswith(f"{name}(")


def own_members(kind: type) -> list[tuple[str, object]]:
    """The public methods and properties that bufsim wrote for a class or its bases."""
    return [
        (name, inspect.getattr_static(kind, name))
        for name in dir(kind)
        if not name.startswith("_")
        and any(name in vars(base) for base in kind.__mro__ if base.__module__.startswith("bufsim"))
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isclass(getattr(bufsim, name))])
def test_every_public_method_and_property_is_documented(name: str) -> None:
    kind = getattr(bufsim, name)
    undocumented = [
        member
        for member, value in own_members(kind)
        if isinstance(value, property | classmethod | staticmethod) or inspect.isfunction(value)
        if not inspect.getdoc(getattr(kind, member))
    ]
    assert undocumented == []


def test_the_methods_looked_at_are_those_there_are() -> None:
    # negative control of the test above
    assert {"checked_every", "due", "leaf", "parts", "reads"} <= {name for name, _ in own_members(bufsim.FlushPolicy)}
