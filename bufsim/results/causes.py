"""Why a flush happened, as a plot shows it: a family with one colour and one marker, and a short name."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim.model.policies import LEAVES


@dataclass(frozen=True, slots=True)
class Family:
    """Causes that look the same: the leaves of flush policies that watch the same thing.

    Attributes
    ----------
    name : str
        What they watch, as the leaves declare it.
    colour, marker : str
        How they look, in every plot.
    because : str
        Why a flush of the family started, for the meaning of its share.
    """

    name: str
    colour: str
    marker: str
    because: str


SIZE = Family("size", "#0072B2", "o", "the buffer was large enough")
AGE = Family("age", "#E69F00", "^", "the oldest job was old enough")
CLOCK = Family("clock", "#009E73", "s", "a tick had come")
IDLE = Family("idle", "#C490E4", "D", "no job had arrived for long enough")
BYTES = Family("bytes", "#6B3A1E", "P", "the buffer had bytes enough")
GAP = Family("gap", "#882255", "v", "the last flush was long enough ago")
OTHER = Family("other", "#B0B0B0", "*", "somebody called flush, or a policy of the user's own was due")
FAMILIES = (SIZE, AGE, CLOCK, IDLE, BYTES, GAP, OTHER)

# A result knows its causes as they were recorded: as text, the leaves' reprs, also where it was loaded without its
# simulation. This is the one place that goes from such a text to what the leaf's class declares: bufsim's own leaves by
# the name before the bracket, all else (a flush by hand, a leaf of the user's own) to the others.
_BY_NAME = {leaf.__name__: next(family for family in FAMILIES if family.name == leaf.family) for leaf in LEAVES}
_GIVEN_TIMES = re.compile(r"FlushAt\(\(([^()]*)\)\)")
_FEW_TIMES = 3


def family(cause: str) -> Family:
    """Return the family of a flush's cause; `OTHER` for a manual flush and for a policy of the user's own.

    Examples
    --------
    >>> family("FlushAfterAge(5.0)").name, family("manual").name
    ('age', 'other')
    """
    return _BY_NAME.get(cause.partition("(")[0], OTHER)


def short(text: str, most: int = 32) -> str:
    """Return a cause or a policy's repr, short enough for a legend: long lists of times are counted.

    Examples
    --------
    >>> short("FlushAt((1.0, 2.0, 3.0, 4.0))")
    'FlushAt(4 times)'
    """
    text = _GIVEN_TIMES.sub(_count, text)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _count(match: re.Match[str]) -> str:
    times = [time for time in match[1].split(",") if time.strip()]
    return match[0] if len(times) <= _FEW_TIMES else f"FlushAt({len(times):,} times)"


@dataclass(frozen=True, slots=True, eq=False)
class Causes:
    """The causes of some flushes, by family.

    Attributes
    ----------
    families : tuple of Family
        Those that occur, in the order of `FAMILIES`.
    names : tuple of str
        What each family's causes are called here.
    place : array of int
        Each flush's family, as a place in `families`.
    texts : Series of category
        The causes as recorded.
    """

    families: tuple[Family, ...]
    names: tuple[str, ...]
    place: npt.NDArray[np.int64]
    texts: pd.Series

    @classmethod
    def of(cls, causes: pd.Series) -> Causes:
        """Return the families of a column of causes, a category."""
        texts = [str(text) for text in causes.cat.categories]
        codes = causes.cat.codes.to_numpy()
        family_of_text = np.array([FAMILIES.index(family(text)) for text in texts], dtype=np.int64)
        families = np.unique(family_of_text[codes]) if len(codes) else np.empty(0, np.int64)
        used = sorted({texts[code] for code in np.unique(codes)})
        names = [_name([text for text in used if family(text) is FAMILIES[number]]) for number in families]
        place = np.searchsorted(families, family_of_text[codes]) if len(codes) else np.empty(0, np.int64)
        return cls(tuple(FAMILIES[number] for number in families), tuple(names), place, causes)

    def counts(self) -> npt.NDArray[np.int64]:
        """Number of flushes of each family."""
        return np.bincount(self.place, minlength=len(self.families))


def _name(texts: list[str]) -> str:
    if len(texts) == 1:
        return short(texts[0])
    joined = ", ".join(map(short, texts))
    return joined if len(joined) <= 32 else f"{family(texts[0]).name}, {len(texts)} rules"
