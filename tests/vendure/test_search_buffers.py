from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError
from bufsim.vendure import (
    CollectionJobBuffer,
    InMemoryJobBufferStorageStrategy,
    Job,
    JobBufferService,
    SearchIndexJobBuffer,
)
from bufsim.verification.replays import differing_reduce

CATALOGUE = Path(__file__).parents[2] / "data" / "vendure-catalogue"
IDS_FIELD = {"update-variants": "variantIds", "update-variants-by-id": "ids", "": "collectionIds"}


class KeepsFirst(SearchIndexJobBuffer):
    """Walks forwards, as one would expect."""

    def reduce(self, jobs: list[Job]) -> list[Job]:
        jobs.reverse()
        return super().reduce(jobs)


class KeepsAll(CollectionJobBuffer):
    """Lets an empty list mean all collections, as it should."""

    def reduce(self, jobs: list[Job]) -> list[Job]:
        (reduced,) = super().reduce(jobs)
        if any(job.data["collectionIds"] == [] for job in jobs):
            reduced.data["collectionIds"] = []
        return [reduced]


def test_the_reductions_equal_their_record() -> None:
    assert differing_reduce() == []


def test_reductions_without_the_quirks_differ_from_the_record() -> None:
    with pytest.raises(InvalidTypeError):
        KeepsAll().reduce([])
    names = differing_reduce({"SearchIndexJobBuffer": KeepsFirst, "CollectionJobBuffer": KeepsAll})
    assert sum("SearchIndex" in name for name in names) > 50
    assert sum("Collection" in name for name in names) > 50


def test_a_batch_without_jobs_has_no_reference_job() -> None:
    with pytest.raises(InvalidTypeError, match=r"jobs must hold at least one job, got \[\]; an empty batch needs no"):
        CollectionJobBuffer().reduce([])


def test_a_variants_job_without_ids_loses_the_whole_batch() -> None:
    jobs = [
        Job(queue_name="update-search-index", data={"type": "update-product", "productId": 1}),
        Job(queue_name="update-search-index", data={"type": "update-variants-by-id"}),
    ]
    with pytest.raises(TypeError, match="not iterable"):
        SearchIndexJobBuffer().reduce(jobs)
    assert jobs == []


@given(st.lists(st.integers(1, 5)), st.lists(st.lists(st.integers(1, 9))))
def test_every_product_and_every_variant_is_updated_once(products: list[int], variants: list[list[int]]) -> None:
    jobs = [
        *(Job(queue_name="update-search-index", data={"type": "update-product", "productId": p}) for p in products),
        *(Job(queue_name="update-search-index", data={"type": "update-variants", "variantIds": v}) for v in variants),
    ]
    reduced = SearchIndexJobBuffer().reduce(jobs)
    assert jobs == []
    updated = [job.data["productId"] for job in reduced if job.data["type"] == "update-product"]
    assert sorted(updated) == sorted(set(products))
    updated_variants = [job.data["ids"] for job in reduced if job.data["type"] == "update-variants-by-id"]
    assert list(map(sorted, updated_variants)) == ([sorted({v for ids in variants for v in ids})] if variants else [])


class CatalogueQueue:
    def add(self, job: Job) -> Job:
        return job


def catalogue_job(row: Any) -> Job:
    ids = row.entity_ids.split(";") if row.entity_ids else []
    data = {"productId": ids[0]} if row.job_type == "update-product" else {IDS_FIELD[row.job_type]: ids}
    return Job(queue_name=row.queue_name, data=data | ({"type": row.job_type} if row.job_type else {}))


def ids_of(job: Job) -> list[str]:
    if "productId" in job.data:
        return [job.data["productId"]]
    return next(job.data[name] for name in IDS_FIELD.values() if name in job.data)


def test_the_trace_of_a_real_server_gives_every_recorded_batch_before_and_after_reduce() -> None:
    adds = pd.read_csv(CATALOGUE / "adds.csv", keep_default_na=False)
    flushes = pd.read_csv(CATALOGUE / "flushes.csv")
    service = JobBufferService(InMemoryJobBufferStorageStrategy(), CatalogueQueue())
    service.add_buffer(SearchIndexJobBuffer())
    service.add_buffer(CollectionJobBuffer())
    arrivals = iter(adds.itertuples())
    arrival = next(arrivals)
    replayed, all_lost = [], 0
    for flush in flushes.itertuples():
        while arrival is not None and arrival.t_ms < flush.t_ms:
            assert service.add(catalogue_job(arrival))
            arrival = next(arrivals, None)
        batch = service.take(flush.buffer_id)
        before = [ids_of(job) for job in batch.jobs]
        after = [ids_of(job) for job in service.hand_over(batch)]
        replayed.append(
            (len(before), sum(map(len, before)), before.count([]), len(after), sum(map(len, after))),
        )
        all_lost += [] in before and [] not in after
    columns = ["batch_size", "ids_in_batch", "jobs_with_empty_ids", "jobs_after_reduce", "ids_after_reduce"]
    assert replayed == list(flushes[columns].itertuples(index=False, name=None))
    assert arrival is None
    assert (len(adds), len(flushes), all_lost) == (6660, 324, 98)
