"""Which part of a value is to blame, such as the one that cannot be pickled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass


def culprit(value: object, name: str, is_bad: Callable[[object], bool]) -> str:
    """Return the innermost part of a bad value that is bad itself, by its place and what it is.

    Parameters
    ----------
    value : object
        What is bad.
    name : str
        What it is called.
    is_bad : callable
        Whether a part is.

    Examples
    --------
    >>> culprit([1, {"a": 2, "b": -3}], "values", lambda part: "-" in repr(part))
    "values[1]['b'], which is -3"
    """
    for place, part in _parts(value):
        if is_bad(part):
            return culprit(part, f"{name}{place}", is_bad)
    shown = getattr(value, "__qualname__", None)
    return f"{name}, which is {f'the function {shown}' if shown else repr(value)}"


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(value) and not isinstance(value, type):
        yield from ((f".{field.name}", getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, list | tuple):
        yield from ((f"[{place}]", part) for place, part in enumerate(value))
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
