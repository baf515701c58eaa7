"""How fast a large study runs on two cores, and how much sooner than on the SimPy engine.

``python -m benchmarks.study_speed`` runs 20 policies × 3 loads × 30 replications of one hour at 20 jobs/s, 130 million
jobs, and says whether that took at most 40 s and 1.5 GB, and was at least 40 times sooner than the same study on the
SimPy engine, which is measured on a part and scaled by the number of jobs. It says too what a study costs beside its
runs. Measure on a machine that does nothing else: the processor's time, which is printed beside, tells if it did.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import readme, tables
from bufsim import Exponential, FlushAtSize, FlushPolicy, JobBuffer, Poisson, Producer, PushWorkers, Simulation
from bufsim.studies.processes import end_processes
from bufsim.studies.scenarios import policy_grid
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

LOADS = (0.5, 1.0, 1.5)
REPLICATIONS = 30
RATE = 20.0
HOUR = 3600.0
PROCESSES = 2
SEED = 1

MOST_SECONDS = 40.0
MOST_GB = 1.5
LEAST_RATIO = 40.0
MOST_OVERHEAD = 1e-3


@dataclass(frozen=True)
class Measured:
    """What a study took.

    Parameters
    ----------
    jobs : int
        Jobs in all its runs.
    wall, processor : float
        How long it took, and the processors' time in all processes, s.
    gigabytes : float
        The sum of the most memory that each process has held.
    """

    jobs: int
    wall: float
    processor: float
    gigabytes: float

    def __str__(self) -> str:
        return (
            f"{self.jobs:,} jobs in {self.wall:.1f} s ({self.jobs / self.wall / 1e6:.2f} million a second; "
            f"{self.processor:.1f} s of processors' time), {self.gigabytes:.2f} GB"
        )


def study(*, until: float = HOUR, served: bool = True) -> Study:
    """Return the study: 20 policies × 3 loads."""
    workers = [PushWorkers(4, service=Exponential("50ms"))] if served else []
    simulation = Simulation(
        producers=[Producer("edits", Poisson(RATE))],
        buffers=[JobBuffer("search", policy=FlushAtSize(100))],
        workers=workers,
        until=until,
    )
    policies: list[FlushPolicy] = policy_grid(size=[50, 100, 200, 400], age=["5s", "10s", "20s", "30s", "60s"])
    return Study(simulation, policy=policies, arrivals_scale=LOADS, seed=SEED)


def measured(run: Callable[[], StudyResult]) -> Measured:
    """Run a study in processes, and return what it took from its start to its end."""
    before = _times()
    begin = time.perf_counter()
    result = run()
    wall = time.perf_counter() - begin
    times = _times()
    spent = sum(spent - before.get(pid, 0.0) for pid, spent in times.items())
    gigabytes = sum(map(_most_memory, times))
    if len(result.failures):
        raise SystemExit(result.failures["error"].iloc[0])
    jobs = sum(tally.jobs for found in result.tallies.values() for tally in found.values())
    return Measured(jobs, wall, spent, gigabytes)


def small_runs(runs: int = 200) -> tuple[float, float, float]:
    """Return what so many runs of 2,000 jobs take in a study, one by one, and what starting processes takes, s.

    The least of several tries.
    """
    simulation = Simulation(
        producers=[Producer("edits", Poisson(RATE))],
        buffers=[JobBuffer("search", policy=FlushAtSize(100))],
        until=2000 / RATE,
    )
    small = Study(simulation, policy=[FlushAtSize(50 + number) for number in range(runs // 2)], seed=SEED)
    scenarios = list(small.scenarios.values())

    def alone() -> None:
        for replication in range(2):
            for one in scenarios:
                one.run(SEED, engine="compiled", replication=replication, record="summary")

    def together() -> None:
        small.run(2, progress=False)

    def start() -> None:
        end_processes()
        small.run(2, executor=PROCESSES, progress=False)

    # what starting takes beside the runs, which the processes share
    inside, outside, started = (min(_timed(what) for _ in range(5)) for what in (together, alone, start))
    end_processes()
    return inside, outside, started - inside / PROCESSES


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast a large study runs on two cores.")
    parser.add_argument("--replications", type=int, default=REPLICATIONS, help="fewer, for a first look")
    parser.add_argument("--write", action="store_true", help="write what is printed into benchmarks/README.md")
    options = parser.parse_args()
    lines = []
    for line in report(options.replications):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        readme.put("study", "\n".join([f"{tables.machine()}.", "", *(f"    {line}" for line in lines)]))


def report(replications: int) -> Iterator[str]:
    """Measure, and yield what was found, line by line."""
    study(until=60.0).run(2, progress=False)  # compiles, if that was not done before
    large = study()
    yield f"{len(large.scenarios)} scenarios, {replications} replications of an hour each, {PROCESSES} processes"
    for name, served in (("buffer alone", False), ("buffer and workers", True)):
        whole, part = study(served=served), study(until=HOUR / 6, served=served)
        end_processes()
        fast = measured(lambda whole=whole: whole.run(replications, executor=PROCESSES, progress=False))  # type: ignore[misc]  # bound at once
        yield f"compiled, {name}: {fast}"
        # its processes have started already, unlike those of the other
        slow = measured(lambda part=part: part.run(2, executor=PROCESSES, progress=False, engine="simpy"))  # type: ignore[misc]  # likewise
        yield f"SimPy, {name}, a part: {slow}"
        share = fast.jobs / slow.jobs
        yield (
            f"SimPy, {name}, scaled: {slow.wall * share:,.0f} s ({slow.processor * share:,.0f} s of processors' time)"
        )
        for line in verdicts(fast, slow, replications):
            yield f"  {line}"
    inside, outside, start = small_runs()
    yield f"200 runs of 2,000 jobs: {inside:.3f} s in a study, {outside:.3f} s one by one"
    yield f"  {verdict((inside - outside) / 200 * 1e3, MOST_OVERHEAD * 1e3, 'ms of overhead a run')}"
    yield f"  {verdict(inside, round(start, 2), 's, which is what starting processes takes')}"


def verdicts(fast: Measured, slow: Measured, replications: int) -> Iterator[str]:
    """Yield what was reached and what was not."""
    whole = REPLICATIONS / replications
    yield verdict(fast.wall * whole, MOST_SECONDS, "s")
    yield verdict(fast.processor * whole / PROCESSES, MOST_SECONDS, "s of each of two cores, if nothing else ran")
    yield verdict(fast.gigabytes, MOST_GB, "GB")
    for what in ("wall", "processor"):
        ratio = getattr(slow, what) / slow.jobs * fast.jobs / getattr(fast, what)
        met = "met" if ratio >= LEAST_RATIO else "NOT met"
        yield f"{ratio:.0f} times sooner than on SimPy ({what} time), at least {LEAST_RATIO:.0f}: {met}"


def verdict(value: float, most: float, unit: str) -> str:
    """Return a sentence about a limit."""
    return f"{value:.2f} {unit}, at most {most:g}: {'met' if value <= most else 'NOT met'}"


def _timed(function: Callable[[], None]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def _times() -> dict[int, float]:
    """Return the processors' time of this process and of each that it has started, s, by their ids."""
    return {pid: _time_of(pid) for pid in [os.getpid(), *_children(os.getpid())]}


def _children(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _most_memory(pid: int) -> float:
    """Return the most memory that a process has held, GB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / 1e9


def _time_of(pid: int) -> float:
    """Return the processors' time of a process, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
