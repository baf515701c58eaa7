"""Which lines and branches of the kernel the generated models reach, and whether they run there as on SimPy.

`NUMBA_DISABLE_JIT=1 python -m bufsim_tests.kernel_coverage SEED MODELS` runs them on the kernel uncompiled, each at one
of the record levels, and prints a JSON object: missing lines and branches by file, and what was different.

What the kernel keeps, draws and is given by the thousand comes by the handful here: so models of some dozens of jobs
reach what otherwise takes tens of thousands. Two lines need more than models, and get it: the sum of gaps, which runs
apart from the kernel, and the refusal of a leaf that the kernel does not know, which no built-in leaf calls forth. Some
take models that are rare among those that are drawn, and these are added, by seed and number: a queue that is served in
order beside one that is not; tasks lost with their queue during the warm-up, and of no buffer; many waits of one bin.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import coverage

RARE = ((12, 225), (11, 349), (11, 399), (11, 445), (11, 527))


def main(seed: int, count: int) -> None:
    assert os.environ["NUMBA_DISABLE_JIT"] == "1"
    watch = coverage.Coverage(data_file=None, branch=True, include=["*/bufsim/engines/kernel/*.py"], config_file=False)
    watch.exclude("if TYPE_CHECKING:")
    # before anything is imported: definitions are lines too
    watch.start()
    different = run_models(seed, count)
    watch.stop()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        watch.json_report(outfile=str(path))
        files = json.loads(path.read_text())["files"]
    missing = {Path(name).stem: (of["missing_lines"], of["missing_branches"]) for name, of in files.items()}
    print(json.dumps({"missing": missing, "different": different}))


def run_models(seed: int, count: int) -> list[str]:
    from bufsim.engines import compilation, lowering, randomness, streaming, workload
    from bufsim.engines.kernel import arrivals, tallies
    from bufsim.errors import BufsimError
    from bufsim.model import distributions, rules
    from bufsim.results.contents import RECORD_LEVELS
    from bufsim.verification.models import models
    from bufsim_tests.both_engines import engine_differences

    distributions.BLOCK = randomness.BLOCK = workload.BLOCK = 4
    streaming.JOBS_AT_ONCE, tallies.EXACT = 1, 4
    compilation.running_sum = lambda: arrivals.running_sum
    with suppress(BufsimError):
        lowering.Program([], 1.0).append(rules.Operation(99), 0)
    different = []
    rare = [(number, simulation) for of, number in RARE for simulation in models(of, 1, number)]
    for number, simulation in [*enumerate(models(seed, count)), *rare]:
        level = RECORD_LEVELS[number % 3]
        different += [f"model {number}: {found}" for found in engine_differences(simulation, seed, [level])]
    return different


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
