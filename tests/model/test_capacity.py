from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest

from bufsim import Capacity, InvalidTypeError, InvalidValueError


def test_it_is_a_value() -> None:
    for capacity in (Capacity(5), Capacity(nbytes="64 MiB"), Capacity(5, 10, "drop_oldest")):
        assert pickle.loads(pickle.dumps(capacity)) == capacity
        assert hash(pickle.loads(pickle.dumps(capacity))) == hash(capacity)
        assert eval(repr(capacity), {"Capacity": Capacity}) == capacity
        with pytest.raises(FrozenInstanceError):
            capacity.jobs = 3  # type: ignore[misc]
    assert repr(Capacity(5)) == "Capacity(jobs=5)"


def test_the_newest_is_dropped_unless_told_otherwise() -> None:
    assert Capacity(jobs=5).on_full == "drop_newest"


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            Capacity,
            InvalidValueError,
            "Capacity needs jobs or nbytes, got neither; a buffer without a limit has no Capacity",
        ),
        (lambda: Capacity(jobs=0), InvalidValueError, "jobs must be >= 1, got 0"),
        (lambda: Capacity(nbytes=-1), InvalidValueError, "nbytes must be >= 1, got -1"),
        (lambda: Capacity(jobs=2.0), InvalidTypeError, "jobs must be a whole number, got 2.0"),
        (
            lambda: Capacity(jobs=1, on_full="drop_odlest"),
            InvalidValueError,
            "on_full must be one of 'drop_newest', 'drop_oldest', got 'drop_odlest'; did you mean 'drop_oldest'?",
        ),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value) == message
