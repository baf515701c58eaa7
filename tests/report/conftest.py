"""Small answered plans: one with a choice, one without."""

from __future__ import annotations

from typing import Any

import pytest

from bufsim import (
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    UniqueByKey,
    Zipf,
)
from bufsim.report.draft import Source
from bufsim.studies.plan import Plan, PlanAnswer

TODAY = FlushAtSize(20) | FlushAfterAge(2.0)
POLICIES = [FlushAtSize(size) | FlushAfterAge(age) for size in (20, 40, 80) for age in (2.0, 5.0)]


def small_plan(**others: Any) -> Plan:
    simulation = Simulation(
        producers=[Producer("edits", Poisson(10.0), keys=Zipf(50, exponent=1.0))],
        buffers=[JobBuffer("search", policy=TODAY, reduce=UniqueByKey(), flush_time="10ms")],
        workers=[PushWorkers(1, service=Exponential(0.04))],
        until=120.0,
        warm_up=20.0,
    )
    asked: dict[str, Any] = {
        "policies": POLICIES,
        "minimise": "40 * flush_rate_per_s + 0.5 * mean_buffer_size_jobs",
        "limits": ["p99_wait <= 4s", "peak_buffer_size <= 70"],
        "loads": [1, 2, 3],
        "load": 2,
        "replications": 6,
        "seed": 4,
        "assumptions": ["Keys stay <b>as they are</b> & so do their shares."],
        "title": "A plan of <small> & large",
    }
    return Plan(simulation, **asked | others)


@pytest.fixture(scope="session")
def answer() -> PlanAnswer:
    return small_plan().run(progress=False)


@pytest.fixture(scope="session")
def hopeless() -> PlanAnswer:
    return small_plan(limits=["mean_wait <= 1ms", "peak_buffer_size <= 40"], loads=[1], load=1).run(progress=False)


@pytest.fixture
def source() -> Source:
    text = '# <script>alert("x")</script>\n[plan]\nminimise = "mean_wait" # a < b\n\n[other]\nkey = 1\n'
    return Source("plan.toml", text, "bufsim plan plan.toml -o plan.html --seed 4", [("plan.toml", 6, "ab" * 32)])
