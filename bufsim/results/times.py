"""Tables at other times: on a regular grid, and with dates in place of seconds."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pandas as pd

from bufsim.errors import InvalidTypeError
from bufsim.results.schemas import SCHEMAS, TableName

_DURATIONS = frozenset({"oldest_age", "mean_age", "busy_time"})
"""The columns in seconds that are not times of the run."""


def sample(buffer_size: pd.DataFrame, step: float, until: float) -> pd.DataFrame:
    """Return the step functions of `buffer_size` at 0, step, 2·step, ... before `until`, after all events of a time."""
    grid = np.arange(math.ceil(until / step) + 1) * step
    grid = grid[grid < until]
    buffers = buffer_size["buffer"].cat
    codes, count = buffers.codes.to_numpy(), len(buffers.categories)
    changed_at = buffer_size["time"].to_numpy()
    rows = np.empty((len(grid), count), np.intp)
    for code in range(count):
        own = np.flatnonzero(codes == code)
        rows[:, code] = own[np.searchsorted(changed_at[own], grid, side="right") - 1]
    found = buffer_size.iloc[rows.ravel()].reset_index(drop=True)
    found["time"] = np.repeat(grid, count)
    return found


def dated(name: TableName, table: pd.DataFrame, origin: datetime | str | None) -> pd.DataFrame:
    """Return a table with its times as timedeltas; if the run began at `origin`, as dates and times."""
    try:
        start = None if origin is None else pd.Timestamp(origin)
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"origin must be a datetime, or a text such as '2026-03-29 08:00', got {origin!r}"
        ) from None
    columns = {}
    for column in SCHEMAS[name]:
        if column.unit == "s":
            # a column without any time would get another resolution
            span = pd.to_timedelta(table[column.name], unit="s").astype("timedelta64[ns]")
            columns[column.name] = span if start is None or column.name in _DURATIONS else start + span
    return table.assign(**columns)
