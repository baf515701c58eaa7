"""A fresh interpreter that runs one engine on one work at one size, each time it is told to.

It reads a command a line: ``run`` runs once, ``save PATH`` writes what came out. It answers each with a line of JSON.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.engines import ENGINES, Engine
from benchmarks.outcome import save
from benchmarks.works import RATE, WORKS, Numbers, Work

WARM_UP = 1_000


def peak_megabytes() -> float:
    """Return this process's highest resident memory so far, MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count the parent's memory too, from before this program was loaded
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def system_time() -> float:
    """Return the CPU time that the operating system has used for this process, s."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_stime


def serve(engine: Engine, work: Work, n: int, numbers: Path) -> None:
    """Answer commands until the input ends."""
    given = Numbers.load(numbers) if engine.given else None
    engine.prepare(work, WARM_UP if given is None else given.before(WARM_UP / RATE))()
    run = engine.prepare(work, n if given is None else given)
    del given
    kept = None
    answer({"peak": peak_megabytes()})
    for line in sys.stdin:
        command, _, path = line.strip().partition(" ")
        if command == "save":
            outcome = kept() if kept is not None else None
            if outcome is not None:
                save(Path(path), outcome)
            kept = outcome = None
            answer({})
            continue
        kept = None
        gc.collect()
        cpu, system = time.process_time(), system_time()
        kept = run()
        cpu, system = time.process_time() - cpu, system_time() - system
        answer({"cpu": cpu, "system": system, "peak": peak_megabytes()})


def answer(values: dict[str, float]) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    serve(ENGINES[sys.argv[1]], WORKS[sys.argv[2]], int(sys.argv[3]), Path(sys.argv[4]))
