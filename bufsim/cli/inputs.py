"""From options to a scenario: a file, changed by some options, or a model made of options alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bufsim import spelling
from bufsim.errors import InvalidValueError, quoted
from bufsim.scenario_files import Scenario, document, scenario

_WITHOUT_A_FILE = {
    "arrivals": ("WORDS", 'when jobs arrive: poisson:80, "bursty:100,0,1s,9s", trace:jobs.csv'),
    "keys": ("WORDS", 'what jobs are about: "zipf(9000, 0.9)", "uniform(100)"'),
    "nbytes": ("WORDS", 'size of a job: "1 kB", "lognormal(1 kB, 2)"'),
    "reduce": ("WORDS", "what becomes of a batch: unique_by_key, merge (default: all jobs stay)"),
    "drain": ("WORDS", 'how much a flush takes: "at_most(100)", "until(100)" (default: all)'),
    "capacity": ("WORDS", 'what the buffer holds: "capacity(2048, on_full=drop_oldest)" (default: no limit)'),
    "flush_time": ("WORDS", 'how long a flush takes: 50ms, "flush_time(50ms, per_job=2ms)" (default: 0)'),
}
_WITH_OR_WITHOUT = {
    "policy": ("WORDS", "the flush policy of every buffer, in the words below"),
    "until": ("TIME", "end of the run: 2h, 90min (default: where all arrivals are recorded, the end of the recording)"),
    "warm_up": ("TIME", "what the summary leaves out at the start: 5min"),
}
_OF_PRODUCER = ("arrivals", "keys", "nbytes")


def add_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the options that declare a model; with `several`, --policy may be given again and again."""
    parser.add_argument("scenario", nargs="?", type=Path, metavar="FILE", help="a scenario file (TOML)")
    both = parser.add_argument_group("in place of what the file says, or without a file")
    if several:
        both.add_argument(
            "--policy", action="append", metavar="WORDS", help="a flush policy of every buffer; give one for each"
        )
    _add(both, {name: told for name, told in _WITH_OR_WITHOUT.items() if not (several and name == "policy")})
    alone = parser.add_argument_group("without a file: one producer, one buffer")
    _add(alone, _WITHOUT_A_FILE)
    alone.add_argument(
        "--workers",
        action="append",
        metavar="WORDS",
        help='"polling(service=20ms)", "push(3, service=exponential(10ms))" (default: none, jobs stay in the queue)',
    )


def add_vary(parser: argparse.ArgumentParser, told: str) -> None:
    """Add the option that varies something else than policies."""
    group = parser.add_argument_group("what is varied besides policies")
    group.add_argument(
        "--vary",
        action="append",
        metavar="FIELD=VALUES",
        help=f'"capacity=2048,6144", "drain=all,at_most(512)", "storage=in_memory,durable"; given again, {told}',
    )


def _add(group: argparse._ArgumentGroup, options: dict[str, tuple[str, str]]) -> None:
    for name, (metavar, told) in options.items():
        kind = _time if metavar == "TIME" else str
        group.add_argument(_option(name), metavar=metavar, type=kind, help=told)


def _time(text: str) -> float | str:
    """Return a time: a bare number is in seconds, as in the model."""
    try:
        return float(text)
    except ValueError:
        return text


def scenario_of(options: argparse.Namespace) -> tuple[Scenario, str]:
    """Return the scenario that the options ask for, and its flush policies as they are written."""
    if options.scenario is None:
        declared, name, base = _declared(options), "options", Path()
    else:
        declared, name, base = _changed(options), str(options.scenario), options.scenario.parent
    found = scenario(declared, name=name, base=base)
    written = [buffer["policy"] for buffer in declared["buffer"]]
    words = [
        policy if isinstance(policy, str) else repr(buffer.policy)
        for policy, buffer in zip(written, found.simulation.buffers, strict=True)
    ]
    return found, ", ".join(dict.fromkeys(words))


def _changed(options: argparse.Namespace) -> dict[str, Any]:
    """Simulation that the file declares, with what the options say in place of it."""
    for name in (*_WITHOUT_A_FILE, "workers"):
        if getattr(options, name):
            raise InvalidValueError(f"{_option(name)} goes without a scenario file; change {options.scenario}")
    declared = document(options.scenario)
    run, buffers = declared.setdefault("simulation", {}), declared.get("buffer")
    if isinstance(run, dict):
        run |= _run(options)
    if options.policy:
        spelling.policy(options.policy, name="--policy")
        for buffer in buffers if isinstance(buffers, list) else ():
            buffer["policy"] = options.policy
    return declared


def _declared(options: argparse.Namespace) -> dict[str, Any]:
    """Simulation that the options declare, as a file would."""
    for name in ("arrivals", "policy"):
        if not getattr(options, name):
            raise InvalidValueError(f"give a scenario file, or --arrivals, --policy and --until; --{name} is missing")
    given = {name: getattr(options, name) for name in _WITHOUT_A_FILE if getattr(options, name)}
    given["arrivals"] = spelling.in_full(options.arrivals)
    return {
        "title": options.arrivals if options.until is None else f"{options.arrivals} until {options.until}",
        "simulation": _run(options),
        "producer": [{"name": "arrivals"} | {name: words for name, words in given.items() if name in _OF_PRODUCER}],
        "buffer": [
            {"id": "buffer", "policy": options.policy}
            | {name: words for name, words in given.items() if name not in _OF_PRODUCER}
        ],
        "workers": options.workers or [],
    }


def _run(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("until", "warm_up") if getattr(options, name) is not None}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


ENGINES = ("auto", "simpy", "compiled")


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a study runs, and where its replications are kept."""
    running = parser.add_argument_group("how it runs")
    running.add_argument("--executor", type=_whole, metavar="N", help="run in so many processes (default: as fits)")
    running.add_argument(
        "--store", type=Path, metavar="FILE", help="keep each finished replication there, and go on from it next time"
    )
    running.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="both count the same, and sums of seconds agree to 12 digits (default: auto, the fastest that can)",
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
    """Exit of a command that was interrupted."""
    if "store" not in options:
        return "a run that is not finished is not kept"
    where = "not kept without --store FILE" if options.store is None else f"kept in {options.store}"
    return f"the finished replications are {where}"


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, got {quoted(text)}")
    return int(text)
