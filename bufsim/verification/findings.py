"""Extent and outcome of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Extent:
    """Extent of the checks.

    Parameters
    ----------
    seed : int
        The root seed of what is drawn.
    models : int
        Random models on which the engines must agree.
    replications : int
        Runs of each model that is held to a closed form.
    studies : int
        Studies whose intervals are counted.
    """

    seed: int = 1
    models: int = 60
    replications: int = 30
    studies: int = 200

    @classmethod
    def full(cls, seed: int = 1) -> Extent:
        """Return the extent of a check that takes minutes."""
        return cls(seed, models=2000, replications=200, studies=1000)


Verdict = Literal["holds", "FAILS", "not checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of a check.

    Parameters
    ----------
    subject : str
        What was checked.
    checked : str
        How, and how many; where it does not hold, what was found.
    verdict : {"holds", "FAILS", "not checked"}
        Only the first is good: what could not be checked is not known to hold.
    count : int
        How many cases, models or intervals were looked at.
    """

    subject: str
    checked: str
    verdict: Verdict
    count: int = 0

    @property
    def holds(self) -> bool:
        """Whether it was checked, and holds."""
        return self.verdict == "holds"


def found(subject: str, checked: str, wrong: str, count: int) -> Finding:
    """Return a finding that fails if there is something wrong, and then says what."""
    if wrong:
        return Finding(subject, f"{checked}; {wrong}", "FAILS", count)
    return Finding(subject, checked, "holds", count)
