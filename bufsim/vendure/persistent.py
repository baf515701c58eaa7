"""What the SQL and the Redis storage share: how they open and close, and what is claimed until it is confirmed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from threading import Lock
from typing import Self

from bufsim import checks
from bufsim.errors import InvalidTypeError, StoreError, quoted
from bufsim.vendure import stored_job
from bufsim.vendure.job import Job
from bufsim.vendure.storage import list_of_ids

INHERITED = frozenset(
    {
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    }
)
"""What every JavaScript object has: buffers with these ids break Vendure's own strategies, each in its way."""


def ids_of(buffer_ids: Iterable[str] | None) -> list[str] | None:
    """The ids given as an argument, as a list of str; None stays None."""
    ids = list_of_ids(buffer_ids)
    for buffer_id in ids or ():
        if not isinstance(buffer_id, str):
            raise InvalidTypeError(f"buffer_ids must be a list of str, got {quoted(buffer_id)} in it")
    return ids


class Claims:
    """Which claim each job belongs to that was given out and is not confirmed yet.

    Examples
    --------
    >>> claims, jobs = Claims(), [Job(queue_name="q") for _ in range(3)]
    >>> claims.note("first", jobs)
    >>> claims.confirmed(jobs[:2])
    []
    >>> claims.confirmed(jobs[2:])
    ['first']
    """

    def __init__(self) -> None:
        # jobs are told apart by identity: the job is kept, so that nothing else gets its id
        self._claim_of: dict[int, tuple[Job, str]] = {}
        self._open: dict[str, set[int]] = {}
        self._lock = Lock()

    def note(self, claim: str, jobs: Iterable[Job]) -> None:
        """Note that `jobs` were given out under `claim`."""
        numbers = {id(job): (job, claim) for job in jobs}
        with self._lock:
            self._claim_of.update(numbers)
            self._open[claim] = set(numbers)

    def confirmed(self, jobs: Iterable[Job]) -> list[str]:
        """Forget `jobs`; return the claims all of whose jobs have now been confirmed."""
        with self._lock:
            touched = [claim for job in jobs if (claim := self._forget(id(job))) is not None]
            done = [claim for claim in dict.fromkeys(touched) if not self._open[claim]]
            for claim in done:
                del self._open[claim]
            return done

    def released(self, jobs: Iterable[Job]) -> list[str]:
        """Forget the claims to which `jobs` belong, with all their jobs; return them."""
        with self._lock:
            claims = dict.fromkeys(self._claim_of[id(job)][1] for job in jobs if id(job) in self._claim_of)
            for claim in claims:
                for number in self._open.pop(claim):
                    del self._claim_of[number]
            return list(claims)

    def _forget(self, number: int) -> str | None:
        entry = self._claim_of.pop(number, None)
        if entry is None:
            return None
        self._open[entry[1]].discard(number)
        return entry[1]


class PersistentStorage(ABC):
    """A storage strategy whose jobs outlive the process.

    Parameters
    ----------
    url : str
        Where the store is; it may hold a password.
    label : str
        What messages call the store: without user and password.
    atomic, acknowledged : bool
        How it flushes; see the strategies.
    server : str
        The name under which it claims.
    """

    def __init__(self, url: str, label: str, *, atomic: bool, acknowledged: bool, server: str) -> None:
        self._url = url
        self.label = label
        for name, value in (("atomic", atomic), ("acknowledged", acknowledged)):
            if not isinstance(value, bool):
                raise InvalidTypeError(f"{name} must be True or False, got {quoted(value)}")
        self.acknowledged = acknowledged
        # a batch is claimed in one transaction, so that what is acknowledged is atomic too
        self.atomic = atomic or acknowledged
        self.server = checks.text("server", server)
        self.came_back = 0
        self._claims = Claims()
        self._closed = False

    def _open(self) -> None:
        """Set up what the store lacks, and take back what this server claimed before it stopped; else close."""
        try:
            self._set_up()
            if self.acknowledged:
                self.came_back += self._return_own()
        except BaseException:
            self.close()
            raise

    def confirm(self, buffer_id: str, jobs: Iterable[Job]) -> None:
        """Say that `jobs`, which a flush of the buffer gave, have been handed over: they never come back.

        A claim is dropped when all its jobs have been confirmed. Without ``acknowledged=True`` nothing is claimed, and
        this does nothing.
        """
        if claims := self._claims.confirmed(jobs):
            self._drop(claims)

    def give_back(self, buffer_id: str, jobs: Iterable[Job]) -> None:
        """Put the claims to which `jobs` belong back into the buffer, before all that came later.

        Those of the jobs that were handed over already are handed over again at the next flush: once more than needed.
        `came_back` counts them. Without ``acknowledged=True`` nothing is claimed, and this does nothing.
        """
        if claims := self._claims.released(jobs):
            self.came_back += self._return(claims)

    def add(self, buffer_id: str, job: Job) -> Job:
        """Store `job` in the buffer `buffer_id`, and return that same job.

        Quirks: a job that is there already counts twice; what a flush returns is another object.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            If the id is no name, or the job holds what JSON does not.
        StoreError
            If the store does not take the job; it is then not stored, or, if the connection was lost, perhaps.
        """
        self._store(checks.text("buffer_id", buffer_id), stored_job.written(job))
        return job

    @abstractmethod
    def buffer_size(self, buffer_ids: Iterable[str] | None = None) -> dict[str, int]:
        """Jobs now stored, by buffer."""

    @abstractmethod
    def flush(self, buffer_ids: Iterable[str] | None = None) -> dict[str, list[Job]]:
        """Take out and return the jobs stored, by buffer."""

    def take(self, buffer_id: str, at_most: int) -> list[Job]:
        """Take out and return the `at_most` oldest jobs of one buffer, oldest first; bufsim's own, not Vendure's.

        It is one transaction or script, also without `atomic`.
        """
        return self._taken([buffer_id], checks.integer("at_most", at_most, at_least=1)).get(buffer_id, [])

    @abstractmethod
    def _store(self, buffer_id: str, text: str) -> None:
        """Store the text of a job."""

    @abstractmethod
    def _taken(self, ids: list[str], at_most: int | None) -> dict[str, list[Job]]:
        """Take the oldest jobs (None: all) out at once; claim them if they are to be acknowledged."""

    @abstractmethod
    def _set_up(self) -> None:
        """Connect, and make what is missing."""

    @abstractmethod
    def _return_own(self) -> int:
        """Put all that this server has claimed back into its buffers; return the number of jobs."""

    @abstractmethod
    def _drop(self, claims: list[str]) -> None:
        """Forget claims in the store."""

    @abstractmethod
    def _return(self, claims: list[str]) -> int:
        """Put what is claimed back into its buffers; return the number of jobs."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close every connection."""

    def close(self) -> None:
        """Close every connection to the store; the jobs stay there. A second time it does nothing."""
        if not self._closed:
            self._closed = True
            self._disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.label} was closed by close(); make another {type(self).__name__}")

    def __repr__(self) -> str:
        # the URL may hold a password
        given = [f"{name}=True" for name in ("atomic", "acknowledged") if getattr(self, name)]
        return f"<{type(self).__name__}: {', '.join([self.label, *given])}>"
