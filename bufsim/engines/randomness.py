"""Streams of random numbers keyed by name, and sequences of draws that grow in fixed blocks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim import checks, memory
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.distributions import BLOCK, FloatArray, as_distribution, sample
from bufsim.model.stops import Stops

_WORDS = 4


def stream(seed: int, name: str, purpose: str, replication: int = 0) -> np.random.Generator:
    """Return the generator that belongs to a seed, a name, a purpose and a replication.

    Parameters
    ----------
    seed : int
        The root seed, >= 0.
    name : str
        Whose draws they are: a producer, a queue, a buffer.
    purpose : str
        What they are for: "arrivals", "keys", "service".
    replication : int, default 0
        Number of the replication, 0 <= replication < 2³².

    Notes
    -----
    SFC64, seeded by a `numpy.random.SeedSequence` whose spawn key holds the replication and a BLAKE2b digest of the
    name and the purpose. Nothing else enters: another producer, queue or policy in the model shifts no draw, and seeds
    that lie side by side share no stream.

    Examples
    --------
    >>> stream(1, "import", "arrivals").random() == stream(1, "import", "arrivals").random()
    True
    >>> stream(1, "import", "arrivals").random() == stream(2, "import", "arrivals").random()
    False
    """
    checks.seed("seed", seed)
    if checks.integer("replication", replication, at_least=0) >= 2**32:
        raise InvalidValueError(f"replication must be < 2**32, got {quoted(replication)}")
    # the length tells where the name ends: ("a", "bc") and ("ab", "c") differ
    written = name.encode("utf-8", "surrogatepass")
    text = b"%d:%b%b" % (len(written), written, purpose.encode("utf-8", "surrogatepass"))
    digest = hashlib.blake2b(text, digest_size=4 * _WORDS).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(int(seed), spawn_key=(int(replication), *words))))


def fresh_seed() -> int:
    """Return a seed below 2⁶³ from the operating system's entropy."""
    return int.from_bytes(os.urandom(8), "little") >> 1


def endless(draw: Callable[[int], npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    """Yield ``draw(BLOCK)`` again and again."""
    while True:
        yield draw(BLOCK)


class Reader:
    """A sequence that is read once, in order, and not kept.

    Parameters
    ----------
    blocks : iterator of arrays
        The sequence in pieces; it must not end before the reading does.
    """

    __slots__ = ("_block", "_blocks")

    def __init__(self, blocks: Iterator[npt.NDArray[Any]]) -> None:
        self._blocks = blocks
        self._block = next(blocks)

    def take(self, n: int) -> npt.NDArray[Any]:
        """Return the next `n` values."""
        parts: list[npt.NDArray[Any]] = []
        while n > len(self._block):
            parts.append(self._block)
            n -= len(self._block)
            self._block = next(self._blocks)
        head, self._block = self._block[:n], self._block[n:]
        return np.concatenate((*parts, head)) if parts else head


class Draws:
    """A growing sequence of draws, or a user's own array in its place.

    Parameters
    ----------
    source : array, number, Distribution, frozen scipy.stats distribution or None
        Where the values come from; None means uniforms on [0, 1).
    generator : numpy.random.Generator or None
        Draws them; None with an array.
    what : str
        What they are, for messages: "service times of queue 'q'".

    Raises
    ------
    InvalidValueError
        If an array is not one-dimensional, finite and >= 0.
    InvalidTypeError
        If a generator is missing.

    Notes
    -----
    The i-th value depends on the source and the generator's state alone, never on how many are asked for or how often.

    Examples
    --------
    >>> Draws([0.1, 0.2], None, what="service times of queue 'q'").at_least(2).tolist()
    [0.1, 0.2]
    """

    __slots__ = ("_blocks", "_count", "_first", "_values", "_what")

    def __init__(self, source: object, generator: np.random.Generator | None, what: str) -> None:
        self._what = what
        self._blocks: Iterator[FloatArray] | None = None
        self._first = 0
        if isinstance(source, np.ndarray | list | tuple):
            self._values = _own(source, what)
            self._count = len(self._values)
            return
        if generator is None:
            raise InvalidTypeError(f"generator must be a numpy Generator to draw {what} from {source!r}, got None")
        self._values = np.empty(0)
        self._count = 0
        self._blocks = endless(_drawing(source, generator))

    def at_least(self, n: int) -> FloatArray:
        """Return the values drawn so far, at least the first `n`.

        Raises
        ------
        InvalidValueError
            If the user's own array is shorter than `n`.
        """
        return self.between(0, n)

    def between(self, first: int, last: int) -> FloatArray:
        """Return the values from number `first` on, at least up to `last`, and forget those before `first`.

        Raises
        ------
        InvalidValueError
            If the user's own array is shorter than `last`.
        """
        if self._count < last and self._blocks is None:
            raise InvalidValueError(
                f"{self._what} must be at least {last} values for this run, got {self._count}: row {self._count} is "
                "missing; give more, or have them drawn"
            )
        assert first >= self._first, "draws that were forgotten are gone"
        if self._blocks is not None:
            self._make_room(first, BLOCK * -(-last // BLOCK))
        while self._count < last and self._blocks is not None:
            at = self._count - self._first
            self._values[at : at + BLOCK] = next(self._blocks)
            self._count += BLOCK
        return self._values[first - self._first : self._count - self._first]

    def _make_room(self, first: int, last: int) -> None:
        """Make room for the values up to `last`; what stands before `first` need not be kept."""
        if self._first + len(self._values) >= last:
            return
        # a block that is not kept is drawn all the same
        first = min(first, self._count)
        kept = self._values[first - self._first : self._count - self._first]
        # doubling keeps the copying in proportion to what is drawn
        self._values = memory.empty(max(last - first, 2 * len(kept)))
        self._values[: len(kept)] = kept
        self._first = first


def _drawing(source: object, generator: np.random.Generator) -> Callable[[int], FloatArray]:
    """Return the function that draws a block of `source`."""
    if source is None:
        return generator.random
    distribution = as_distribution("distribution", source)
    return lambda size: sample(distribution, generator, size)


def _own(source: object, what: str) -> FloatArray:
    """Return a checked copy of the user's own values."""
    try:
        values = np.array(source, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidTypeError(f"{what} must be numbers, got {quoted(source)}") from None
    if values.ndim != 1:
        raise InvalidValueError(f"{what} must be one-dimensional, got shape {values.shape}")
    wrong = ~((values >= 0.0) & np.isfinite(values))
    if wrong.any():
        where = int(np.argmax(wrong))
        raise InvalidValueError(
            f"{what} must be finite and >= 0, got {quoted(float(values[where]))} at position {where}"
        )
    return values


def stop_times(stops: Stops | None, *, seed: int, replication: int, until: float) -> list[tuple[float, float]]:
    """Return the (stop, restart) times of a run, s, for the stops before `until`."""
    if stops is None:
        return []
    return stops.times(stream(seed, "server", "stops", replication), until)
