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


def test_a_message_is_one_line_of_at_most_500_characters_and_keeps_both_ends() -> None:
    text = str(InvalidValueError(f"name must not be so long, got {'x' * 10_000!r}; take a shorter one"))
    assert len(text) == 500
    assert text.startswith("name must not be so long, got 'xxx")
    assert text.endswith("xxx'; take a shorter one")


@pytest.mark.parametrize("letter", ["\n", "\r", "\x1b", "\x07", "\u202e", "\u2066", "\ud800", "\x85", "\u2028", "\x00"])
def test_a_message_holds_nothing_that_a_terminal_obeys(letter: str) -> None:
    text = str(InvalidValueError(f"a{letter}b"))
    assert text.isprintable()
    assert text == f"a{ascii(letter)[1:-1]}b"


class Unwritable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (10**5000, "a whole number of more than 4,300 digits"),
        ([10**5000], "a list that cannot be written"),
        (Unwritable(), "a Unwritable that cannot be written"),
    ],
    ids=["short", "digits", "list", "unwritable"],
)
def test_a_value_is_quoted_whatever_its_repr_does(value: object, text: str) -> None:
    assert errors.quoted(value) == text
    assert len(errors.quoted("x" * 1_000)) <= errors.LONGEST // 2
