"""Replays what was recorded of Vendure's own job buffers: what they collect, and what becomes of a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bufsim.vendure import CollectionJobBuffer, Job, SearchIndexJobBuffer
from bufsim.verification.recorded import Vector, job_of, of_level, seconds

PORTED: Mapping[str, type] = {
    "SearchIndexJobBuffer": SearchIndexJobBuffer,
    "CollectionJobBuffer": CollectionJobBuffer,
}
"""The ported buffers, by Vendure's names."""


def differs(vector: Vector, buffer: Any) -> bool:
    """Return whether what a buffer collects, returns or leaves of its argument is other than recorded."""
    default = {"createdAt": {"$date": "2025-01-01T00:00:00.000Z"}}
    jobs = [job_of(config, **default) for _, config in vector["jobs"]]
    names = {job: name for job, (name, _) in zip(jobs, vector["jobs"], strict=True)}
    collected = [buffer.collect(job) for job in jobs]
    output: Any
    try:
        output = [
            {"ref": names[job], "data": job.data} if job in names else {"new": _fields(job)}
            for job in buffer.reduce(jobs)
        ]
    except TypeError:
        output = "TypeError"
    # compared as text, because in Python 1 == True == 1.0, and the record tells them apart
    seen = json.dumps([collected, output, [names[job] for job in jobs]], sort_keys=True)
    return seen != json.dumps([vector["collect"], _recorded_output(vector), vector["input_after"]], sort_keys=True)


def differing(buffers: Mapping[str, type] = PORTED) -> list[str]:
    """Return the names of the cases in which a buffer differs from the record."""
    return [vector["name"] for vector in of_level("reduce") if differs(vector, buffers[vector["buffer"]]())]


def _fields(job: Job) -> dict[str, Any]:
    """Return a new job as the record writes it."""
    return {
        "queueName": job.queue_name,
        "id": job.id,
        "retries": job.retries,
        "attempts": job.attempts,
        "state": job.state.value,
        "progress": job.progress,
        "createdAt": job.created_at,
        "data": job.data,
    }


def _recorded_output(vector: Vector) -> Any:
    if isinstance(vector["output"], dict):
        return vector["output"]["error"]["type"]
    output = [dict(item) for item in vector["output"]]
    for item in output:
        if "new" in item:
            item["new"] = item["new"] | {"createdAt": seconds(item["new"]["createdAt"])}
    return output
