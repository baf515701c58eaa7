"""The recorded trace of a Vendure server: what came into its job buffers, and when each was flushed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError, quoted
from bufsim.files import as_path
from bufsim.model import trace_reading
from bufsim.model.reducers import PRODUCT, VARIANTS
from bufsim.model.traces import Keep, Trace
from bufsim.vendure.search_buffers import ID_LISTS, UPDATE_PRODUCT, UPDATE_VARIANTS, UPDATE_VARIANTS_BY_ID

ADDS = "adds.csv"
FLUSHES = "flushes.csv"
_KINDS = ", ".join((UPDATE_PRODUCT, UPDATE_VARIANTS, UPDATE_VARIANTS_BY_ID))
_COLUMNS = {
    "batch_size": "batch_size",
    "ids_in_batch": "ids",
    "jobs_after_reduce": "reduced_size",
    "ids_after_reduce": "reduced_ids",
}


def read_adds(path: str | Path, *, keep: Keep = "pattern", shift: Seconds | None = None) -> Trace:
    """Return the jobs that a Vendure server added to its buffers, as a trace with their queues, keys and data.

    The data is what Vendure's own job buffers reduce. The keys say the same in one text, for reduces that tell jobs
    apart by key: ``"product:3"``, ``"variants:7,12"``, ``"collections:"`` (all of them).

    Parameters
    ----------
    path : str or Path
        The file ``adds.csv``, or the directory that holds it. One row is one call of the storage's ``add``: its columns
        are t_ms, queue_name, job_type, apply_to_changed_variants_only, n_ids and entity_ids.
    keep, shift : optional
        As of a `bufsim.Trace`.

    Raises
    ------
    InvalidValueError
        If a column is missing, or a row's time, kind of job or number of ids is wrong; the message says which row.
    """
    table = trace_reading.from_file(_file(path, ADDS))
    kinds = ["" if pd.isna(kind) else kind for kind in table.column("job_type").tolist()]
    counts = trace_reading.whole_numbers(table, "n_ids").tolist()
    flags = table.column("apply_to_changed_variants_only").tolist()
    ids = [_split(value) for value in table.column("entity_ids").tolist()]
    for row, kind in enumerate(kinds):
        if kind not in (UPDATE_PRODUCT, *ID_LISTS):
            table.reject(table.column("job_type"), row, f"must be one of {_KINDS}, or empty")
        if len(ids[row]) != counts[row] or (kind == UPDATE_PRODUCT and counts[row] != 1):
            table.reject(table.column("entity_ids"), row, f"must hold n_ids = {counts[row]} ids, and one of a product")
    return Trace(
        trace_reading.seconds(table, "t_ms", "ms", None),
        keys=[_key(kind, of) for kind, of in zip(kinds, ids, strict=True)],
        queues=trace_reading.names(table, "queue_name"),
        data=[_data(*job) for job in zip(kinds, ids, flags, strict=True)],
        keep=keep,
        shift=shift,
    )


def read_flushes(path: str | Path) -> pd.DataFrame:
    """Return the flushes that a Vendure server did, one row a flush of one buffer, in the order of time.

    Parameters
    ----------
    path : str or Path
        The file ``flushes.csv``, or the directory that holds it. Its columns are t_ms, buffer_id, batch_size,
        ids_in_batch, jobs_after_reduce, ids_after_reduce and flush_ms.

    Returns
    -------
    pandas.DataFrame
        buffer; start and duration, s; batch_size and reduced_size, jobs; ids and reduced_ids, the ids that those jobs
        name, repeats counted.

    Raises
    ------
    InvalidValueError
        If a column is missing, a time goes back, or a buffer is flushed twice at one time.
    """
    table = trace_reading.from_file(_file(path, FLUSHES))
    flushes = pd.DataFrame(
        {
            "buffer": trace_reading.names(table, "buffer_id"),
            "start": trace_reading.seconds(table, "t_ms", "ms", None),
            "duration": trace_reading.durations(table, "flush_ms", "ms"),
            **{name: trace_reading.whole_numbers(table, column) for column, name in _COLUMNS.items()},
        }
    )
    again = flushes.duplicated(["buffer", "start"]).tolist()
    if any(again):
        table.reject(table.column("t_ms"), again.index(True), "must differ between the flushes of one buffer")
    return flushes


def has_flushes(path: str | Path) -> bool:
    """Whether a path is that of flushes as a Vendure server recorded them: a directory, or a file with its columns."""
    given = as_path(path)
    return not given.is_file() or {"t_ms", "buffer_id"} <= set(trace_reading.from_file(given).frame.columns)


def _file(path: str | Path, name: str) -> Path:
    given = as_path(path)
    found = given / name if given.is_dir() else given
    if not found.is_file():
        raise InvalidValueError(f"path must be {name} or the directory that holds it, got {quoted(str(path))}")
    return found


def _split(ids: object) -> list[str]:
    if pd.isna(ids):  # type: ignore[call-overload]  # a cell is a scalar
        return []
    # a column of single ids is read as numbers, and as floats where a cell is empty
    return (str(int(ids)) if isinstance(ids, float) and ids.is_integer() else str(ids)).split(";")


def _key(kind: str, ids: list[str]) -> str:
    if kind == UPDATE_PRODUCT:
        return PRODUCT + ids[0]
    return (VARIANTS if kind else "collections:") + ",".join(ids)


def _data(kind: str, ids: list[str], only_changed: object) -> dict[str, Any]:
    if kind == UPDATE_PRODUCT:
        return {"type": kind, "productId": ids[0]}
    data: dict[str, Any] = {"type": kind} if kind else {}
    data[ID_LISTS[kind]] = ids
    if not pd.isna(only_changed):  # type: ignore[call-overload]  # a cell is a scalar
        data["applyToChangedVariantsOnly"] = str(only_changed).lower() == "true"
    return data
