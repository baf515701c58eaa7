"""The two engines give the same tables, to the last bit."""

from __future__ import annotations

import importlib.util

import pandas as pd

from bufsim.results.schemas import SCHEMAS
from bufsim.simulation import Simulation
from bufsim.verification.extent import Extent
from bufsim.verification.finding import Finding, found
from bufsim.verification.random_models import models

SUBJECT = "two engines"


def check(extent: Extent) -> Finding:
    """Run random models on both engines, and compare every cell of every table."""
    if importlib.util.find_spec("numba") is None:
        return Finding(SUBJECT, 'the compiled engine is not installed: pip install "bufsim[compiled]"', "not checked")
    wrong, rows = "", 0
    for number, simulation in enumerate(models(extent.seed, extent.models)):
        differing, size = differences(simulation, extent.seed)
        rows += size
        if differing and not wrong:
            wrong = f"model {number} differs in {', '.join(differing)}"
    checked = f"{extent.models:,} random models full of ties, {rows:,} rows of tables equal to the last bit"
    return found(SUBJECT, checked, wrong, extent.models)


def differences(simulation: Simulation, seed: int) -> tuple[list[str], int]:
    """Return the tables in which the engines differ, and how many rows there are in all."""
    one, other = (simulation.run(seed, engine=engine) for engine in ("simpy", "compiled"))
    tables = [(name, getattr(one, name), getattr(other, name)) for name in SCHEMAS]
    return [name for name, left, right in tables if not _same(left, right)], sum(len(left) for _, left, _ in tables)


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    try:
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    except AssertionError:
        return False
    return True
