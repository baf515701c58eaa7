from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # the benchmarks stand beside the package, and are not installed
    monkeypatch.syspath_prepend(str(ROOT))


def run(engine, work, given):
    outcome = engine.prepare(work, given)()()
    return outcome.columns()


@pytest.mark.parametrize("name", ["W1", "W2", "W3", "W4"])
@pytest.mark.parametrize("script", ["plain SimPy", "process-per-job SimPy"])
def test_a_simpy_script_and_bufsim_give_the_same_to_the_last_bit(name: str, script: str) -> None:
    from benchmarks.engines import ENGINES, SIMPY
    from benchmarks.outcome import differences
    from benchmarks.simulations import numbers
    from benchmarks.works import WORKS

    work = WORKS[name]
    expected = run(ENGINES[script], work, numbers(work, 2_000))
    got = run(ENGINES[SIMPY], work, 2_000)
    assert differences(expected, got) == []
    assert len(got["waits"]) > 1_000
    assert len(got["reduced_sizes"]) == (len(got["batch_sizes"]) if work.keyed else 0)
    assert (len(got["finishes"]) > 1_000) == work.served


@pytest.mark.parametrize("name", ["W1", "W2", "W3", "W4"])
def test_the_compiled_engine_and_its_summary_give_the_same(name: str) -> None:
    from benchmarks.engines import COMPILED, ENGINES, PLAIN, SUMMARY
    from benchmarks.outcome import differences
    from benchmarks.simulations import numbers
    from benchmarks.works import WORKS

    work = WORKS[name]
    expected = ENGINES[PLAIN].prepare(work, numbers(work, 2_000))()()
    assert differences(expected.columns(), run(ENGINES[COMPILED], work, 2_000)) == []
    totals = run(ENGINES[SUMMARY], work, 2_000)
    assert differences(expected.totals().columns(), totals, ENGINES[SUMMARY].tolerance) == []


def test_one_late_arrival_is_told() -> None:
    from benchmarks.engines import ENGINES, PLAIN, SIMPY
    from benchmarks.outcome import differences
    from benchmarks.simulations import numbers
    from benchmarks.works import WORKS

    given = numbers(WORKS["W1"], 2_000)
    late = given.gaps.copy()
    late[700] += 1e-9
    expected = run(ENGINES[PLAIN], WORKS["W1"], dataclasses.replace(given, gaps=late))
    said = " ".join(differences(expected, run(ENGINES[SIMPY], WORKS["W1"], 2_000)))
    assert "size_times: up to" in said
    assert "waits: up to" in said


def test_gaps_add_up_to_the_very_arrivals() -> None:
    from benchmarks.simulations import gaps

    times = 1.0 + np.sort(np.random.default_rng(1).random(10_000))
    assert np.array_equal(np.cumsum(gaps(times)), times)
    with pytest.raises(ArithmeticError, match="no gaps add up to exactly these arrivals: take another seed"):
        gaps(np.array([0.06, 0.88]))


def test_steps_at_one_instant_count_once() -> None:
    from benchmarks.outcome import Outcome

    columns = Outcome([1.0, 2.0, 2.0, 3.0], [1, 2, 0, 1], [2], [1.0, 0.0]).columns()
    assert columns["size_times"].tolist() == [1.0, 2.0, 3.0]
    assert columns["sizes"].tolist() == [1.0, 0.0, 1.0]


def test_the_parts_of_a_run_add_up() -> None:
    from benchmarks.parts import ALL, TABLES, measure, table
    from benchmarks.works import WORKS

    measured = measure(WORKS["W4"], 2_000, 3)
    assert {f"table {name}" for name in TABLES} < measured.keys()
    assert measured[ALL] == pytest.approx(sum(time for part, time in measured.items() if part != ALL))
    assert table({"W4": measured}).splitlines()[-1].startswith("| all")


def test_a_target_that_was_not_measured_is_not_met() -> None:
    from benchmarks.targets import Target

    assert Target("speed", None, at_least=60.0).met == "not measured"
    assert Target("speed", 59.9, at_least=60.0).met == "not met"
    assert Target("speed", 60.0, at_least=60.0).met == "met"
    assert Target("memory", 2.0, at_most=1.5).row() == ["memory", "2 times", "≤ 1.5 times", "not met"]


def test_the_import_of_bufsim_leaves_engines_and_results_to_the_first_run() -> None:
    code = "import sys, bufsim; print({'simpy', 'bufsim.results', 'bufsim.engines.kernel'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout.strip() == "set()"


def test_the_script_of_a_recording_and_bufsim_give_the_same() -> None:
    from benchmarks import recordings

    declared = recordings.simulation()
    script = recordings.script_of(declared)()
    assert recordings.differences(declared, script) == []
    assert len(script.waits) > 10_000
    # negative control
    script.finishes[-1] += 1.0
    assert recordings.differences(declared, script) == ["finishes"]
