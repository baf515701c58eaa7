"""Commands of the command line: their options, how they end, and the place where they print."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import json
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from bufsim.errors import LONGEST, harmless, quoted, shortened

DONE, NOTHING_QUALIFIES, WRONG_INPUT, OWN_FAULT, INTERRUPTED = 0, 1, 2, 3, 130


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, without all that would be right."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and end."""
        # what stands in the wrong place may be a URL with a password
        message = re.sub(r"://\S*@", "://...@", message)
        self.exit(WRONG_INPUT, shortened(f"bufsim: error: {message}", LONGEST) + f"; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            write(file or sys.stderr, message.removesuffix("\n"))


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the command line.

    Parameters
    ----------
    description : str
        What its --help says first.
    examples : str
        What its --help says last.
    add_options : callable
        Adds the command's own options to its parser.
    run : callable
        Takes the options, and returns the exit code.
    without_seed : str
        What it does without a root seed; empty: it takes none.
    """

    description: str
    examples: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    without_seed: str = "one is drawn and told"

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Give a parser what the command's --help says, its own options, and those that every command has."""
        parser.description, parser.epilog = self.description, self.examples
        self.add_options(parser)
        common = parser.add_argument_group("every command")
        if self.without_seed:
            meaning = f"root seed, 0 or more; without it, {self.without_seed}"
            common.add_argument("--seed", type=_seed, metavar="N", help=meaning)
        common.add_argument("--json", action="store_true", help="print one JSON object in place of tables")
        common.add_argument("--quiet", action="store_true", help="print nothing but errors")
        common.add_argument("--debug", action="store_true", help="show where in bufsim an error comes from")
        parser.set_defaults(command=self)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {quoted(text)}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Console:
    """The place where a command prints: text for people, or one JSON object for programs, or nothing.

    Parameters
    ----------
    as_json : bool
        Whether programs read it.
    quiet : bool
        Whether nothing is printed.
    """

    as_json: bool
    quiet: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> Console:
        """Return the console that the options ask for."""
        return cls(options.json, options.quiet)

    def say(self, text: str = "") -> None:
        """Print text for people."""
        if not (self.quiet or self.as_json):
            write(sys.stdout, text)

    def give(self, answer: Mapping[str, Any]) -> None:
        """Print the whole answer for programs."""
        if self.as_json and not self.quiet:
            # JSON has escapes of its own: no name can be anything but text in it
            write(sys.stdout, json.dumps(_plain(answer), indent=2, allow_nan=False))


_SPELLED = {
    **dict(zip("\u2264\u2265\u2212\u00d7\u00f7\u00b7", ("<=", ">=", "-", "x", "/", "."), strict=True)),
    **dict.fromkeys("\u2013\u2014", "-"),
    **dict.fromkeys("\u00b5\u03bc", "u"),
    "\u2026": "...",
    "\u2192": "->",
    "\u25b8": ">",
    "\u2502": "|",
    "\u00b1": "+-",
}
"""What stands in place of a sign where the output's encoding has none."""


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding does not have: signs of mathematics in ASCII, other letters by their number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_SPELLED.get(letter, ascii(letter)[1:-1]) for letter in letters), error.end


codecs.register_error("bufsim", _spell)


def write(stream: TextIO | None, text: str) -> None:
    """Print lines on a stream, whatever it can take: another encoding, or nothing since nobody reads it any more.

    Who has read enough (``| head``) does not stop the run: the files are still wanted.
    """
    if stream is None:
        # Python has none where the terminal gave none
        return
    lines = "\n".join(map(harmless, text.split("\n"))) + "\n"
    if stream.encoding:
        lines = lines.encode(stream.encoding, errors="bufsim").decode(stream.encoding)
    # a closed stream gives a ValueError
    with contextlib.suppress(BrokenPipeError, ValueError):
        stream.write(lines)
        stream.flush()
        return
    _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Let whatever else is written to a stream go nowhere, also what Python still holds when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: what is not a number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
