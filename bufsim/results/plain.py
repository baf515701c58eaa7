"""Frozen values as plain data that JSON can hold, and back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def plain(value: object, *, array: Callable[[Array], object] = np.ndarray.tolist) -> Any:
    """Return a dataclass of numbers, texts, tuples, dicts, arrays and such dataclasses as plain data.

    Parameters
    ----------
    array : callable
        What stands for an array; by default the list of its members.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name), array=array) for name in _names(type(value))}
    if isinstance(value, np.ndarray):
        return array(value)
    if isinstance(value, dict):
        return {key: plain(one, array=array) for key, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _listed(data: Any) -> Array:
    return np.array(data, dtype=np.float64 if any(isinstance(one, float) for one in data) else np.int64)


def built(kind: Any, data: Any, *, array: Callable[[Any], Array] = _listed) -> Any:
    """Return the value of a kind that `plain` has made into `data`.

    Parameters
    ----------
    array : callable
        From what stands for an array to the array.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the data is not of this kind.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: built(hints[name], data[name], array=array) for name in _names(kind)})
    if get_origin(kind) is dict:
        return {key: built(get_args(kind)[1], one, array=array) for key, one in data.items()}
    if get_origin(kind) is tuple:
        return tuple(built(get_args(kind)[0], one, array=array) for one in data)
    if isinstance(kind, type):
        return kind(data)
    return array(data)


@functools.cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)
