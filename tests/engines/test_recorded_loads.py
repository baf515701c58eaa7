"""What real batching libraries did under a recorded load, replayed from an expression in bufsim's words."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bufsim import Drain, FlushPolicy, FlushTime, GivenTimes, JobBuffer, Producer, Result, Simulation, Trace
from bufsim.spelling.building import build

FOLDER = Path(__file__).parents[1] / "data" / "differential"
LIBRARIES = ("celery-batches", "otel", "reactivex", "segment", "sentry")
# parts that bufsim does not have
LACKING = {"jitter"}

Load = dict[str, Any]


@cache
def loads(library: str) -> list[Load]:
    with gzip.open(FOLDER / f"{library}.json.gz", "rt", encoding="utf-8") as file:
        return [load for load in json.load(file) if not LACKING.intersection(load["needs"])]


def simulation(load: Load) -> Simulation:
    words, seconds = load["expression"], load["flush_seconds"]
    columns = {"nbytes": load["nbytes"]} if "nbytes" in load else {}
    buffer = JobBuffer(
        "b",
        policy=policy_of(load),
        drain=drain_of(load),
        capacity=None if "capacity" not in words else build("capacity", words["capacity"], name="capacity"),
        flush_time=FlushTime(seconds["fixed"], per_job=seconds["per_job"])
        if "fixed" in seconds
        # more than there are flushes
        else FlushTime(GivenTimes([*seconds["draws"], *[0.0] * len(load["arrivals"])])),
    )
    return Simulation(
        producers=[Producer("p", Trace(load["arrivals"], **columns))], buffers=[buffer], until=load["until"]
    )


def policy_of(load: Load) -> FlushPolicy:
    policy = build("policy", load["expression"]["policy"], name="policy")
    assert isinstance(policy, FlushPolicy)
    return policy


def drain_of(load: Load) -> Drain:
    words = load["expression"]["drain"]
    if "inclusive=True" in words:  # as it was recorded
        words = words.replace("DrainAtMost", "DrainUntil").replace(", inclusive=True", "")
    drain = build("drain", words, name="drain")
    assert isinstance(drain, Drain)
    return drain


def recorded(load: Load) -> dict[str, Any]:
    return {
        "batches": [(batch["start"], batch["end"], batch["jobs"]) for batch in load["batches"]],
        "dropped": sorted(load["dropped"]),
        "left": sorted(load["left"]),
    }


def replayed(result: Result) -> dict[str, Any]:
    """The batches with their times and jobs in order, and the jobs that were dropped and that are left."""
    jobs, flushes = result.jobs, result.flushes
    members = jobs.groupby("flush_id")["job_id"].apply(list)
    outcome = jobs["outcome"].astype(str)
    return {
        "batches": [
            (start, end, members[number])
            for number, (start, end) in enumerate(zip(flushes["start"].tolist(), flushes["end"].tolist(), strict=True))
        ],
        "dropped": sorted(jobs.loc[outcome == "lost", "job_id"].tolist()),
        "left": sorted(jobs.loc[outcome == "buffered", "job_id"].tolist()),
    }


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_recorded_load_of_a_real_library_is_replayed_exactly(library: str, engine: Any) -> None:
    for load in loads(library):
        assert replayed(simulation(load).run(1, engine=engine)) == recorded(load), (load["load"], load["expression"])


def test_so_many_loads_are_replayed() -> None:
    assert {library: len(loads(library)) for library in LIBRARIES} == {
        "celery-batches": 30,
        "otel": 30,
        "reactivex": 30,
        "segment": 30,
        "sentry": 19,
    }


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_anchor_does_not_replay_them(library: str) -> None:
    """A negative control: the recorded loads tell rules apart that differ only in where a timer starts."""
    for load in loads(library):
        words = load["expression"] | {
            "policy": load["expression"]["policy"].replace("flush_end", "clock").replace("activation", "flush_end")
        }
        other = simulation(load | {"expression": words})
        if replayed(other.run(1)) != recorded(load):
            return
    pytest.fail("every load is replayed")


def test_a_drain_that_leaves_the_job_that_reaches_the_bytes_does_not_replay_segment() -> None:
    limited = [load for load in loads("segment") if load["needs"] == ["inclusive"]]
    for load in limited:
        drain = load["expression"]["drain"].replace(", inclusive=True", "")
        other = simulation(load | {"expression": load["expression"] | {"drain": drain}})
        assert replayed(other.run(1)) != recorded(load)
    assert len(limited) == 11


def test_another_drain_does_not_replay_them() -> None:
    for load in loads("otel"):
        model = simulation(load)
        other = replace(model, buffers=[replace(model.buffers[0], drain=build("drain", "all", name="drain"))])
        if replayed(other.run(1)) != recorded(load):
            return
    pytest.fail("every load is replayed")
