"""The metrics of a job buffer by cause: why jobs were lost, and why flushes started."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from bufsim.engines.recording import LOSS_CAUSES
from bufsim.results.metric import Metric, ratio
from bufsim.results.tallies import BufferTally


def lost_by_cause(buffer: BufferTally, span: float, cause: int) -> float:
    """Return the jobs lost of one cause."""
    return buffer.lost[cause]


def share_by_cause(buffer: BufferTally, span: float, leaves: tuple[str, ...]) -> float:
    """Share of the flushes that started because a leaf of one kind was due."""
    caused = sum(count for cause, count in buffer.causes.items() if cause.startswith(leaves))
    return ratio(caused, buffer.flushes)


_CAUSES: Mapping[str, str] = {
    "capacity": "because the buffer was full",
    "buffer": "from a volatile buffer at a stop",
    "in_flight": "in flight at a stop",
    "queue": "from a volatile queue at a stop",
    "down": "because they arrived while the server was down",
    "race": "because they arrived between a flush's read and its delete",
    "storage": "because the storage strategy did not give them back",
}


LOSS_METRICS: tuple[Metric, ...] = tuple(
    Metric(
        f"lost_{cause}_jobs",
        "jobs",
        "buffer",
        "count",
        f"Jobs lost {_CAUSES[cause]}",
        functools.partial(lost_by_cause, cause=index),
    )
    for index, cause in enumerate(LOSS_CAUSES)
)


_LEAVES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "size": ("the buffer was large enough", ("FlushAtSize(",)),
    "bytes": ("the buffer had bytes enough", ("FlushAtBytes(",)),
    "age": ("the oldest job was old enough", ("FlushAfterAge(",)),
    "idle": ("no job had arrived for long enough", ("FlushWhenIdle(",)),
    "clock": ("a tick had come", ("FlushEvery(", "FlushAt(", "FlushCron(")),
}


CAUSE_METRICS: tuple[Metric, ...] = tuple(
    Metric(
        f"flushes_by_{kind}_share",
        "",
        "buffer",
        "flush-weighted",
        f"Share of the flushes that started because {why}",
        functools.partial(share_by_cause, leaves=leaves),
    )
    for kind, (why, leaves) in _LEAVES.items()
)
