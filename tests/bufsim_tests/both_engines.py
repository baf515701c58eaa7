"""What two engines, or two ways to count, make of one model, compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bufsim import Result, Simulation
from bufsim.results.contents import RECORD_LEVELS, TABLES_OF, RecordLevel

TABLES = ("jobs", "flushes", "buffer_size", "work", "attempts")


def assert_same_tables(one: Result, other: Result) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True, obj=name)
        assert getattr(one, name).equals(getattr(other, name)), name


def tally_differences(counted: Any, recorded: Any, place: str = "tally") -> list[str]:
    """Where two tallies differ: whole numbers must be equal, and sums of floats to twelve digits."""
    if dataclasses.is_dataclass(recorded):
        names = [field.name for field in dataclasses.fields(recorded)]
        pairs = [(getattr(counted, name), getattr(recorded, name), f"{place}.{name}") for name in names]
    elif isinstance(recorded, dict):
        pairs = [(counted.get(k, 0), recorded.get(k, 0), f"{place}[{k!r}]") for k in {**counted, **recorded}]
    else:
        return [] if _equal(counted, recorded) else [f"{place}: {counted} {recorded}"]
    return [found for pair in pairs for found in tally_differences(*pair)]


def _equal(counted: Any, recorded: Any) -> bool:
    if isinstance(recorded, np.ndarray):
        # the averages of a series are differences of what has added up before them
        largest = max(1.0, float(np.abs(recorded).max(initial=0.0)))
        shapes = np.shape(counted) == recorded.shape
        return shapes and bool(np.allclose(counted, recorded, rtol=1e-12, atol=1e-12 * largest, equal_nan=True))
    if isinstance(recorded, float):
        return math.isclose(counted, recorded, rel_tol=1e-12, abs_tol=1e-12)
    return bool(counted == recorded)


def engine_differences(
    simulation: Simulation, seed: int, levels: Sequence[RecordLevel] = RECORD_LEVELS
) -> Iterator[str]:
    """What differs between the engines at these record levels: no bit of a table may, nor a count of a tally.

    SimPy runs once: it always records everything, and drops some of it at the end.
    """
    expected = simulation.run(seed, engine="simpy")
    for level in levels:
        result = simulation.run(seed, engine="compiled", record=level)
        for name in TABLES_OF[level]:
            one, other = getattr(expected, name), getattr(result, name)
            if not (one.equals(other) and one.dtypes.equals(other.dtypes)):
                yield f"{level}: {name}"
        yield from (f"{level}: {found}" for found in tally_differences(result.tally, expected.tally))
