from __future__ import annotations

import inspect

import pytest

from bufsim import errors
from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, MissingExtraError, NotLoweredError


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(InvalidValueError, ValueError), (InvalidTypeError, TypeError), (MissingExtraError, ImportError)],
)
def test_an_error_is_caught_as_ours_and_as_pythons_own(error: type[BufsimError], builtin: type[Exception]) -> None:
    for kind in (BufsimError, builtin):
        with pytest.raises(kind, match="rate must be > 0, got -1"):
            raise error("rate must be > 0, got -1")


def test_every_error_is_one_of_ours_and_says_what_it_is() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert {BufsimError, InvalidValueError, InvalidTypeError, MissingExtraError, NotLoweredError} <= set(kinds)
    assert all(issubclass(kind, BufsimError) for kind in kinds)
    assert all(kind.__doc__ for kind in kinds)


def test_a_model_that_cannot_be_lowered_has_no_wrong_value() -> None:
    assert not issubclass(NotLoweredError, ValueError | TypeError)
