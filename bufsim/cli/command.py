"""What a command is: its words, its options, and how it prints."""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction["Parser"]

DONE, NOTHING_QUALIFIES, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, without all that would be right."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and end."""
        self.exit(WRONG_INPUT, f"bufsim: error: {message}; see {self.prog} --help\n")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the command line.

    Parameters
    ----------
    name : str
        The word behind ``bufsim``.
    summary : str
        What it does, in one line.
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

    name: str
    summary: str
    description: str
    examples: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    without_seed: str = "one is drawn and told"

    def add_to(self, commands: Subparsers) -> None:
        """Add the command, with its own options and those that every command has."""
        parser = commands.add_parser(
            self.name,
            help=self.summary,
            description=self.description,
            epilog=self.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_options(parser)
        common = parser.add_argument_group("every command")
        if self.without_seed:
            said = f"root seed, 0 or more; without it, {self.without_seed}"
            common.add_argument("--seed", type=_seed, metavar="N", help=said)
        common.add_argument("--json", action="store_true", help="print one JSON object in place of tables")
        common.add_argument("--quiet", action="store_true", help="print nothing but errors")
        parser.set_defaults(command=self)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {text!r}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Console:
    """Where a command prints: text for people, or one JSON object for programs, or nothing.

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
            _print(text)

    def give(self, answer: Mapping[str, Any]) -> None:
        """Print the whole answer for programs."""
        if self.as_json and not self.quiet:
            _print(json.dumps(_plain(answer), indent=2, ensure_ascii=False, allow_nan=False))


def _print(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # who has read enough (| head) does not stop the run: the files are still wanted
        sys.stdout = io.StringIO()


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: what is not a number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
