"""Inputs that are nearly good, and the only two ways in which reading one may end: as meant, or with one sentence."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from bufsim.errors import LONGEST, BufsimError

HUNG = 20
"""After so many seconds of processor time a reading counts as hung: ten times what is promised."""
QUICK, SLOW = 60, 2000
"""Inputs of a kind that the default suite tries, and the slow part."""

Text = TypeVar("Text", str, bytes)


class RawError(AssertionError):
    """Reading ended in another way than as meant or with one sentence."""


class HungError(BaseException):
    """Reading went on for too long; of a kind that no reader catches."""


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise HungError

    # the time of this process, since others may hold the machine; what only waits is found out by the clock
    clocks = ((signal.SIGPROF, signal.ITIMER_PROF, HUNG), (signal.SIGALRM, signal.ITIMER_REAL, 10 * HUNG))
    before = [(number, signal.signal(number, ring)) for number, _, _ in clocks]
    for _, timer, seconds in clocks:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for _, timer, _ in clocks:
            signal.setitimer(timer, 0)
        for number, handler in before:
            signal.signal(number, handler)


def ending(read: Callable[[], object]) -> str:
    """The sentence with which a reading ends; empty if it took what it was given.

    Raises
    ------
    RawError
        If it ends with another error than bufsim's own, with a message that is no sentence, or not at all.
    """
    try:
        with _watched():
            read()
    except BufsimError as error:
        sentence = str(error)
        if not sentence or "\n" in sentence or len(sentence) > LONGEST or not sentence.isprintable():
            raise RawError(f"no sentence: {sentence!r}") from error
        return sentence
    except HungError as error:
        raise RawError(f"not read within {HUNG} s") from error
    except Exception as error:
        raise RawError(f"{type(error).__name__}: {str(error)[:300]}") from error
    return ""


def try_all(read: Callable[[Any], object], inputs: Iterable[Any]) -> tuple[int, int]:
    """Read each input; the number that was taken, and of those refused.

    Raises
    ------
    RawError
        If some end in another way; it lists the first, and how many there are.
    """
    ends = {True: 0, False: 0}
    wrong: list[str] = []
    for given in inputs:
        try:
            ends[not ending(lambda given=given: read(given))] += 1
        except RawError as error:
            wrong.append(f"{error} <- {_shown(given)}")
    if wrong:
        raise RawError(f"{len(wrong)} of {len(wrong) + sum(ends.values())} end otherwise:\n" + "\n".join(wrong[:40]))
    return ends[True], ends[False]


_SHORT = (
    "0 -0 -1 1e400 -1e400 1e-400 1e999999999 1e-999999999 nan inf -inf 1__0 _1 1_ 0x10 1e 1e+ . 1. .1 1,5 1.2.3 ++1 "
    "9007199254740993 9223372036854775808 18446744073709551616 true false None null today now () [] {} ( ) [ ] { } "
    ", = ; : . | & ' \" \\ \0 \u202e \ud800 \U0001f4a5 \xe9 30s 1h30min 1e99999s 64MiB 1e400MiB 3m 5parsecs NaN "
    "NaT <NA> lambda __class__ __import__ % %s {0} $x$ <b> =1+1 # // ../.. /dev/zero"
)


def _shown(given: object) -> str:
    try:
        return repr(given)[:400]
    except ValueError:
        # a number of more than 4,300 digits
        return f"{type(given).__name__} with a huge number"


UGLY = [
    *_SHORT.split(" "),
    *("\n", "\t", "\u2028", " ", "9" * 400, "9" * 5000, "0." + "0" * 400 + "1", "x" * 10_000),
    *("(" * 400, "[" * 400, " " * 1000),
]
"""Tokens that readers have stumbled over somewhere."""


def mutants(goods: Sequence[str], n: int, *, seed: int, tokens: Sequence[str] = ()) -> Iterator[str]:
    """Good texts with up to three faults each: cut, doubled, swapped, struck out or inserted parts."""
    draw = random.Random(seed)
    for _ in range(n):
        text = draw.choice(goods)
        for _ in range(draw.randint(1, 3)):
            text = _changed(text, draw, [*UGLY, *tokens])
        yield text


def _changed(text: str, draw: random.Random, tokens: Sequence[str]) -> str:
    first, last = sorted(draw.randint(0, len(text)) for _ in range(2))
    parts = _words(text)
    match draw.randrange(7):
        case 0:
            return text[:first]
        case 1:
            return text[:first] + text[min(last, first + draw.randint(1, 12)) :]
        case 2:
            return text[:last] + text[first:]
        case 3:
            return text[:first] + draw.choice(tokens) + text[first:]
        case 4 if parts:
            one = draw.randrange(len(parts))
            parts[one] = draw.choice(tokens)
        case 5 if parts:
            one, other = draw.randrange(len(parts)), draw.randrange(len(parts))
            parts[one], parts[other] = parts[other], parts[one]
        case _ if parts:
            parts.insert(draw.randrange(len(parts)), draw.choice(parts))
    return "".join(parts)


def _words(text: str) -> list[str]:
    """The text in pieces: runs of letters and digits, and single signs."""
    pieces: list[str] = []
    for letter in text:
        if pieces and letter.isalnum() and pieces[-1][-1].isalnum():
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def damaged(goods: Sequence[bytes], n: int, *, seed: int) -> Iterator[bytes]:
    """Good files with up to three faults each: flipped, cut, doubled or foreign bytes."""
    draw = random.Random(seed)
    for _ in range(n):
        data = bytearray(draw.choice(goods))
        for _ in range(draw.randint(1, 3)):
            first, last = sorted(draw.randint(0, len(data)) for _ in range(2))
            match draw.randrange(6):
                case 0:
                    del data[first:]
                case 1 | 2 if data:
                    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
                case 3:
                    del data[first : first + draw.randint(1, 16)]
                case 4:
                    data[first:first] = data[first : min(last, first + 64)]
                case _:
                    data[first : first + 4] = draw.randbytes(4)
        yield bytes(data)


def tampered(value: Any, n: int, *, seed: int) -> Iterator[Any]:
    """Plain data with one place of it left out, or with something else there: each place in turn, then by chance."""
    draw = random.Random(seed)
    others = (None, [], {}, "", "x", True, -1, 0.5, 10**400, 2**63, [[[]]], {"x": 1}, ["a", 1], "__import__('os')")
    every = [(place, other) for place in _places(value) for other in (*others, _GONE)]
    draw.shuffle(every)
    for number in range(n):
        place, other = every[number % len(every)]
        yield _with(value, place, other)


_GONE = object()


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*at, key)
        yield from _places(inner, (*at, key))


def _with(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    first, *rest = place
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[first] = _with(copy[first], tuple(rest), other)
    elif other is _GONE:
        del copy[first]
    else:
        copy[first] = other
    return copy
