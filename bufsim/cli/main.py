"""The command line as a whole: which commands there are, and how each ends."""

from __future__ import annotations

import argparse
import contextlib
import sys
import traceback
from collections.abc import Sequence

from bufsim.cli import compare, inputs, metrics, plan, run, verify
from bufsim.cli.printing import INTERRUPTED, OWN_FAULT, WRONG_INPUT, Command, Parser, write
from bufsim.engines.compilation import silent, telling
from bufsim.errors import BufsimError, message
from bufsim.studies.estimates import UndefinedError

COMMANDS: tuple[Command, ...] = (run.COMMAND, compare.COMMAND, plan.COMMAND, metrics.COMMAND, verify.COMMAND)
"""All commands, in the order in which --help lists them. A new one is a module with a `Command`, and its name here."""

_EXIT_CODES = """\
exit codes:
  0    done
  1    the answer is that nothing qualifies
  2    wrong input
  3    a fault of bufsim's own
  130  interrupted; with --store FILE the finished replications are kept
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``bufsim`` on the command line; None takes it from there.
    """
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        with _quiet(options.quiet):
            return command.run(options)
    except KeyboardInterrupt:
        return _say(f"interrupted; {inputs.left(options)}", INTERRUPTED)
    except Exception as error:
        if options.debug:
            write(sys.stderr, traceback.format_exc())
        return _failed(error)


def _failed(error: Exception) -> int:
    """Say in one sentence why a command failed, and return its exit code."""
    if isinstance(error, UndefinedError):
        return _say(f"error: {error.text}", WRONG_INPUT)
    if isinstance(error, BufsimError):
        return _say(f"error: {error}", WRONG_INPUT)
    if isinstance(error, OSError):
        return _say(f"error: {error.filename or 'the output'}: {error.strerror or error}", WRONG_INPUT)
    if isinstance(error, MemoryError):
        return _say("error: this needs more memory than there is; take a shorter run or fewer jobs", WRONG_INPUT)
    kind = type(error).__name__
    return _say(f"a fault of bufsim's own, {kind}: {error}; --debug shows where, please report it", OWN_FAULT)


def _quiet(quiet: bool) -> contextlib.AbstractContextManager[None]:
    """Context in which the engine does not say that it compiles, if that is asked."""
    return telling(silent) if quiet else contextlib.nullcontext()


def _say(text: str, code: int) -> int:
    write(sys.stderr, message(f"bufsim: {text}"))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="bufsim",
        description="Simulates job buffers, so that you can choose a flush policy with evidence.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bufsim {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_to(commands)
    return parser


def _version() -> str:
    import bufsim

    return bufsim.__version__


if __name__ == "__main__":
    sys.exit(main())
