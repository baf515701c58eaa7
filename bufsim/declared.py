"""Frozen values declared once: a field's annotation says what it takes, what it holds, and which rule it obeys.

::

    @value
    class FlushAfterAge(FlushPolicy):
        age: Duration

takes ``FlushAfterAge("5s")``, holds the float 5.0, and refuses −1 with ``age must be >= 0, got -1``. A rule is a
function of a field's name and of what was given; it returns what is held, or raises. It stands in the annotation, as in
``Annotated[int, rule]``; where what is given has a wider type than what is held, as ``Annotated[Wide[given, held],
rule]``. The values of a `Literal` are a rule themselves. What concerns several fields is checked in ``__post_init__``,
which finds each of them as it is held.

This is a decorator of our own over dataclasses, and not attrs: a converter of attrs that is told the field's name, as
messages need, has no types for a checker; its import takes longer than that of all of ``bufsim.model``; and
`dataclasses.replace` and `dataclasses.fields` go on working for users. A checker reads the wide type from the signature
of ``Wide.__set__`` and the narrow one from ``Wide.__get__``, as for any descriptor in a dataclass; it does so for a
class's own fields only, so that values with fields are not inherited from.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    overload,
)

from bufsim import checks
from bufsim.checks import Measure, NBytes, Seconds
from bufsim.errors import InvalidTypeError, quoted

Rule = Callable[[str, object], object]
Given = TypeVar("Given", contravariant=True)
Held = TypeVar("Held", covariant=True)
Kind = TypeVar("Kind", bound=type)


class Wide(Generic[Given, Held]):
    """The type of a field that takes more than it holds, for type checkers; a value holds nothing of it."""

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: type | None = None) -> Held: ...

        def __set__(self, instance: object, given: Given) -> None: ...


def default(given: Any) -> Any:
    """Return the default of a field of a `Wide` type, as it is."""
    return given


def settle(made: object, **fields: object) -> None:
    """Set fields of a frozen value that is being made, in its ``__post_init__``."""
    for name, held in fields.items():
        object.__setattr__(made, name, held)


class Value:
    """The base of what `value` declares."""

    __slots__ = ()

    if TYPE_CHECKING:  # so that dataclasses.replace and fields take it
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


@overload
def value(cls: Kind, /) -> Kind: ...
@overload
def value(*, eq: bool) -> Callable[[Kind], Kind]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def value(cls: Any = None, /, *, eq: bool = True) -> Any:
    """Make a class a frozen dataclass whose fields follow their rules, and whose repr is the call that makes it."""
    if cls is None:
        return lambda cls: _declared(cls, eq)
    return _declared(cls, eq)


def _declared(cls: Any, eq: bool) -> Any:
    rules = _rules(cls)
    check = getattr(cls, "__post_init__", None)

    def __post_init__(self: object) -> None:  # noqa: N807  # it stands in the class
        for name, rule in rules.items():
            object.__setattr__(self, name, rule(name, getattr(self, name)))
        if check is not None:
            check(self)

    cls.__post_init__ = __post_init__
    if "__repr__" not in vars(cls):
        cls.__repr__ = call
    return dataclasses.dataclass(frozen=True, slots=True, repr=False, eq=eq)(cls)


def _rules(cls: type) -> dict[str, Rule]:
    """Return the rules of the fields that a class itself declares, by their names."""
    found = {name: _rule(annotation) for name, annotation in inspect.get_annotations(cls, eval_str=True).items()}
    return {name: rule for name, rule in found.items() if rule is not None}


def _rule(annotation: Any) -> Rule | None:
    if get_origin(annotation) is Annotated:
        rule: Rule = annotation.__metadata__[0]
        return rule
    if get_origin(annotation) is Literal:
        return lambda name, given: checks.one_of(name, given, get_args(annotation))
    rules = [_rule(member) for member in get_args(annotation) if member is not type(None)]
    # optional: None stays None
    return either(rules[0]) if len(rules) == 1 and rules[0] and type(None) in get_args(annotation) else None


def either(rule: Rule) -> Rule:
    """Return the rule by which a field is None, or obeys `rule`."""
    return lambda name, given: None if given is None else rule(name, given)


def instance(kind: Any, what: str) -> Rule:
    """Return the rule that a field is of a kind; `what` says so in the message, with an example."""

    def rule(name: str, given: object) -> object:
        if not isinstance(given, kind):
            raise InvalidTypeError(f"{name} must be {what}, got {quoted(given)}")
        return given

    return rule


def call(made: Any) -> str:
    """Return the call that makes a dataclass: arguments without a default by position, the others by name.

    Arguments that have their default are left out. Classes and functions are written by their names.
    """
    parts = []
    for field in dataclasses.fields(made):
        if not field.init:
            continue
        held = getattr(made, field.name)
        if field.default is dataclasses.MISSING and not field.kw_only:
            parts.append(_code(held))
        elif held != field.default or field.default is dataclasses.MISSING:
            parts.append(f"{field.name}={_code(held)}")
    return f"{type(made).__name__}({', '.join(parts)})"


def _code(held: object) -> str:
    # a lambda has no name, nor has what is made within a function one that is known outside
    if isinstance(held, type | FunctionType) and "<" not in held.__qualname__:
        return held.__qualname__
    return repr(held)


def _duration(name: str, given: object) -> float:
    return checks.not_negative(name, checks.seconds(name, given))


def period(name: str, given: object) -> float:
    """A duration > 0 in seconds, also of one as in "15min"."""
    return checks.positive(name, checks.seconds(name, given))


def _size(name: str, given: object) -> int:
    return checks.nbytes(name, given, at_least=1)


Positive = Annotated[float, checks.positive]
NotNegative = Annotated[float, checks.not_negative]
Probability = Annotated[float, checks.probability]
Text = Annotated[str, checks.text]
Flag = Annotated[bool, instance(bool, "True or False")]
Count = Annotated[int, lambda name, given: checks.integer(name, given, at_least=1)]
# durations in seconds, sizes in bytes, and what may be either, all of them also as in "15min" or "64 MiB"
Duration = Annotated[Wide[Seconds, float], _duration]
Period = Annotated[Wide[Seconds, float], period]
OptionalDuration = Annotated[Wide[Seconds | None, float | None], either(_duration)]
OptionalPeriod = Annotated[Wide[Seconds | None, float | None], either(period)]
Size = Annotated[Wide[NBytes, int], _size]
OptionalSize = Annotated[Wide[NBytes | None, int | None], either(_size)]
NotNegativeMeasure = Annotated[
    Wide[Measure, float], lambda name, given: checks.not_negative(name, checks.measure(name, given))
]
PositiveMeasure = Annotated[
    Wide[Measure, float], lambda name, given: checks.positive(name, checks.measure(name, given))
]
