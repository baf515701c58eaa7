"""One tokenizer and precedence parser for all that people write; a language adds its operators and its leaves.

Texts are read by hand, so that nothing is ever executed.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from bufsim.checks import DEEPEST
from bufsim.errors import InvalidValueError, quoted

_LONGEST = 200
"""Messages quote texts up to this length whole."""

MOST_LETTERS = 200_000
"""Texts up to this length are read: a longer one would take seconds."""

T = TypeVar("T")


class Token(NamedTuple):
    """A piece of a text: its kind ("sign", "end", or one of the language's own), and where it begins."""

    kind: str
    text: str
    at: int


class Parser(ABC, Generic[T]):
    """A text on its way to a value, token by token.

    Parameters
    ----------
    name : str
        What is spelled, for messages: "policy".
    text : str
        What was written.

    Notes
    -----
    A level holds operands of the next level, joined by operators of its own; the operands of the last are leaves. For
    the levels ``+ -`` and ``* /``, ``a + b * c - d`` is the join of a, (the join of b, c) and d. Brackets are leaves,
    and call `inner`.
    """

    tokens_pattern: ClassVar[re.Pattern[str]]
    """A named group for each kind of token; "space" is skipped."""
    operators: ClassVar[Sequence[Collection[str]]]
    """The operators of each level, the one that binds least first."""
    anything: ClassVar[str]
    """The way out where a character begins no token."""
    at_end: ClassVar[str]
    """The operators that may stand after the whole."""
    hints: ClassVar[Mapping[str, str]] = {}
    """Better ways out for tokens that people try."""

    def __init__(self, name: str, text: str) -> None:
        if len(text) > MOST_LETTERS:
            raise InvalidValueError(
                f"{name} must have at most {MOST_LETTERS:,} characters, got {len(text):,}; "
                "long lists of times go into a file, or are given in Python"
            )
        self.name = name
        self.text = text
        self.tokens = list(self._tokens())
        self.position = 0
        self.depth = 0

    @abstractmethod
    def leaf(self) -> T:
        """The value of an operand, brackets included, and all that is attached to it."""

    @abstractmethod
    def join(self, first: Token, operands: list[T], signs: list[str]) -> T:
        """The value of operands with these operators between them; `first` is where they begin."""

    def whole(self) -> T:
        """The value of the whole text."""
        value = self._level(0)
        if self.token.kind != "end":
            raise self.unexpected(self.token, f"expected {self.at_end} or the end")
        return value

    def inner(self) -> T:
        """The value of what stands in a bracket."""
        self.check_depth(self.depth + 1)
        self.depth += 1
        value = self._level(0)
        self.depth -= 1
        return value

    def _level(self, level: int) -> T:
        if level == len(self.operators):
            return self.leaf()
        first = self.token
        operands, signs = [self._level(level + 1)], []
        while self.token.kind == "sign" and self.token.text in self.operators[level]:
            signs.append(self.next().text)
            operands.append(self._level(level + 1))
        return self.join(first, operands, signs) if signs else operands[0]

    # tokens

    def _tokens(self) -> Iterator[Token]:
        at = 0
        while at < len(self.text):
            match = self.tokens_pattern.match(self.text, at)
            if match is None:
                raise self.unexpected(Token("sign", self.text[at], at), self.anything)
            if match.lastgroup != "space":
                yield Token(str(match.lastgroup), match.group(), at)
            at = match.end()
        yield Token("end", "", len(self.text))

    @property
    def token(self) -> Token:
        """The next token, not yet taken."""
        return self.tokens[self.position]

    def next(self) -> Token:
        """The next token, taken; the end can be taken again."""
        token = self.token
        self.position += token.kind != "end"
        return token

    def follows(self, *signs: str) -> bool:
        """Whether the next token is one of these signs."""
        return self.token.kind == "sign" and self.token.text in signs

    def skip(self, sign: str) -> bool:
        """Whether the next token is this sign; it is taken then."""
        follows = self.follows(sign)
        self.position += follows
        return follows

    def expect(self, sign: str, or_else: str = "") -> None:
        """Take this sign, or say that it is missing."""
        if not self.skip(sign):
            raise self.unexpected(self.token, f"expected {sign}{or_else and ' or ' + or_else}")

    # messages

    def where(self, at: int) -> str:
        """The place of a character, for messages."""
        if len(self.text) <= _LONGEST:
            return f" at character {at + 1} of {self.text!r}"
        return f" at character {at + 1:,} of {len(self.text):,}, in {self.text[max(at - 30, 0) : at + 30]!r}"

    def unexpected(self, token: Token, expected: str) -> InvalidValueError:
        """The error that a token does not fit where it stands."""
        problem = f"has {quoted(token.text)}, which does not fit there," if token.text else "ends too early,"
        way_out = self.hints.get(token.text, expected)
        return InvalidValueError(f"{self.name} {problem}{self.where(token.at)}; {way_out}")

    def check_depth(self, depth: int) -> None:
        """Refuse what is nested too deeply to be read, and to be understood."""
        if depth > DEEPEST:
            where = self.where(self.token.at)
            raise InvalidValueError(f"{self.name} is nested more than {DEEPEST} deep{where}; take brackets away")
