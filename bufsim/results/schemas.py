"""The tables of a run: their columns, dtypes, units and meanings, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

TableName = Literal["jobs", "flushes", "buffer_size", "work"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, dtype, unit and meaning."""

    name: str
    dtype: str
    unit: str
    meaning: str


JOBS = (
    Column("job_id", "int64", "", "number of the job in order of arrival"),
    Column("copy", "int16", "", "number of the copy, among the buffers that collect the job"),
    Column("producer", "category", "", "who made it; missing for a job of a user's own process"),
    Column("queue", "category", "", "the job queue that it is meant for"),
    Column("buffer", "category", "", "the buffer that collects it; missing if none does"),
    Column("key", "category", "", "what the job is about; missing without keys"),
    Column("nbytes", "int64", "bytes", "its size"),
    Column("created_at", "float64", "s", "its arrival"),
    Column("flush_id", "Int64", "", "row of the flush that took it, in `flushes`; missing if none has"),
    Column("flushed_at", "float64", "s", "the start of that flush"),
    Column("work_id", "Int64", "", "row of the work that carries it, in `work`; missing if none is known to"),
    Column("finished_at", "float64", "s", "the finish of that work, or without one of its flush's last work"),
    Column("outcome", "category", "", "passed_by, flushed, buffered, in_flight, or lost"),
    Column("lost_at", "float64", "s", "when it was lost"),
    Column("loss_cause", "category", "", "capacity, buffer, in_flight, queue, down, race, or storage"),
)
FLUSHES = (
    Column("buffer", "category", "", "the buffer that is flushed"),
    Column("start", "float64", "s", "when the batch left the storage"),
    Column("end", "float64", "s", "when the reduced jobs came to the queue; missing if interrupted or not yet"),
    Column("cause", "category", "", "the leaf of the flush policy that was due, or manual"),
    Column("batch_size", "int64", "jobs", "jobs taken"),
    Column("reduced_size", "Int64", "jobs", "jobs left after reduce; missing without an end"),
    Column("nbytes", "int64", "bytes", "bytes taken"),
    Column("oldest_age", "float64", "s", "wait of the oldest job taken"),
    Column("mean_age", "float64", "s", "mean wait of the jobs taken"),
)
BUFFER_SIZE = (
    Column("time", "float64", "s", "when the buffer changed; the first row stands at 0"),
    Column("buffer", "category", "", "which buffer"),
    Column("size", "int64", "jobs", "jobs in it from then on"),
    Column("nbytes", "int64", "bytes", "bytes in it from then on"),
)
WORK = (
    Column("flush_id", "Int64", "", "row of its flush, in `flushes`; missing for a job that passed by"),
    Column("queue", "category", "", "its job queue"),
    Column("queued_at", "float64", "s", "when it came to the queue"),
    Column("started_at", "float64", "s", "start of the first attempt"),
    Column("finished_at", "float64", "s", "when it was completed or failed for good"),
    Column("busy_time", "float64", "s", "service times of the finished attempts, summed"),
    Column("attempts", "int64", "", "attempts started"),
    Column("items", "int64", "", "items that it carries"),
    Column("outcome", "category", "", "pending, running, retrying, completed, failed, or lost"),
)
SCHEMAS: Mapping[TableName, tuple[Column, ...]] = {
    "jobs": JOBS,
    "flushes": FLUSHES,
    "buffer_size": BUFFER_SIZE,
    "work": WORK,
}


def schema() -> pd.DataFrame:
    """Return the columns of all tables, a row each: table, column, dtype, unit, meaning.

    Examples
    --------
    >>> schema().query("table == 'buffer_size'").column.tolist()
    ['time', 'buffer', 'size', 'nbytes']
    """
    rows = [
        (table, column.name, column.dtype, column.unit, column.meaning)
        for table, columns in SCHEMAS.items()
        for column in columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "dtype", "unit", "meaning"])
