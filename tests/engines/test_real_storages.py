from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bufsim_tests.stores import Store

import bufsim as bs


def simulation(**storage: Any) -> bs.Simulation:
    return bs.Simulation(
        producers=[bs.Producer("edits", bs.Poisson(20.0), keys=bs.Zipf(30, 1.1), nbytes=100)],
        buffers=[
            bs.JobBuffer("unique", policy=bs.FlushAtSize(20) | bs.FlushAfterAge(1.0), reduce=bs.UniqueByKey()),
            bs.JobBuffer(
                "parts",
                policy=bs.FlushAtBytes(2_000),
                drain=bs.DrainAtMost(n=7),
                flush_time="50ms",
                storage=bs.Storage(durable=True, **storage),
            ),
        ],
        workers=[bs.PushWorkers(service=0.01)],
        storage=bs.Storage(durable=True, **storage),
        until=8.0,
    )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("sqlite", {}),
        pytest.param("sqlite", {"atomic": True}, marks=pytest.mark.slow),
        pytest.param("sqlite", {"acknowledged": True}, marks=pytest.mark.slow),
        ("postgresql", {"atomic": True}),
        ("redis", {"acknowledged": True}),
    ],
)
def test_a_run_on_a_real_store_gives_the_batches_of_one_in_memory(
    kind: str, options: dict[str, bool], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db" if kind == "sqlite" else request.getfixturevalue(f"{kind}_url")
    in_memory = simulation().run(seed=1)
    assert len(in_memory.flushes) > 20
    store = Store(kind, url)
    with store.open(**options) as storage:
        real = simulation(strategy=lambda: storage).run(seed=1)
        for table in ("flushes", "jobs", "work", "buffer_size"):
            pd.testing.assert_frame_equal(getattr(real, table), getattr(in_memory, table))
        # what the run left in its buffers is in the store, and nothing else
        left = in_memory.jobs.loc[in_memory.jobs["outcome"] == "buffered", "buffer"].value_counts()
        assert sum(storage.buffer_size(["unique", "parts"]).values()) == left.sum() > 0
    with store.open(**options) as again:
        # what was handed over was confirmed; batches in flight at the end of the run were not
        assert again.came_back == (in_memory.jobs["outcome"] == "in_flight").sum() * bool(options.get("acknowledged"))


def test_redis_as_shipped_gives_the_same_batches_newest_first(redis_url: str) -> None:
    with Store("redis", redis_url).open() as storage:
        real = simulation(strategy=lambda: storage).run(seed=1)
    in_memory = simulation().run(seed=1)
    columns = ["buffer", "start", "batch_size"]
    pd.testing.assert_frame_equal(real.flushes[columns], in_memory.flushes[columns])
    # the reduced batch keeps the newest of each key in place of the oldest, and the queue gets them in that order
    assert not real.jobs["work_id"].equals(in_memory.jobs["work_id"])
