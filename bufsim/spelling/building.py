"""From words, TOML tables and plain values to the model's own values, with errors that say where they are."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bufsim import checks
from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, quoted
from bufsim.spelling import grammar
from bufsim.spelling.grammar import Call, Joined, Literal, Many, Node
from bufsim.spelling.words import ROLES, Role, Word, find

_BY_POSITION = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


def build(role: str | Role, value: object, *, name: str, base: Path = Path()) -> object:
    """Return the value of the model that is meant.

    Parameters
    ----------
    role : str or Role
        What is due: one of `ROLES`, or its name.
    value : str, number, list, dict or datetime
        Words, a table such as ``{"kind": "poisson", "rate": 80}``, or a plain value.
    name : str
        Where it stands, for messages: "producer 'edits', arrivals".
    base : Path
        The directory from which relative paths count.

    Examples
    --------
    >>> build("arrivals", {"kind": "poisson", "rate": 80}, name="arrivals")
    Poisson(80.0)
    """
    due = ROLES[role] if isinstance(role, str) else role
    return _Builder(base).value(name, due, _node(name, due, value))


@contextmanager
def naming(name: str, where: str = "") -> Iterator[None]:
    """Put the place before the message of an error that is raised inside."""
    try:
        yield
    except BufsimError as error:
        raise type(error)(f"{name}: {error}{where and ',' + where}") from None


def _node(name: str, role: Role, value: object) -> Node:
    """The tree of a value that TOML holds."""
    if isinstance(value, Mapping):
        return _table(name, role, value)
    if isinstance(value, list | tuple):
        return Many("", tuple(Literal("", item) for item in value))
    if isinstance(value, str) and role.words and not role.names:
        return grammar.parse(name, value)
    return Literal("", value)


def _table(name: str, role: Role, table: Mapping[str, object]) -> Call:
    if not role.words:
        raise InvalidTypeError(f"{name} must be {_a(role.what)}, got the table {quoted(dict(table))}")
    kind = table.get("kind", role.table)
    if not kind:
        raise InvalidValueError(f"{name} must say its kind, one of {', '.join(role.words)}, got {quoted(dict(table))}")
    word = _find(name, role, str(kind), "")
    arguments = []
    for key, value in table.items():
        if key != "kind":
            arguments.append((key, _node(f"{name}, {key}", word.role(key), value)))
    return Call("", str(kind), tuple(arguments))


def _find(name: str, role: Role, kind: str, where: str) -> Word:
    word = find(role, kind)
    if word is None:
        near = checks.did_you_mean(kind, role.known)
        known = ", ".join(role.words) or "none"
        raise InvalidValueError(f"{name} has the unknown {role.what} {kind!r}{where}; known are {known}{near}")
    return word


@dataclass(frozen=True, slots=True)
class _Builder:
    base: Path

    def value(self, name: str, role: Role, node: Node) -> object:
        if isinstance(node, Call):
            return self._made(name, role, node)
        if isinstance(node, Joined):
            return self._joined(name, role, node)
        if isinstance(node, Many) and role.plain:
            return [self._plain(f"{name}[{i}]", role, item) for i, item in enumerate(node.items)]
        return self._plain(name, role, node)

    def _joined(self, name: str, role: Role, node: Joined) -> object:
        if role is not ROLES["policy"]:
            raise InvalidValueError(
                f"{name} must be {_a(role.what)}, got flush policies joined by {node.operator}{node.where}"
            )
        if len(node.members) > checks.MOST_PARTS:
            raise InvalidValueError(f"{name} has more than {checks.MOST_PARTS:,} parts{node.where}; leave some out")
        members = [self.value(name, role, member) for member in node.members]
        with naming(name, node.where):
            return functools.reduce(operator.or_ if node.operator == "|" else operator.and_, members)

    def _plain(self, name: str, role: Role, node: Node) -> object:
        value = node.value if isinstance(node, Literal) else node
        if not role.plain or isinstance(value, Node):
            one_of = f", one of {', '.join(role.words)}" if len(role.words) > 1 else ""
            text = "a list" if isinstance(value, Node) else quoted(value)
            way_out = f"; write for example {role.example!r}" if role.example else ""
            raise InvalidTypeError(f"{name} must be {_a(role.what)}{one_of}, got {text}{node.where}{way_out}")
        with naming(name, node.where):
            return _measured(name, role, value, self.base)

    def _made(self, name: str, role: Role, call: Call) -> object:
        if not role.words:
            # a bare word in place of a text: anchor=flush_end
            if call.arguments or role is not ROLES["plain"]:
                raise InvalidTypeError(f"{name} must be {_a(role.what)}, got {quoted(call.name)}{call.where}")
            return call.name
        word = _find(name, role, call.name, call.where)
        by_position, by_name = self._arguments(name, word, call)
        with naming(name, call.where):
            return word.make(*by_position, **by_name)

    def _arguments(self, name: str, word: Word, call: Call) -> tuple[list[object], dict[str, object]]:
        call = _gathered(word, call)
        _check(name, word, call)
        parameters = iter(word.parameters)
        by_position: list[object] = []
        by_name: dict[str, object] = {}
        for key, node in call.arguments:
            parameter = next(parameters, "") if key is None else key
            value = self.value(name if call.where else f"{name}, {parameter}", word.role(parameter), node)
            if key is None:
                by_position.append(value)
            else:
                by_name[key] = value
        return by_position, by_name


def _gathered(word: Word, call: Call) -> Call:
    """Return the call with its positional arguments as one list, if its word takes one sequence."""
    by_position = [node for key, node in call.arguments if key is None]
    if not word.gathers or (len(by_position) == 1 and isinstance(by_position[0], Many)) or not by_position:
        return call
    named = tuple((key, node) for key, node in call.arguments if key is not None)
    return replace(call, arguments=((None, Many(call.where, tuple(by_position))), *named))


def _check(name: str, word: Word, call: Call) -> None:
    """Raise unless the arguments are those that the word takes."""
    kinds = {parameter.kind for parameter in word.parameters.values()}
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return
    noun = "argument" if call.where else "key"
    places = [key for key, parameter in word.parameters.items() if parameter.kind in _BY_POSITION]
    given = places[: sum(key is None for key, _ in call.arguments)]
    if len(given) < sum(key is None for key, _ in call.arguments):
        raise InvalidValueError(
            f"{name}: {call.name} takes {len(places)} by position, {', '.join(places)}, and got more{call.where}"
        )
    for key in (key for key, _ in call.arguments if key is not None):
        if key not in word.parameters:
            takes = ", ".join(word.parameters) or "none"
            near = checks.did_you_mean(key, word.parameters)
            raise InvalidValueError(f"{name}: {call.name} has no {noun} {key!r}{call.where}; it takes {takes}{near}")
        if key in given:
            raise InvalidValueError(f"{name}: {call.name} got {key} twice{call.where}")
        given.append(key)
    for key, parameter in word.parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in given:
            raise InvalidValueError(f"{name}: {call.name} needs the {noun} {key!r}{call.where}")


def _measured(name: str, role: Role, value: object, base: Path) -> object:
    """Return a plain value in the units of its role."""
    if role.path:
        return _path(name, value, base)
    if role is ROLES["flag"] and not isinstance(value, bool):
        raise InvalidTypeError(f"it must be true or false, got {quoted(value)}")
    if role.measure and isinstance(value, str):
        return checks.seconds("it", value) if role.measure == "seconds" else checks.nbytes("it", value, at_least=0)
    return value


def _a(what: str) -> str:
    """What is due, with its article: "an arrival process", "workers"."""
    if what.split()[0].endswith("s"):
        return what
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


def _path(name: str, value: object, base: Path) -> Path:
    path = base / checks.text("the path", value)
    if not path.exists():
        raise InvalidValueError(f"there is no file {value!r} in {base.resolve()}")
    return path
