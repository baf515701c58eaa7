from __future__ import annotations

import dataclasses

import pytest
from bufsim_tests.models import edits

from bufsim import (
    Bursty,
    Capacity,
    DrainAtMost,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushWhenIdle,
    Merge,
    Poisson,
    Producer,
    Stops,
    Storage,
    UniformKeys,
    UniqueByKey,
    Zipf,
    theory,
)
from bufsim.plots.closed_forms import by_rate, saved_by_batch, size_and_age
from bufsim.studies.expressions import metric

BOTH = FlushAtSize(40) | FlushAfterAge(5.0)


@pytest.mark.parametrize(
    ("policy", "name", "value"),
    [
        (FlushAtSize(40), "mean_wait", theory.size_only(rate=10.0, size=40).mean_wait),
        (FlushAtSize(40), "p99_wait", theory.size_only(rate=10.0, size=40).wait_p99),
        (FlushAfterAge(5.0), "mean_batch_size", 51.0),
        (BOTH, "mean_wait", 1.9434),
        (FlushAfterAge(5.0) | FlushAtSize(40), "p99_wait", 4.590),
        (FlushEvery(5.0), "mean_wait", 2.5),
        (FlushEvery(0.01), "flush_rate", theory.periodic(rate=10.0, period=0.01).nonempty_flush_rate),
        (FlushEvery(0.01), "mean_batch_size", theory.periodic(rate=10.0, period=0.01).mean_batch_nonempty),
        (FlushEvery(5.0), "mean_buffer_size", 25.0),
    ],
)
def test_simple_policies_have_closed_forms(policy, name, value):
    form = by_rate(edits(Poisson(1.0), policy=policy), metric(name))
    assert form(10.0) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("arrivals", "buffer", "name"),
    [
        (Bursty(80.0, 3.0, 5.0, 20.0), {}, "mean_wait"),
        (Poisson(10.0), {"drain": DrainAtMost(10)}, "mean_wait"),
        (Poisson(10.0), {"capacity": Capacity(jobs=10)}, "mean_wait"),
        (Poisson(10.0), {"flush_time": 0.1}, "mean_wait"),
        (Poisson(10.0), {"collect": "default"}, "mean_wait"),
        (Poisson(10.0), {"policy": FlushWhenIdle(1.0)}, "mean_wait"),
        (Poisson(10.0), {"policy": FlushEvery(5.0, anchor="flush_end")}, "mean_wait"),
        (Poisson(10.0), {"policy": FlushAtSize(3) & FlushAfterAge(2.0)}, "mean_wait"),
        (Poisson(10.0), {}, "utilisation"),
        (Poisson(10.0), {}, "p50_wait"),
    ],
)
def test_other_models_have_none(arrivals, buffer, name):
    assert by_rate(edits(arrivals, **buffer), metric(name)) is None


def test_models_with_stops_or_a_slow_storage_have_none():
    simulation = edits(Poisson(10.0))
    for change in ({"stops": Stops(at=[3.0])}, {"storage": Storage(read_delete_window=0.1)}):
        assert by_rate(dataclasses.replace(simulation, **change), metric("mean_wait")) is None


def test_a_cost_has_none():
    assert by_rate(edits(Poisson(10.0)), 2.0 * metric("mean_wait")) is None


def unique(policy, keys=Zipf(1000, 1.1)):  # noqa: B008  # frozen values are fair defaults
    return edits(Poisson(50.0), policy=policy, keys=keys, reduce=UniqueByKey())


def test_what_unique_keys_save_is_known():
    at_size = saved_by_batch([unique(FlushAtSize(100)), unique(FlushAtSize(500))])
    every = saved_by_batch([unique(FlushEvery(10.0))])
    assert at_size(500.0) == pytest.approx(1.0 - 177.05 / 500.0, abs=1e-4)
    assert every(500.0) == pytest.approx(0.646, abs=1e-4)
    even = saved_by_batch([unique(FlushAtSize(100), UniformKeys(10))])
    assert even(2.0) == pytest.approx(0.05)


def test_a_merged_batch_saves_all_but_one_job_under_every_policy():
    simulations = [edits(Poisson(50.0), policy=policy, reduce=Merge()) for policy in (BOTH, FlushWhenIdle(1.0))]
    assert saved_by_batch(simulations)(4.0) == 0.75


def test_batches_of_several_queues_are_not_merged_into_one_job():
    one = edits(Poisson(50.0), reduce=Merge())
    two = dataclasses.replace(one, producers=(*one.producers, Producer("email", Poisson(1.0), queue="email")))
    assert saved_by_batch([two]) is None


@pytest.mark.parametrize(
    "simulations",
    [
        [unique(FlushAtSize(100)), unique(FlushEvery(10.0))],
        [unique(FlushAtSize(100)), unique(FlushAtSize(100), Zipf(1000, 1.0))],
        [unique(FlushAfterAge(10.0))],
        [unique(FlushAtSize(100), Zipf(100_000, 1.1))],
        [unique(FlushAtSize(100), None)],
        [edits(Poisson(50.0), keys=Zipf(1000, 1.1))],
    ],
    ids=["two kinds", "two laws", "age", "too many keys", "no keys", "no reduce"],
)
def test_what_is_saved_elsewhere_is_not_known(simulations):
    assert saved_by_batch(simulations) is None


def test_a_size_or_an_age_is_read_in_both_orders():
    assert size_and_age(BOTH) == size_and_age(FlushAfterAge(5.0) | FlushAtSize(40)) == (40, 5.0)
    for other in (FlushAtSize(40), FlushAtSize(40) | FlushEvery(5.0), BOTH | FlushEvery(5.0), FlushAtSize(1) & BOTH):
        assert size_and_age(other) is None
