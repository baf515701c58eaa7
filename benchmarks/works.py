"""The four works that every engine is given, and their numbers; bufsim is not needed to read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 100.0
PERIOD = 5.0
SIZE = 400
AGE = 5.0
KEYS = 10_000
EXPONENT = 1.1
WORKERS = 4
SERVICE = 0.8 * WORKERS / RATE

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Work:
    """One buffer under one flush policy, filled by a Poisson process; as the work has them, with keys or workers."""

    name: str
    meaning: str
    keyed: bool = False
    served: bool = False


WORKS = {
    work.name: work
    for work in (
        Work("W1", "Poisson 100/s, FlushEvery(5)"),
        Work("W2", "Poisson 100/s, FlushAtSize(400) | FlushAfterAge(5)"),
        Work("W3", "W1 with 10,000 Zipf keys, and unique by key", keyed=True),
        Work("W4", "W1, then 4 workers at utilisation 0.8, exponential service", served=True),
    )
}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a work draws: gaps between the arrivals before `until`, and as it has them, keys and service times, s.

    The running sum of the gaps, added in order, gives the very doubles at which bufsim's jobs arrive.
    """

    until: float
    gaps: Floats
    keys: npt.NDArray[np.int32]
    services: Floats

    def save(self, path: Path) -> None:
        """Write the numbers to a file."""
        np.savez(path, until=self.until, gaps=self.gaps, keys=self.keys, services=self.services)

    @classmethod
    def load(cls, path: Path) -> Numbers:
        """Read the numbers from a file."""
        with np.load(path) as file:
            return cls(float(file["until"]), file["gaps"], file["keys"], file["services"])

    def before(self, until: float) -> Numbers:
        """Return the numbers of a shorter run."""
        n = int(np.searchsorted(np.cumsum(self.gaps), until))
        return Numbers(min(until, self.until), self.gaps[:n], self.keys[:n], self.services[:n])
