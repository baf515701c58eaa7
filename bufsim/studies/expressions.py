"""Amounts as people write them, read by the unit of what they bound: "2s", "64 MiB", "5 %", 1000."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal, NamedTuple, NoReturn, Protocol

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.formats import number
from bufsim.results import metrics
from bufsim.results.metrics import Better
from bufsim.statistics import Interval, Margin

_PLAIN = re.compile(r"\s*([-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(\S*)\s*")


def amount(name: str, value: object, unit: str) -> float:
    """Return an amount as a number in `unit`.

    Parameters
    ----------
    name : str
        What it is, for messages.
    value : float, str or timedelta
        A number in the unit; a text with a number and, if it has one, that unit; for seconds also ``"1h30min"`` or a
        timedelta, for bytes ``"64 MiB"``, for shares ``"5 %"``.
    unit : str
        The metric's unit.

    Examples
    --------
    >>> amount("limit", "50ms", "s"), amount("limit", "64 MiB", "bytes"), amount("limit", "40 %", "")
    (0.05, 67108864.0, 0.4)
    """
    if isinstance(value, checks.Written) and not isinstance(value, str) and unit == "s":
        return checks.seconds(name, value)
    if not isinstance(value, str):
        return checks.finite(name, value)
    plain = _PLAIN.fullmatch(value)
    if plain and plain.group(2) in ("", unit):
        return checks.finite(name, float(plain.group(1)))
    if plain and plain.group(2) == "%" and unit == "":
        return checks.finite(name, float(plain.group(1)) / 100.0)
    if unit == "s":
        return checks.seconds(name, value)
    if unit == "bytes":
        return float(checks.nbytes(name, value, at_least=0))
    raise InvalidValueError(f"{name} must be a number{unit and ' of ' + unit}, got {value!r}")


def margin(name: str, value: object, unit: str) -> Margin:
    """Return what does not matter beside a value: an amount in `unit`, or a share of the value for a text in per cent.

    Examples
    --------
    >>> print(margin("margin", "5 %", "s"), margin("margin", "50ms", "s"))
    5 % 0.05
    """
    if isinstance(value, Margin):
        return value
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return Margin(checks.positive(name, amount(name, value, "")), relative=True)
    return Margin(checks.positive(name, amount(name, value, unit)))


Side = Literal["<=", ">="]
LimitVerdict = Literal["pass", "fail", "undecided"]

# a wait of t under an age limit of t comes out of floats as t·(1 ± 10⁻¹⁶): that is no breach
_ROUNDING = 1e-9


class Limited(Protocol):  # an Expression, which is made of what is defined here
    """What a limit is on: an expression of metrics."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def unit(self) -> str:
        """Its unit."""

    @property
    def is_metric(self) -> bool:
        """Whether it is a metric as it stands, none of which is ever below 0."""


@dataclass(frozen=True, slots=True, repr=False)
class Limit:
    """What the expected value of an expression must not exceed (``<=``), or must at least reach (``>=``).

    Written ``metric("p99_wait") <= "2s"``. It is a limit on what is expected of a run: for a quantile over all jobs,
    for a peak the mean of the peaks. How many of the runs went beyond it is told beside.

    Parameters
    ----------
    expression : Expression
        What is limited.
    side : {"<=", ">="}
        On which side of the bound it must stay.
    bound : float, str or timedelta
        A number in the expression's unit, or a text such as ``"2s"``, ``"64 MiB"`` or ``"40 %"``.

    Raises
    ------
    InvalidValueError
        If nothing can meet it, such as a wait below 0 or a share above 1.
    """

    expression: Limited
    side: Side
    bound: float

    def __post_init__(self) -> None:
        checks.one_of("side", self.side, ("<=", ">="))
        bound = amount(f"the limit of {self.expression.name}", self.bound, self.expression.unit)
        object.__setattr__(self, "bound", bound)
        if bound < 0.0 and self.side == "<=" and self.expression.is_metric:
            raise InvalidValueError(
                f"{self.expression.name} is never below 0, so that nothing can meet a limit <= {bound:g}; raise it"
            )
        row = metrics.METRICS.get(self.expression.name)
        if row is not None and bound > row.most == 1.0 and self.side == ">=":
            raise InvalidValueError(
                f"{self.expression.name} is a share of at most 1, so that nothing can meet a limit >= {bound:g}; "
                "write '40 %' or 0.4"
            )

    def verdict(self, interval: Interval) -> LimitVerdict:
        """Return "pass" if the whole interval is on the allowed side, "fail" if none of it is, else "undecided"."""
        if self.allows(interval.low) and self.allows(interval.high):
            return "pass"
        return "undecided" if self.allows(interval.low) or self.allows(interval.high) else "fail"

    def allows(self, value: float) -> bool:
        """Whether a value is on the allowed side, or at the bound."""
        slack = _ROUNDING * abs(self.bound)
        return value <= self.bound + slack if self.side == "<=" else value >= self.bound - slack

    def room(self, value: float) -> float:
        """Return how far a value is on the allowed side, as a share of the bound (of 1 where the bound is 0)."""
        gap = self.bound - value if self.side == "<=" else value - self.bound
        return gap / (abs(self.bound) or 1.0)

    @property
    def shown_bound(self) -> str:
        """The bound with its unit."""
        return f"{number(self.bound)} {self.expression.unit}".rstrip()

    def __str__(self) -> str:
        return f"{self.expression.name} {self.side} {self.shown_bound}"

    def __repr__(self) -> str:
        return f"{self.expression!r} {self.side} {self.bound!r}"

    def __bool__(self) -> bool:
        raise InvalidTypeError(
            f"the limit {self} is neither true nor false before it is checked; for two limits on one metric write "
            "both: [low <= metric, metric <= high]"
        )


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
    return Expression((Term(1.0, found.name, of),), unit=found.unit, better=found.better)


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
    better = metrics.find(term.metric).better
    if better is None or term.factor > 0.0:
        return better
    return "higher" if better == "lower" else "lower"


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


def cost(
    *,
    per_flush: float = 0.0,
    per_empty_tick: float = 0.0,
    per_work: float = 0.0,
    per_job_second: float = 0.0,
    per_byte_second: float = 0.0,
    per_lost_job: float = 0.0,
    of: str | None = None,
) -> Expression:
    """Return the cost per second of running: each price times how often, or how long, a second of time sees it.

    All in one currency, which is yours; the result is in it, per second. Costs are weighed after a study has run, so
    that other prices need no other runs.

    Parameters
    ----------
    per_flush : float
        For each flush.
    per_empty_tick : float
        For each tick of a policy that finds nothing to flush.
    per_work : float
        For each job that reaches a queue, after reduce.
    per_job_second : float
        For one job that waits in the buffer for one second: the price of staleness. (λ jobs a second that wait w
        seconds cost λ·w of it a second, by Little's law.)
    per_byte_second : float
        For one byte in the buffer for one second: the price of memory.
    per_lost_job : float
        For each job lost, of whatever cause. A run without stops loses none to them: then add what a stop would lose,
        times the stops a second: ``0.05 / 86400 * metric("mean_loss_at_stop_jobs")``.
    of : str, optional
        Of which buffer; None: all together. (Not with `per_work`, which is about queues.)

    Examples
    --------
    >>> cost(per_flush=40.0, per_job_second=1.0).name
    'cost'
    >>> str(cost(per_flush=40.0, per_job_second=1.0).terms[1].metric)
    'mean_buffer_size_jobs'
    """
    prices = {
        "flush_rate_per_s": checks.not_negative("per_flush", per_flush),
        "empty_tick_rate_per_s": checks.not_negative("per_empty_tick", per_empty_tick),
        "handed_rate_per_s": checks.not_negative("per_work", per_work),
        "mean_buffer_size_jobs": checks.not_negative("per_job_second", per_job_second),
        "mean_buffer_nbytes": checks.not_negative("per_byte_second", per_byte_second),
        "lost_rate_per_s": checks.not_negative("per_lost_job", per_lost_job),
    }
    if of is not None and per_work:
        raise InvalidValueError(f"per_work is about queues, not about buffer {of!r}; leave out one of them")
    parts = [price * metric(name, of) for name, price in prices.items() if price]
    if not parts:
        raise InvalidValueError("cost needs at least one price, got none; give it per_flush=... or per_job_second=...")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total.named("cost", unit="per s", better="lower")


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
