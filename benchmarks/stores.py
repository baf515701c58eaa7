"""What real stores lose and repeat: ``python -m benchmarks.stores URL``, processes that write, flush and are killed.

Race: so many processes add jobs one after the other while this one flushes, waits, and flushes again, as `race.csv`
was recorded. Beside what was lost stands what a run loses whose jobs arrive when the adds returned, whose flushes start
when these did, and whose window is half the mean time of a flush call: it sends a read and a delete, and each takes
effect in its middle. Where batches are large a call reads the jobs too, so that the model loses more.

Crash: a process flushes 50 jobs, and kills itself when its queue has accepted k of them, as `crash.csv` was recorded.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from bufsim import FlushAt, JobBuffer, Producer, Simulation, Storage, Trace
from bufsim.statistics import mean_interval
from bufsim.vendure import Job, JobBufferService, RedisJobBufferStorageStrategy, SqlJobBufferStorageStrategy

MODES: dict[str, dict[str, bool]] = {"shipped": {}, "atomic": {"atomic": True}, "acknowledged": {"acknowledged": True}}
WRITERS, GAPS_MS, KILLED_AFTER = (1, 4, 16), (0, 20, 200), (-1, 0, 10, 49)
PART = "bufsim_benchmark"


def opened(url: str, mode: str, part: str) -> Any:
    """A storage strategy on a part of the store."""
    if url.startswith(("redis", "unix")):
        return RedisJobBufferStorageStrategy(url, prefix=part, **MODES[mode])
    return SqlJobBufferStorageStrategy(url, table=part, **MODES[mode])


@dataclass(frozen=True)
class Race:
    """One run of writers beside a flusher."""

    mode: str
    writers: int
    gap_ms: int
    adds: int
    flushes: int
    lost: int
    repeated: int
    lost_in_model: int
    window_ms: float


def race(url: str, mode: str, *, writers: int, gap_ms: int, adds: int) -> Race:
    """Let processes add jobs while this one flushes; count what no flush returned, and what two did."""
    part = f"{PART}_{os.getpid()}_{time.monotonic_ns()}"
    each = adds // writers
    returned: collections.Counter[str] = collections.Counter()
    flushes: list[tuple[float, float]] = []
    with opened(url, mode, part) as storage:

        def flush() -> None:
            start = time.monotonic()
            jobs = storage.flush(["b"]).get("b", [])
            storage.confirm("b", jobs)
            flushes.append((start, time.monotonic()))
            returned.update(job.data for job in jobs)

        command = [sys.executable, "-m", "benchmarks.stores", "--write-as"]
        processes = [
            subprocess.Popen([*command, json.dumps([url, mode, part, number, each])], stdout=subprocess.PIPE, text=True)
            for number in range(writers)
        ]
        while any(process.poll() is None for process in processes):
            flush()
            time.sleep(gap_ms / 1000.0)
        flush()
    added = [json.loads(process.communicate()[0]) for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError("a writer failed")
    acked = sorted(at for times in added for at in times)
    window = sum(end - start for start, end in flushes) / len(flushes) / 2.0 if mode == "shipped" else 0.0
    return Race(
        mode,
        writers,
        gap_ms,
        len(acked),
        len(flushes),
        lost=len(acked) - len(returned),
        repeated=sum(count - 1 for count in returned.values()),
        lost_in_model=lost_in_model(acked, [start for start, _ in flushes], window),
        window_ms=1000.0 * window,
    )


def lost_in_model(arrivals: list[float], flushes: list[float], window: float) -> int:
    """What a run loses to the race whose jobs and flushes come when these did."""
    first = min(arrivals[0], flushes[0])
    times = [at - first for at in arrivals]
    starts = sorted({at - first for at in flushes})
    simulation = Simulation(
        producers=[Producer("writers", Trace(times))],
        buffers=[JobBuffer("b", policy=FlushAt(starts))],
        storage=Storage(durable=True, read_delete_window=window),
        until=max(times[-1], starts[-1]) + 1.0,
    )
    return int(simulation.run(seed=1).metric("lost_race_jobs"))


def write(url: str, mode: str, part: str, number: int, adds: int) -> None:
    """Add jobs one after the other, and print when each add had returned."""
    times = []
    with opened(url, mode, part) as storage:
        for index in range(adds):
            storage.add("b", Job(queue_name="q", data=f"{number}-{index}"))
            times.append(time.monotonic())
    sys.stdout.write(json.dumps(times))


@dataclass(frozen=True)
class Crash:
    """A process that was killed in a flush of 50 jobs."""

    mode: str
    killed_after: int
    in_queue: int
    left_in_buffer: int
    lost: int
    repeated: int


def crash(url: str, mode: str, killed_after: int, *, jobs: int = 50) -> Crash:
    """Let a process kill itself when its queue has accepted so many jobs (−1: before the flush); count what is left."""
    part = f"{PART}_{os.getpid()}_{time.monotonic_ns()}"
    with tempfile.TemporaryDirectory() as folder:
        accepted = Path(folder) / "accepted"
        accepted.touch()
        given = json.dumps([url, mode, part, killed_after, jobs, str(accepted)])
        ended = subprocess.run([sys.executable, "-m", "benchmarks.stores", "--crash-as", given], check=False)
        if ended.returncode != -signal.SIGKILL:
            raise RuntimeError(f"the process ended with {ended.returncode}, and was not killed")
        queued = accepted.read_text().split()
    with opened(url, mode, part) as storage:
        left = [job.data for job in storage.flush(["b"]).get("b", [])]
    there = collections.Counter([*queued, *left])
    return Crash(mode, killed_after, len(queued), len(left), jobs - len(there), there.total() - len(there))


def be_killed(url: str, mode: str, part: str, killed_after: int, jobs: int, accepted: str) -> None:
    """Buffer jobs, flush them, and die on the way."""

    class Queue:
        count = 0

        def add(self, job: Job) -> Job:
            if self.count == killed_after:
                os.kill(os.getpid(), signal.SIGKILL)
            with Path(accepted).open("a") as file:
                file.write(f"{job.data}\n")
            self.count += 1
            return job

    class Everything:
        id = "b"

        def collect(self, job: Job) -> bool:
            return True

        def reduce(self, batch: list[Job]) -> list[Job]:
            return batch

    service = JobBufferService(opened(url, mode, part), Queue())
    service.add_buffer(Everything())
    for number in range(jobs):
        service.add(Job(queue_name="q", data=str(number)))
    if killed_after < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    service.flush()


def _races(url: str, adds: int, repetitions: int) -> list[dict[str, Any]]:
    rows = []
    print("flush,writers,gap_ms,adds,lost,interval,lost_in_model,repeated")
    for mode in MODES:
        for writers in WRITERS:
            for gap in GAPS_MS:
                runs = [race(url, mode, writers=writers, gap_ms=gap, adds=adds) for _ in range(repetitions)]
                rows += map(asdict, runs)
                lost = mean_interval([float(run.lost) for run in runs])
                model = sum(run.lost_in_model for run in runs) / repetitions
                repeated = sum(run.repeated for run in runs) / repetitions
                interval = f"{max(lost.low, 0.0):.1f} to {lost.high:.1f}"
                print(
                    f"{mode},{writers},{gap},{runs[0].adds},{lost.estimate:.1f},{interval},{model:.1f},{repeated:.1f}"
                )
    return rows


def main() -> None:
    """Run the processes on the store of a URL, and print what they lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url", nargs="?", default="", help="sqlite:///file, postgresql://... or redis://...")
    parser.add_argument("--adds", type=int, default=480)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--write-as", help=argparse.SUPPRESS)
    parser.add_argument("--crash-as", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write_as:
        write(*json.loads(options.write_as))
    elif options.crash_as:
        be_killed(*json.loads(options.crash_as))
    else:
        _races(options.url, options.adds, options.repetitions)
        print("\nflush,killed_after,in_queue,left_in_buffer,lost,repeated")
        for mode in MODES:
            for killed_after in KILLED_AFTER:
                print(*astuple(crash(options.url, mode, killed_after)), sep=",")


if __name__ == "__main__":
    main()
