"""The grammar of values in words: read into a tree, by hand, so that nothing is ever executed.

::

    either  = both ("|" both)*
    both    = checked ("&" checked)*
    checked = value ("." ("checked_every" | "checked") arguments)*
    value   = "(" either ")" | name ("." name)* arguments? | number unit? | text | "[" list "]" | "(" list ")"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bufsim.errors import InvalidValueError

CHECKED = ("checked_every", "checked")
_NUMBER = r"[-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_UNIT = "[ ]*[A-Za-z\u00b5\u03bc]+"
_TOKEN = re.compile(
    rf"""(?P<quantity>{_NUMBER}{_UNIT}(?:[ ]*[0-9.]+{_UNIT})*)
    | (?P<number>{_NUMBER})
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<name>[A-Za-z_]\w*)
    | (?P<sign>[|&()\[\],=.])
    | (?P<space>\s+)""",
    re.VERBOSE,
)
# other backslashes stay: paths have them
_ESCAPED = re.compile(r"\\([\\'\"])")
_CONSTANTS = {"True": True, "true": True, "False": False, "false": False, "None": None}
_OTHER_SIGNS = {
    "or": "write | for 'or'",
    "and": "write & for 'and'",
    "not": "there is no 'not': a due time has no negation",
    "~": "there is no 'not': a due time has no negation",
    "!": "there is no 'not': a due time has no negation",
    "+": "policies are joined by | and &",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A part of what was written; `where` says at which place, for messages."""

    where: str


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a text, a quantity such as ``30s`` (kept as text), true, false or None."""

    value: object


@dataclass(frozen=True, slots=True)
class Many(Node):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A name with its arguments: by position (key None) or by name."""

    name: str
    arguments: tuple[tuple[str | None, Node], ...] = ()


@dataclass(frozen=True, slots=True)
class Joined(Node):
    """Policies joined by one operator, ``|`` or ``&``."""

    operator: str
    members: tuple[Node, ...]


def parse(name: str, text: str) -> Node:
    """Return the tree of a text.

    Parameters
    ----------
    name : str
        What is spelled, for messages: "policy".
    text : str
        What was written.

    Examples
    --------
    >>> parse("policy", "size(200)").name
    'size'
    """
    if not text.strip():
        raise InvalidValueError(f"{name} must not be empty; write for example 'size(200) | age(30s)'")
    return _Parser(name, text).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.tokens = list(self._tokens())
        self.position = 0

    def _tokens(self) -> Iterator[_Token]:
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise self._unexpected(_Token("sign", self.text[at], at), "expected a word such as size(200)")
            kind = str(match.lastgroup)
            if kind != "space":
                yield _Token(kind, match.group(), at)
            at = match.end()
        yield _Token("end", "", len(self.text))

    def where(self, at: int) -> str:
        return f" at character {at + 1} of {self.text!r}"

    def _unexpected(self, token: _Token, expected: str) -> InvalidValueError:
        way_out = _OTHER_SIGNS.get(token.text, expected)
        problem = f"has {token.text!r}, which does not fit there," if token.text else "ends too early,"
        return InvalidValueError(f"{self.name} {problem}{self.where(token.at)}; {way_out}")

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def _next(self) -> _Token:
        token = self.token
        self.position += 1
        return token

    def _is(self, text: str) -> bool:
        return self.token.kind == "sign" and self.token.text == text

    def _skip(self, text: str) -> bool:
        if self._is(text):
            self.position += 1
            return True
        return False

    def _expect(self, text: str, or_else: str = "") -> None:
        if not self._skip(text):
            raise self._unexpected(self.token, f"expected {text}{or_else and ' or ' + or_else}")

    def whole(self) -> Node:
        node = self._either()
        if self.token.kind != "end":
            raise self._unexpected(self.token, "expected |, & or the end")
        return node

    def _either(self) -> Node:
        return self._joined("|", lambda: self._joined("&", self._checked))

    def _joined(self, operator: str, operand: Callable[[], Node]) -> Node:
        first = self.token
        members = [operand()]
        while self._skip(operator):
            if self._is(operator):
                raise self._unexpected(self.token, f"write {operator} once")
            members.append(operand())
        return members[0] if len(members) == 1 else Joined(self.where(first.at), operator, tuple(members))

    def _checked(self) -> Node:
        node = self._value()
        while self._skip("."):
            name = self._next()
            if name.text not in CHECKED:
                raise self._unexpected(name, "expected checked_every")
            # p.checked_every(5s) is checked_every(p, 5s)
            node = Call(self.where(name.at), name.text, ((None, node), *self._arguments()))
        return node

    def _value(self) -> Node:
        token = self._next()
        if token.kind == "number":
            return Literal(self.where(token.at), _number(token.text))
        if token.kind == "quantity":
            return Literal(self.where(token.at), token.text)
        if token.kind == "text":
            return Literal(self.where(token.at), _ESCAPED.sub(r"\1", token.text[1:-1]))
        if token.kind == "name" and token.text not in _OTHER_SIGNS:
            return self._named(token)
        if token.text == "(":
            return self._bracket(token)
        if token.text == "[":
            return self._list(token, "]", [])
        raise self._unexpected(token, "expected a word such as size(200)")

    def _named(self, token: _Token) -> Node:
        if token.text in _CONSTANTS:
            return Literal(self.where(token.at), _CONSTANTS[token.text])
        name = token.text
        while self._is(".") and self.tokens[self.position + 1].text not in CHECKED:
            self.position += 1
            part = self._next()
            if part.kind != "name":
                raise self._unexpected(part, "expected a name")
            name += "." + part.text
        return Call(self.where(token.at), name, self._arguments() if self._is("(") else ())

    def _bracket(self, opening: _Token) -> Node:
        if self._is(")"):
            return self._list(opening, ")", [])
        first = self._either()
        if self._skip(")"):
            return first
        self._expect(",", ")")
        return self._list(opening, ")", [first])

    def _list(self, opening: _Token, closing: str, items: list[Node]) -> Node:
        while not self._skip(closing):
            items.append(self._either())
            if not self._is(closing):
                self._expect(",", closing)
        return Many(self.where(opening.at), tuple(items))

    def _arguments(self) -> tuple[tuple[str | None, Node], ...]:
        self._expect("(")
        arguments: list[tuple[str | None, Node]] = []
        while not self._skip(")"):
            key = None
            if self.token.kind == "name" and self.tokens[self.position + 1].text == "=":
                key = self._next().text
                self.position += 1
            arguments.append((key, self._either()))
            if not self._is(")"):
                self._expect(",", ")")
        return tuple(arguments)


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("+-").replace("_", "").isdigit() else float(text)
