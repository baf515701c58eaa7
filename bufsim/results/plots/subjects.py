"""What a plot is about: the buffers of one or several results, with a label each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.results.plots.causes import short

if TYPE_CHECKING:
    from bufsim.model.buffers import JobBuffer
    from bufsim.results.result import Result


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One part (a buffer, a queue) of one result.

    Attributes
    ----------
    label : str
        The result's.
    place : int
        The result's place among those that are shown; it sets the colour.
    result : Result
        The result.
    part : str
        The buffer's id, or the queue's name.
    """

    label: str
    place: int
    result: Result
    part: str


def of_buffers(results: Sequence[Result], labels: Sequence[str] | None, buffer: str | None) -> list[Subject]:
    """Return the buffers of the results, or of each the one that is asked for."""
    parts = [_buffer_ids(result) for result in _given(results)]
    if buffer is not None:
        checks.one_of("buffer", buffer, dict.fromkeys(part for known in parts for part in known))
    return _subjects(label(results, labels, buffer), results, parts, buffer)


def of_queues(results: Sequence[Result], labels: Sequence[str] | None, queue: str | None) -> list[Subject]:
    """Return the queues of the results, or of each the one that is asked for."""
    parts = [list(result.work["queue"].cat.categories) for result in _given(results)]
    if queue is not None:
        checks.one_of("queue", queue, dict.fromkeys(part for known in parts for part in known))
    return _subjects(label(results, labels), results, parts, queue)


def _buffer_ids(result: Result) -> list[str]:
    if isinstance(result.simulation, str):
        return list(result.tally.buffers)
    return [one.id for one in result.simulation.buffers]


def _given(results: Sequence[Result]) -> Sequence[Result]:
    if not results:
        raise InvalidTypeError("a plot takes at least one result, got none; give what Simulation(...).run() returned")
    return results


def _subjects(names: list[str], results: Sequence[Result], parts: list[list[str]], wanted: str | None) -> list[Subject]:
    return [
        Subject(name, place, result, part)
        for place, (name, result) in enumerate(zip(names, results, strict=True))
        for part in parts[place]
        if wanted in (None, part)
    ]


def by_part(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Return the subjects of each part together: one group a panel."""
    parts = dict.fromkeys(subject.part for subject in subjects)
    return [[subject for subject in subjects if subject.part == part] for part in parts]


def label(results: Sequence[Result], labels: Sequence[str] | None, buffer: str | None = None) -> list[str]:
    """Return one label a result: those given, else the policies, and the seeds where policies are the same.

    Given a buffer, its policy alone counts.
    """
    _given(results)
    if labels is not None:
        given = [labels] if isinstance(labels, str) else list(labels)
        if len(given) != len(results):
            raise InvalidValueError(f"labels must be as many as the results, {len(results)}, got {given!r}")
        checks.unique("labels", given)
        return [checks.text("labels", text) for text in given]
    names = [policies(result, buffer) for result in results]
    if len(set(names)) < len(names):
        names = [f"{name}, seed {result.seed}" for name, result in zip(names, results, strict=True)]
    return [name if names.count(name) == 1 else f"{name}, run {place + 1}" for place, name in enumerate(names)]


def declared_buffer(result: Result, buffer: str) -> JobBuffer | None:
    """Return a buffer as declared; None if the result was loaded, and knows its simulation as text only."""
    if isinstance(result.simulation, str):
        return None
    return next(one for one in result.simulation.buffers if one.id == buffer)


def concurrency(result: Result, queue: str) -> int:
    """Return the number of workers of a queue; 0 without workers."""
    if isinstance(result.simulation, str):
        return result.tally.queues[queue].concurrency
    workers = result.simulation.workers_of(queue)
    return 0 if workers is None else workers.concurrency


def policies(result: Result, buffer: str | None = None) -> str:
    """Return the flush policies of a result's buffers, or of one of them, in short."""
    if isinstance(result.simulation, str):
        return "loaded result"
    declared = [one for one in result.simulation.buffers if buffer in (None, one.id)]
    return short(", ".join(dict.fromkeys(short(repr(one.policy), 72) for one in declared)), 72)


def about(results: Sequence[Result], buffer: str | None = None) -> str:
    """Return the line under a title: how many runs, and for one of them its seed and policy."""
    if len(results) > 1:
        return f"{len(results)} results, one run each"
    return f"one run, seed {results[0].seed} · {policies(results[0], buffer)}"
