"""Head-room: how much more load an option bears before a limit breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bufsim.studies.considered import nearest
from bufsim.studies.limit_checks import COLUMNS, MORE, LimitCheck, joint
from bufsim.studies.quantities import limit_in_words
from bufsim.studies.told import Told


@dataclass(frozen=True, slots=True, repr=False)
class HeadRoom(Told):
    """An option's limits at rising loads.

    Parameters
    ----------
    option : str
        Whose.
    loads : tuple of (float, tuple of LimitCheck)
        The scale of the arrivals, rising, and what becomes of each limit at it.

    Notes
    -----
    The loads are gone through upwards, until one does not pass. A claim at a load is only made if all lower ones pass,
    so that it needs no adjustment for their number (a fixed sequence of tests: Maurer, Hothorn and Lehmacher 1995).
    """

    option: str
    loads: tuple[tuple[float, tuple[LimitCheck, ...]], ...]

    @property
    def holds_up_to(self) -> float | None:
        """The highest load up to which every limit is kept; None if not even the lowest."""
        held = None
        for scale, checks in self.loads:
            if joint(checks) != "pass":
                break
            held = scale
        return held

    @property
    def first_to_break(self) -> tuple[float, LimitCheck] | None:
        """The load at which a limit is first not kept, and the one of them with the least room; None if none is."""
        for scale, checks in self.loads:
            broken = nearest([check for check in checks if check.verdict != "pass"])
            if broken is not None:
                return scale, broken
        return None

    def sentences(self) -> list[str]:
        """Return up to which load every limit is kept, and what breaks first."""
        held, first = self.holds_up_to, self.first_to_break
        if first is None:
            return [f"Head-room: every limit is kept at up to {held:g} times today's load, the most that was tried."]
        scale, check = first
        said = "breaks" if check.verdict == "fail" else "may break"
        so_far = "" if held is None else f"every limit is kept at up to {held:g} times today's load; "
        return [f"Head-room: {so_far}at {scale:g} times {limit_in_words(check.limit)} {said} first: {check.shown()}."]

    def table(self) -> pd.DataFrame:
        """Return a row for each load and limit: load, and the columns of a table of limit checks."""
        rows = [(scale, *check.row()) for scale, checks in self.loads for check in checks]
        return pd.DataFrame(rows, columns=["load", *COLUMNS, *MORE])


def head_room(option: str, checks: Sequence[tuple[float, tuple[LimitCheck, ...]]]) -> HeadRoom:
    """Return an option's head-room from its limits at several loads, in any order."""
    return HeadRoom(option, tuple(sorted(checks, key=lambda one: one[0])))
