"""Expressions and limits as text, read by hand, so that nothing is ever executed.

::

    limit   = sum ("<=" | ">=") (amount | sum)
    sum     = product (("+" | "-") product)*
    product = factor (("*" | "/") factor)*
    factor  = ("+" | "-")* (number | metric | "cost" "(" prices ")" | "(" sum ")")
    metric  = name ("[" buffer or queue "]")?
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.studies.costs import cost
from bufsim.studies.expressions import Expression, metric
from bufsim.studies.limits import Limit

_TOKEN = re.compile(
    r"""(?P<number>(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![A-Za-z_]))
    | (?P<name>[A-Za-z_][\w.]*)
    | (?P<text>'[^']*'|"[^"]*")
    | (?P<sign>[-+*/()\[\],=])
    | (?P<space>\s+)""",
    re.VERBOSE,
)
_NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_LIMIT = re.compile(r"(?P<left>[^<>=]*)(?P<side><=|>=)(?P<right>[^<>]*)")
_PRICES = tuple(inspect.signature(cost).parameters)


def expression(value: str | Expression, of: str | None = None) -> Expression:
    """Return an expression as it is, and what a text means: a metric's name, or a formula of them.

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
        raise InvalidTypeError(f"metric must be a name or an expression of metrics, got {value!r}")
    if re.fullmatch(r"[A-Za-z_][\w.]*", value) or of is not None:
        return metric(value, of)
    found = _Parser(value).whole()
    if not found.terms:
        raise InvalidValueError(f"expression must have a metric in it, got {value!r}; write for example 'mean_wait'")
    return found


def limit(value: str | Limit) -> Limit:
    """Return a limit as it is, and what a text means.

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
        raise InvalidTypeError(f"limit must be such as metric('p99_wait') <= '2s', or that as text, got {value!r}")
    parts = _LIMIT.fullmatch(value)
    if parts is None:
        raise InvalidValueError(
            f"limit must have one <= or >= in it, got {value!r}; write for example 'p99_wait <= 2s'"
        )
    left, side, right = (parts.group(name).strip() for name in ("left", "side", "right"))
    if not re.search(r"[A-Za-z_]", re.sub(r"[0-9.]+\s*\w+", "", left)):
        raise InvalidValueError(f"limit must have the metric on its left, got {value!r}; turn it round")
    if _NOT_FINITE.fullmatch(right):
        raise InvalidValueError(f"limit must have a finite number on its right, got {value!r}")
    bound = expression(right) if re.match(r"[A-Za-z_]|.*[*\[(]", right) else right
    return expression(left) <= bound if side == "<=" else expression(left) >= bound


def all_limits(values: str | Limit | Iterable[str | Limit]) -> tuple[Limit, ...]:
    """Return the limits that are meant, one or several."""
    if isinstance(values, str | Limit):
        return (limit(values),)
    if not isinstance(values, Iterable):
        raise InvalidTypeError(f"limits must be a list such as ['p99_wait <= 2s'], got {values!r}")
    return tuple(limit(one) for one in values)


def one_objective(minimise: str | Expression | None, maximise: str | Expression | None) -> tuple[Expression, bool]:
    """Return the one that is given, and whether it is to be low."""
    if (minimise is None) == (maximise is None):
        raise InvalidTypeError("give either minimise=... or maximise=..., such as minimise='mean_wait'")
    return (expression(minimise), True) if minimise is not None else (expression(maximise or ""), False)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._tokens())
        self.position = 0

    def _tokens(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise self._unexpected(_Token("sign", self.text[at], at), "use +, -, *, / and numbers")
            if match.lastgroup != "space":
                yield _Token(str(match.lastgroup), match.group(), at)
            at = match.end()
        yield _Token("end", "", len(self.text))

    def _unexpected(self, token: _Token, way_out: str) -> InvalidValueError:
        problem = f"has {token.text!r}, which does not fit there," if token.text else "ends too early,"
        return InvalidValueError(f"expression {problem} at character {token.at + 1} of {self.text!r}; {way_out}")

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def _next(self) -> _Token:
        token = self.token
        self.position += token.kind != "end"
        return token

    def _skip(self, text: str) -> bool:
        found = self.token.kind == "sign" and self.token.text == text
        self.position += found
        return found

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise self._unexpected(self.token, f"expected {text}")

    def whole(self) -> Expression:
        found = self._sum()
        if self.token.kind != "end":
            raise self._unexpected(self.token, "expected +, -, *, / or the end")
        return found

    def _sum(self) -> Expression:
        total = self._product()
        while self.token.text in ("+", "-"):
            total = self._applied(total, self._product)
        return total

    def _product(self) -> Expression:
        total = self._factor()
        while self.token.text in ("*", "/"):
            total = self._applied(total, self._factor)
        return total

    def _applied(self, left: Expression, operand: Callable[[], Expression]) -> Expression:
        operator, right = self._next().text, operand()
        if operator == "+":
            return left + right
        if operator == "-":
            return left - right
        return left * right if operator == "*" else left / right

    def _factor(self) -> Expression:
        token = self._next()
        if token.kind == "number":
            return Expression((), float(token.text))
        if token.kind == "name":
            return self._cost() if token.text == "cost" and self.token.text == "(" else self._metric(token.text)
        if token.text == "(":
            found = self._sum()
            self._expect(")")
            return found
        if token.text in ("+", "-"):
            found = self._factor()
            return -found if token.text == "-" else found
        raise self._unexpected(token, "expected a metric or a number")

    def _metric(self, name: str) -> Expression:
        if not self._skip("["):
            return metric(name)
        of = self._next()
        if of.kind not in ("name", "text"):
            raise self._unexpected(of, "expected the name of a buffer or a queue")
        self._expect("]")
        return metric(name, of.text.strip("'\""))

    def _cost(self) -> Expression:
        self._expect("(")
        prices: dict[str, float] = {}
        while not self._skip(")"):
            name = self._next()
            checks.one_of("a price", name.text, _PRICES[:-1])
            self._expect("=")
            price = self._next()
            if price.kind != "number":
                raise self._unexpected(price, "expected a number")
            prices[name.text] = float(price.text)
            if self.token.text != ")":
                self._expect(",")
        return cost(**prices)  # type: ignore[arg-type]  # every price is a float
