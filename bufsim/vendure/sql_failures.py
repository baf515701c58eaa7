"""What a database's failure means, in a sentence of our own: what the driver says may hold a password, or a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy import URL


class _Meaning(NamedTuple):
    """What a code means, and the way out."""

    what: str
    way_out: str


_FULL = _Meaning("is full", "nothing was stored; make room")
_NO_RIGHTS = _Meaning("gives no right to that", "give the user the rights on the table, or take another user")
_READ_ONLY = _Meaning("can only be read", "give write access, or another url")
_NO_TABLE = _Meaning("lacks the table, or it is of another version", "make the strategy again, or give another table")
_BUSY = _Meaning("was locked by others all the time", "try again, or let fewer processes write at once")
_UNREACHABLE = _Meaning("cannot be reached", "start the server, or correct the host and the port of the url")
_REFUSES = _Meaning("refuses the user or the password", "correct them in the url")
_NO_DATABASE = _Meaning("has no database of that name", "make it, or correct the name in the url")
_LOST = _Meaning("is no longer connected", "whether that was done is not known; the next call connects again")
_DAMAGED = _Meaning("is damaged, or its disk is", "restore it, or give another url")
_REFUSED_ROW = _Meaning("refuses the row", "the table is of another version, or the id is taken; give another table")
_REFUSED_TEXT = _Meaning("cannot hold that text", "leave NUL and half surrogates out of the buffer's id")

# the longest code that fits counts
_POSTGRESQL = {
    "08": _LOST,
    "22": _REFUSED_TEXT,
    "23": _REFUSED_ROW,
    "25006": _READ_ONLY,
    "28": _REFUSES,
    "3D": _NO_DATABASE,
    "40": _BUSY,
    "42501": _NO_RIGHTS,
    "42703": _NO_TABLE,
    "42P01": _NO_TABLE,
    "53": _Meaning("has no memory or connection left", "try again later"),
    "53100": _FULL,
    "55": _BUSY,
    "57P": _LOST,
}
_SQLITE = {
    "SQLITE_AUTH": _NO_RIGHTS,
    "SQLITE_BUSY": _BUSY,
    "SQLITE_CANTOPEN": _Meaning("cannot be opened", "make its folder, or correct the path in the url"),
    "SQLITE_CONSTRAINT": _REFUSED_ROW,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_ERROR": _NO_TABLE,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": _DAMAGED,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_NOTADB": _Meaning("is no SQLite database", "correct the path in the url"),
    "SQLITE_PERM": _NO_RIGHTS,
    "SQLITE_READONLY": _READ_ONLY,
}
# a connection that was not made has no code; servers that speak another language are "not reached"
_SAID = {
    "password": _REFUSES,
    "no pg_hba.conf entry": _REFUSES,
    "role": _REFUSES,
    "does not exist": _NO_DATABASE,
    "too many clients": _POSTGRESQL["53"],
}


def label(url: URL) -> str:
    """What messages call the store of a URL: without user, password and options.

    Examples
    --------
    >>> from sqlalchemy import make_url
    >>> label(make_url("sqlite:///jobs.db")), label(make_url("postgresql://me:secret@db:5432/shop"))
    ("the SQLite file 'jobs.db'", "the database 'shop' at db:5432")
    """
    if url.drivername == "sqlite":
        return "SQLite in memory" if is_in_memory(url) else f"the SQLite file {url.database!r}"
    host = url.host or url.query.get("host") or "localhost"
    return f"the database {url.database or ''!r} at {host}:{url.port or url.query.get('port') or 5432}"


def is_in_memory(url: URL) -> bool:
    """Whether a URL is that of an SQLite in memory."""
    return url.drivername == "sqlite" and url.database in (None, "", ":memory:")


def sentence(store: str, doing: str, error: Exception) -> str:
    """The sentence for a failure.

    Parameters
    ----------
    store : str
        What messages call the store.
    doing : str
        What was being done.
    error : Exception
        SQLAlchemy's.
    """
    meaning = _meaning(error)
    return f"{store} {meaning.what}: it failed at {doing}; {meaning.way_out}"


def _meaning(error: Exception) -> _Meaning:
    cause = getattr(error, "orig", None)
    if getattr(error, "connection_invalidated", False):
        return _LOST
    if code := getattr(cause, "sqlite_errorname", None):
        return _of(_SQLITE, code)
    if code := getattr(cause, "sqlstate", None):
        return _of(_POSTGRESQL, code)
    if type(cause).__name__ in ("DataError", "UnicodeEncodeError") or isinstance(error, UnicodeError | ValueError):
        return _REFUSED_TEXT
    if type(cause).__name__ in ("OperationalError", "ConnectionTimeout"):
        return next((meaning for said, meaning in _SAID.items() if said in str(cause)), _UNREACHABLE)
    return _Meaning(f"does not work ({type(cause or error).__name__})", "look into its log")


def _of(meanings: dict[str, _Meaning], code: str) -> _Meaning:
    fitting = [known for known in meanings if code.startswith(known)]
    if not fitting:
        return _Meaning(f"failed with {code}", "look into its log")
    return meanings[max(fitting, key=len)]
