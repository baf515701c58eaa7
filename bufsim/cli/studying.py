"""What commands that run a study have in common: how many replications, where they run, and where they are kept."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

ENGINES = ("auto", "simpy", "compiled")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a study runs, and where its replications are kept."""
    running = parser.add_argument_group("how it runs")
    running.add_argument("--executor", type=_whole, metavar="N", help="run in so many processes (default: as fits)")
    running.add_argument(
        "--store", type=Path, metavar="FILE", help="keep each finished replication there, and go on from it next time"
    )
    running.add_argument(
        "--engine", choices=ENGINES, default="auto", help="all give the same (default: auto, the fastest that can)"
    )


def add_replications(parser: argparse._ArgumentGroup, default: int | None) -> None:
    """Add the option for the number of replications."""
    told = "independent runs of each policy" + (f" (default: {default})" if default else "")
    parser.add_argument("-n", "--replications", type=_whole, default=default, metavar="N", help=told)


def how(options: argparse.Namespace) -> dict[str, Any]:
    """Return where to run, where to keep, and whether to show a bar, as a study takes them."""
    return {
        "executor": options.executor,
        "store": options.store,
        "progress": False if options.quiet else None,
    }


def left(options: argparse.Namespace) -> str:
    """Return what an interrupt leaves of a command."""
    if "store" not in options:
        return "a run that is not finished is not kept"
    where = "not kept without --store FILE" if options.store is None else f"kept in {options.store}"
    return f"the finished replications are {where}"


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}")
    return int(text)
