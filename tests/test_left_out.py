"""Where CI is set no test is left out in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TEST = """
import pytest

@pytest.mark.skipif(True, reason="there is no browser")
def test_one():
    pass
"""


@pytest.mark.parametrize(("ci", "code"), [("1", 1), (None, 0)])
def test_a_test_that_is_left_out_fails_the_run_in_ci_alone(ci: str | None, code: int, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | ({"CI": ci} if ci else {})
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), environment.get("PYTHONPATH", "")])
    options = ["-q", "-n0", "-p", "conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
