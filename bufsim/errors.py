"""The errors that bufsim raises on purpose: each names the argument, the rule, the value and the way out."""

from __future__ import annotations


class BufsimError(Exception):
    """The base of every error that bufsim raises on purpose."""


class InvalidValueError(BufsimError, ValueError):
    """A value that breaks a rule: wrong sign, not finite, empty, repeated, out of order."""


class InvalidTypeError(BufsimError, TypeError):
    """A value of the wrong type: an operand that is no flush policy, a number where a name is due."""


class NotLoweredError(BufsimError):
    """A part of a model that the compiled engine cannot take; the message names it and the way out."""


class MissingExtraError(BufsimError, ImportError):
    """An optional library is not installed; the message names the extra that brings it."""
