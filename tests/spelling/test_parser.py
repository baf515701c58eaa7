from __future__ import annotations

import re

import pytest

from bufsim.checks import DEEPEST
from bufsim.errors import InvalidValueError
from bufsim.spelling.parser import Parser, Token


class Sums(Parser[str]):
    """Letters, joined by + and by *; each join prints its brackets."""

    tokens_pattern = re.compile(r"(?P<letter>[a-z])|(?P<sign>[-+*/()])|(?P<space>\s+)")
    operators = (("+", "-"), ("*", "/"))
    anything = "write letters"
    at_end = "+, -, *, /"
    hints = {"?": "nothing is asked here"}  # noqa: RUF012  # a class attribute of the base

    def leaf(self) -> str:
        token = self.next()
        if token.kind == "letter":
            return token.text
        if token.text != "(":
            raise self.unexpected(token, "expected a letter")
        value = self.inner()
        self.expect(")", "an operator")
        return value

    def join(self, first: Token, operands: list[str], signs: list[str]) -> str:
        return f"{first.at}[" + operands[0] + "".join(map("".join, zip(signs, operands[1:], strict=True))) + "]"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a", "a"),
        ("a + b - c", "0[a+b-c]"),
        ("a + b * c / d - e", "0[a+4[b*c/d]-e]"),
        ("(a + b) * c", "0[1[a+b]*c]"),
        ("((a))", "a"),
    ],
)
def test_what_binds_more_is_joined_first_and_a_chain_is_one_join(text: str, read: str) -> None:
    assert Sums("sum", text).whole() == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "sum has 'b', which does not fit there, at character 3 of 'a b'; expected +, -, *, / or the end"),
        ("a +", "sum ends too early, at character 4 of 'a +'; expected a letter"),
        ("(a b", "sum has 'b', which does not fit there, at character 4 of '(a b'; expected ) or an operator"),
        ("a ! b", "sum has '!', which does not fit there, at character 3 of 'a ! b'; write letters"),
        ("a ? b", "sum has '?', which does not fit there, at character 3 of 'a ? b'; nothing is asked here"),
    ],
)
def test_an_error_says_where_and_what_to_write(text: str, message: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        Sums("sum", text).whole()
    assert str(raised.value) == message


def test_brackets_may_be_nested_to_a_depth_and_no_deeper() -> None:
    assert Sums("sum", "(" * DEEPEST + "a" + ")" * DEEPEST).whole() == "a"
    text = "(" * (DEEPEST + 1)
    with pytest.raises(InvalidValueError) as raised:
        Sums("sum", text).whole()
    assert str(raised.value) == f"sum is nested more than 50 deep at character 52 of {text!r}; take brackets away"


def test_a_long_text_is_read_and_quoted_in_part() -> None:
    text = "+".join("a" * 20_000)
    assert Sums("sum", text).whole() == f"0[{text}]"
    with pytest.raises(InvalidValueError) as raised:
        Sums("sum", f"{text} b").whole()
    excerpt = "+a" * 14 + "+a b"
    assert str(raised.value).startswith(
        f"sum has 'b', which does not fit there, at character 40,001 of 40,001, in '{excerpt[-31:]}';"
    )
