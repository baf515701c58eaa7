"""Formulas: metric expressions, costs, limits and margins as people write them."""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable, Iterable

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.spelling.parser import Parser, Token
from bufsim.statistics import Margin
from bufsim.studies.expressions import Expression, Limit, cost, metric

_NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_LIMIT = re.compile(r"(?P<left>[^<>=]*)(?P<side><=|>=)(?P<right>[^<>]*)")
_PRICES = tuple(inspect.signature(cost).parameters)[:-1]
_ARITHMETIC: dict[str, Callable[[Expression, Expression], Expression]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def expression(value: str | Expression, of: str | None = None) -> Expression:
    """An expression as it is, or the one that a text means: a metric's name, or a formula of them.

    Parameters
    ----------
    value : str or Expression
        Such as ``"0.4 * flush_rate_per_s + 0.01 * mean_buffer_size_jobs"``, ``"p99_wait[search]"`` or
        ``"cost(per_flush=0.4, per_job_second=0.01)"``.
    of : str, optional
        Of which buffer or queue a metric's name is.

    Examples
    --------
    >>> expression("2 * (mean_wait - 0.1)")
    2.0 * metric('mean_wait_s') - 0.2
    """
    if isinstance(value, Expression):
        if of is not None:
            raise InvalidTypeError(f"of={of!r} goes with a metric's name; write metric(..., of={of!r}) instead")
        return value
    if not isinstance(value, str):
        raise InvalidTypeError(f"metric must be a name or an expression of metrics, got {quoted(value)}")
    if re.fullmatch(r"[A-Za-z_][\w.]*", value) or of is not None:
        return metric(value, of)
    formula = _Formula("expression", value).whole()
    if not formula.terms:
        raise InvalidValueError(
            f"expression must have a metric in it, got {quoted(value)}; write for example 'mean_wait'"
        )
    return formula


def limit(value: str | Limit) -> Limit:
    """A limit as it is, or the one that a text means.

    Examples
    --------
    >>> limit("p99_wait <= 2s")
    metric('p99_wait_s') <= 2.0
    >>> limit("peak_buffer_nbytes[search] <= 64 MiB")
    metric('peak_buffer_nbytes', of='search') <= 67108864.0
    """
    if isinstance(value, Limit):
        return value
    if not isinstance(value, str):
        raise InvalidTypeError(
            f"limit must be such as metric('p99_wait') <= '2s', or that as text, got {quoted(value)}"
        )
    parts = _LIMIT.fullmatch(value)
    if parts is None:
        raise InvalidValueError(
            f"limit must have one <= or >= in it, got {quoted(value)}; write for example 'p99_wait <= 2s'"
        )
    left, side, right = (parts.group(name).strip() for name in ("left", "side", "right"))
    if not re.search(r"[A-Za-z_]", re.sub(r"[0-9.]+\s*\w+", "", left)):
        raise InvalidValueError(f"limit must have the metric on its left, got {quoted(value)}; turn it round")
    if _NOT_FINITE.fullmatch(right):
        raise InvalidValueError(f"limit must have a finite number on its right, got {quoted(value)}")
    bound = expression(right) if re.match(r"[A-Za-z_]|.*[*\[(]", right) else right
    return expression(left) <= bound if side == "<=" else expression(left) >= bound


def all_limits(values: str | Limit | Iterable[str | Limit]) -> tuple[Limit, ...]:
    """The limits that are meant, one or several."""
    if isinstance(values, str | Limit):
        return (limit(values),)
    if not isinstance(values, Iterable):
        raise InvalidTypeError(f"limits must be a list such as ['p99_wait <= 2s'], got {quoted(values)}")
    return tuple(map(limit, values))


def one_objective(minimise: str | Expression | None, maximise: str | Expression | None) -> tuple[Expression, bool]:
    """The objective that is given, and whether it is to be low."""
    if (minimise is None) == (maximise is None):
        raise InvalidTypeError("give either minimise=... or maximise=..., such as minimise='mean_wait'")
    return (expression(minimise), True) if minimise is not None else (expression(maximise or ""), False)


class _Formula(Parser[Expression]):
    tokens_pattern = re.compile(
        rf"""(?P<number>{checks.NUMBER}(?![A-Za-z_]))
        | (?P<name>[A-Za-z_][\w.]*)
        | (?P<text>'[^']*'|"[^"]*")
        | (?P<sign>[-+*/()\[\],=])
        | (?P<space>\s+)""",
        re.VERBOSE,
    )
    operators = (("+", "-"), ("*", "/"))
    anything = "use +, -, *, / and numbers"
    at_end = "+, -, *, /"

    def join(self, first: Token, operands: list[Expression], signs: list[str]) -> Expression:
        total, *others = operands
        for sign, operand in zip(signs, others, strict=True):
            total = _ARITHMETIC[sign](total, operand)
        return total

    def leaf(self) -> Expression:
        minuses = 0
        while self.follows("+", "-"):
            minuses += self.next().text == "-"
        value = self._value()
        # three are one, and four are two: twice negated, a cost has lost its name
        for _ in range(min(minuses, 2 - minuses % 2)):
            value = -value
        return value

    def _value(self) -> Expression:
        token = self.next()
        if token.kind == "number":
            return Expression((), self._number(token))
        if token.kind == "name":
            return self._cost() if token.text == "cost" and self.follows("(") else self._metric(token.text)
        if token.text == "(":
            value = self.inner()
            self.expect(")")
            return value
        raise self.unexpected(token, "expected a metric or a number")

    def _number(self, token: Token) -> float:
        if token.kind != "number":
            raise self.unexpected(token, "expected a number")
        return checks.finite("a number in an expression", float(token.text))

    def _metric(self, name: str) -> Expression:
        if not self.skip("["):
            return metric(name)
        of = self.next()
        if of.kind not in ("name", "text"):
            raise self.unexpected(of, "expected the name of a buffer or a queue")
        self.expect("]")
        return metric(name, of.text.strip("'\""))

    def _cost(self) -> Expression:
        self.expect("(")
        prices: dict[str, float] = {}
        while not self.skip(")"):
            name = self.next()
            checks.one_of("a price", name.text, _PRICES)
            self.expect("=")
            prices[name.text] = self._number(self.next())
            if not self.follows(")"):
                self.expect(",")
        return cost(**prices)  # type: ignore[arg-type]  # every price is a float


def margin(name: str, value: object, unit: str) -> Margin:
    """A margin that does not matter beside a value: an amount in `unit`, or a share of it for a text in per cent.

    Examples
    --------
    >>> print(margin("margin", "5 %", "s"), margin("margin", "50ms", "s"))
    5 % 0.05
    """
    if isinstance(value, Margin):
        return value
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return Margin(checks.positive(name, checks.amount(name, value, "")), relative=True)
    return Margin(checks.positive(name, checks.amount(name, value, unit)))
