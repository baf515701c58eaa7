"""The two job buffers of Vendure's search plugin: many jobs to re-index, reduced to few."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from bufsim.errors import InvalidTypeError
from bufsim.vendure.job import Job

UPDATE_PRODUCT = "update-product"
UPDATE_VARIANTS = "update-variants"
UPDATE_VARIANTS_BY_ID = "update-variants-by-id"
VARIANT_TYPES = (UPDATE_VARIANTS, UPDATE_VARIANTS_BY_ID)
ID_LISTS = {UPDATE_VARIANTS: "variantIds", UPDATE_VARIANTS_BY_ID: "ids", "": "collectionIds"}
"""Where the jobs of each type name their ids; those that apply collection filters have no type."""


def ids_of(job: Job) -> list[Any]:
    """Return the ids of products, variants or collections that a job of Vendure's search plugin names.

    Examples
    --------
    >>> ids_of(Job(queue_name="update-search-index", data={"type": "update-product", "productId": 17}))
    [17]
    """
    if job.data.get("type") == UPDATE_PRODUCT:
        return [job.data["productId"]]
    return list(job.data[ID_LISTS[job.data.get("type", "")]])


def number_of_ids(job: Job) -> int:
    """Number of ids that a job names: its items, for workers who take so much time for each."""
    return len(ids_of(job))


class SearchIndexJobBuffer:
    """Collects jobs that re-index products or variants; reduces them to one per product and one for all variants.

    Examples
    --------
    >>> def job(**data):
    ...     return Job(queue_name="update-search-index", data=data)
    >>> jobs = [
    ...     job(type="update-product", productId=17),
    ...     job(type="update-variants", variantIds=[1, 2]),
    ...     job(type="update-variants-by-id", ids=[3, 1]),
    ...     job(type="update-product", productId=17),
    ... ]
    >>> for reduced in SearchIndexJobBuffer().reduce(jobs):
    ...     print(reduced.data)
    {'type': 'update-variants-by-id', 'ids': [3, 1, 2]}
    {'type': 'update-product', 'productId': 17}
    """

    id = "search-plugin-update-search-index"
    items = staticmethod(number_of_ids)

    def collect(self, job: Job) -> bool:
        """Whether `job` updates a product or variants, on the queue named exactly ``update-search-index``.

        Quirk: a queue made with a prefix has another name, so that none of its jobs is collected.
        """
        return job.queue_name == "update-search-index" and job.data.get("type") in (UPDATE_PRODUCT, *VARIANT_TYPES)

    def reduce(self, jobs: list[Job]) -> list[Job]:
        """Jobs of other types as stored, then one new job for all variants, then one job per product.

        Quirks, all from walking backwards: of the jobs for one product the last stays, whatever its channel or
        language; products come in reverse order; the variants' job takes its ctx, retries and creation time from the
        last variants job, and its ids from the last job to the first, each at its first occurrence (ids 1 and "1"
        differ). A job without ids to update still makes a variants' job.

        The argument is emptied of the jobs collected before anything can fail: if a variants job has no list of ids,
        the TypeError leaves nothing to fall back to, and the batch is lost.
        """
        variants = _removed(jobs, lambda job: job.data.get("type") in VARIANT_TYPES)[::-1]
        products = _removed(jobs, lambda job: job.data.get("type") == UPDATE_PRODUCT)[::-1]
        last_of_product: dict[Any, Job] = {}
        for job in products:
            last_of_product.setdefault(job.data.get("productId"), job)
        return [*jobs, *_variants_job(variants), *last_of_product.values()]


class CollectionJobBuffer:
    """Collects jobs that apply collection filters; reduces them to one for all collections named.

    Examples
    --------
    >>> def job(*ids):
    ...     return Job(queue_name="apply-collection-filters", data={"collectionIds": list(ids)})
    >>> CollectionJobBuffer().reduce([job(3, 1), job(2, 1)])
    [Job(queue_name='apply-collection-filters', data={'collectionIds': [3, 1, 2]})]
    """

    id = "search-plugin-apply-collection-filters"
    items = staticmethod(number_of_ids)

    def collect(self, job: Job) -> bool:
        """Whether `job` is on the queue named exactly ``apply-collection-filters``.

        Quirk: a queue made with a prefix has another name, so that none of its jobs is collected.
        """
        return job.queue_name == "apply-collection-filters"

    def reduce(self, jobs: list[Job]) -> list[Job]:
        """One new job with the collection ids of all jobs, each at its first occurrence.

        Quirks: a job with no ids means all collections, but its empty list adds nothing to the others' ids, so that
        together with any job that names a collection the "all" is lost. Queue, ctx, applyToChangedVariantsOnly,
        retries and creation time come from the first job, whatever the others say.

        Raises
        ------
        InvalidTypeError
            If there is no job: a TypeError, as recorded. The service never hands over an empty batch.
        """
        if not jobs:
            raise InvalidTypeError("jobs must hold at least one job, got []; an empty batch needs no reduce")
        ids = _unique(job.data.get("collectionIds") for job in jobs)
        return [_new_job(jobs[0], {"collectionIds": ids}, "ctx", "applyToChangedVariantsOnly")]


def _variants_job(variants: list[Job]) -> list[Job]:
    """One job for the variants of all jobs in `variants`, which come last first; none for none."""
    if not variants:
        return []
    ids = _unique(
        job.data.get("ids" if job.data["type"] == UPDATE_VARIANTS_BY_ID else "variantIds") for job in variants
    )
    return [_new_job(variants[0], {"type": UPDATE_VARIANTS_BY_ID, "ids": ids}, "ctx")]


def _new_job(reference: Job, data: dict[str, Any], *inherited: str) -> Job:
    """A new job with `data` and the `inherited` fields that the reference job's data has."""
    data |= {name: reference.data[name] for name in inherited if name in reference.data}
    return Job(queue_name=reference.queue_name, data=data, retries=reference.retries, created_at=reference.created_at)


def _removed(jobs: list[Job], belongs: Callable[[Job], bool]) -> list[Job]:
    """Take the jobs that belong out of the list `jobs`, and return them in order."""
    removed = [job for job in jobs if belongs(job)]
    jobs[:] = [job for job in jobs if not belongs(job)]
    return removed


def _unique(id_lists: Any) -> list[Any]:
    """The ids of all lists, each at its first occurrence."""
    return list(dict.fromkeys(chain.from_iterable(id_lists)))
