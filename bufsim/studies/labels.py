"""What scenarios are called in sentences and pictures: flush policies in few words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bufsim.results.plots import units
from bufsim.results.plots.causes import short

_NUMBER = r"[0-9][0-9.e+-]*"
_LEAF = re.compile(
    rf"Flush(AtSize|AtBytes|AfterAge|WhenIdle|Every)\(({_NUMBER})(?:, phase=({_NUMBER}))?(?:, anchor='(\w+)')?\)"
)
_WORDS = {"AtSize": "size", "AtBytes": "bytes", "AfterAge": "age", "WhenIdle": "idle", "Every": "every"}
_CHECKED = re.compile(rf"\.checked_every\(({_NUMBER})(?:, phase={_NUMBER})?\)")
_JOINTS = re.compile(r"( [|&·] )")
_MOST = 40


def in_words(text: str) -> str:
    """Return a text with the flush policies that stand in it, as code, in few words.

    Examples
    --------
    >>> in_words("FlushAtSize(400) | FlushAfterAge(15.0) costs less than today's FlushEvery(2.0)")
    "size 400 | age 15 s costs less than today's every 2 s"
    """
    told = _LEAF.sub(_leaf, text).replace("NeverFlush()", "never")
    return _CHECKED.sub(lambda found: f" checked every {_duration(float(found[1]))}", told)


def label(name: str) -> str:
    """Return a scenario's name with its flush policies in few words, cut where it is long.

    Examples
    --------
    >>> label("FlushAtSize(256) | FlushAfterAge(1.0) · arrivals ×2")
    'size 256 | age 1 s · ×2'
    >>> label("FlushAtSize(100).checked_every(0.5)")
    'size 100 checked every 500 ms'
    """
    return short(in_words(name).replace(" · arrivals ", " · "), _MOST)


def _leaf(found: re.Match[str]) -> str:
    kind, value, phase, anchor = found.groups()
    if kind == "AtSize":
        amount = units.number(float(value))
    elif kind == "AtBytes":
        unit = units.byte_unit(float(value))
        amount = f"{units.number(float(value) / unit.size)} {unit.name}"
    else:
        amount = _duration(float(value))
    shifted = f" + {_duration(float(phase))}" if phase else ""
    anchored = f" after its {anchor.replace('_', ' ')}" if anchor else ""
    return f"{_WORDS[kind]} {amount}{shifted}{anchored}"


def _duration(seconds: float) -> str:
    """Return a duration in digits enough to tell nearly equal ones apart."""
    unit = units.time_unit(seconds)
    amount = seconds / unit.size
    return f"{units.number(amount) if amount == round(amount) else f'{amount:.6g}'} {unit.name}"


def labels(names: Sequence[str]) -> list[str]:
    """Return a label for each name; names that would look the same are kept whole."""
    made = [label(name) for name in names]
    return [name if made.count(text) > 1 else text for name, text in zip(names, made, strict=True)]


def without_common(texts: Sequence[str]) -> tuple[list[str], str]:
    """Return the labels without the words that all of them begin their parts with, and what was left out.

    Examples
    --------
    >>> without_common(["size 256 | age 1 s", "size 64 | age 500 ms"])
    (['256 | 1 s', '64 | 500 ms'], 'size | age')
    >>> without_common(["size 256", "age 1 s"])
    (['size 256', 'age 1 s'], '')
    """
    # every other piece is a joint
    pieces = [_JOINTS.split(text) for text in texts]
    heads = {"".join(_each(one, lambda part: part.partition(" ")[0])) for one in pieces}
    if len(texts) < 2 or len(heads) > 1 or any(" " not in part for one in pieces for part in one[::2]):
        return list(texts), ""
    return ["".join(_each(one, lambda part: part.partition(" ")[2])) for one in pieces], heads.pop()


def _each(pieces: Sequence[str], change: Callable[[str], str]) -> list[str]:
    return [piece if place % 2 else change(piece) for place, piece in enumerate(pieces)]


def differ_in_one(texts: Sequence[str]) -> bool:
    """Whether labels are the same but for one number with its unit.

    Examples
    --------
    >>> differ_in_one(["size 256 | age 1 s", "size 64 | age 1 s"]), differ_in_one(["size 256", "age 1 s"])
    (True, False)
    """
    shorter, template = without_common(texts)
    pieces = [_JOINTS.split(text) for text in shorter]
    return bool(template) and sum(len(set(part)) > 1 for part in zip(*pieces, strict=True)) == 1
