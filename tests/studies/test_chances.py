from __future__ import annotations

import numpy as np
import pytest

from bufsim import (
    Capacity,
    Deterministic,
    FlushEvery,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Storage,
)
from bufsim.studies.chances import draws_rarely, impossible
from bufsim.studies.study import Study

RATE, ROOM, PERIODS = 50.0, 80, 30


def model(*, arrivals=None, room=ROOM, workers=(), **more):
    return Simulation(
        producers=[Producer("edits", Poisson(RATE) if arrivals is None else arrivals)],
        buffers=[JobBuffer("search", policy=FlushEvery(1.0), capacity=room and Capacity(jobs=room))],
        workers=list(workers),
        until=float(PERIODS),
        **more,
    )


def studied(simulation, runs=10, seed=1):
    return Study({"today": simulation}, seed=seed).run(runs, progress=False)


@pytest.fixture(scope="module")
def rare():
    return studied(model())


def test_no_loss_seen_is_not_zero(rare):
    interval = rare.interval("lost_share", "today")
    assert (interval.estimate, interval.low) == (0.0, 0.0)
    assert interval.high == pytest.approx(1.0 - 0.05**0.1)
    assert interval.note == "none seen in 10 runs; up to 26 % of runs may lose jobs; 300 runs would bound it at 1 %"
    # the true share, by a direct count of Poisson numbers over the room
    arrived = np.random.default_rng(3).poisson(RATE, 4_000_000)
    truth = np.maximum(arrived - ROOM, 0).sum() / arrived.sum()
    assert 0.0 < truth < 1e-4
    assert truth in interval
    for name in ("lost_jobs", "lost_rate_per_s", "lost_capacity_jobs"):
        assert 0.0 == rare.interval(name, "today").low < rare.interval(name, "today").high
    assert rare.interval("lost_jobs", "today").high <= 0.26 * 2 * RATE * PERIODS


def test_a_limit_on_what_was_not_seen_is_undecided_and_says_why(rare):
    (check,) = rare.check("lost_share <= 0.001 %").checks
    assert check.verdict == "undecided"
    assert not check.is_deterministic
    assert check.replications_needed is None
    assert check.text() == (
        "0 [0, 26] %; none seen in 10 runs; up to 26 % of runs may lose jobs; 300 runs would bound it at 1 %"
    )
    # what even the bound keeps is kept
    assert rare.check("lost_share <= 30 %").verdict("today") == "pass"


def test_what_cannot_be_lost_is_zero():
    result = studied(model(room=None))
    assert str(result.interval("lost_share", "today")) == "0 [0, 0]"
    assert result.check("lost_jobs <= 0").verdict("today") == "pass"
    # of other causes than the room there is nothing to fear
    assert str(studied(model()).interval("lost_down_jobs", "today")) == "0 [0, 0]"


def test_what_draws_nothing_is_exact():
    result = studied(model(arrivals=Deterministic(0.1)))
    (check,) = result.check("lost_share <= 0.001 %").checks
    assert (check.verdict, check.is_deterministic) == ("pass", True)


def test_failures_and_stops_too_rare_to_be_seen_leave_nothing_exact():
    steady = Deterministic(0.5)
    for simulation in (
        model(arrivals=steady, workers=[PushWorkers(1, failure=1e-6)]),
        model(arrivals=steady, stops=Stops(mean_time_between="10000h")),
    ):
        result = studied(simulation, runs=3)
        assert not result.is_deterministic("today")
        assert draws_rarely(simulation)
    assert studied(model(arrivals=steady), runs=3).is_deterministic("today")


def test_few_failures_have_exact_bounds():
    result = studied(model(arrivals=Deterministic(0.5), workers=[PushWorkers(1, failure=1e-6)]), runs=3)
    interval = result.interval("failed_jobs", "today")
    assert interval.note.startswith("none seen in 3 runs; up to 63 % of runs may have jobs that fail")
    assert interval.high == pytest.approx((1.0 - 0.05 ** (1 / 3)) * 58)


def test_what_a_model_cannot_have_follows_from_what_it_declares():
    everything = {"capacity", "buffer", "in_flight", "queue", "down", "race", "storage", "failure"}
    assert impossible(model(room=None)) == everything
    assert impossible(model()) == everything - {"capacity"}
    assert impossible(model(), "another") == everything
    stops = Stops(at=[5.0], downtime=1.0)
    assert impossible(model(stops=stops)) == {"queue", "race", "storage", "failure"}
    assert "buffer" in impossible(model(stops=stops, storage=Storage(durable=True)))
    assert "race" not in impossible(model(storage=Storage(durable=True, read_delete_window=0.1)))
    assert "queue" not in impossible(model(stops=stops, durable_queue=False))
