"""A back-test: the model under a server's recorded flush times, and its batches beside the recorded ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.model.policies import FlushAt
from bufsim.results.result import Result
from bufsim.simulation import Simulation

_NEEDED = ("buffer", "start", "duration", "batch_size", "reduced_size", "reduced_ids")
_COMPARED = ("batch_size", "reduced_size", "reduced_ids")
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
        reduced_size, jobs, and reduced_ids, the ids that the reduced jobs name (their items); `differs` and
        `jobs_during_flush`, the jobs that came to the buffer while this flush of it was under way. Of an empty buffer
        the model predicts 0: it starts no flush.
    """

    result: Result
    flushes: pd.DataFrame

    @property
    def differing(self) -> pd.DataFrame:
        """The flushes whose batch differs from the record in any number, before or after `reduce`."""
        return self.flushes[self.flushes["differs"]]

    def summary(self) -> pd.DataFrame:
        """Return, per buffer, the recorded and predicted numbers side by side, and how many batches differ."""
        rows = {}
        for buffer, flushes in self.flushes.groupby("buffer", sort=False):
            row: dict[str, float] = {"flushes": len(flushes), "empty": int((flushes["recorded_batch_size"] == 0).sum())}
            for name, column in (("jobs", "batch_size"), ("reduced jobs", "reduced_size"), ("ids", "reduced_ids")):
                row[f"{name}, recorded"] = int(flushes[f"recorded_{column}"].sum())
                row[f"{name}, predicted"] = int(flushes[f"predicted_{column}"].sum())
            row["largest batch, recorded"] = int(flushes["recorded_batch_size"].max())
            row["largest batch, predicted"] = int(flushes["predicted_batch_size"].max())
            row["batches that differ"] = int(flushes["differs"].sum())
            rows[buffer] = row
        return pd.DataFrame(rows)

    def shifted(self, delay: float) -> int:
        """Return how many batch sizes would be others if every flush had been `delay` seconds later.

        A comparison that no delay could upset would show nothing.
        """
        changed = 0
        for buffer, flushes in self.flushes.groupby("buffer", sort=False):
            arrivals = self._arrivals(str(buffer))
            starts = flushes["start"].to_numpy()
            changed += int((_batches(arrivals, starts) != _batches(arrivals, starts + delay)).sum())
        return changed

    def why(self) -> str:
        """Return in words how many batches differ, and why."""
        n, different = len(self.flushes), self.differing
        during = int(self.flushes["jobs_during_flush"].sum())
        late, early = self.shifted(_CLOCK_ERROR), self.shifted(-_CLOCK_ERROR)
        doubt = (
            f"With the clock of the flushes {_CLOCK_ERROR * 1e3:.0f} ms late, {late} batch sizes would change, "
            f"{early} with it as much early: the comparison can fail."
        )
        if different.empty:
            moment = (
                "No job came to a buffer while a flush of it was under way, so that it does not matter when, between "
                "the logged start of a flush and its end, the storage was read."
                if during == 0
                else f"{during} jobs came to a buffer while a flush of it was under way, and were left for the next."
            )
            return f"None of the {n} batches differs, before or after reduce. {moment} {doubt}"
        explained = int((different["jobs_during_flush"] + different["jobs_during_last_flush"] > 0).sum())
        return (
            f"{len(different)} of the {n} batches differ. For {explained} of them jobs came to the buffer while that "
            "flush or the one before was under way: which batch they are in depends on when, after its logged start, a "
            f"flush reads the storage. The other {len(different) - explained} are not explained by that. {doubt}"
        )

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
        The recorded flushes, as `bufsim.vendure_trace.read_flushes` returns them.
    seed : int, optional
        The root seed, for what else the model draws.

    Raises
    ------
    InvalidValueError
        If a column is missing, a buffer has no recorded flush or is not in the model, or the run ends before the
        record.
    """
    _check(simulation, flushes)
    buffers = [
        replace(buffer, policy=FlushAt(tuple(flushes.loc[flushes["buffer"] == buffer.id, "start"].tolist())))
        for buffer in simulation.buffers
    ]
    result = replace(simulation, buffers=tuple(buffers)).run(seed=seed)
    return Backtest(result, _compared(result, flushes))


def _check(simulation: Simulation, flushes: pd.DataFrame) -> None:
    for column in _NEEDED:
        if column not in flushes:
            raise InvalidValueError(f"flushes must have the columns {', '.join(_NEEDED)}, and has no {column!r}")
    if flushes.empty:
        raise InvalidValueError("flushes must have at least one row, got none")
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
            f"until must be later than the last recorded flush at {last!r} s, got {simulation.until!r}"
        )


def _compared(result: Result, recorded: pd.DataFrame) -> pd.DataFrame:
    """Return the recorded flushes with what the model predicts for each."""
    predicted = result.flushes[["buffer", "start", "batch_size", "reduced_size"]].copy()
    items = result.work.groupby("flush_id")["items"].sum()
    predicted["reduced_ids"] = items.reindex(range(len(predicted)), fill_value=0).to_numpy()
    predicted["buffer"] = predicted["buffer"].astype(str)
    # both starts are the same double: the policy gives the recorded times back
    table = recorded[list(_NEEDED)].merge(predicted, how="left", on=["buffer", "start"], suffixes=("", "_predicted"))
    compared = table[["buffer", "start", "duration"]].copy()
    differs = np.zeros(len(table), dtype=bool)
    for column in _COMPARED:
        compared[f"recorded_{column}"] = table[column].astype("int64")
        compared[f"predicted_{column}"] = table[f"{column}_predicted"].fillna(0).astype("int64")
        differs |= (compared[f"recorded_{column}"] != compared[f"predicted_{column}"]).to_numpy()
    compared["differs"] = differs
    compared["jobs_during_flush"] = _during(result, compared)
    compared["jobs_during_last_flush"] = compared.groupby("buffer")["jobs_during_flush"].shift(fill_value=0)
    return compared


def _during(result: Result, flushes: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return how many jobs came to each flush's buffer from its logged start to its end."""
    jobs = result.jobs
    counts = np.zeros(len(flushes), dtype=np.int64)
    for buffer in flushes["buffer"].unique():
        arrivals = jobs.loc[jobs["buffer"] == buffer, "created_at"].to_numpy()
        rows = np.flatnonzero(flushes["buffer"] == buffer)
        start, duration = (flushes[name].to_numpy()[rows] for name in ("start", "duration"))
        counts[rows] = np.searchsorted(arrivals, start + duration, side="right") - np.searchsorted(arrivals, start)
    return counts


def _batches(arrivals: npt.NDArray[np.float64], starts: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return how many arrivals fall to each flush; one at a flush's own instant is in it."""
    return np.diff(np.searchsorted(arrivals, starts, side="right"), prepend=0)
