"""What must work, and what must say why it does not, where no extra is installed."""

from __future__ import annotations

import importlib.util

import bufsim as bs
from bufsim import vendure

for extra in ("numba", "pyarrow", "loky", "tqdm", "distributed", "sqlalchemy", "redis", "psycopg"):
    assert importlib.util.find_spec(extra) is None, f"{extra} is installed: this is no test of the core alone"

simulation = bs.Simulation(
    producers=[bs.Producer("edits", bs.Poisson(80.0))],
    buffers=[bs.JobBuffer("search", policy=bs.FlushAtSize(200) | bs.FlushAfterAge("30s"))],
    workers=[bs.PollingWorkers(service=bs.Exponential(0.02))],
    until="1min",
)
result = simulation.run(seed=1)
assert len(result.flushes) > 10, result.flushes
print(result.summary())

try:
    simulation.run(seed=1, engine="compiled")
except bs.MissingExtraError as error:
    print(f"without numba: {error}")
else:
    raise AssertionError("engine='compiled' ran without numba")

for strategy in (vendure.SqlJobBufferStorageStrategy, vendure.RedisJobBufferStorageStrategy):
    try:
        strategy()
    except bs.MissingExtraError as error:
        print(f"without its extra: {error}")
    else:
        raise AssertionError(f"{strategy.__name__} was made without the library that it needs")
