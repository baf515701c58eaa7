"""Files of each format: those of the present one are read, the others are refused with the way out."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import zlib
from pathlib import Path

import numpy as np
import pytest
from bufsim_tests import kept_files
from bufsim_tests.models import rows, worked_run

from bufsim import InvalidValueError, Result
from bufsim.results.files import FORMAT
from bufsim.studies import store
from bufsim.studies.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.sqlite"


def test_a_store_that_was_written_in_this_format_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_files.STORE.exists(), kept_files.ADD
    shutil.copyfile(kept_files.STORE, path)  # to open a store writes to it
    with contextlib.closing(sqlite3.connect(path)) as connection:
        written = dict(connection.execute("SELECT name, value FROM about"))
    # another numpy may run the tests than has written the file; the format must be this one
    versions = written | {"format": store._versions()["format"]}
    monkeypatch.setattr(store, "_versions", lambda: versions)
    with Store(path) as opened:
        assert opened.read(kept_files.KEY._replace(seed=8), [3]) == {}
        found = opened.read(kept_files.KEY, range(5))
    assert found.keys() == {3}
    # by hand, in bufsim_tests.models: batches of 3, 1 and 2 jobs, whose waits are 2, 1, 0; 5; 5 and 4.5 s
    buffer = found[3].buffers["search"]
    assert (found[3].jobs, buffer.flushes, buffer.batch_jobs, buffer.largest_batch) == (6, 3, 6, 3)
    assert (buffer.waits.count, buffer.waits.total, buffer.waits.largest) == (6, 17.5, 5.0)
    assert buffer.causes == {"FlushAtSize(3)": 1, "FlushAfterAge(5.0)": 2}


def test_a_result_that_was_saved_in_this_format_is_read() -> None:
    assert kept_files.RESULT.exists(), kept_files.ADD
    result = Result.load(kept_files.RESULT)
    assert rows(result.flushes, "start", "end", "batch_size") == [(3.0, 4.0, 3), (9.0, 10.0, 1), (16.5, 17.5, 2)]
    assert (result.jobs["flushed_at"] - result.jobs["created_at"]).tolist() == [2.0, 1.0, 0.0, 5.0, 5.0, 4.5]
    assert rows(result.work, "started_at", "finished_at")[:4] == [(4.0, 6.0), (6.0, 8.0), (8.0, 10.0), (10.0, 12.0)]
    assert result.metric("mean_wait") == pytest.approx(17.5 / 6)


EARLIER_STORES = sorted(set(kept_files.FOLDER.glob("store-*.sqlite")) - {kept_files.STORE})
EARLIER_RESULTS = sorted(set(kept_files.FOLDER.glob("result-*.zip")) - {kept_files.RESULT})


def test_there_are_files_of_formats_before() -> None:
    # else the tests below would hold of nothing
    assert EARLIER_STORES
    assert EARLIER_RESULTS


@pytest.mark.parametrize("kept", EARLIER_STORES, ids=lambda kept: kept.stem)
def test_a_store_of_a_format_before_is_refused_with_the_way_out_and_stays_as_it_is(kept: Path, path: Path) -> None:
    shutil.copyfile(kept, path)
    with pytest.raises(InvalidValueError, match=r"was written by another version \(format .*; give a new file"):
        Store(path)
    assert path.read_bytes() == kept.read_bytes()


@pytest.mark.parametrize("kept", EARLIER_RESULTS, ids=lambda kept: kept.stem)
def test_a_result_of_a_format_before_is_refused_with_the_way_out(kept: Path) -> None:
    with pytest.raises(InvalidValueError, match=rf"has format \d+, this bufsim reads {FORMAT}; run it again"):
        Result.load(kept)


def test_a_row_of_a_store_says_in_which_byte_order_its_numbers_stand() -> None:
    # read by hand: a length of 4 bytes, the least first, JSON of that length, and arrays that name their byte order
    whole = zlib.decompress(store.packed(worked_run().tally))
    end = 4 + int.from_bytes(whole[:4], "little")
    waits = json.loads(whole[4:end])["buffers"]["search"]["waits"]
    kind, begin, count = waits["histogram"]["amounts"]
    assert (waits["count"], waits["total"]) == (6, 17.5)
    assert np.frombuffer(whole, np.dtype(kind), count, end + begin).sum() == 6
