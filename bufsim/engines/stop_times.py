"""When the server stops and restarts in a run."""

from __future__ import annotations

from bufsim.engines.randomness import stream
from bufsim.model.stops import Stops


def stop_times(stops: Stops | None, *, seed: int, replication: int, until: float) -> list[tuple[float, float]]:
    """Return the (stop, restart) times of a run, s, for the stops before `until`."""
    if stops is None:
        return []
    return stops.times(stream(seed, "server", "stops", replication), until)
