"""What the methods of plots say of themselves: what the functions say that draw for them, without what they fill in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

_Method = TypeVar("_Method", bound=Callable[..., Any])
_PARAMETERS = re.compile(r"(?<=    Parameters\n    ----------\n).*?(?=\n\n|\n    $|\Z)", re.DOTALL)
_ENTRY = re.compile(r"\n(?=    \S)")


def drawn_by(function: Callable[..., Any]) -> Callable[[_Method], _Method]:
    """Give a method, behind its own first line, what the docstring of a function says of the arguments that both take.

    Examples
    --------
    >>> def draw(result, limit):
    ...     \"\"\"Draw.
    ...
    ...     Parameters
    ...     ----------
    ...     result : Result
    ...         The run.
    ...     limit : float
    ...         A line.
    ...     \"\"\"
    >>> @drawn_by(draw)
    ... def method(self, limit):
    ...     \"\"\"Draw the run.\"\"\"
    >>> inspect.getdoc(method).splitlines()[-2:]
    ['limit : float', '    A line.']
    """

    def decorate(method: _Method) -> _Method:
        # python -OO leaves none
        if method.__doc__ and function.__doc__:
            rest = function.__doc__.partition("\n\n")[2]
            names = inspect.signature(method).parameters
            method.__doc__ += "\n\n" + _PARAMETERS.sub(lambda found: _only(found.group(), names), rest)
        return method

    return decorate


def _only(entries: str, names: Collection[str]) -> str:
    """Return the entries of parameters that have one of these names."""
    kept = [entry for entry in _ENTRY.split(entries) if _named(entry) & set(names)]
    return "\n".join(kept)


def _named(entry: str) -> set[str]:
    return set(re.findall(r"\w+", entry.partition(" : ")[0]))
