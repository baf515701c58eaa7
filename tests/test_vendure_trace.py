from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

import bufsim as bs
from bufsim import vendure
from bufsim.errors import InvalidValueError
from bufsim.vendure import ids_of, number_of_ids
from bufsim.vendure_trace import read_adds, read_flushes

CATALOGUE = Path(__file__).parents[1] / "data" / "vendure-catalogue"
ADDS = "t_ms,queue_name,job_type,apply_to_changed_variants_only,n_ids,entity_ids"
FLUSHES = "t_ms,buffer_id,batch_size,ids_in_batch,jobs_after_reduce,ids_after_reduce,flush_ms"


def written(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def test_every_row_becomes_the_job_that_the_server_added(tmp_path: Path) -> None:
    trace = read_adds(
        written(
            tmp_path / "adds.csv",
            ADDS,
            "1000.5,update-search-index,update-product,,1,3",
            "1001.5,update-search-index,update-variants,,2,7;12",
            "1002.5,update-search-index,update-variants-by-id,,1,7",
            "1003.5,apply-collection-filters,,false,0,",
            "1003.5,apply-collection-filters,,,1,5",
        )
    )
    assert trace.times.tolist() == [1.0005, 1.0015, 1.0025, 1.0035, 1.0035]
    assert trace.queues == (*["update-search-index"] * 3, *["apply-collection-filters"] * 2)
    assert trace.data == (
        {"type": "update-product", "productId": "3"},
        {"type": "update-variants", "variantIds": ["7", "12"]},
        {"type": "update-variants-by-id", "ids": ["7"]},
        {"collectionIds": [], "applyToChangedVariantsOnly": False},
        {"collectionIds": ["5"]},
    )
    assert trace.keys == ("product:3", "variants:7,12", "variants:7", "collections:", "collections:5")


def test_ids_in_a_column_of_single_numbers_stay_whole(tmp_path: Path) -> None:
    rows = ["1,update-search-index,update-product,,1,3", "2,apply-collection-filters,,,0,"]
    assert read_adds(written(tmp_path / "adds.csv", ADDS, *rows)).keys == ("product:3", "collections:")
    assert read_adds(written(tmp_path / "adds.csv", ADDS, *rows[:1])).keys == ("product:3",)


def test_the_recorded_catalogue_has_all_its_jobs_and_flushes() -> None:
    adds, flushes = read_adds(CATALOGUE), read_flushes(CATALOGUE)
    assert len(adds) == 6660
    assert len(flushes) == 324
    assert flushes["batch_size"].sum() == 6660
    assert flushes.columns.tolist() == [
        "buffer",
        "start",
        "duration",
        "batch_size",
        "ids",
        "reduced_size",
        "reduced_ids",
    ]


def test_a_jobs_ids_are_its_items() -> None:
    jobs = [vendure.Job(queue_name="q", data=data) for data in read_adds(CATALOGUE).data or ()]
    assert sum(map(number_of_ids, jobs)) == pd.read_csv(CATALOGUE / "adds.csv")["n_ids"].sum()
    assert ids_of(jobs[0]) == ["54"]


def test_the_reduce_on_keys_equals_vendures_own_on_the_recorded_jobs() -> None:
    ported = vendure.SearchIndexJobBuffer()
    on_keys = bs.JobBuffer(
        ported.id, policy=bs.FlushEvery(2.0), collect="update-search-index", reduce=bs.SearchIndexReduce()
    )
    own = bs.JobBuffer.ported(ported, policy=bs.FlushEvery(2.0))
    simulation = bs.Simulation(producers=[bs.Producer("catalogue", read_adds(CATALOGUE))], buffers=[own], until=323)
    ours = dataclasses.replace(simulation, buffers=(on_keys,)).run(seed=1)
    theirs = simulation.run(seed=1)
    pd.testing.assert_frame_equal(ours.flushes, theirs.flushes)
    pd.testing.assert_frame_equal(ours.work, theirs.work)
    assert theirs.work["items"].max() > 50


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "1,q,update-product,,1,3;4",
            r"entity_ids in row 0 \(line 2 of adds.csv\) must hold n_ids = 1 ids, .*got '3;4'",
        ),
        ("1,q,update-product,,2,3;4", r"must hold n_ids = 2 ids, and one of a product, got '3;4'"),
        (
            "1,q,update-produkt,,1,3",
            r"job_type in row 0 .* must be one of update-product, update-variants, .*'update-produkt'",
        ),
        ("x,q,update-product,,1,3", r"t_ms in row 0 .* must be a number"),
        ("1,,update-product,,1,3", r"queue_name in row 0 .* must be a queue's name"),
    ],
)
def test_a_wrong_add_is_named_with_its_row(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=message):
        read_adds(written(tmp_path / "adds.csv", ADDS, row))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1,a,1,1,1,1,-5"], r"flush_ms in row 0 \(line 2 of flushes.csv\) must be a number >= 0, got -5"),
        (["1,a,1,1,1,1,x"], r"flush_ms in row 0 .* must be a number >= 0, got 'x'"),
        (["1,a,-1,1,1,1,5"], r"batch_size in row 0 .* must be a whole number >= 0, got -1"),
        (["2,a,1,1,1,1,5", "1,a,1,1,1,1,5"], r"t_ms in row 1 .* goes back"),
        (
            ["2,a,1,1,1,1,5", "2,b,1,1,1,1,5", "2,a,1,1,1,1,5"],
            r"t_ms in row 2 .* must differ between the flushes of one",
        ),
    ],
)
def test_a_wrong_flush_is_named_with_its_row(rows: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=message):
        read_flushes(written(tmp_path / "flushes.csv", FLUSHES, *rows))


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"path must be adds\.csv or the directory that holds it, got '.*'"):
        read_adds(tmp_path)
    with pytest.raises(InvalidValueError, match="column 'job_type' is missing; there are 't_ms', 'kind'"):
        read_adds(written(tmp_path / "adds.csv", "t_ms,kind", "1,2"))
