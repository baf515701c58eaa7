"""Each claim holds, and would not if what it is about were broken."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from bufsim import FlushEvery, JobBuffer, Poisson, Producer, Simulation, theory
from bufsim.engines.kernel import loop
from bufsim.results.result import Result
from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job
from bufsim.verification import models, replays
from bufsim.verification.claims import CLAIMS, Claim, findings
from bufsim.verification.findings import Extent, Finding

SMALL = Extent(seed=1, models=25, replications=12, studies=40)


def test_every_claim_holds() -> None:
    found = list(findings(SMALL))
    assert {one.subject: one.verdict for one in found} == {claim.subject: "holds" for claim in CLAIMS}
    assert all(one.count > 0 for one in found)


def test_a_check_that_breaks_down_fails_and_says_how() -> None:
    def breaks(extent: Extent) -> Finding:
        raise RuntimeError("no such file")

    found = Claim("something", breaks).finding(SMALL)
    assert found == Finding("something", "RuntimeError: no such file", "FAILS")
    assert not found.holds


# --- Vendure's classes ------------------------------------------------------------------------------------------------


def test_all_recorded_cases_are_replayed() -> None:
    found = replays.check_recorded(SMALL)
    assert found.count == 1313
    assert "1,313 recorded cases replayed (1,430 on SQL, Redis" in found.checked


def test_a_port_that_tells_equal_jobs_apart_no_more_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class ByValue(InMemoryJobBufferStorageStrategy):
        def add(self, buffer_id: str, job: Job) -> Job:
            super().add(buffer_id, job)
            return Job(queue_name=job.queue_name, data=job.data)

    monkeypatch.setattr(replays, "InMemoryJobBufferStorageStrategy", ByValue)
    found = replays.check_recorded(SMALL)
    assert found.verdict == "FAILS"
    assert "differ, the first '" in found.checked


# --- a server's batches -----------------------------------------------------------------------------------------------


def test_the_model_gives_every_recorded_batch() -> None:
    found = replays.check_server_trace(SMALL)
    assert (found.count, found.verdict) == (324, "holds")


def test_a_clock_that_is_10_ms_off_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    read = replays.vendure_trace.read_flushes

    def late(path: str | Path) -> pd.DataFrame:
        flushes = read(path)
        return flushes.assign(start=flushes["start"] + 0.01)

    monkeypatch.setattr(replays.vendure_trace, "read_flushes", late)
    found = replays.check_server_trace(SMALL)
    assert found.verdict == "FAILS"
    assert "batches differ" in found.checked


def test_a_trace_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(replays, "PLACES", (tmp_path / "nowhere",))
    found = Claim(replays.SERVER_TRACE, replays.check_server_trace).finding(SMALL)
    assert found.verdict == "FAILS"
    assert "the recorded trace is missing from the installation (vendure-catalogue); install it again" in found.checked


# --- two engines ------------------------------------------------------------------------------------------------------


def test_random_models_are_always_the_same_and_have_every_kind_of_part() -> None:
    made = list(models.models(1, 60))
    assert made[:5] == list(models.models(1, 5))
    assert made[:5] != list(models.models(2, 5))
    text = repr(made)
    for part in (
        *("FlushAtSize", "FlushAtBytes", "FlushAfterAge", "FlushWhenIdle", "FlushEvery", "FlushAt(", "NeverFlush"),
        *("|", "&", "checked_every", "flush_end", "DrainAtMost", "drop_oldest", "UniqueByKey", "Merge"),
        *("PollingWorkers", "PushWorkers", "Stops", "read_delete_window", "per_job", "failure", "Zipf"),
    ):
        assert part in text, part


def test_random_models_are_full_of_ties() -> None:
    ties = 0
    for simulation in models.models(1, 25):
        times = simulation.run(1).buffer_size["time"]
        ties += int(times.duplicated().sum())
    assert ties > 200


def test_an_engine_that_breaks_a_tie_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from bufsim.engines import compiled_engine
    from bufsim.engines.workload import Workload

    arrive = loop.arrive

    def late(state: Any, before: float, up_to: float) -> int:
        if state.jobs.time[state.run[0].job - state.run[0].job_first] == up_to:
            return loop.due_or_service(state, up_to)
        return arrive(state, before, up_to)

    monkeypatch.setattr(loop, "arrive", late)
    run = Simulation.run

    def uncompiled(simulation: Simulation, seed: int, *, engine: str) -> Result:
        if engine == "simpy":
            return run(simulation, seed)
        workload = Workload(simulation.producers, seed=seed, until=simulation.until)
        record = compiled_engine.run(simulation, workload, kernel_run=loop.run)
        return Result.of(simulation, workload, "compiled", record)

    monkeypatch.setattr(Simulation, "run", uncompiled)
    found = models.check_two_engines(SMALL)
    assert found.verdict == "FAILS"
    assert "differs in" in found.checked


def test_without_the_compiled_engine_the_line_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = models.check_two_engines(SMALL)
    assert (found.verdict, found.holds) == ("not checked", False)
    assert 'pip install "bufsim[compiled]"' in found.checked


# --- conservation -----------------------------------------------------------------------------------------------------


def without_a_row(result: Result) -> dict[str, pd.DataFrame]:
    return {"jobs": result.jobs.iloc[:-1]}


def one_too_many(result: Result) -> dict[str, pd.DataFrame]:
    return {"flushes": result.flushes.assign(batch_size=result.flushes["batch_size"] + 1)}


def of_no_outcome(result: Result) -> dict[str, pd.DataFrame]:
    return {"jobs": result.jobs.assign(outcome="flushed", loss_cause="buffer")}


@pytest.mark.parametrize("broken", [without_a_row, one_too_many, of_no_outcome])
def test_a_job_that_gets_lost_is_caught(broken: Callable[[Result], dict[str, pd.DataFrame]]) -> None:
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(5.0))], buffers=[JobBuffer("b", policy=FlushEvery(1.0))], until=10.5
    )
    result = simulation.run(1)
    assert models.laws_broken(simulation, result) == []
    tables = {name: getattr(result, name) for name in ("jobs", "flushes", "buffer_size")}
    changed = SimpleNamespace(seed=result.seed, **(tables | broken(result)))
    assert models.laws_broken(simulation, changed)  # type: ignore[arg-type]  # it has the tables of a result


def test_a_broken_law_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "laws_broken", lambda simulation, result: ["every job has a row"])
    found = models.check_conservation(SMALL)
    assert (found.verdict, "model 0: every job has a row" in found.checked) == ("FAILS", True)


# --- closed forms -----------------------------------------------------------------------------------------------------


def test_a_formula_that_is_two_percent_off_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [
        models.Known(one.name, one.simulation, {name: 1.02 * truth for name, truth in one.truths.items()})
        for one in models.known_models()
    ]
    monkeypatch.setattr(models, "known_models", lambda: iter(known))
    found = models.check_closed_forms(SMALL)
    assert found.verdict == "FAILS"
    assert " off" in found.checked


# --- intervals --------------------------------------------------------------------------------------------------------


def test_intervals_round_a_wrong_value_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    form = theory.size_or_age(rate=10.0, size=40, age=5.0)
    monkeypatch.setattr(theory, "size_or_age", lambda **known: Off(form))
    found = models.check_coverage(SMALL)
    assert found.verdict == "FAILS"
    assert "outside" in found.checked


class Off:
    """A closed form whose values are 1 % too high."""

    def __init__(self, form: Any) -> None:
        self.form = form

    def __getattr__(self, name: str) -> float:
        return 1.01 * float(getattr(self.form, name))


def test_the_bounds_are_binomial() -> None:
    low, high = models.bounds(200, 4)
    assert (low, high) == (177, 199)
    # with more studies the shares draw nearer to 95 %
    low, high = models.bounds(1000, 4)
    assert 0.92 < low / 1000 < 0.95 < high / 1000 < 0.98


def test_a_full_check_looks_at_more() -> None:
    full, usual = Extent.full(7), Extent(7)
    assert full.seed == usual.seed
    assert full.models > usual.models
    assert full.studies > usual.studies
    assert full.replications > usual.replications
