"""The port equals Vendure's own classes on every recorded case."""

from __future__ import annotations

from bufsim.vendure import InMemoryJobBufferStorageStrategy, TestingJobBufferStorageStrategy
from bufsim.verification import job_replay, reduce_replay, service_replay, storage_replay
from bufsim.verification.extent import Extent
from bufsim.verification.finding import Finding, found
from bufsim.verification.recorded import vectors, why_left_out

SUBJECT = "Vendure's classes"


def check(extent: Extent) -> Finding:
    """Replay every recorded case that the port is held to."""
    cases = sum(why_left_out(vector) is None for vector in vectors())
    differing = [
        *storage_replay.differing("in-memory", InMemoryJobBufferStorageStrategy),
        *storage_replay.differing("testing", TestingJobBufferStorageStrategy),
        *service_replay.differing(InMemoryJobBufferStorageStrategy),
        *reduce_replay.differing(),
        *job_replay.differing(),
    ]
    left_out = len(vectors()) - cases
    checked = f"{cases:,} recorded cases replayed ({left_out:,} on SQL, Redis or JavaScript's own oddities left out)"
    wrong = f"{len(differing)} differ, the first {differing[0]!r}" if differing else ""
    return found(SUBJECT, checked, wrong, cases)
