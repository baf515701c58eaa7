"""What importing bufsim, and the help of its command line, cost beside importing pandas, in fresh interpreters."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from benchmarks import tables
from benchmarks.measuring import ROOT
from benchmarks.targets import Target

PANDAS = "import pandas"
BARE = "import bufsim"
NAMES = "from bufsim import FlushEvery, JobBuffer, Poisson, Producer, Simulation"
HELP = "bufsim --help"
STATEMENTS = {
    PANDAS: PANDAS,
    # names are imported when they are asked for: what it costs to declare a model counts, besides the package alone
    BARE: BARE,
    NAMES: NAMES,
    HELP: "from bufsim.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
}
_CODE = "import time; start = time.process_time()\n{}\nprint(time.process_time() - start)"


def measure(rounds: int = 15) -> dict[str, float]:
    """Return the median CPU time of each statement, s, of interleaved interpreters."""
    taken: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    with tempfile.TemporaryDirectory() as folder:
        # compiled beforehand, as an installation is, whatever this environment says about writing it
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for number in range(rounds + 1):
            for name, statement in STATEMENTS.items():
                command = [sys.executable, "-c", _CODE.format(statement)]
                said = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
                if number:
                    taken[name].append(float(said.stdout.splitlines()[-1]))
    return {name: statistics.median(values) for name, values in taken.items()}


def table(times: dict[str, float]) -> str:
    """Return the times as a table."""
    rows = [[f"`{name}`", f"{1e3 * seconds:.0f}"] for name, seconds in times.items()]
    return tables.table(["", "CPU time, ms"], rows)


def targets(times: dict[str, float]) -> list[Target]:
    """Return the targets of these times."""
    most = {BARE: 1.05, NAMES: 1.05, HELP: 0.4}
    return [Target(f"{name} / {PANDAS}", times[name] / times[PANDAS], at_most=limit) for name, limit in most.items()]


if __name__ == "__main__":
    measured = measure()
    print(table(measured), tables.of_targets(targets(measured)), sep="\n\n")
