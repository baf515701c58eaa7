"""The errors that bufsim raises on purpose: each names the argument, the rule, the value and the way out.

A message may quote what somebody wrote. It is one line of at most `LONGEST` characters all the same, and holds nothing
that a terminal would obey: of a longer one the middle is left out, since what is wrong stands at its start and the way
out at its end.
"""

from __future__ import annotations

LONGEST = 500
"""So many characters a message has at most."""


class BufsimError(Exception):
    """The base of every error that bufsim raises on purpose."""

    def __str__(self) -> str:
        return message(super().__str__())


class InvalidValueError(BufsimError, ValueError):
    """A value that breaks a rule: wrong sign, not finite, empty, repeated, out of order."""


class InvalidTypeError(BufsimError, TypeError):
    """A value of the wrong type: an operand that is no flush policy, a number where a name is due."""


class NotLoweredError(BufsimError):
    """A part of a model that the compiled engine cannot take; the message names it and the way out."""


class StoreError(BufsimError):
    """A store of buffered jobs that does not do what it is asked: out of reach, full, closed, of another version.

    The message names the store without the user and the password of its URL.
    """


class MissingExtraError(BufsimError, ImportError):
    """An optional library is not installed; the message names the extra that brings it."""


def message(text: str) -> str:
    r"""The text as a message: without what a terminal would obey, and not too long.

    Examples
    --------
    >>> print(message("got '\x1b[2J'"))
    got '\x1b[2J'
    >>> len(message("x" * 10_000))
    500
    """
    return shortened(harmless(text), LONGEST)


def harmless(text: str, *, keep: str = "") -> str:
    r"""The text with control characters, line breaks and marks of direction written out, as Python writes them.

    Parameters
    ----------
    text : str
        Any text.
    keep : str
        Such characters that are meant.

    Examples
    --------
    >>> print(harmless("a\tb\u202ec"))
    a\tb\u202ec
    """
    if text.isprintable():
        return text
    # a space of any width is no harm; a line break is
    return "".join(
        letter if letter.isprintable() or letter in _SPACES or letter in keep else _written(letter) for letter in text
    )


def shortened(text: str, most: int) -> str:
    """The text, or if it is longer its two ends, so that it has `most` characters.

    Examples
    --------
    >>> shortened("abcdefghijklmnop", 12)
    'abcd … lmnop'
    """
    if len(text) <= most:
        return text
    left = (most - 3) // 2
    return f"{text[:left]} … {text[len(text) - (most - 3 - left) :]}"


def quoted(value: object) -> str:
    """The repr of a value for a message, in part if it is long; its type where it has none.

    Examples
    --------
    >>> quoted("30 parsecs"), quoted(10**5000)
    ("'30 parsecs'", 'a whole number of more than 4,300 digits')
    """
    try:
        return shortened(repr(value), LONGEST // 2)
    except ValueError:
        if isinstance(value, int):
            # Python writes no longer ones
            return "a whole number of more than 4,300 digits"
        return f"a {type(value).__name__} that cannot be written"
    except Exception:
        return f"a {type(value).__name__} that cannot be written"


_SPACES = frozenset("\u00a0\u2009\u202f\u200a\u2007\u2008")


def _written(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
