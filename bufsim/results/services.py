"""The attempts at tasks: when each began and ended, and for how long a task was in service in all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bufsim import memory
from bufsim.engines.recording import COMPLETED, FAILED, LOST, Recording
from bufsim.results.columns import Positions, distinct, one_value
from bufsim.results.measures import Floats

Service = Callable[[int, int, int], tuple[Floats, float]]
"""From a queue, an attempt and a number n to the first n service draws of that attempt, and the time per item."""

ATTEMPT_OUTCOMES = ("running", "completed", "failed", "lost")
"""The ends that an attempt can have come to at `until`."""
_RUNNING, _COMPLETED, _FAILED, _LOST = range(len(ATTEMPT_OUTCOMES))


class Attempts(NamedTuple):
    """The attempts that have started, task by task: the task, the number from 1 on, begin and end, s, and outcome.

    One that was lost ended with its task; one that still runs has no end (NaN).
    """

    work: Positions
    number: npt.NDArray[np.int64]
    started_at: Floats
    ended_at: Floats
    outcome: npt.NDArray[np.int8]


def attempts(record: Recording, service: Service) -> Attempts:
    """Return the attempts of all tasks."""
    work, number, started_at = _started(record)
    of_task, outcome_of_task = record.work_attempts[work], record.work_outcome[work]
    finished = number <= record.work_finished_attempts[work]
    done = finished & (number == of_task) & ((outcome_of_task == COMPLETED) | (outcome_of_task == FAILED))
    lost = ~finished & (outcome_of_task == LOST)
    outcome = np.full(len(work), _RUNNING, np.int8)
    outcome[finished] = _FAILED
    outcome[done & (outcome_of_task == COMPLETED)] = _COMPLETED
    outcome[lost] = _LOST
    ended_at = np.where(done, record.work_finished_at[work], np.nan)
    ended_at[lost] = record.work_lost_at[work[lost]]
    # an attempt that was not the last ended when its service did
    earlier = np.flatnonzero(finished & ~done)
    ended_at[earlier] = started_at[earlier] + _service_times_of(record, work[earlier], number[earlier], service)
    return Attempts(work, number, started_at, ended_at, outcome)


def _started(record: Recording) -> tuple[Positions, npt.NDArray[np.int64], Floats]:
    """Return the task, the number and the start of each attempt: first attempts stand with tasks, the others apart."""
    if not distinct(record.work_attempts).any():
        return np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0)
    first = np.flatnonzero(record.work_attempts)
    number, started_at = np.ones(len(first), np.int64), record.work_started_at[first]
    if not len(record.retry_work):
        return first, number, started_at
    work = np.concatenate([first, record.retry_work])
    number = np.concatenate([number, record.retry_number])
    order = np.lexsort((number, work))
    return work[order], number[order], np.concatenate([started_at, record.retry_started_at])[order]


def _service_times_of(record: Recording, work: Positions, number: npt.NDArray[np.int64], service: Service) -> Floats:
    """Return the service times of some attempts, by rules.service_time."""
    times = np.empty(len(work))
    for queue in range(len(record.queues)):
        here = np.flatnonzero(record.work_queue[work] == queue)
        # a task takes the draw of its place among those of its queue
        place = np.searchsorted(np.flatnonzero(record.work_queue == queue), work[here]) if len(here) else here
        for attempt in np.unique(number[here]).tolist():
            some = number[here] == attempt
            draws, per_item = service(queue, attempt, int(place[some].max()) + 1)
            times[here[some]] = draws[place[some]] + per_item * record.work_items[work[here[some]]]
    return times


def busy_times(record: Recording, service: Service) -> Floats:
    """Return, for each task, the sum in order of the service times of its finished attempts, s."""
    if not distinct(record.work_finished_attempts).any():
        return one_value(np.zeros(1), len(record.work_queue))
    if len(record.queues) == 1:
        return _busy_times(record.work_finished_attempts, record.work_items, partial(service, 0))
    busy = memory.empty(len(record.work_queue))
    for queue in range(len(record.queues)):
        tasks = np.flatnonzero(record.work_queue == queue)
        finished, items = record.work_finished_attempts[tasks], record.work_items[tasks]
        busy[tasks] = _busy_times(finished, items, partial(service, queue))
    return busy


def _busy_times(
    finished: npt.NDArray[np.integer], items: npt.NDArray[np.int64], service: Callable[[int, int], tuple[Floats, float]]
) -> Floats:
    """Return the busy times of a queue's tasks, from how many of their attempts are finished."""
    most = int(finished.max(initial=0))
    if most == 0:
        return np.zeros(len(finished))
    times = _service_times(1, finished, items, service)
    for attempt in range(2, most + 1):
        times += _service_times(attempt, finished, items, service)
    return times


def _service_times(
    attempt: int,
    finished: npt.NDArray[np.integer],
    items: npt.NDArray[np.int64],
    service: Callable[[int, int], tuple[Floats, float]],
) -> Floats:
    """Return the service times of the tasks that have finished an attempt, by rules.service_time; 0 for the others."""
    done = finished >= attempt
    n = len(done) - int(done[::-1].argmax())
    draws, per_item = service(attempt, n)
    times = memory.empty(len(done))
    times[:n] = draws[:n] if per_item == 0.0 else draws[:n] + per_item * items[:n]
    times[~done] = 0.0
    return times
