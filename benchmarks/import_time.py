"""What importing bufsim costs beside importing pandas, in fresh interpreters."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from benchmarks import tables
from benchmarks.measuring import ROOT
from benchmarks.targets import Target

PACKAGES = ("pandas", "bufsim")
_CODE = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"


def measure(rounds: int = 15) -> dict[str, float]:
    """Return the median CPU time of each import, s, of interleaved interpreters."""
    taken: dict[str, list[float]] = {package: [] for package in PACKAGES}
    with tempfile.TemporaryDirectory() as folder:
        # compiled beforehand, as an installation is, whatever this environment says about writing it
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for number in range(rounds + 1):
            for package in PACKAGES:
                command = [sys.executable, "-c", _CODE.format(package)]
                said = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
                if number:
                    taken[package].append(float(said.stdout))
    return {package: statistics.median(values) for package, values in taken.items()}


def table(times: dict[str, float]) -> str:
    """Return the times as a table."""
    rows = [[f"import {package}", f"{1e3 * seconds:.0f}"] for package, seconds in times.items()]
    return tables.table(["", "CPU time, ms"], rows)


def targets(times: dict[str, float]) -> list[Target]:
    """Return the target of these times."""
    return [Target("import bufsim / import pandas", times["bufsim"] / times["pandas"], at_most=1.15)]


if __name__ == "__main__":
    measured = measure()
    print(table(measured), tables.of_targets(targets(measured)), sep="\n\n")
