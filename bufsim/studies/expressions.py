"""Expressions of metrics: linear combinations, which have a value per replication as each metric has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import NoReturn

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.results import metrics
from bufsim.studies.directions import Better, better, opposite
from bufsim.studies.limits import Limit, Side

_BARE = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Term:
    """One metric in an expression, and the factor before it.

    Parameters
    ----------
    factor : float
        Other than 0.
    metric : str
        The metric's full name.
    of : str or None
        Of which buffer or queue; None: all together.
    """

    factor: float
    metric: str
    of: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Expression:
    """A linear combination of metrics, such as a cost. Made by `metric`, ``+``, ``-``, ``*`` and ``/``.

    Arithmetic gives it the unit and the direction that its metrics share, and no name: `named` gives others.

    Its value in a replication is that combination of the metrics' values in it, so that intervals, comparisons under
    common random numbers and selections hold for it as they do for a metric. Compared with an amount it is a `Limit`.

    Parameters
    ----------
    terms : tuple of Term
        What is added up.
    constant : float
        What is added to them.
    title : str
        What it is called; by default as it is written.
    unit : str
        Its unit, "" if it has none or several.
    better : {"lower", "higher"} or None
        Where its better values lie.

    Examples
    --------
    >>> metric("mean_wait") + 0.5 * metric("max_wait")
    metric('mean_wait_s') + 0.5 * metric('max_wait_s')
    >>> metric("p99_wait") <= "2s"
    metric('p99_wait_s') <= 2.0
    """

    terms: tuple[Term, ...]
    constant: float = 0.0
    title: str = ""
    unit: str = ""
    better: Better | None = None

    # numpy's numbers leave the arithmetic to us
    __array_ufunc__ = None

    @property
    def name(self) -> str:
        """What it is called in tables and sentences."""
        return self.title or str(self)

    @property
    def is_metric(self) -> bool:
        """Whether it is a metric as it stands."""
        return self.constant == 0.0 and len(self.terms) == 1 and self.terms[0].factor == 1.0

    def named(self, title: str, *, unit: str | None = None, better: Better | None = None) -> Expression:
        """Return this expression under a name, with a unit and a direction of your own.

        Examples
        --------
        >>> (1e6 * metric("mean_wait")).named("mean wait", unit="µs").unit
        'µs'
        """
        return replace(
            self,
            title=checks.text("title", title),
            unit=self.unit if unit is None else unit,
            better=self.better if better is None else better,
        )

    # arithmetic

    def __add__(self, other: object) -> Expression:
        more = _operand("+", other)
        return _combined((*self.terms, *more.terms), self.constant + more.constant)

    def __radd__(self, other: object) -> Expression:
        return _operand("+", other) + self

    def __neg__(self) -> Expression:
        return self * -1.0

    def __pos__(self) -> Expression:
        return self

    def __sub__(self, other: object) -> Expression:
        return self + -_operand("-", other)

    def __rsub__(self, other: object) -> Expression:
        return _operand("-", other) + -self

    def __mul__(self, other: object) -> Expression:
        if isinstance(other, Expression) and self.terms and other.terms:
            self._refuse(f"({self}) * ({other})")
        by, of = _operand("*", other), self
        if by.terms:
            by, of = of, by
        terms = tuple(replace(term, factor=term.factor * by.constant) for term in of.terms)
        return _combined(terms, of.constant * by.constant)

    def __rmul__(self, other: object) -> Expression:
        return self * other

    def __truediv__(self, other: object) -> Expression:
        by = _operand("/", other)
        if by.terms:
            self._refuse(f"({self}) / ({other})")
        if by.constant == 0.0:
            raise InvalidValueError(f"({self}) / 0 is no number; divide by another one")
        return self * (1.0 / by.constant)

    def __rtruediv__(self, other: object) -> NoReturn:
        self._refuse(f"{other!r} / ({self})")

    def __pow__(self, other: object) -> NoReturn:
        self._refuse(f"({self}) ** {other!r}")

    def __abs__(self) -> NoReturn:
        self._refuse(f"abs({self})")

    def _refuse(self, asked: str) -> NoReturn:
        raise InvalidTypeError(
            f"{asked} is not linear, and the mean of such values over replications is not what it is of the means; "
            "use +, - and numbers, or a metric that is the ratio already (work_saved_share, lost_share, ...)"
        )

    # limits

    def __le__(self, bound: object) -> Limit:
        return self._limited("<=", bound)

    def __ge__(self, bound: object) -> Limit:
        return self._limited(">=", bound)

    def __lt__(self, bound: object) -> NoReturn:
        self._refuse_strict("<")

    def __gt__(self, bound: object) -> NoReturn:
        self._refuse_strict(">")

    def _limited(self, side: Side, bound: object) -> Limit:
        if isinstance(bound, Expression):
            return Limit(self - bound, side, 0.0)
        if isinstance(bound, bool) or not isinstance(bound, Real | checks.Written):
            raise InvalidTypeError(f"the limit of {self.name} must be a number or a text such as '2s', got {bound!r}")
        return Limit(self, side, bound)  # type: ignore[arg-type]  # it reads texts and durations

    def _refuse_strict(self, sign: str) -> NoReturn:
        raise InvalidTypeError(f"a limit is written with <= or >=, got {sign}; write metric(...) {sign}= ...")

    # texts

    def __str__(self) -> str:
        return _written(self, _text)

    def __repr__(self) -> str:
        if not self.terms:
            return f"Expression((), {self.constant!r})"
        shown, plain = _written(self, _code), _combined(self.terms, self.constant)
        if self == plain:
            return shown
        named = [repr(self.title or str(self))]
        named += [f"unit={self.unit!r}"] if self.unit != plain.unit else []
        named += [f"better={self.better!r}"] if self.better != plain.better else []
        return f"({shown}).named({', '.join(named)})"


def metric(name: str, of: str | None = None) -> Expression:
    """Return the expression that is one metric.

    Parameters
    ----------
    name : str
        Such as ``"p99_wait_s"``; the unit may be left out, and any quantile may be asked for.
    of : str, optional
        Of which buffer or queue; None: all together.

    Raises
    ------
    InvalidValueError
        If there is no such metric; the message names the nearest.

    Examples
    --------
    >>> 0.4 * metric("flush_rate") + 0.01 * metric("mean_buffer_size", of="search")
    0.4 * metric('flush_rate_per_s') + 0.01 * metric('mean_buffer_size_jobs', of='search')
    """
    found = metrics.find(name)
    if of is not None:
        checks.text("of", of)
    return Expression((Term(1.0, found.name, of),), unit=found.unit, better=better(found))


def _operand(operator: str, value: object) -> Expression:
    """Return an expression as it is, and a number as one without terms."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidTypeError(
            f"{operator} in an expression of metrics takes numbers and metrics, got {value!r}; "
            "write metric('mean_wait')"
        )
    return Expression((), checks.finite(f"a number after {operator}", value))


def _combined(terms: Iterable[Term], constant: float) -> Expression:
    """Return the sum of the terms, each metric once, with the unit and the direction that all of them share."""
    factors: dict[tuple[str, str | None], float] = {}
    for term in terms:
        key = (term.metric, term.of)
        factors[key] = factors.get(key, 0.0) + term.factor
    left = tuple(Term(factor, *key) for key, factor in factors.items() if factor != 0.0)
    units, directions = {metrics.find(term.metric).unit for term in left}, {_direction(term) for term in left}
    return Expression(
        left,
        constant + 0.0,
        unit=units.pop() if len(units) == 1 else "",
        better=directions.pop() if len(directions) == 1 else None,
    )


def _direction(term: Term) -> Better | None:
    direction = better(metrics.find(term.metric))
    return direction if term.factor > 0.0 else opposite(direction)


def _written(expression: Expression, write: Callable[[Term], str]) -> str:
    parts = [_signed(term.factor, write(term)) for term in expression.terms]
    if expression.constant or not parts:
        parts.append(("-" if expression.constant < 0.0 else "+", repr(abs(expression.constant))))
    sign, first = parts[0]
    return ("-" if sign == "-" else "") + first + "".join(f" {sign} {part}" for sign, part in parts[1:])


def _signed(factor: float, written: str) -> tuple[str, str]:
    size = abs(factor)
    return "-" if factor < 0.0 else "+", written if size == 1.0 else f"{size!r} * {written}"


def _code(term: Term) -> str:
    return f"metric({term.metric!r})" if term.of is None else f"metric({term.metric!r}, of={term.of!r})"


def _text(term: Term) -> str:
    if term.of is None:
        return term.metric
    return f"{term.metric}[{term.of if _BARE.fullmatch(term.of) else repr(term.of)}]"
