from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bufsim_tests.malformed import QUICK, SLOW, RawError, damaged, ending, tampered, try_all
from bufsim_tests.models import producer, simulate

from bufsim import PushWorkers, Result, UniqueByKey, salvage
from bufsim.results.files import digest_of
from bufsim.results.records import SCHEMAS
from bufsim.studies.store import Key, Store

pytest.importorskip("pyarrow")

RESULT = simulate(
    producer([1.0, 2.0, 3.0], keys=["a", ("b", 1), None]),
    workers=[PushWorkers(1, service=0.5, failure=[True, False, False], retries=1)],
    reduce=UniqueByKey(),
)

SUMMARY = RESULT.simulation.run(seed=1, record="summary")


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, bytes]:
    """The parts of a file that holds a result."""
    with zipfile.ZipFile(RESULT.save(tmp_path / "good.zip")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return memory.getvalue()


def loaded(path: Path, data: bytes) -> Result:
    path.write_bytes(data)
    return Result.load(path)


def as_it_was(path: Path, data: bytes) -> None:
    """Load a result; what is taken is what was saved, whatever became of the bytes."""
    again = loaded(path, data)
    assert again.tally == RESULT.tally
    assert again.seed == RESULT.seed
    for name in SCHEMAS:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(RESULT, name), check_exact=True)


def described(parts: dict[str, bytes], n: int, seed: int) -> Iterator[bytes]:
    """Files with another value somewhere in the description, whose digest is made anew."""
    for about in tampered(json.loads(parts["result.json"]), n, seed=seed):
        if "digest" in about:
            about["digest"] = digest_of(about)
        yield zipped({**parts, "result.json": json.dumps(about).encode()})


def results(folder: Path, parts: dict[str, bytes], n: int, seed: int) -> None:
    path = folder / "run.zip"
    as_it_was(path, zipped(parts))
    try_all(lambda data: as_it_was(path, data), damaged([zipped(parts)], n, seed=seed))
    # each part with a checksum of its own, so that the archive holds nothing against it
    for name, share in (("result.json", 1), ("jobs.parquet", 1), ("work.parquet", 6)):
        changed = damaged([parts[name]], n // share, seed=seed)
        try_all(lambda data: as_it_was(path, data), (zipped({**parts, name: data}) for data in changed))
    try_all(lambda data: loaded(path, data), described(parts, n // 2, seed=seed))
    # without tables, which take long to read
    SUMMARY.save(path)
    with zipfile.ZipFile(path) as archive:
        about = {"result.json": archive.read("result.json")}
    try_all(lambda data: loaded(path, data), described(about, n, seed=seed))


def test_results_are_as_they_were_or_refused_with_a_sentence(saved: dict[str, bytes], tmp_path: Path) -> None:
    results(tmp_path, saved, QUICK, seed=1)


@pytest.mark.slow
def test_many_results_are_as_they_were_or_refused_with_a_sentence(saved: dict[str, bytes], tmp_path: Path) -> None:
    results(tmp_path, saved, SLOW, seed=2)


def test_deep_json_is_refused(saved: dict[str, bytes], tmp_path: Path) -> None:
    for deep in (b"[" * 100_000, b'{"format": 4, "digest": ' + b"[" * 100_000):
        sentence = ending(lambda deep=deep: loaded(tmp_path / "a", zipped({**saved, "result.json": deep})))
        assert "is no result that bufsim has saved: " in sentence


KEY = Key("f" * 32, "simpy", 7)


def stores(folder: Path, n: int, seed: int) -> None:
    good = folder / "good.sqlite"
    with Store(good) as store:
        store.write([(KEY, number, RESULT.tally) for number in range(20)])
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole, path = good.read_bytes(), folder / "study.sqlite"

    def read(data: bytes) -> None:
        for name in folder.glob("study*"):
            name.unlink()
        path.write_bytes(data)
        with Store(path) as store:
            for tally in store.read(KEY, range(20)).values():
                assert tally == RESULT.tally

    def saved_of(data: bytes) -> None:
        path.write_bytes(data)
        kept, lost = salvage(path, folder / "study.copy.sqlite")
        assert 0 <= kept <= 20
        # a row with a damaged key may be met under two keys
        assert 0 <= lost <= 21
        assert path.read_bytes() == data
        with Store(folder / "study.copy.sqlite") as store:
            assert all(tally == RESULT.tally for tally in store.read(KEY, range(20)).values())

    def salvaged(data: bytes) -> None:
        for name in folder.glob("study*"):
            name.unlink()
        saved_of(data)

    read(whole)
    try_all(read, damaged([whole], n, seed=seed))
    try_all(salvaged, damaged([whole], n // 4, seed=seed))


def test_stores_are_read_as_they_were_or_refused_with_a_sentence(tmp_path: Path) -> None:
    stores(tmp_path, QUICK, seed=1)


@pytest.mark.slow
def test_many_stores_are_read_as_they_were_or_refused_with_a_sentence(tmp_path: Path) -> None:
    stores(tmp_path, SLOW, seed=2)


def _by_zip_and_json(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("result.json"))["tally"]


@pytest.mark.parametrize("raw", [_by_zip_and_json, lambda path: pd.read_pickle(path)])
def test_a_reader_that_lets_errors_through_is_found_out(
    raw: Callable[[Path], object], saved: dict[str, bytes], tmp_path: Path
) -> None:
    def read(data: bytes) -> object:
        (tmp_path / "a").write_bytes(data)
        return raw(tmp_path / "a")

    with pytest.raises(RawError, match="of 60 end otherwise:"):
        try_all(read, damaged([zipped(saved)], QUICK, seed=1))
