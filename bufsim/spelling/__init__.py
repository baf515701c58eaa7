"""The model's values as people write them: ``size(200) | age(30s)``, ``poisson(80)``, ``zipf(9000, 0.9)``.

Words are read by a small grammar, and nothing is executed. Python's own spelling, ``FlushAtSize(200) |
FlushAfterAge("30s")``, is understood too, so that whatever a value of the model prints can be read back.
"""

from __future__ import annotations

import re
from typing import cast

from bufsim.model.arrivals import Arrivals
from bufsim.model.flush_policy import FlushPolicy
from bufsim.spelling.building import build, naming

__all__ = ["arrivals", "build", "in_full", "naming", "policy"]

_SHORT = re.compile(r"\s*([A-Za-z_]\w*):(.*)", re.DOTALL)


def policy(text: str, *, name: str = "policy") -> FlushPolicy:
    """Return the flush policy that is written in words.

    Parameters
    ----------
    text : str
        For example ``"size(200) | age(30s)"``, ``"every(15min)"``, ``"bytes(64 MiB) & idle(2s)"``,
        ``"size(100).checked_every(5s)"``, ``"at(1.0, 2.5)"``, ``"never"``,
        ``"cron('*/15 * * * *', start='2026-03-29T00:00:00+01:00')"``, or Python's own spelling.
    name : str
        What it is called in messages.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        If it cannot be read; the message says at which character, and which words are known.

    Examples
    --------
    >>> policy("size(200) | age(30s)")
    FlushAtSize(200) | FlushAfterAge(30.0)
    >>> policy("(size(100) & idle(2s)).checked_every(5s)")
    (FlushAtSize(100) & FlushWhenIdle(2.0)).checked_every(5.0)
    """
    return cast("FlushPolicy", build("policy", text, name=name))


def arrivals(text: str, *, name: str = "arrivals") -> Arrivals:
    """Return the arrival process that is written in words, or in short with a colon.

    Examples
    --------
    >>> arrivals("poisson:80")
    Poisson(80.0)
    >>> arrivals("bulk(poisson(2), geometric(5))")
    Bulk(Poisson(2.0), Geometric(5.0))
    """
    return cast("Arrivals", build("arrivals", in_full(text), name=name))


def in_full(text: str) -> str:
    """Return words that are written in short, with a colon, in full; any others as they are.

    Examples
    --------
    >>> in_full("bursty:100, 0, 1s, 9s"), in_full("trace:jobs.csv")
    ('bursty(100, 0, 1s, 9s)', "trace('jobs.csv')")
    """
    short = _SHORT.fullmatch(text)
    if short is None:
        return text
    word, rest = short.groups()
    # what follows trace: is a path
    return f"{word}({rest!r})" if word in ("trace", "vendure") else f"{word}({rest})"
