"""What users write, as strict type checkers see it: mypy checks this file, and nothing runs it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np

import bufsim as bs
from bufsim.vendure import SearchIndexJobBuffer


class FlushWhenOldAndLarge(bs.FlushPolicy):
    """A policy of the user's own."""

    def due(self, view: bs.BufferView) -> float:
        """Return when."""
        return view.oldest_at + 5.0 if view.size > 3 else float("inf")


policy = bs.FlushAtSize(200) | bs.FlushAfterAge("30s") & bs.FlushAtBytes("1 MiB") | FlushWhenOldAndLarge()
policies: list[bs.FlushPolicy] = [
    policy.checked_every("5s"),
    bs.FlushWhenIdle(dt.timedelta(seconds=2)),
    bs.FlushEvery("15min", anchor="flush_end"),
    bs.FlushAt([1.0, 2.0]),
    bs.FlushCron("0 * * * *", dt.datetime.now(dt.UTC)),
]
# what is held is narrower than what is given
age: float = bs.FlushAfterAge("30s").age
nbytes: int | None = bs.DrainAtMost(nbytes="1 MiB").nbytes
simulation = bs.Simulation(
    producers=[bs.Producer("edits", bs.Poisson(100), keys=bs.Zipf(100, 1.1), nbytes="1 kB")],
    buffers=[
        bs.JobBuffer(
            "search",
            policy=policy,
            collect="default",
            reduce=bs.UniqueByKey(),
            drain=bs.DrainAtMost(nbytes="1 MiB"),
            capacity=bs.Capacity(jobs=100, on_full="drop_oldest"),
            flush_time="50ms",
            storage=bs.Storage(),
        ),
        bs.JobBuffer.ported(SearchIndexJobBuffer(), policy=bs.NeverFlush()),
    ],
    workers=[
        bs.PushWorkers(3, service=bs.Exponential(0.01), per_item="5ms", backoff="1s"),
        bs.PollingWorkers(service=np.array([0.1, 0.2]), queue="default", poll_interval="200ms"),
    ],
    until="2h",
    warm_up=dt.timedelta(minutes=5),
    storage=bs.Storage(durable=True, read_delete_window="30ms"),
    durable_queue=["default"],
    stops=bs.Stops(at=["30min", 3600.0], downtime="30s"),
)
later: bs.Simulation = replace(simulation, until="3h")
until: float = later.until
result: bs.Result = simulation.run(seed=1)
waits: float = result.metric("p99_wait")
sizes = result.plot.buffer_size(unit="bytes", limit=1e6)
result.plot.buffer_size(limit=40, ax=None)
result.plot.buffer_size(limits=40)  # type: ignore[call-overload]  # a picture's parameters are checked
batches: int = len(result.plot.batch_sizes.frame(buffer="search"))
