from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import KeepAll, Merge, SearchIndexReduce, UniqueByKey
from bufsim.model.reducers import Assignment, Reduce, variant_ids
from bufsim.vendure import Job, SearchIndexJobBuffer

QUEUES = ("x", "y")
batches = st.lists(st.tuples(st.sampled_from(QUEUES), st.sampled_from((None, "a", "b", 1, 1.0))), max_size=12)
ALL = (KeepAll(), UniqueByKey(), Merge(), SearchIndexReduce())


def jobs_of(batch: list[tuple[str, object]]) -> list[Job]:
    return [Job(queue_name=queue, key=key, data=i) for i, (queue, key) in enumerate(batch)]


@given(st.sampled_from(ALL), batches)
def test_every_job_has_one_carrier_and_every_carrier_a_job_of_its_queue(
    reduce: Reduce, batch: list[tuple[str, object]]
) -> None:
    queues, keys = [queue for queue, _ in batch], [key for _, key in batch]
    assignment = reduce.assign(queues, keys)
    assert len(assignment.carrier) == len(batch)
    assert len(assignment.reference) == len(assignment.items)
    assert set(assignment.carrier) == set(range(len(assignment.reference)))
    for place, position in enumerate(assignment.reference):
        assert assignment.carrier[position] == place
        assert assignment.items[place] >= 1
    reduced = reduce(jobs_of(batch))
    assert [job.queue_name for job in reduced] == [queues[position] for position in assignment.reference]


@given(batches)
def test_keep_all_keeps_all(batch: list[tuple[str, object]]) -> None:
    jobs = jobs_of(batch)
    assert KeepAll()(jobs) == jobs
    assert list(KeepAll().assign([q for q, _ in batch], [k for _, k in batch]).items) == [1] * len(batch)


@given(batches)
def test_unique_by_key_keeps_the_first_of_each_key_and_queue(batch: list[tuple[str, object]]) -> None:
    jobs = jobs_of(batch)
    kept = [
        job
        for i, job in enumerate(jobs)
        if job.key is None or (job.queue_name, job.key) not in [(j.queue_name, j.key) for j in jobs[:i]]
    ]
    assert UniqueByKey()(jobs) == kept
    assert UniqueByKey().assign([q for q, _ in batch], [k for _, k in batch]).items == [1] * len(kept)


@given(batches)
def test_merge_makes_one_job_per_queue_with_as_many_items_as_jobs(batch: list[tuple[str, object]]) -> None:
    reduced = Merge()(jobs_of(batch))
    queues = [queue for queue, _ in batch]
    expected = list(dict.fromkeys(queues))
    assert [job.queue_name for job in reduced] == expected
    assert list(Merge().assign(queues, [None] * len(batch)).items) == [queues.count(queue) for queue in expected]
    carried = [[i for i, queue in enumerate(queues) if queue == name] for name in expected]
    assert [job.data["merged"] for job in reduced] == carried


def test_unique_by_key_tells_queues_apart() -> None:
    assert UniqueByKey().assign(["x", "y", "x"], ["a", "a", "a"]) == Assignment([0, 1, 0], [0, 1], [1, 1])


def test_jobs_without_a_key_all_stay() -> None:
    assert UniqueByKey().assign(["x"] * 3, [None] * 3) == Assignment([0, 1, 2], [0, 1, 2], [1, 1, 1])


def test_a_job_that_knows_no_key_has_none() -> None:
    class Bare:
        queue_name = "x"

    jobs = [Bare(), Bare()]
    assert UniqueByKey()(jobs) == jobs  # type: ignore[arg-type]


# --- the search index -------------------------------------------------------------------------------------------------

ids = st.lists(st.integers(1, 4), max_size=3)
index_jobs = st.lists(
    st.one_of(
        ids.map(lambda chosen: "variants:" + ",".join(map(str, chosen))),
        st.integers(1, 4).map(lambda product: f"product:{product}"),
        st.sampled_from(("other", "asset:7")),
    ),
    max_size=10,
)


def ported(key: str) -> Job:
    """The job of Vendure's search plugin that a key stands for."""
    kind, _, rest = key.partition(":")
    data: dict[str, object] = {"type": "update-asset", "key": key}
    if kind == "variants":
        data = {"type": "update-variants", "variantIds": [int(i) for i in rest.split(",") if i]}
    elif kind == "product":
        data = {"type": "update-product", "productId": int(rest)}
    return Job(queue_name="update-search-index", data={**data, "ctx": {}}, key=key)


@given(index_jobs)
def test_the_search_index_reduce_on_keys_equals_the_ported_buffer(keys: list[str]) -> None:
    batch = [ported(key) for key in keys]
    expected = list(SearchIndexJobBuffer().reduce(list(batch)))
    assignment = SearchIndexReduce().assign(["update-search-index"] * len(keys), keys)
    assert len(assignment.reference) == len(expected)
    for position, items, job in zip(assignment.reference, assignment.items, expected, strict=True):
        if job.data["type"] == "update-variants-by-id":
            place = assignment.reference.index(position)
            carried = [key for key, carrier in zip(keys, assignment.carrier, strict=True) if carrier == place]
            assert carried == [key for key in keys if key.startswith("variants:")]
            assert items == len(job.data["ids"]) == len({i for key in carried for i in variant_ids(key)})
        else:
            assert job is batch[position]
            assert items == 1


def test_no_variant_ids_are_no_items() -> None:
    assert variant_ids("variants:") == []
    assert variant_ids("variants:7,12") == ["7", "12"]
    assert SearchIndexReduce().assign(["q"], ["variants:"]).items == [0]


def test_the_merged_variants_job_carries_its_members() -> None:
    jobs = [Job(queue_name="q", key=key, data=key) for key in ("variants:1", "product:2", "variants:3")]
    variants, product = SearchIndexReduce()(jobs)
    assert variants.data == {"merged": ["variants:1", "variants:3"]}
    assert product is jobs[1]


@pytest.mark.parametrize("reduce", ALL)
def test_they_are_values(reduce: Reduce) -> None:
    assert pickle.loads(pickle.dumps(reduce)) == reduce
    assert hash(pickle.loads(pickle.dumps(reduce))) == hash(reduce)
    assert repr(reduce) == f"{type(reduce).__name__}()"
    assert not hasattr(reduce, "__dict__")
