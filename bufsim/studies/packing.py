"""A tally as bytes, to the bit, and back: what a store keeps. No code is read from it."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np

from bufsim.results.plain import Array, built, plain
from bufsim.results.tallies import Tally

_HEAD = 4
_FAST = 1


def packed(tally: Tally) -> bytes:
    """Return a tally as bytes: JSON whose arrays stand behind it, compressed."""
    arrays: list[bytes] = []
    place = 0

    def behind(array: Array) -> tuple[str, int, int]:
        nonlocal place
        arrays.append(array.tobytes())
        begin, place = place, place + len(arrays[-1])
        return array.dtype.str, begin, len(array)

    text = json.dumps(plain(tally, array=behind), separators=(",", ":")).encode()
    return zlib.compress(b"".join([len(text).to_bytes(_HEAD, "little"), text, *arrays]), _FAST)


def unpacked(data: bytes) -> Tally:
    """Return the tally that `packed` has made into bytes.

    Raises
    ------
    KeyError, TypeError, ValueError, zlib.error
        If the bytes are no tally.
    """
    whole = zlib.decompress(data)
    end = _HEAD + int.from_bytes(whole[:_HEAD], "little")

    def read(about: tuple[str, int, int]) -> Array:
        kind, begin, count = about
        # copied: an array of its own can be written to, as the one that was packed
        array: Array = np.frombuffer(whole, np.dtype(kind), count, end + begin).copy()
        return array

    about: Any = json.loads(whole[_HEAD:end])
    tally: Tally = built(Tally, about, array=read)
    return tally
