"""Measuring engines side by side: each in a fresh process of its own, a round of runs at a time."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engines import COMPILED, ENGINES, PLAIN, SUMMARY
from benchmarks.outcome import differences, load

ROOT = Path(__file__).parents[1]
PYTHON = (sys.executable, "-m")


@dataclass
class Measurement:
    """What was measured of an engine on a work at a size.

    Attributes
    ----------
    cpu : list of float
        The CPU time of each run, s, of the process with all its threads.
    system : list of float
        What of it the operating system took, s: for the most part to hand out memory.
    peak : float
        The highest resident memory of the process up to the end of its first run, MB, interpreter and libraries and the
        numbers that it was given included.
    jobs : int
        About how many jobs.
    check : str
        How the results compare: "same", "same within ...", what differs, or "not compared".
    """

    jobs: int
    cpu: list[float] = field(default_factory=list)
    system: list[float] = field(default_factory=list)
    peak: float = 0.0
    check: str = ""

    @property
    def median(self) -> float:
        """The median CPU time, s."""
        return statistics.median(self.cpu)

    @property
    def first(self) -> float:
        """The CPU time of the first run, s: it gets its memory from the operating system, others what it gives back."""
        return self.cpu[0]

    @property
    def in_system(self) -> float:
        """The median of what the operating system took of it, s."""
        return statistics.median(self.system)

    @property
    def per_job(self) -> float:
        """The median CPU time per job, s."""
        return self.median / self.jobs


Results = dict[tuple[str, str, int], Measurement]
"""Measurements by engine, work and size."""


class Child:
    """A process that runs one engine on one work at one size."""

    def __init__(self, engine: str, work: str, n: int, numbers: Path) -> None:
        command = [*PYTHON, "benchmarks.child", engine, work, str(n), str(numbers)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def tell(self, command: str) -> dict[str, float]:
        """Send a command, and return the answer."""
        assert self.process.stdin is not None
        print(command, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the measured process ended with code {self.process.wait()}; its error stands above")
        answer: dict[str, float] = json.loads(line)
        return answer


@contextmanager
def child(engine: str, work: str, n: int, numbers: Path) -> Iterator[Child]:
    """Start a child, and end it."""
    started = Child(engine, work, n, numbers)
    try:
        yield started
    finally:
        started.process.communicate()


def measure(
    engines: Iterable[str],
    works: Iterable[str],
    sizes: Iterable[int],
    *,
    rounds: int,
    budget: float,
    say: Callable[[str], None],
) -> Results:
    """Measure engines on works at growing sizes.

    An engine is left out at a size where a run would take more than `budget` s of CPU time, if it took as much per job
    as at the size before.
    """
    results: Results = {}
    sizes, engines = sorted(sizes), list(engines)
    _compile(engines)
    for work in works:
        for position, n in enumerate(sizes):
            able = [engine for engine in engines if work in ENGINES[engine].works]
            if position:
                before = [results.get((engine, work, sizes[position - 1])) for engine in able]
                able = [e for e, m in zip(able, before, strict=True) if m and m.per_job * n <= budget]
            say(f"{work}, {n:,} jobs: {', '.join(able)}")
            for engine, measurement in _side_by_side(able, work, n, rounds).items():
                results[engine, work, n] = measurement
    return results


def _compile(engines: Iterable[str]) -> None:
    """Let bufsim compile its engine and keep it on disk, so that no measured process holds a compiler's memory."""
    for engine in {COMPILED, SUMMARY}.intersection(engines):
        with child(engine, "W1", 1_000, Path()) as process:
            process.tell("run")


def _side_by_side(engines: list[str], work: str, n: int, rounds: int) -> dict[str, Measurement]:
    measured = {engine: Measurement(n) for engine in engines}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        numbers = folder / "numbers.npz"
        subprocess.run([*PYTHON, "benchmarks.simulations", work, str(n), str(numbers)], cwd=ROOT, check=True)
        children = {engine: stack.enter_context(child(engine, work, n, numbers)) for engine in engines}
        for number in range(rounds):
            for engine, process in children.items():
                answer = process.tell("run")
                measured[engine].cpu.append(answer["cpu"])
                measured[engine].system.append(answer["system"])
                if number == 0:
                    measured[engine].peak = answer["peak"]
        _compare(folder, children, measured)
    return measured


def _compare(folder: Path, children: dict[str, Child], measured: dict[str, Measurement]) -> None:
    """Compare what came out of each engine with what came out of the compiled engine, or else of plain SimPy."""
    reference = next((name for name in (COMPILED, PLAIN) if name in children), None)
    for engine, measurement in measured.items():
        if not ENGINES[engine].same or reference is None:
            measurement.check = "not compared"
    paths = {e: folder / f"{number}.npz" for number, (e, m) in enumerate(measured.items()) if not m.check}
    for engine, path in paths.items():
        children[engine].tell(f"save {path}")
    for engine, path in paths.items():
        tolerance = ENGINES[engine].tolerance
        said = differences(load(paths[reference]), load(path), tolerance)
        measured[engine].check = "; ".join(said) or (f"same within {tolerance:g}" if tolerance else "same")
