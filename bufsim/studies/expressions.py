"""Metric expressions, costs and limits: what a study is asked for, as values."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal, NoReturn

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.formats import in_full
from bufsim.results import metrics
from bufsim.results.metrics import Better
from bufsim.statistics import Interval
from bufsim.statistics.intervals import SLACK

Side = Literal["<=", ">="]
LimitVerdict = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True, slots=True, repr=False)
class Limit:
    """A bound that the expected value of an expression must not exceed (``<=``), or must at least reach (``>=``).

    Written ``metric("p99_wait") <= "2s"``. It is a limit on what is expected of a run: for a quantile over all jobs,
    for a peak the mean of the peaks. How many of the runs went beyond it is printed beside.

    Parameters
    ----------
    expression : Expression
        The expression that is limited.
    side : {"<=", ">="}
        On which side of the bound it must stay.
    bound : float, str or timedelta
        A number in the expression's unit, or a text such as ``"2s"``, ``"64 MiB"`` or ``"40 %"``.

    Raises
    ------
    InvalidValueError
        If nothing can meet it, such as a wait below 0 or a share above 1.
    """

    expression: Expression
    side: Side
    bound: float

    def __post_init__(self) -> None:
        checks.one_of("side", self.side, ("<=", ">="))
        bound = checks.amount(f"the limit of {self.expression.name}", self.bound, self.expression.unit)
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
        """Verdict: "pass" if the whole interval is on the allowed side, "fail" if none of it is, else "undecided".

        The interval of skewed replications counts with its far ends (`Interval.far_ends`).
        """
        allowed = [self.allows(end) for end in interval.far_ends]
        return "pass" if all(allowed) else "undecided" if any(allowed) else "fail"

    def allows(self, value: float) -> bool:
        """Whether a value is on the allowed side, or at the bound."""
        slack = SLACK * abs(self.bound)
        return value <= self.bound + slack if self.side == "<=" else value >= self.bound - slack

    def room(self, value: float) -> float:
        """The distance of a value from the bound on the allowed side, as a share of the bound (of 1 where it is 0)."""
        gap = self.bound - value if self.side == "<=" else value - self.bound
        return gap / (abs(self.bound) or 1.0)

    @property
    def bound_text(self) -> str:
        """The bound with its unit."""
        return f"{in_full(self.bound)} {self.expression.unit}".rstrip()

    def __str__(self) -> str:
        return f"{self.expression.name} {self.side} {self.bound_text}"

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
        Its name; by default as it is written.
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
        """Its name in tables and sentences."""
        return self.title or str(self)

    @property
    def is_metric(self) -> bool:
        """Whether it is a metric as it stands."""
        return self.constant == 0.0 and len(self.terms) == 1 and self.terms[0].factor == 1.0

    def named(self, title: str, *, unit: str | None = None, better: Better | None = None) -> Expression:
        """The same under a name, with a unit and a direction of your own.

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

    __radd__ = __add__

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

    __rmul__ = __mul__

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

    def _refuse(self, formula: str) -> NoReturn:
        raise InvalidTypeError(
            f"{formula} is not linear, and the mean of such values over replications is not what it is of the means; "
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
            raise InvalidTypeError(
                f"the limit of {self.name} must be a number or a text such as '2s', got {quoted(bound)}"
            )
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
    """The expression that is one metric.

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
    if isinstance(name, str) and name.endswith("]") and "[" in name:
        word, _, part = name[:-1].partition("[")
        raise InvalidValueError(f"metric takes a name alone, got {quoted(name)}; write metric({word!r}, of={part!r})")
    row = metrics.find(name)
    if of is not None:
        checks.text("of", of)
    return Expression((Term(1.0, row.name, of),), unit=row.unit, better=row.better)


def _operand(operator: str, value: object) -> Expression:
    """An expression as it is, or a number as one without terms."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidTypeError(
            f"{operator} in an expression of metrics takes numbers and metrics, got {quoted(value)}; "
            "write metric('mean_wait')"
        )
    return Expression((), checks.finite(f"a number after {operator}", value))


def _combined(terms: Iterable[Term], constant: float) -> Expression:
    """The sum of the terms, each metric once, with the unit and the direction that all of them share."""
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
    return f"metric({term.metric!r}{'' if term.of is None else f', of={term.of!r}'})"


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
    per_lost_job: float | None = None,
    of: str | None = None,
) -> Expression:
    """The cost per second of running: each price times how often, or how long, a second of time sees it.

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
    per_lost_job : float, optional
        For each job lost, of whatever cause, > 0: that jobs may be lost for nothing is said with `allow_loss`, where
        an option is chosen. A run without stops loses none to them: then add what a stop would lose, times the stops a
        second: ``0.05 / 86400 * metric("mean_loss_at_stop_jobs")``.
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
        "enqueued_rate_per_s": checks.not_negative("per_work", per_work),
        "mean_buffer_size_jobs": checks.not_negative("per_job_second", per_job_second),
        "mean_buffer_nbytes": checks.not_negative("per_byte_second", per_byte_second),
        "lost_rate_per_s": 0.0 if per_lost_job is None else checks.not_negative("per_lost_job", per_lost_job),
    }
    if per_lost_job == 0.0:
        raise InvalidValueError(
            "per_lost_job must be > 0, got 0; leave it out, and say with allow_loss that jobs may be lost for nothing"
        )
    if of is not None and per_work:
        raise InvalidValueError(f"per_work is about queues, not about buffer {of!r}; leave out one of them")
    parts = [price * metric(name, of) for name, price in prices.items() if price]
    if not parts:
        raise InvalidValueError("cost needs at least one price, got none; give it per_flush=... or per_job_second=...")
    return functools.reduce(operator.add, parts).named("cost", unit="per s", better="lower")
