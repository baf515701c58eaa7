"""What every engine must give alike, and how two engines differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
NONE: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came out of a run; an empty column was not recorded.

    Parameters
    ----------
    size_times, sizes : sequence of float
        The buffer size after each change, and when, s. Of changes at one instant only the last counts.
    batch_sizes : sequence of float
        Jobs taken by each flush.
    reduced_sizes : sequence of float
        Jobs left of each batch after `reduce`.
    waits : sequence of float
        Each flushed job's wait in order of arrival, s.
    finishes : sequence of float
        When jobs were served, in that order, s.
    """

    size_times: Sequence[float] | Floats
    sizes: Sequence[float] | Floats
    batch_sizes: Sequence[float] | Floats
    waits: Sequence[float] | Floats
    reduced_sizes: Sequence[float] | Floats = NONE
    finishes: Sequence[float] | Floats = NONE

    def columns(self) -> dict[str, Floats]:
        """Return the columns as arrays, the sizes as a step function."""
        columns = {field.name: np.asarray(getattr(self, field.name), np.float64) for field in fields(self)}
        times = columns["size_times"]
        last = np.append(times[1:] != times[:-1], True)[: len(times)]
        return columns | {"size_times": times[last], "sizes": columns["sizes"][last]}

    def totals(self) -> Totals:
        """Return what a summary knows of these columns."""
        columns = self.columns()
        batches = columns["batch_sizes"]
        return Totals(
            flushes=len(batches),
            jobs=batches.sum(),
            squares=(batches**2).sum(),
            largest=batches.max(initial=0.0),
            wait=columns["waits"].sum(),
            left=columns["sizes"][-1],
        )


class Totals(NamedTuple):
    """What a summary keeps: flushes, sums of batch sizes, their squares and waits, s, the largest batch, the rest."""

    flushes: float
    jobs: float
    squares: float
    largest: float
    wait: float
    left: float

    def columns(self) -> dict[str, Floats]:
        """Return each number as a column of one."""
        return {name: np.array([value], np.float64) for name, value in self._asdict().items()}


def save(path: Path, outcome: Outcome | Totals) -> None:
    """Write the columns to a file; of an outcome also its totals."""
    columns = outcome.columns()
    np.savez(path, **columns | outcome.totals().columns() if isinstance(outcome, Outcome) else columns)


def load(path: Path) -> dict[str, Floats]:
    """Read the columns from a file."""
    with np.load(path) as file:
        return dict(file)


def differences(expected: dict[str, Floats], got: dict[str, Floats], tolerance: float = 0.0) -> list[str]:
    """Return a sentence for each column that differs by more than `tolerance`, relative to its largest value.

    What was not recorded, an empty column, is not compared.
    """
    said = []
    for name, values in got.items():
        if not len(values):
            continue
        right = expected[name]
        if len(values) != len(right):
            said.append(f"{name}: {len(values)} values for {len(right)}")
        elif not np.array_equal(values, right):
            furthest = float(np.abs(values - right).max())
            if not furthest <= tolerance * float(np.abs(right).max()):
                said.append(f"{name}: up to {furthest:.3g} apart")
    return said
