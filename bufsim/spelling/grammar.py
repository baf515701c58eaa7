"""The language of values in words: its leaves, and the tree that a text is read into.

::

    either  = both ("|" both)*
    both    = checked ("&" checked)*
    checked = value ("." ("checked_every" | "checked") arguments)*
    value   = "(" either ")" | name ("." name)* arguments? | number unit? | text | "[" list "]" | "(" list ")"
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bufsim import checks
from bufsim.checks import NUMBER
from bufsim.errors import InvalidValueError
from bufsim.spelling.parser import Parser, Token

CHECKED = ("checked_every", "checked")
_NUMBER = f"[-+]?{NUMBER}"
# an exponent is no unit: 1e-3 is a number
_UNIT = "[ ]*(?![eE][-+]?[0-9])[A-Za-z\u00b5\u03bc]+"
# other backslashes stay: paths have them
_ESCAPED = re.compile(r"\\([\\'\"])")
_CONSTANTS = {"True": True, "true": True, "False": False, "false": False, "None": None}
_HINTS = {
    "or": "write | for 'or'",
    "and": "write & for 'and'",
    "not": "there is no 'not': a due time has no negation",
    "~": "there is no 'not': a due time has no negation",
    "!": "there is no 'not': a due time has no negation",
    "+": "policies are joined by | and &",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a text; `where` says at which place, for messages."""

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
    """The tree of a text.

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
    return _Words(name, text).whole()


class _Words(Parser[Node]):
    tokens_pattern = re.compile(
        rf"""(?P<quantity>{_NUMBER}{_UNIT}(?:[ ]*[0-9.]+{_UNIT})*)
        | (?P<number>{_NUMBER})
        | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
        | (?P<name>[A-Za-z_]\w*)
        | (?P<sign>[|&()\[\],=.])
        | (?P<space>\s+)""",
        re.VERBOSE,
    )
    operators = (("|",), ("&",))
    anything = "expected a word such as size(200)"
    at_end = "|, &"
    hints = _HINTS

    def join(self, first: Token, operands: list[Node], signs: list[str]) -> Node:
        return Joined(self.where(first.at), signs[0], tuple(operands))

    def leaf(self) -> Node:
        node = self._value()
        while self.skip("."):
            name = self.next()
            if name.text not in CHECKED:
                raise self.unexpected(name, "expected checked_every")
            # p.checked_every(5s) is checked_every(p, 5s)
            node = Call(self.where(name.at), name.text, ((None, node), *self._arguments()))
            self.check_depth(self.depth + _height(node))
        return node

    def _value(self) -> Node:
        before, token = self.tokens[self.position - 1], self.next()
        if token.kind == "number":
            return Literal(self.where(token.at), _number(self.name, token.text))
        if token.kind == "quantity":
            return Literal(self.where(token.at), token.text)
        if token.kind == "text":
            return Literal(self.where(token.at), _ESCAPED.sub(r"\1", token.text[1:-1]))
        if token.kind == "name" and token.text not in _HINTS:
            return self._named(token)
        if token.text == "(":
            return self._bracket(token)
        if token.text == "[":
            return self._list(token, "]", [])
        doubled = token.text in ("|", "&") and token.text == before.text
        raise self.unexpected(token, f"write {token.text} once" if doubled else self.anything)

    def _named(self, token: Token) -> Node:
        if token.text in _CONSTANTS:
            return Literal(self.where(token.at), _CONSTANTS[token.text])
        name = token.text
        while self.follows(".") and self.tokens[self.position + 1].text not in CHECKED:
            self.next()
            part = self.next()
            if part.kind != "name":
                raise self.unexpected(part, "expected a name")
            name += "." + part.text
        return Call(self.where(token.at), name, self._arguments() if self.follows("(") else ())

    def _bracket(self, opening: Token) -> Node:
        if self.follows(")"):
            return self._list(opening, ")", [])
        first = self.inner()
        if self.skip(")"):
            return first
        self.expect(",", ")")
        return self._list(opening, ")", [first])

    def _list(self, opening: Token, closing: str, items: list[Node]) -> Node:
        while not self.skip(closing):
            items.append(self.inner())
            if not self.follows(closing):
                self.expect(",", closing)
        return Many(self.where(opening.at), tuple(items))

    def _arguments(self) -> tuple[tuple[str | None, Node], ...]:
        self.expect("(")
        arguments: list[tuple[str | None, Node]] = []
        while not self.skip(")"):
            key = None
            if self.token.kind == "name" and self.tokens[self.position + 1].text == "=":
                key = self.next().text
                self.next()
            arguments.append((key, self.inner()))
            if not self.follows(")"):
                self.expect(",", ")")
        return tuple(arguments)


def _height(node: Node) -> int:
    """Number of nodes that lie within each other, this one included."""
    inside: tuple[Node, ...] = ()
    if isinstance(node, Call):
        inside = tuple(argument for _, argument in node.arguments)
    elif isinstance(node, Joined):
        inside = node.members
    elif isinstance(node, Many):
        inside = node.items
    return 1 + max(map(_height, inside), default=0)


def _number(name: str, text: str) -> int | float:
    number = checks.written_number(name, text)
    return int(text) if text.lstrip("+-").replace("_", "").isdigit() else number
