"""Frozen values as plain data that JSON can hold, and back."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np


def plain(value: object) -> Any:
    """Return a dataclass of numbers, texts, tuples, dicts, arrays and such dataclasses as plain data."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def built(kind: Any, data: Any) -> Any:
    """Return the value of a kind that `plain` has made into `data`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the data is not of this kind.
    """
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        parts = {field.name: built(hints[field.name], data[field.name]) for field in dataclasses.fields(kind)}
        return kind(**parts)  # type: ignore[operator]  # a class, not an instance
    if get_origin(kind) is dict:
        return {key: built(get_args(kind)[1], one) for key, one in data.items()}
    if get_origin(kind) is tuple:
        return tuple(built(get_args(kind)[0], one) for one in data)
    if isinstance(kind, type):
        return kind(data)
    # what is left are arrays, of whole numbers or of floats
    return np.array(data, dtype=np.float64 if any(isinstance(one, float) for one in data) else np.int64)
