"""A billion jobs in bounded memory: Poisson 100/s under FlushEvery(5), with ``record="summary"``.

``python -m benchmarks.billion`` runs 10⁷, 10⁸ and 10⁹ jobs, each in a process of its own, and says what each took.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import readme, tables
from benchmarks.engines import SUMMARY
from benchmarks.measuring import child

WORK = "W1"
SIZES = (10**7, 10**8, 10**9)


@dataclass(frozen=True)
class Measured:
    """What a run took.

    Parameters
    ----------
    jobs : int
        About how many jobs.
    wall, cpu : float
        How long it took, and the CPU time of the process with all its threads, s.
    peak : float
        The highest resident memory of the process, MB, interpreter and libraries included.
    """

    jobs: int
    wall: float
    cpu: float
    peak: float

    def row(self) -> list[str]:
        """Return the figures as cells of a table."""
        per_job = 1e9 * self.cpu / self.jobs
        return [f"{self.jobs:,}", f"{self.wall:,.2f}", f"{self.cpu:,.2f}", f"{per_job:.1f}", f"{self.peak:.0f}"]


def measure(jobs: int) -> Measured:
    """Run so many jobs once, in a process of its own that has compiled."""
    with child(SUMMARY, WORK, jobs, Path()) as process:
        begin = time.perf_counter()
        answer = process.tell("run")
        return Measured(jobs, time.perf_counter() - begin, answer["cpu"], answer["peak"])


def table(measured: Iterable[Measured]) -> str:
    """Return the figures as a table."""
    head = ["jobs", "time, s", "CPU time, s", "CPU time a job, ns", "peak memory, MB"]
    return tables.table(head, [one.row() for one in measured], left=0)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billion", description=__doc__)
    parser.add_argument("--jobs", nargs="+", type=lambda text: int(float(text)), default=SIZES, metavar="N")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    options = parser.parse_args(words)
    with child(SUMMARY, WORK, 1_000, Path()) as process:
        process.tell("run")  # compiles, if that was not done before: a compiler's memory is not that of a run
    measured = []
    for jobs in options.jobs:
        print(f"{jobs:,} jobs", file=sys.stderr, flush=True)
        measured.append(measure(jobs))
    text = f"{tables.machine()}. One run each; load average at the end {tables.load()}.\n\n{table(measured)}"
    print(text)
    if options.write:
        readme.put("billion", text)


if __name__ == "__main__":
    main()
