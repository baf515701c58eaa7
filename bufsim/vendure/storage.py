"""A storage strategy: where buffered jobs lie until a flush."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

from bufsim.errors import InvalidTypeError, quoted
from bufsim.vendure.job import Job


class JobBufferStorageStrategy(Protocol):
    """Anything that keeps jobs by buffer until they are flushed."""

    def add(self, buffer_id: str, job: Job) -> Job:
        """Store `job` in the buffer `buffer_id`, and return the job as stored."""

    def buffer_size(self, buffer_ids: Iterable[str] | None = None) -> dict[str, int]:
        """Jobs now stored, by buffer."""

    def flush(self, buffer_ids: Iterable[str] | None = None) -> dict[str, list[Job]]:
        """Take out and return the jobs stored, by buffer."""


class InMemoryJobBufferStorageStrategy:
    """Per buffer, a set of jobs by identity, in order of insertion: Vendure's default.

    It loses its jobs when the process stops.

    Examples
    --------
    >>> storage = InMemoryJobBufferStorageStrategy()
    >>> job = storage.add("a", Job(queue_name="q"))
    >>> job is storage.add("a", job)
    True
    >>> storage.buffer_size()
    {'a': 1}
    >>> storage.flush()
    {'a': [Job(queue_name='q')]}
    >>> storage.buffer_size()
    {'a': 0}
    """

    def __init__(self) -> None:
        # dicts are insertion-ordered, and jobs hash by identity: a dict with no values is the set that is wanted
        self._buffers: defaultdict[str, dict[Job, None]] = defaultdict(dict)

    def add(self, buffer_id: str, job: Job) -> Job:
        """Store `job` in the buffer `buffer_id`, and return that same job.

        Quirk: a job that is already there counts once and keeps its place; a distinct job that carries the same data
        counts twice.
        """
        self._buffers[buffer_id][job] = None
        return job

    def buffer_size(self, buffer_ids: Iterable[str] | None = None) -> dict[str, int]:
        """Jobs now stored, by buffer.

        Parameters
        ----------
        buffer_ids
            Which buffers to count; None means every buffer that ever held a job.

        Raises
        ------
        InvalidTypeError
            If `buffer_ids` is one str.

        Notes
        -----
        Quirks: an empty list gives ``{}``, though Vendure's documentation says that it means all buffers; an unknown
        id gives 0.
        """
        return {buffer_id: len(self._buffers.get(buffer_id, ())) for buffer_id in self._chosen(buffer_ids)}

    def flush(self, buffer_ids: Iterable[str] | None = None) -> dict[str, list[Job]]:
        """Take out and return the jobs stored, by buffer, oldest first.

        Parameters
        ----------
        buffer_ids
            Which buffers to empty; None means every buffer that ever held a job.

        Raises
        ------
        InvalidTypeError
            If `buffer_ids` is one str.

        Notes
        -----
        Quirks: an empty list gives ``{}`` and touches nothing, though Vendure's documentation says that it means all
        buffers; an unknown id gives ``[]`` and does not become known; an id given twice is read twice, and the
        second, empty read is what is returned, so that its jobs are lost. A flushed buffer stays known, with size 0.
        """
        flushed: dict[str, list[Job]] = {}
        for buffer_id in self._chosen(buffer_ids):
            jobs = self._buffers.get(buffer_id, {})
            flushed[buffer_id] = list(jobs)
            jobs.clear()
        return flushed

    def take(self, buffer_id: str, at_most: int) -> list[Job]:
        """Take out and return the `at_most` oldest jobs of one buffer, oldest first; bufsim's own, not Vendure's."""
        jobs = self._buffers.get(buffer_id, {})
        taken = list(islice(jobs, at_most))
        for job in taken:
            del jobs[job]
        return taken

    def _chosen(self, buffer_ids: Iterable[str] | None) -> Iterable[str]:
        """The ids meant by an argument: all known ones for None, else those given."""
        ids = list_of_ids(buffer_ids)
        return list(self._buffers) if ids is None else ids


def list_of_ids(buffer_ids: Iterable[str] | None) -> list[str] | None:
    """The ids given as an argument, as a list; None stays None."""
    if isinstance(buffer_ids, str):
        # a str is a list of its letters, and would empty the wrong buffers in silence
        raise InvalidTypeError(
            f"buffer_ids must be a list of ids, got {quoted(buffer_ids)}; write [{quoted(buffer_ids)}]"
        )
    return None if buffer_ids is None else list(buffer_ids)


def take_oldest(storage: JobBufferStorageStrategy, buffer_id: str, at_most: int) -> list[Job]:
    """Take the `at_most` oldest jobs of one buffer out of a storage, and return them, oldest first.

    A storage strategy flushes whole buffers. One that has a method ``take(buffer_id, at_most)`` is asked by it; any
    other is flushed, and the rest is added again, in order.
    """
    take = getattr(storage, "take", None)
    if take is not None:
        return list(take(buffer_id, at_most))
    jobs = storage.flush([buffer_id]).get(buffer_id, [])
    for job in jobs[at_most:]:
        storage.add(buffer_id, job)
    return jobs[:at_most]


def confirm(storage: JobBufferStorageStrategy, buffer_id: str, jobs: Iterable[Job]) -> None:
    """Tell a storage that wants to know it that jobs which a flush gave have been handed over."""
    confirmed = getattr(storage, "confirm", None)
    if confirmed is not None:
        confirmed(buffer_id, jobs)


def give_back(storage: JobBufferStorageStrategy, buffer_id: str, jobs: Iterable[Job]) -> None:
    """Tell a storage that wants to know it that jobs which a flush gave have not been handed over."""
    given_back = getattr(storage, "give_back", None)
    if given_back is not None:
        given_back(buffer_id, jobs)


class TestingJobBufferStorageStrategy(InMemoryJobBufferStorageStrategy):
    """The in-memory strategy, with a window into it, for tests.

    Examples
    --------
    >>> storage = TestingJobBufferStorageStrategy()
    >>> _ = storage.add("a", Job(queue_name="q"))
    >>> storage.get_buffered_jobs("a")
    [Job(queue_name='q')]
    """

    # pytest collects classes by this name; this one holds no tests
    __test__ = False

    def get_buffered_jobs(self, buffer_id: str) -> list[Job]:
        """The jobs now stored in one buffer, oldest first; none for an unknown id."""
        return list(self._buffers.get(buffer_id, ()))
