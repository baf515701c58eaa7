"""A job queue and its workers, on the SimPy engine."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import simpy

from bufsim.engines import order
from bufsim.engines.recording import COMPLETED, FAILED, LOST, PENDING, RETRYING, RUNNING, Recorder
from bufsim.engines.workload import Workload
from bufsim.model import rules
from bufsim.model.workers import PollingWorkers, Workers, failure_source, service_source

if TYPE_CHECKING:
    from bufsim.engines.environment import Environment

Attempt = tuple[int, int, int]
"""A task's row, its place among the tasks of its queue, and the number of the attempt that comes next."""


class QueueState:
    """A job queue: what waits, and how many workers are free. Without workers, jobs wait for ever."""

    def __init__(
        self,
        index: int,
        name: str,
        workers: Workers | None,
        env: Environment,
        recorder: Recorder,
        workload: Workload,
    ) -> None:
        self.index = index
        self.name = name
        self.workers = workers
        self.env = env
        self.recorder = recorder
        self.waiting: deque[Attempt] = deque()
        self.next_place = 0
        self.free = workers.concurrency if workers else 0
        self._workload = workload
        self._start_is_set = False
        self._last_poll = -rules.INF
        self._draws: dict[tuple[str, int], list[float]] = {}
        self._fails_below, self._failures = failure_source(workers) if workers else (0.0, None)

    def add(self, flush: int, items: Sequence[int]) -> range:
        """Put jobs with so many items at the tail; return their rows of the work table. The workers look at `wake`."""
        tasks = self.recorder.tasks(flush, self.index, self.env._now, items)
        if self.workers is not None:
            places = range(self.next_place, self.next_place + len(tasks))
            self.waiting.extend(zip(tasks, places, itertools.repeat(1)))
            self.next_place += len(tasks)
        return tasks

    def wake(self) -> None:
        """Let a free worker start a waiting job: at once, or at the next poll."""
        if self.free and self.waiting and not self._start_is_set:
            self._start_is_set = True
            now = self.env._now
            at = now
            if isinstance(self.workers, PollingWorkers):
                at = rules.next_poll(now, self._last_poll, self.workers.poll_interval)
            self.env.at(at, self._start, priority=order.priority(order.START, self.index))

    def _start(self, event: simpy.Event) -> None:
        self._start_is_set = False
        self._last_poll = self.env._now
        for _ in range(min(self.free, len(self.waiting))):
            self._serve(self.waiting.popleft())

    def _serve(self, attempt: Attempt) -> None:
        task, place, number = attempt
        workers = self.workers
        assert workers is not None
        record = self.recorder
        now = self.env._now
        self.free -= 1
        record.work_outcome[task] = RUNNING
        record.work_attempts[task] = number
        if number == 1:
            record.work_started_at[task] = now
        else:
            record.retry(task, number, now)
        draw = self._draw("service", number, place)
        end = now + rules.service_time(draw, workers.per_item, record.work_items[task])
        self.env.at(end, lambda event: self._end(attempt), priority=order.priority(order.SERVICE_END, task))

    def _end(self, attempt: Attempt) -> None:
        task, place, number = attempt
        workers = self.workers
        assert workers is not None
        record = self.recorder
        if record.work_outcome[task] == LOST:
            return
        self.free += 1
        record.work_finished_attempts[task] = number
        failed = self._fails_below > 0.0 and self._draw("failure", number, place) < self._fails_below
        if failed and number <= workers.retries:
            self._back_off(attempt)
        else:
            record.work_outcome[task] = FAILED if failed else COMPLETED
            record.work_finished_at[task] = self.env._now
        self.wake()

    def _back_off(self, attempt: Attempt) -> None:
        task, place, number = attempt
        assert self.workers is not None
        backoff = self.workers.backoff
        self.recorder.work_outcome[task] = RETRYING
        end = rules.backoff_end(self.env._now, number, backoff.first, backoff.factor, backoff.longest)
        again = (task, place, number + 1)
        self.env.at(end, lambda event: self._return(again), priority=order.priority(order.SERVICE_END, task))

    def _return(self, attempt: Attempt) -> None:
        if self.recorder.work_outcome[attempt[0]] == LOST:
            return
        self.recorder.work_outcome[attempt[0]] = PENDING
        self.waiting.append(attempt)
        self.wake()

    def lose_all(self) -> None:
        """Lose what waits, is in service or backs off: the queue is volatile and the server stops."""
        record = self.recorder
        for task, (queue, outcome) in enumerate(zip(record.work_queue, record.work_outcome, strict=True)):
            if queue == self.index and outcome in (PENDING, RUNNING, RETRYING):
                record.work_outcome[task] = LOST
                record.work_lost_at[task] = self.env._now
        self.waiting.clear()
        self.free = self.workers.concurrency if self.workers else 0

    def _draw(self, purpose: str, attempt: int, place: int) -> float:
        """The draw of the queue's row `place` for this attempt, as a Python float."""
        values = self._draws.setdefault((purpose, attempt), [])
        if place >= len(values):
            assert self.workers is not None
            source = service_source(self.workers) if purpose == "service" else self._failures
            draws = self._workload.draws(self.name, purpose, attempt, source)
            values[:] = draws.at_least(place + 1).tolist()
        return values[place]
