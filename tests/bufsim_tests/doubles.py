"""Storages that stand in for real ones, some of which err."""

from __future__ import annotations

from typing import Any

from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job


class NoTake:
    """An in-memory storage with Vendure's three methods only."""

    def __init__(self) -> None:
        storage = InMemoryJobBufferStorageStrategy()
        self.add, self.buffer_size, self.flush = storage.add, storage.buffer_size, storage.flush


class Reversing(InMemoryJobBufferStorageStrategy):
    """Returns the right jobs in the wrong order, as Redis does."""

    take = None  # type: ignore[assignment]  # only Vendure's three methods

    def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
        return {key: jobs[::-1] for key, jobs in super().flush(buffer_ids).items()}


class Rebuilding(InMemoryJobBufferStorageStrategy):
    """Gives new Job objects with the same content, as SQL does."""

    take = None  # type: ignore[assignment]

    def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
        flushed = super().flush(buffer_ids).items()
        return {key: [Job(queue_name=j.queue_name, data=j.data, id=j.id) for j in jobs] for key, jobs in flushed}


class Forgetting(InMemoryJobBufferStorageStrategy):
    """Loses every job that it is given but the first of a batch."""

    take = None  # type: ignore[assignment]

    def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
        return {key: jobs[:1] for key, jobs in super().flush(buffer_ids).items()}


class Copying(InMemoryJobBufferStorageStrategy):
    """Says that a job added twice is there twice, as SQL does."""

    def __init__(self) -> None:
        super().__init__()
        self.adds: dict[str, int] = {}

    def add(self, buffer_id: str, job: Job) -> Job:
        self.adds[buffer_id] = self.adds.get(buffer_id, 0) + 1
        return super().add(buffer_id, job)

    def buffer_size(self, buffer_ids: Any = None) -> dict[str, int]:
        return {key: self.adds.get(key, 0) for key in super().buffer_size(buffer_ids)}

    def flush(self, buffer_ids: Any = None) -> dict[str, list[Job]]:
        flushed = super().flush(buffer_ids)
        self.adds = {key: adds for key, adds in self.adds.items() if key not in flushed}
        return flushed
