"""Values of a field in words: what ``bufsim compare --vary`` and a [plan] table try besides policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.buffers import FlushTime
from bufsim.spelling import build
from bufsim.studies.scenarios import FIELDS, SCALE

_ELSEWHERE = {
    "policy": "give each policy with --policy, or in a plan's policies",
    SCALE: "give the loads of a plan as its loads, such as loads = [1, 2]",
    "producers": "write them in the scenario file",
    "buffers": "vary what they have, such as capacity or drain",
    "items": "that is code; vary it in Python, with Study",
}
"""The fields of a study that are not varied in words, and what to do instead."""
WORDS = tuple(field for field in FIELDS if field not in _ELSEWHERE)
"""The fields that can be varied in words."""
_OF_ROLE = ("drain", "capacity", "flush_time", "reduce", "collect", "storage", "stops", "workers", "service", "backoff")
_SECONDS = ("until", "warm_up", "per_item", "poll_interval")
_NONE: Mapping[str, object] = {"capacity": None, "stops": None, "workers": ()}
_AMOUNTS = {"capacity": ("jobs", "nbytes"), "drain": ("n", "nbytes")}
_COUNT, _SIZE = re.compile(r"-?\d+"), re.compile(r"\d+(?:\.\d+)?\s*[A-Za-z]+")
_FLAGS = {"true": True, "false": False}


class Choice(NamedTuple):
    """A value to try, and what it is called: its words as they were written."""

    words: str
    value: object


def read(text: str, *, name: str = "--vary") -> tuple[str, list[Choice]]:
    """The field and its values in a text such as ``"capacity=2048, 6144"``.

    Parameters
    ----------
    text : str
        A field of a study, ``=``, and values with commas between them.
    name : str
        What it is called in messages.

    Examples
    --------
    >>> read("capacity=2048, capacity(64, on_full=drop_oldest), none")[1][1].value
    Capacity(jobs=64, on_full='drop_oldest')
    >>> read("storage=in_memory, durable")[1][1]
    Choice(words='durable', value=Storage(durable=True))
    """
    field, equals, values = text.partition("=")
    field = field.strip().replace("-", "_")
    if not equals or not field:
        raise InvalidValueError(f"{name} must be FIELD=VALUE,VALUE, such as 'capacity=2048,6144', got {quoted(text)}")
    return field, choices(field, list(_parts(values)), name=name)


def choices(field: str, values: object, *, name: str, base: Path = Path()) -> list[Choice]:
    """The values of a field, each as words, a number or a table.

    Parameters
    ----------
    field : str
        One of `WORDS`.
    values : list
        At least one, each another. A number of jobs or a size is a capacity, or a drain of at most that; "none" is no
        capacity, no stops or no workers; all else is written as in a scenario file.
    name : str
        Where they stand, for messages.
    base : Path
        The directory from which paths in them count.
    """
    if field in _ELSEWHERE:
        raise InvalidValueError(f"{name} cannot vary {field} in words: {_ELSEWHERE[field]}")
    checks.one_of(name, field, WORDS)
    called = f"{name} {field}"
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidTypeError(
            f"{called} must be a list of values to try, got {quoted(values)}; write [{quoted(values)}]"
        )
    if not values:
        raise InvalidValueError(f"{called} must have at least one value to try, got none")
    made = [Choice(_words(value), _value(field, value, called, base)) for value in values]
    checks.unique(f"values of {called}", [repr(choice.value) for choice in made], way_out="leave one out")
    return made


def _words(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip() if isinstance(value, str) else str(value)


def _value(field: str, given: object, name: str, base: Path) -> object:
    value = given.strip() if isinstance(given, str) else given
    if value == "":
        raise InvalidValueError(f"{name} must have a value between two commas, got nothing")
    if value == "none" and field in _NONE:
        return _NONE[field]
    if field in _AMOUNTS and (amount := _amount(value)) is not None:
        jobs, nbytes = _AMOUNTS[field]
        kind = {"kind": "at_most"} if field == "drain" else {}
        value = {**kind, jobs if isinstance(amount, int) else nbytes: amount}
    if field == "flush_time":
        made = build(field, value, name=name, base=base)
        return made if isinstance(made, FlushTime) else FlushTime(made)  # type: ignore[arg-type]  # it says what it takes
    if field in _OF_ROLE:
        return build(field, value, name=name, base=base)
    if field in _SECONDS:
        return build("seconds", value, name=name)
    return _plain(value)


def _amount(value: object) -> int | str | None:
    """A number of jobs, or a size as text; None of anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        return int(value) if _COUNT.fullmatch(value) else value if _SIZE.fullmatch(value) else None
    return None


def _plain(value: object) -> object:
    """A number or a flag that is written as text; the field's own rule says whether it will do."""
    if not isinstance(value, str):
        return value
    if value in _FLAGS:
        return _FLAGS[value]
    try:
        return int(value) if _COUNT.fullmatch(value) else float(value)
    except ValueError:
        return value


_OPEN, _CLOSE = "([{", ")]}"


def _parts(text: str) -> Iterator[str]:
    """Yield what stands between the commas that are in no bracket and no quotes."""
    depth, quote, start = 0, "", 0
    for index, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in _OPEN:
            depth += 1
        elif sign in _CLOSE:
            depth -= 1
        elif sign == "," and depth == 0:
            yield text[start:index]
            start = index + 1
    yield text[start:]
