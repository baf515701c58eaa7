"""The model gives every batch of a recorded server."""

from __future__ import annotations

from pathlib import Path

from bufsim import vendure_trace
from bufsim.backtest import backtest
from bufsim.errors import InvalidValueError
from bufsim.model.buffers import JobBuffer
from bufsim.model.policies import FlushEvery
from bufsim.model.producers import Producer
from bufsim.simulation import Simulation
from bufsim.vendure import CollectionJobBuffer, SearchIndexJobBuffer
from bufsim.verification.extent import Extent
from bufsim.verification.finding import Finding, found

SUBJECT = "a server's batches"
_CLOCK_ERROR = 0.01
_PLACES = (
    # installed, the trace lies beside this file; in a checkout, with the other data
    Path(__file__).parent / "data" / "vendure-catalogue",
    Path(__file__).parents[2] / "data" / "vendure-catalogue",
)


def trace() -> Path:
    """Return the folder of the recorded trace."""
    for place in _PLACES:
        if place.is_dir():
            return place
    raise InvalidValueError("the recorded trace is missing from the installation (vendure-catalogue); install it again")


def server(flush_time: str = "0s") -> Simulation:
    """Return the recorded server: its jobs, its two buffers, flushed every 2 s."""
    buffers = [
        JobBuffer.ported(kind(), policy=FlushEvery(2.0), flush_time=flush_time)
        for kind in (CollectionJobBuffer, SearchIndexJobBuffer)
    ]
    producers = [Producer("catalogue", vendure_trace.read_adds(trace()))]
    return Simulation(producers=producers, buffers=buffers, until="6min")


def check(extent: Extent) -> Finding:
    """Run the model under the recorded flush times, and compare batch by batch, before and after reduce."""
    test = backtest(server(), vendure_trace.read_flushes(trace()), seed=extent.seed)
    upset = test.shifted(_CLOCK_ERROR)
    checked = (
        f"{len(test.flushes)} recorded flushes, before and after reduce "
        f"(with the clock {1e3 * _CLOCK_ERROR:g} ms late {upset} batches would differ)"
    )
    wrong = f"{len(test.differing)} batches differ" if len(test.differing) else ""
    return found(SUBJECT, checked, wrong or ("" if upset else "no error would be seen"), len(test.flushes))
