"""Reductions of a batch on its way to the job queue: all kept, unique by key, merged, or as a search index does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from bufsim.declared import Value, value
from bufsim.vendure import Job


class Assignment(NamedTuple):
    """The reduced job that carries each job of a batch.

    Parameters
    ----------
    carrier : sequence of int, one per job of the batch
        The position of the reduced job that carries it.
    reference : sequence of int, one per reduced job
        The position in the batch of the job that it is, or (when it merges several) whose queue it goes to.
    items : sequence of int, one per reduced job
        The items that it carries: the work of one reduced job can grow with them.
    """

    carrier: Sequence[int]
    reference: Sequence[int]
    items: Sequence[int]


class Reduce(Value, ABC):
    """A reduction of a batch on its way to the job queue; the built-in ones run on both engines.

    Calling it with the batch's jobs returns the reduced jobs, as Vendure's ``reduce`` does.
    """

    __slots__ = ()

    @abstractmethod
    def assign(self, queues: Sequence[Hashable], keys: Sequence[Hashable | None]) -> Assignment:
        """Return which job is carried by which reduced job, from the jobs' queues and keys in batch order."""

    def __call__(self, jobs: list[Job]) -> list[Job]:
        """Return the reduced jobs."""
        assignment = self.assign([job.queue_name for job in jobs], [getattr(job, "key", None) for job in jobs])
        return self.build(jobs, assignment)

    def build(self, jobs: list[Job], assignment: Assignment) -> list[Job]:
        """Return the reduced jobs of an assignment: here the reference jobs themselves."""
        return [jobs[position] for position in assignment.reference]


@value
class KeepAll(Reduce):
    """Every job goes to the queue as it is.

    Examples
    --------
    >>> KeepAll().assign(["q", "q"], ["a", "a"]).items
    [1, 1]
    """

    def assign(self, queues: Sequence[Hashable], keys: Sequence[Hashable | None]) -> Assignment:
        """Return each job as its own carrier."""
        everyone = range(len(queues))
        return Assignment(everyone, everyone, [1] * len(queues))

    def __call__(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs."""
        return jobs


@value
class UniqueByKey(Reduce):
    """The first job of each key and queue stays, in order of first occurrence; jobs without a key all stay.

    Examples
    --------
    >>> UniqueByKey().assign(["q", "q", "q"], ["a", "b", "a"]).carrier
    [0, 1, 0]
    """

    def assign(self, queues: Sequence[Hashable], keys: Sequence[Hashable | None]) -> Assignment:
        """Return the first job of each key and queue as the carrier of the others."""
        carrier: list[int] = []
        reference: list[int] = []
        seen: dict[tuple[Hashable, Hashable], int] = {}
        for position, (queue, key) in enumerate(zip(queues, keys, strict=True)):
            index = len(reference) if key is None else seen.setdefault((queue, key), len(reference))
            carrier.append(index)
            if index == len(reference):
                reference.append(position)
        return Assignment(carrier, reference, [1] * len(reference))


@value
class Merge(Reduce):
    """One job per queue carries all jobs of the batch: as many items as jobs.

    Examples
    --------
    >>> Merge().assign(["q", "q", "r"], [None, None, None]).items
    [2, 1]
    """

    def assign(self, queues: Sequence[Hashable], keys: Sequence[Hashable | None]) -> Assignment:
        """Return one carrier per queue, in order of first occurrence."""
        carrier: list[int] = []
        reference: list[int] = []
        items: list[int] = []
        seen: dict[Hashable, int] = {}
        for position, queue in enumerate(queues):
            index = seen.setdefault(queue, len(reference))
            if index == len(reference):
                reference.append(position)
                items.append(0)
            items[index] += 1
            carrier.append(index)
        return Assignment(carrier, reference, items)

    def build(self, jobs: list[Job], assignment: Assignment) -> list[Job]:
        """Return one new job per queue, whose data lists the data of the jobs that it carries."""
        return [_merged(jobs, assignment, index) for index in range(len(assignment.reference))]


VARIANTS = "variants:"
PRODUCT = "product:"


@value
class SearchIndexReduce(Reduce):
    """Vendure's search-index reduction, on keys: ``"variants:7,12"`` and ``"product:3"``.

    All variants jobs become one, with the unique ids as its items; of the jobs of one product the last stays; others
    pass. The order is as recorded: others as stored, the variants job, then products in reverse order. The reference
    job of the variants job is the last one. Equal to `bufsim.vendure.SearchIndexJobBuffer` on the jobs that keys can
    say.

    Examples
    --------
    >>> keys = ["product:1", "variants:7,12", "product:1", "variants:12", "other"]
    >>> SearchIndexReduce().assign(["q"] * 5, keys)
    Assignment(carrier=[2, 1, 2, 1, 0], reference=[4, 3, 2], items=[1, 2, 1])
    """

    def assign(self, queues: Sequence[Hashable], keys: Sequence[Hashable | None]) -> Assignment:
        """Return the others, one carrier of all variants jobs, and the last job of each product."""
        variants, products, others = _kinds(keys)
        carrier = [0] * len(keys)
        reference = list(others)
        items = [1] * len(others)
        for index, position in enumerate(others):
            carrier[position] = index
        if variants:
            for position in variants:
                carrier[position] = len(reference)
            reference.append(variants[-1])
            items.append(len({item for position in variants for item in variant_ids(str(keys[position]))}))
        seen: dict[Hashable | None, int] = {}
        for position in reversed(products):
            index = seen.setdefault(keys[position], len(reference))
            if index == len(reference):
                reference.append(position)
                items.append(1)
            carrier[position] = index
        return Assignment(carrier, reference, items)

    def build(self, jobs: list[Job], assignment: Assignment) -> list[Job]:
        """Return the reference jobs, and one new job in index of several variants jobs."""
        first_key = [str(getattr(jobs[position], "key", None)) for position in assignment.reference]
        return [
            _merged(jobs, assignment, index) if key.startswith(VARIANTS) else jobs[assignment.reference[index]]
            for index, key in enumerate(first_key)
        ]


def variant_ids(key: str) -> list[str]:
    """Return the ids of a variants key, such as ``"variants:7,12"``."""
    ids = key.removeprefix(VARIANTS)
    return ids.split(",") if ids else []


def _kinds(keys: Sequence[Hashable | None]) -> tuple[list[int], list[int], list[int]]:
    variants: list[int] = []
    products: list[int] = []
    others: list[int] = []
    for position, key in enumerate(keys):
        name = key if isinstance(key, str) else ""
        kind = variants if name.startswith(VARIANTS) else products if name.startswith(PRODUCT) else others
        kind.append(position)
    return variants, products, others


def _merged(jobs: list[Job], assignment: Assignment, index: int) -> Job:
    members = [job.data for job, carrier in zip(jobs, assignment.carrier, strict=True) if carrier == index]
    return Job(queue_name=jobs[assignment.reference[index]].queue_name, data={"merged": members})
