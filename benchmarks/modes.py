"""What each mode of the compiled kernel saves: ``python -m benchmarks.modes``.

A mode is something that a model allows the kernel to leave out (`bufsim.engines.kernel.state.Run`). Each model here is
run with all modes that it allows, and with one of them, and those that need it, forbidden: side by side in one process,
and with the same results. The table shows the median of the ratios of CPU time, with all tables made, or as a summary.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import readme, tables
from benchmarks.simulations import SEED, simulation
from benchmarks.works import PERIOD, RATE, SERVICE, WORKERS, WORKS
from bufsim import (
    CollectQueues,
    Exponential,
    FlushEvery,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Result,
    Simulation,
)
from bufsim.engines import arrays, compiled_engine, streaming

JOBS = 10**6
ROUNDS = 7
CHECKED = (
    "mean_wait_s",
    "mean_buffer_size_jobs",
    "largest_batch_size_jobs",
    "mean_unfinished_jobs",
    "mean_end_to_end_s",
)


def two_buffers(jobs: int, *, served: bool = False) -> Simulation:
    """Return two buffers, each with the jobs of a queue of its own; with workers, or without."""
    names = ("search", "mail")
    workers = [PushWorkers(WORKERS, queue=name, service=Exponential(SERVICE)) for name in names if served]
    return Simulation(
        producers=[Producer(name, Poisson(RATE / 2), queue=name) for name in names],
        buffers=[JobBuffer(name, policy=FlushEvery(PERIOD), collect=CollectQueues([name])) for name in names],
        workers=workers,
        until=jobs / RATE,
    )


MODELS = {
    "W1": lambda jobs: simulation(WORKS["W1"], jobs),
    "W3": lambda jobs: simulation(WORKS["W3"], jobs),
    "W4": lambda jobs: simulation(WORKS["W4"], jobs),
    "two buffers": two_buffers,
    "two buffers, workers": lambda jobs: two_buffers(jobs, served=True),
}
"""Models of so many jobs."""


@dataclass(frozen=True)
class Case:
    """A mode, and a model that allows it.

    Attributes
    ----------
    mode : str
        The field of `Run`.
    model : str
        Of `MODELS`.
    forbidden : dict of str to bool
        The fields of `Run` that are set against what the model allows.
    """

    mode: str
    model: str
    forbidden: dict[str, bool]


def case(mode: str, model: str, *others: str) -> Case:
    """Return a case in which a mode, and others that need it, are forbidden."""
    general = {"serves", "counts_bytes"}
    return Case(mode, model, {name: name in general for name in (mode, *others)})


CASES = (
    case("bulk", "W1"),
    case("straight", "W4"),
    case("contiguous", "W1", "straight", "bulk"),
    case("contiguous", "W3"),
    case("serves", "two buffers"),
    case("in_order", "W4"),
    case("in_order", "two buffers, workers"),
    case("counts_bytes", "W1"),
    case("counts_bytes", "two buffers"),
)


@contextmanager
def without(forbidden: dict[str, bool]) -> Iterator[None]:
    """Within this, the kernel is told that a model does not allow what it allows."""
    lower, recording_state = compiled_engine.lower, arrays.recording_state

    def lowered(*given: Any) -> Any:
        made = lower(*given)
        if "in_order" in forbidden:
            made.queues["in_order"] = False
        return set_fields(made)

    def set_fields(made: Any) -> Any:
        for name, value in forbidden.items():
            made.run[name] = value
        return made

    class Forbidding(streaming.Windows):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            set_fields(self.state)

    with (
        mock.patch.object(compiled_engine, "lower", lowered),
        # whether jobs have bytes is known only there
        mock.patch.object(compiled_engine, "Windows", Forbidding),
        mock.patch.object(arrays, "recording_state", lambda *given: set_fields(recording_state(*given))),
    ):
        yield


def measure(one: Case, record: str, jobs: int, rounds: int) -> tuple[float, float]:
    """Return the CPU time of a run with the mode, s, and by how much it is longer without."""
    model = MODELS[one.model](jobs)
    times: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        with_mode, expected = timed(model, record)
        with without(one.forbidden):
            without_mode, seen = timed(model, record)
        if number == 0:
            check(one, expected, seen)
        else:  # the first is to warm up
            times.append((with_mode, without_mode))
    return statistics.median(a for a, _ in times), statistics.median(b / a for a, b in times)


def timed(model: Simulation, record: str) -> tuple[float, Result]:
    """Return the CPU time of a run with its tables, s, and its result."""
    gc.collect()
    begin = time.process_time()
    result = model.run(SEED, engine="compiled", record=record)
    if record == "all":
        for name in ("jobs", "flushes", "buffer_size", "work"):
            getattr(result, name)
    return time.process_time() - begin, result


def check(one: Case, expected: Result, seen: Result) -> None:
    """Raise ArithmeticError if a forbidden mode changes a result: then the flag is not only a mode."""
    pairs = [(expected.metric(name), seen.metric(name)) for name in CHECKED]
    if not all(np.isclose(a, b, rtol=1e-9, equal_nan=True) for a, b in pairs):
        raise ArithmeticError(f"{one.model} gives other results without {one.mode}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.modes", description=__doc__)
    parser.add_argument("--jobs", type=lambda text: int(float(text)), default=JOBS, metavar="N")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    options = parser.parse_args()
    rows = []
    for one in CASES:
        cells = []
        for record in ("all", "summary"):
            seconds, ratio = measure(one, record, options.jobs, options.rounds)
            cells += [f"{1e3 * seconds:.1f}", f"{ratio:.2f}"]
        rows.append([one.mode, one.model, *cells])
        print(*rows[-1], sep="  ", flush=True)
    head = ["mode", "model", "all tables, ms", "without the mode", "summary, ms", "without the mode"]
    text = f"{tables.machine()}. {options.jobs:,} jobs.\n\n{tables.table(head, rows)}"
    print(text)
    if options.write:
        readme.put("modes", text)


if __name__ == "__main__":
    main()
