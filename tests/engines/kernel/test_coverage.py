"""The models that the two engines are compared on reach every line of the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

SEED, MODELS = 11, 300


@pytest.fixture(scope="module")
def found() -> Any:
    command = [sys.executable, "-m", "bufsim_tests.kernel_coverage", str(SEED), str(MODELS)]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_generated_models_reach_every_line_and_branch_of_the_kernel(found: Any) -> None:
    files = {"arrivals", "buffers", "empty_ticks", "loop", "policy", "queues", "records", "reduce", "state", "tallies"}
    assert found["missing"].keys() == files
    assert found["missing"] == {name: [[], []] for name in files}


@pytest.mark.slow
def test_generated_models_run_there_as_on_simpy(found: Any) -> None:
    assert found["different"] == []
