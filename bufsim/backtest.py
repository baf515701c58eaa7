"""A back-test: the model under a server's recorded flush times, and its batches beside the recorded ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError, quoted
from bufsim.files import as_path
from bufsim.model import trace_reading
from bufsim.model.policies import FlushAt
from bufsim.results.result import Result
from bufsim.simulation import Simulation

_COMPARED = {"batch_size": "jobs", "reduced_size": "reduced jobs", "reduced_ids": "ids"}
"""The numbers of a batch that are compared where the record has them, in words."""
_NEEDED = ("start", "batch_size")
_KNOWN = ("buffer", "start", "duration", *_COMPARED)
_CLOCK_ERROR = 0.01


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Backtest:
    """Recorded and predicted batches of the same flush times.

    Parameters
    ----------
    result : Result
        The run under the recorded flush times.
    flushes : pandas.DataFrame
        One row a recorded flush: buffer; start and duration, s; and, each as recorded and as predicted, batch_size and
        reduced_size, jobs, and reduced_ids, the ids that the reduced jobs name (their items); `differs`;
        `jobs_at_start`, the jobs that came to the buffer at the flush's very start, which are in the predicted batch,
        such as the one that fills it; `jobs_during_flush`, those that came after its start and until its end, which
        are not; and `explained`, whether such jobs, of this flush or the one before, are enough for the difference.
        Of an empty buffer the model predicts 0: it starts no flush. What was not recorded has no column.
    """

    result: Result
    flushes: pd.DataFrame

    @property
    def not_compared(self) -> list[str]:
        """The numbers of a batch that the record does not tell, in words."""
        return [words for column, words in _COMPARED.items() if f"recorded_{column}" not in self.flushes]

    @property
    def differing(self) -> pd.DataFrame:
        """The flushes whose batch differs from the record in any number, before or after `reduce`."""
        return self.flushes[self.flushes["differs"]]

    def summary(self) -> pd.DataFrame:
        """Return, per buffer, the recorded and predicted numbers side by side, and how many batches differ."""
        rows = {}
        for buffer, flushes in self.flushes.groupby("buffer", sort=False):
            row: dict[str, float] = {"flushes": len(flushes), "empty": int((flushes["recorded_batch_size"] == 0).sum())}
            for column, name in _COMPARED.items():
                if name in self.not_compared:
                    continue
                row[f"{name}, recorded"] = int(flushes[f"recorded_{column}"].sum())
                row[f"{name}, predicted"] = int(flushes[f"predicted_{column}"].sum())
            row["largest batch, recorded"] = int(flushes["recorded_batch_size"].max())
            row["largest batch, predicted"] = int(flushes["predicted_batch_size"].max())
            row["batches that differ"] = int(flushes["differs"].sum())
            rows[buffer] = row
        return pd.DataFrame(rows)

    def shifted(self, delay: float) -> int:
        """Number of batch sizes that would differ if every flush had been `delay` seconds later.

        A comparison that no delay could upset would show nothing.
        """
        changed = 0
        for buffer, flushes in self.flushes.groupby("buffer", sort=False):
            arrivals = self._arrivals(str(buffer))
            starts = flushes["start"].to_numpy()
            changed += int((_batches(arrivals, starts) != _batches(arrivals, starts + delay)).sum())
        return changed

    def why(self) -> str:
        """Return in words how many batches differ, and why, and what could not be compared."""
        late, early = self.shifted(_CLOCK_ERROR), self.shifted(-_CLOCK_ERROR)
        sizes = "1 batch size" if late == 1 else f"{late} batch sizes"
        doubt = (
            f"With the clock of the flushes {_CLOCK_ERROR * 1e3:.0f} ms late, {sizes} would change, "
            f"{early} with it as much early: the comparison can fail."
        )
        found = self._why_none_differs() if self.differing.empty else self._why_some_differ()
        return " ".join([*found, doubt, *self._gaps()])

    def _why_none_differs(self) -> list[str]:
        numbers = ", before or after reduce" if "reduced jobs" not in self.not_compared else ""
        sentences = [f"None of the {len(self.flushes)} batches differs{numbers}."]
        at_start = int(self.flushes["jobs_at_start"].sum())
        if at_start:
            sentences.append(
                f"{at_start} jobs came at the very start of a flush of their buffer, such as a job that fills the "
                "batch, and are in it."
            )
        if "jobs_during_flush" in self.flushes:
            during = int(self.flushes["jobs_during_flush"].sum())
            sentences.append(
                f"{during} jobs came to a buffer while a flush of it was under way, and were left for the next."
                if during
                else f"No {'other ' if at_start else ''}job came to a buffer while a flush of it was under way, so "
                "that it does not matter when, between the logged start of a flush and its end, the storage was read."
            )
        return sentences

    def _why_some_differ(self) -> list[str]:
        different = self.differing
        explained = int(different["explained"].sum())
        timed = "jobs_during_flush" in self.flushes
        moment = (
            "while that flush or the one before was under way" if timed else "at the start of that flush or the last"
        )
        return [
            f"{len(different)} of the {len(self.flushes)} batches differ. For {explained} of them jobs came to the "
            f"buffer {moment}: which batch they are in depends on when, after its logged start, a flush reads the "
            f"storage. The other {len(different) - explained} are not explained by that."
        ]

    def _gaps(self) -> list[str]:
        """Return sentences on what the record does not tell."""
        sentences = []
        if self.not_compared:
            sentences.append(f"Not recorded, and so not compared: {' and '.join(self.not_compared)}.")
        if "jobs_during_flush" not in self.flushes:
            sentences.append(
                "How long a flush took is not recorded: which jobs came while one was under way is not known."
            )
        return sentences

    def _arrivals(self, buffer: str) -> npt.NDArray[np.float64]:
        jobs = self.result.jobs
        return jobs.loc[jobs["buffer"] == buffer, "created_at"].to_numpy()

    def __repr__(self) -> str:
        return f"Backtest(<{len(self.flushes)} flushes, {len(self.differing)} differ>)"


def backtest(simulation: Simulation, flushes: pd.DataFrame, *, seed: int | None = None) -> Backtest:
    """Run a simulation under recorded flush times, in place of its policies, and compare the batches.

    Parameters
    ----------
    simulation : Simulation
        The model; its producers replay the record's jobs.
    flushes : pandas.DataFrame
        The recorded flushes, in the order of time, such as `bufsim.vendure_trace.read_flushes` returns them. A log of
        `start` (or `time`), s, and `batch_size` is enough; `read_log` reads one from a file. `buffer` is needed where
        the model has several. What else was recorded, of `duration`, s, `reduced_size` and `reduced_ids`, is compared
        too; `why` tells what was not.
    seed : int, optional
        The root seed, for what else the model draws.

    Raises
    ------
    InvalidValueError
        If a column is missing, a buffer has no recorded flush or is not in the model, or the run ends before the
        record.

    Examples
    --------
    A server that flushes at 3 jobs, and its own log: when, and how many.

    >>> import pandas as pd
    >>> from bufsim import FlushAtSize, JobBuffer, Producer, Trace
    >>> producers, buffers = [Producer("edits", Trace([1, 2, 3, 4, 5, 6]))], [JobBuffer("b", policy=FlushAtSize(3))]
    >>> simulation = Simulation(producers=producers, buffers=buffers, until=10)
    >>> backtest(simulation, pd.DataFrame({"time": [3.0, 6.0], "batch_size": [3, 3]}))
    Backtest(<2 flushes, 0 differ>)
    """
    flushes = _named(simulation, flushes)
    _check(simulation, flushes)
    buffers = [
        replace(buffer, policy=FlushAt(tuple(flushes.loc[flushes["buffer"] == buffer.id, "start"].tolist())))
        for buffer in simulation.buffers
    ]
    result = replace(simulation, buffers=tuple(buffers)).run(seed=seed)
    return Backtest(result, _compared(result, flushes))


def read_log(
    path: str | Path, *, time: str | None = None, unit: str = "s", origin: Any = None, batch_size: str = "batch_size"
) -> pd.DataFrame:
    """The flushes that a server logged, one row a flush, as `backtest` takes them.

    Parameters
    ----------
    path : str or Path
        A CSV file (with a header) or a Parquet file, in the order of time: the times and the batch sizes, and, where
        they were logged, the columns buffer, duration, reduced_size and reduced_ids.
    time : str, optional
        The column of the times; by default "start" where there is one, else "time".
    unit : {"s", "ms", "us", "min", "h"}, default "s"
        The unit of times and durations that are numbers.
    origin : number or datetime
        The time that is 0 s of the model's jobs, as for `Trace.read`. By default 0 for numbers; datetimes need it.
    batch_size : str, default "batch_size"
        The column of the batch sizes.

    Raises
    ------
    InvalidValueError
        If a column is missing, or a value is wrong; the message says in which row.
    """
    table = trace_reading.from_file(as_path(path))
    name = time or ("start" if "start" in table.frame else "time")
    starts = trace_reading.seconds(table, name, unit, origin)
    if origin is None and not pd.api.types.is_numeric_dtype(table.column(name)):
        raise InvalidValueError(
            f"origin must be given, since column {name!r} holds datetimes: the one that is 0 s of the model's jobs"
        )
    columns: dict[str, Any] = {
        "start": starts,
        "batch_size": trace_reading.whole_numbers(table, batch_size),
    }
    if "buffer" in table.frame:
        columns["buffer"] = trace_reading.names(table, "buffer")
    if "duration" in table.frame:
        columns["duration"] = trace_reading.durations(table, "duration", unit)
    for further in ("reduced_size", "reduced_ids"):
        if further in table.frame:
            columns[further] = trace_reading.whole_numbers(table, further)
    return pd.DataFrame(columns)


def _named(simulation: Simulation, flushes: pd.DataFrame) -> pd.DataFrame:
    """Return the flushes with the column names of the back-test; those of the only buffer need not name it."""
    if "start" not in flushes:
        flushes = flushes.rename(columns={"time": "start"})
    for column in _NEEDED:
        if column not in flushes:
            raise InvalidValueError(
                f"flushes must have the columns start (or time) and batch_size, and has no {column!r}"
            )
    if "buffer" in flushes:
        return flushes
    if len(simulation.buffers) > 1:
        raise InvalidValueError(
            f"flushes must have a column 'buffer', since the model has {len(simulation.buffers)} buffers: "
            f"{', '.join(repr(buffer.id) for buffer in simulation.buffers)}"
        )
    return flushes.assign(buffer=simulation.buffers[0].id)


def _check(simulation: Simulation, flushes: pd.DataFrame) -> None:
    if flushes.empty:
        raise InvalidValueError("flushes must have at least one row, got none")
    for column in _KNOWN:
        if column in flushes and flushes[column].isna().any():
            row = int(np.flatnonzero(flushes[column].isna())[0])
            raise InvalidValueError(f"{column} of flushes must be there in every row, is missing in row {row}")
        if column in flushes and column != "buffer" and flushes[column].dtype.kind not in "iuf":
            raise InvalidValueError(
                f"{column} of flushes must hold numbers, times in s, got {flushes[column].dtype}; of datetimes take "
                "the seconds since the one that is 0 s of the model's jobs"
            )
    if flushes.duplicated(["buffer", "start"]).any():
        raise InvalidValueError("start of flushes must differ between the flushes of one buffer; merge their rows")
    ids = [buffer.id for buffer in simulation.buffers]
    recorded = list(dict.fromkeys(flushes["buffer"]))
    for buffer in recorded:
        if buffer not in ids:
            raise InvalidValueError(
                f"the recorded buffer {buffer!r} is not in the model, whose buffers are {', '.join(map(repr, ids))}"
                f"{checks.did_you_mean(buffer, ids)}"
            )
    for buffer in ids:
        if buffer not in recorded:
            raise InvalidValueError(f"buffer {buffer!r} has no recorded flush; leave it out of the model")
    last = float(flushes["start"].max())
    if last >= simulation.until:
        raise InvalidValueError(
            f"until must be later than the last recorded flush at {last!r} s, got {quoted(simulation.until)}"
        )


def _compared(result: Result, recorded: pd.DataFrame) -> pd.DataFrame:
    """Return the recorded flushes with what the model predicts for each."""
    predicted = result.flushes[["buffer", "start", "batch_size", "reduced_size"]].copy()
    items = result.work.groupby("flush_id")["items"].sum()
    predicted["reduced_ids"] = items.reindex(range(len(predicted)), fill_value=0).to_numpy()
    predicted["buffer"] = predicted["buffer"].astype(str)
    recorded = recorded[[name for name in _KNOWN if name in recorded]]
    # both starts are the same double: the policy gives the recorded times back
    table = recorded.merge(predicted, how="left", on=["buffer", "start"], suffixes=("_recorded", "_predicted"))
    compared = table[[name for name in ("buffer", "start", "duration") if name in table]].copy()
    differs = np.zeros(len(table), dtype=bool)
    for column in _COMPARED:
        if column not in recorded:
            compared[f"predicted_{column}"] = table[column].fillna(0).astype("int64")
            continue
        compared[f"recorded_{column}"] = table[f"{column}_recorded"].astype("int64")
        compared[f"predicted_{column}"] = table[f"{column}_predicted"].fillna(0).astype("int64")
        differs |= (compared[f"recorded_{column}"] != compared[f"predicted_{column}"]).to_numpy()
    compared["differs"] = differs
    return _with_explanations(result, compared)


def _with_explanations(result: Result, compared: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the jobs that came at and during each flush, and whether they explain a difference.

    A flush that reads the storage late takes jobs that came during it, and one that reads it before a job of its own
    instant leaves that job: both change the next batch the other way. So with 1 job during flush 1, the batches 2, 2
    in place of 1, 3 are explained, and 3, 1 are not.
    """
    zeros = np.zeros(len(compared), dtype=np.int64)
    at_start, during = zeros.copy(), zeros.copy()
    duration = compared["duration"].to_numpy() if "duration" in compared else zeros
    jobs = result.jobs
    for buffer in compared["buffer"].unique():
        arrivals = jobs.loc[jobs["buffer"] == buffer, "created_at"].to_numpy()
        rows = np.flatnonzero(compared["buffer"] == buffer)
        start = compared["start"].to_numpy()[rows]
        first, after = (np.searchsorted(arrivals, start, side=side) for side in ("left", "right"))
        at_start[rows] = after - first
        during[rows] = np.searchsorted(arrivals, start + duration[rows], side="right") - after
    compared["jobs_at_start"] = at_start
    if "duration" in compared:
        compared["jobs_during_flush"] = during
    last = pd.DataFrame({"at": at_start, "during": during}).groupby(compared["buffer"]).shift(fill_value=0)
    fewer, more = at_start + last["during"], during + last["at"]
    difference = compared["recorded_batch_size"] - compared["predicted_batch_size"]
    enough = (-fewer <= difference) & (difference <= more) & (fewer + more > 0)
    compared["explained"] = compared["differs"] & enough
    return compared


def _batches(arrivals: npt.NDArray[np.float64], starts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Number of arrivals that fall to each flush; one at a flush's own instant is in it."""
    return np.diff(np.searchsorted(arrivals, starts, side="right"), prepend=0)
