"""A tally as bytes, to the bit, and back: what a store keeps. No code is read from it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import numpy as np

from bufsim.engines.recording import LOSS_CAUSES
from bufsim.results.copies import OUTCOMES
from bufsim.results.histograms import SIZES, TIMES
from bufsim.results.plain import Array, built, plain
from bufsim.results.series import BINS
from bufsim.results.tallies import Tally

FORMAT = 2
"""To be raised where the same bytes come to mean something else, and `layout` does not see it."""
_HEAD = 4
_FAST = 1


def layout() -> str:
    """Return what tells one way to pack tallies from another: a digest of their fields, and of what stands in them."""
    parts = [*_fields(Tally), repr((TIMES, SIZES, BINS, OUTCOMES, LOSS_CAUSES, _HEAD))]
    return f"{FORMAT}-{hashlib.blake2b(chr(10).join(parts).encode(), digest_size=6).hexdigest()}"


def _fields(kind: Any) -> Iterator[str]:
    """Yield the fields of a dataclass, and of those in it, with their types."""
    if not dataclasses.is_dataclass(kind):
        for inner in get_args(kind):
            yield from _fields(inner)
        return
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield f"{field.name}: {field.type}"
        yield from _fields(hints[field.name])


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
