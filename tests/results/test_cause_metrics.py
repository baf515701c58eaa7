from __future__ import annotations

import math

import pytest

from bufsim import (
    Capacity,
    FlushAfterAge,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushWhenIdle,
    JobBuffer,
    NeverFlush,
    Poisson,
    Producer,
    Simulation,
)
from bufsim.results.metrics import METRICS

KINDS = {
    "size": FlushAtSize(12),
    "bytes": FlushAtBytes(500),
    "age": FlushAfterAge(2.0),
    "idle": FlushWhenIdle(0.3),
    "clock": FlushEvery(3.0),
}


def run(policy, **options):
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(5.0), nbytes=50)],
        buffers=[JobBuffer("buffer", policy=policy, **options)],
        until=200.0,
        warm_up=20.0,
    )
    return simulation.run(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shares_of_the_causes_are_those_of_the_flushes(kind):
    others = [policy for name, policy in KINDS.items() if name != kind]
    result = run(KINDS[kind] | others[0] | others[1])
    seen = result.flushes[result.flushes.start >= 20.0]
    mine = seen.cause.astype(str) == repr(KINDS[kind])
    assert result.metric(f"flushes_by_{kind}_share") == pytest.approx(mine.mean())
    assert sum(result.metric(f"flushes_by_{name}_share") for name in KINDS) == pytest.approx(1.0)


def test_without_a_flush_there_is_no_share():
    assert math.isnan(run(NeverFlush()).metric("flushes_by_size_share"))


def test_the_rate_of_loss_is_a_second():
    result = run(NeverFlush(), capacity=Capacity(jobs=100))
    assert result.metric("lost_jobs") > 0
    assert result.metric("lost_rate_per_s") == result.metric("lost_jobs") / 180.0


def test_every_cause_metric_has_a_meaning():
    assert METRICS["flushes_by_age_share"].meaning.endswith("because the oldest job was old enough")
    assert METRICS["lost_down_jobs"].meaning == "Jobs lost because they arrived while the server was down"
