from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Annotated, Literal

import pytest

from bufsim.declared import Count, Duration, OptionalSize, Value, Wide, default, settle, value
from bufsim.errors import InvalidTypeError, InvalidValueError


def _pair(name: str, given: object) -> tuple[int, ...]:
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise InvalidValueError(f"{name} must be a pair, got {given!r}")
    return tuple(given)


@value
class Shelf(Value):
    length: Duration
    pair: Annotated[Wide[list[int], tuple[int, ...]], _pair] = default((1, 2))
    side: Literal["left", "right"] = "left"
    most: Count | None = None
    nbytes: OptionalSize = default(None)
    total: float = 0.0

    def __post_init__(self) -> None:
        # the fields are as they are held
        settle(self, total=self.length + self.pair[1])


def test_a_field_takes_what_its_rule_takes_and_holds_what_it_returns() -> None:
    shelf = Shelf("1min", [3, 4], nbytes="1 KiB", most=2)
    assert (shelf.length, shelf.pair, shelf.side, shelf.most, shelf.nbytes) == (60.0, (3, 4), "left", 2, 1024)
    assert shelf.total == 64.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"length": -1}, InvalidValueError, "length must be >= 0, got -1.0"),
        ({"length": None}, InvalidTypeError, "length must be a number, got None"),
        ({"length": 1, "pair": [1]}, InvalidValueError, "pair must be a pair, got [1]"),
        (
            {"length": 1, "side": "lef"},
            InvalidValueError,
            "side must be one of 'left', 'right', got 'lef'; did you mean 'left'?",
        ),
        ({"length": 1, "most": 0}, InvalidValueError, "most must be >= 1, got 0"),
        ({"length": 1, "nbytes": 0}, InvalidValueError, "nbytes must be >= 1, got 0"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_the_fields_name(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        Shelf(**options)  # type: ignore[arg-type]
    assert str(raised.value) == message


def test_a_value_is_frozen_slotted_hashable_and_compared_by_its_fields() -> None:
    one, other = Shelf("60s"), Shelf(60)
    assert one == other
    assert hash(one) == hash(other)
    assert one != Shelf(61)
    assert not hasattr(one, "__dict__")
    with pytest.raises(FrozenInstanceError):
        one.length = 3.0  # type: ignore[misc]


def test_a_class_and_a_function_are_written_by_their_names() -> None:
    @value
    class Holder(Value):
        make: Callable[..., object]
        other: Callable[..., object] = dict

    for make in (list, Shelf, _pair):
        assert repr(Holder(make)) == f"Holder({make.__name__})"
        assert eval(repr(Holder(make)), {"Holder": Holder, **globals()}) == Holder(make)
        assert eval(repr(Holder(dict, make)), {"Holder": Holder, **globals()}) == Holder(dict, make)
        assert repr(Holder(dict, make)) == f"Holder(dict, other={make.__name__})"
    # what has no name to be found by is shown as Python does
    for make in (lambda: None, Holder):
        assert repr(Holder(make)) == f"Holder({make!r})"


def test_a_value_survives_pickling_copying_and_replacing_and_its_repr_evaluates() -> None:
    shelf = Shelf("60s", side="right")
    assert repr(shelf) == "Shelf(60.0, side='right', total=62.0)"
    assert eval(repr(shelf)) == pickle.loads(pickle.dumps(shelf)) == copy.deepcopy(shelf) == shelf
    assert replace(shelf, length="2min").length == 120.0
    assert [field.name for field in fields(shelf)][:2] == ["length", "pair"]
    with pytest.raises(InvalidValueError, match="length must be >= 0"):
        replace(shelf, length=-1)
