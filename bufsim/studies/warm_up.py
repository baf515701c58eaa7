"""Whether runs start away from their level, or end before they reach it: judged from how the levels moved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bufsim.results.series import BINS
from bufsim.results.tallies import Tally
from bufsim.studies.estimates import Floats
from bufsim.studies.statistics import WarmUpCheck, check_warm_up
from bufsim.studies.told import Told

LEVELS = ("buffered", "unfinished")
"""The levels of a tally that are looked at: jobs in buffers, and works in the queues that have workers."""
_CALLED = {"buffered": "jobs in buffers", "unfinished": "jobs in queues and in service"}
_LEAST_BINS = 60


def levels(tallies: Sequence[Tally], level: str) -> Floats:
    """Return a level over the whole run, a row a replication, a column for each of `BINS` equal bins of [0, until)."""
    return np.array([getattr(tally, level).averages for tally in tallies])


def judged(tallies: Sequence[Tally], level: str) -> WarmUpCheck:
    """Return what the start of the runs does to a level in the window [warm_up, until).

    The bins that the warm-up touches are left out. Where fewer than 60 are left each counts as several, which changes
    no average.
    """
    window = tallies[0].window
    first = math.ceil(window.start / window.end * BINS - 1e-9)
    within = levels(tallies, level)[:, first:]
    repeated = np.repeat(within, -(-_LEAST_BINS // within.shape[1]), axis=1)
    return check_warm_up(repeated, window.start, window.end)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What the start of the runs does to one level of a scenario.

    Parameters
    ----------
    scenario : str
        Whose.
    level : {"buffered", "unfinished"}
        Which.
    check : WarmUpCheck
        What was found: where MSER-5 would cut, the bias, and a warning or none.
    """

    scenario: str
    level: str
    check: WarmUpCheck

    def sentence(self) -> str:
        """Return the warning, or that there is none."""
        said = self.check.warning or "the start does no harm that shows"
        return f"{self.scenario}, {_CALLED[self.level]}: {said}"


@dataclass(frozen=True, slots=True, repr=False)
class WarmUps(Told):
    """What the start of the runs does, by scenario and level.

    Parameters
    ----------
    rows : tuple of WarmUp
        Scenario by scenario.
    """

    rows: tuple[WarmUp, ...]

    def warnings(self) -> list[str]:
        """Return a sentence for each level that starts away from where it goes, or is still moving at the end."""
        way_out = " (unless a run is meant to start like that and to end, as an import does)"
        return [f"warm-up: {row.sentence()}{way_out}" for row in self.rows if row.check.warning]

    def sentences(self) -> list[str]:
        """Return a sentence a level."""
        return [row.sentence() for row in self.rows]

    def table(self) -> pd.DataFrame:
        """Return a row a level: scenario, level, suggested (s, nan if none), relative_bias, warning."""
        rows = [
            (row.scenario, row.level, row.check.warm_up, row.check.relative_bias, row.check.warning)
            for row in self.rows
        ]
        frame = pd.DataFrame(rows, columns=["scenario", "level", "suggested", "relative_bias", "warning"])
        return frame.astype({"suggested": float})


def warm_ups(tallies: Mapping[str, Sequence[Tally]]) -> WarmUps:
    """Return what the start does in each scenario, for each of its levels that is not 0 throughout."""
    return WarmUps(
        tuple(
            WarmUp(name, level, judged(found, level))
            for name, found in tallies.items()
            for level in LEVELS
            if levels(found, level).any()
        )
    )
