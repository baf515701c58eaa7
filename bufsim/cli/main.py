"""The command line as a whole: which commands there are, and how each ends."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import traceback
from collections.abc import Sequence

from bufsim.cli.command import INTERRUPTED, OWN_FAULT, WRONG_INPUT, Command, Parser, write
from bufsim.errors import BufsimError, message

COMMANDS = {
    "run": "run a model once, and write tables and pictures",
    "compare": "compare flush policies, and say how sure that is",
    "plan": "choose a policy for a load, under limits, and write a report",
    "metrics": "list what can be compared and limited",
    "calibrate": "measure how long your own store takes, and what it loses",
    "verify": "check on this machine what bufsim claims of itself",
}
"""All commands, and what each does, in the order in which --help lists them. A new one is a module with a `COMMAND`,
and a line here; it is imported when it is called, since what it needs takes longer to load than to say what there is.
"""

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
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(words).parse_args(words)
    command: Command = options.command
    try:
        with _quiet(options.quiet):
            return command.run(options)
    except KeyboardInterrupt:
        from bufsim.cli.inputs import left

        return _say(f"interrupted; {left(options)}", INTERRUPTED)
    except Exception as error:
        if options.debug:
            write(sys.stderr, traceback.format_exc())
        return _failed(error)


def _failed(error: Exception) -> int:
    """Say in one sentence why a command failed, and return its exit code."""
    from bufsim.studies.estimates import UndefinedError

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
    if not quiet:
        return contextlib.nullcontext()
    from bufsim.engines.compilation import silent, telling

    return telling(silent)


def _say(text: str, code: int) -> int:
    write(sys.stderr, message(f"bufsim: {text}"))
    return code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands, with the options of the one that is called."""
    parser = Parser(
        prog="bufsim",
        description="Simulates job buffers, so that you can choose a flush policy with evidence.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bufsim {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    called = next((word for word in words if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        own = commands.add_parser(name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == called:
            command: Command = importlib.import_module(f"bufsim.cli.{name}").COMMAND
            command.add_to(own)
    return parser


def _version() -> str:
    import bufsim

    return bufsim.__version__


if __name__ == "__main__":
    sys.exit(main())
