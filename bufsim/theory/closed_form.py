"""A closed form: exact values of a model's named quantities, with their source."""

from __future__ import annotations

import functools
import html
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

import numpy as np

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.theory.quantities import QUANTITIES

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, repr=False)
class ClosedForm:
    """The exact values of a model's named quantities, with the model's parameters and the source of the formulas.

    Each quantity is an attribute; `quantities` holds them all. As text or HTML it is a table with units and meanings.

    Parameters
    ----------
    family : str
        The function of `bufsim.theory` that made it.
    arguments : tuple of (str, object)
        That function's arguments.
    values : tuple of (str, float)
        Name and value of each quantity.
    source : str
        Where the formulas come from.

    Examples
    --------
    >>> from bufsim import theory
    >>> form = theory.periodic(rate=2.0, period=5.0)
    >>> form
    periodic(rate=2.0, period=5.0)
    >>> form.mean_wait, form.quantities["time_avg_buffer"]
    (2.5, 5.0)
    """

    family: str
    arguments: tuple[tuple[str, object], ...]
    values: tuple[tuple[str, float], ...]
    source: str

    @property
    def quantities(self) -> dict[str, float]:
        """All quantities: name to value."""
        return dict(self.values)

    @property
    def parameters(self) -> dict[str, object]:
        """The model's parameters: name to value."""
        return dict(self.arguments)

    def __getattr__(self, name: str) -> float:
        # object's own lookup: while a copy is being built, the slot is empty and self.values would come back here
        known = dict(object.__getattribute__(self, "values"))
        if name in known:
            return float(known[name])
        family = object.__getattribute__(self, "family")
        hint = checks.did_you_mean(name, known)
        raise AttributeError(f"{family} has no quantity {name!r}; it has {', '.join(known)}{hint}")

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self.quantities]

    def __repr__(self) -> str:
        return f"{self.family}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.values)
        lines = [f"{name:<{width}}  {value:<12.6g}  {_unit_and_meaning(name)}" for name, value in self.values]
        return "\n".join([repr(self), *lines, f"source: {self.source}"])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{value:.6g}</td><td>{html.escape(QUANTITIES[name].unit)}</td>"
            f'<td style="text-align:left">{html.escape(QUANTITIES[name].meaning)}</td></tr>'
            for name, value in self.values
        )
        head = "<tr><th>quantity</th><th>value</th><th>unit</th><th>meaning</th></tr>"
        caption = f"<caption>{html.escape(repr(self))}<br>source: {html.escape(self.source)}</caption>"
        return f"<table>{caption}<thead>{head}</thead><tbody>{rows}</tbody></table>"


def closed_form(source: str) -> Callable[[Callable[P, dict[str, float]]], Callable[P, ClosedForm]]:
    """Make a function that computes quantities return them as a `ClosedForm` with its arguments and `source`.

    Arguments are given by name. One that is annotated with `Seconds` or `NBytes` may be a text: "30s" or "2 KiB".
    """

    def decorate(function: Callable[P, dict[str, float]]) -> Callable[P, ClosedForm]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> ClosedForm:
            read = {name: _read(name, value, function.__annotations__.get(name)) for name, value in kwargs.items()}
            computed = function(*args, **read)  # type: ignore[arg-type]  # the same names, in the units of the formulas
            bound = signature.bind(*args, **read)
            bound.apply_defaults()
            arguments = tuple((name, _plain(value)) for name, value in bound.arguments.items())
            values = tuple((name, float(value)) for name, value in computed.items())
            form = ClosedForm(function.__name__, arguments, values, source)
            lost = [name for name, value in values if not math.isfinite(value)]
            if lost:
                raise InvalidValueError(f"{form!r} exceeds what a float can hold in {', '.join(lost)}; scale it down")
            return form

        # help() shows what the caller gets, not what the formula's body returns
        wrapped.__annotations__ = {**function.__annotations__, "return": "ClosedForm"}
        wrapped.__signature__ = signature.replace(return_annotation="ClosedForm")  # type: ignore[attr-defined]  # inspect reads it
        return wrapped

    return decorate


def check_load(formula: str, load: float, way_out: str) -> float:
    """Return `load` if it is below 1; else say which ratio is too high and what would lower it."""
    if not load < 1.0:
        raise InvalidValueError(
            f"the load, {formula}, must be < 1, got {load:.6g}: the backlog grows for ever; {way_out}"
        )
    return load


def _read(name: str, value: object, annotation: object) -> object:
    """Return a text or timedelta as a number, if it may be one."""
    if isinstance(value, checks.Written) and annotation == "Seconds":
        return checks.seconds(name, value)
    if isinstance(value, str) and annotation == "float | NBytes":
        return checks.nbytes(name, value, at_least=0)
    return value


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _unit_and_meaning(name: str) -> str:
    quantity = QUANTITIES[name]
    return f"{quantity.unit}: {quantity.meaning}"
