"""What lending memory to the next run saves (`bufsim.memory`): ``python -m benchmarks.lending``.

Fresh processes, by turns with memory that is lent and with NumPy's own, each run a work several times with all tables
made and its result forgotten. Medians over the processes, of CPU time: of the first run, and of the later ones.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time

from benchmarks import readme, tables
from benchmarks.measuring import PYTHON, ROOT
from benchmarks.simulations import SEED, simulation
from benchmarks.works import WORKS

JOBS = 10**6
ROUNDS = 5
LATER = 5


def run(work: str, jobs: int, lends: bool) -> list[float]:
    """Return the CPU times of runs in this process, s."""
    from bufsim import memory

    if not lends:
        memory.can_lend = lambda: False  # type: ignore[assignment]
    simulation(WORKS[work], 1_000).run(SEED, engine="compiled")
    times = []
    for _ in range(1 + LATER):
        gc.collect()
        begin = time.process_time()
        result = simulation(WORKS[work], jobs).run(SEED, engine="compiled")
        for name in ("jobs", "flushes", "buffer_size", "work"):
            getattr(result, name)
        times.append(time.process_time() - begin)
        del result
    return times


def in_a_process(work: str, jobs: int, lends: bool) -> list[float]:
    """Return what `run` does in a fresh process."""
    command = [*PYTHON, "benchmarks.lending", "--child", work, str(jobs), str(int(lends))]
    times: list[float] = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return times


def measure(work: str, jobs: int, rounds: int) -> list[str]:
    """Return a row of the table."""
    pairs = [(in_a_process(work, jobs, True), in_a_process(work, jobs, False)) for _ in range(rounds)]
    cells = []
    for part in (slice(0, 1), slice(1, None)):
        lent, own = ([statistics.median(times[part]) for times in side] for side in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in zip(lent, own, strict=True))
        cells += [f"{1e3 * statistics.median(lent):.1f}", f"{1e3 * statistics.median(own):.1f}", f"{ratio:.2f}"]
    return [work, *cells]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lending", description=__doc__)
    parser.add_argument("--works", nargs="+", choices=WORKS, default=["W1", "W4"], metavar="W")
    parser.add_argument("--jobs", type=lambda text: int(float(text)), default=JOBS, metavar="N")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/README.md")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        work, jobs, lends = options.child
        json.dump(run(work, int(jobs), lends == "1"), sys.stdout)
        return
    head = ["CPU time, ms", "first: lent", "NumPy's own", "ratio", "later: lent", "NumPy's own", "ratio"]
    rows = [measure(work, options.jobs, options.rounds) for work in options.works]
    text = f"{tables.machine()}. {options.jobs:,} jobs, all tables.\n\n{tables.table(head, rows)}"
    print(text)
    if options.write:
        readme.put("lending", text)


if __name__ == "__main__":
    main()
