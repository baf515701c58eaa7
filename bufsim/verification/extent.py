"""How much is checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is checked.

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
