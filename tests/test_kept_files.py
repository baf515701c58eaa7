"""Files of each format: those of the present one are read, the others are refused with the way out."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from bufsim_tests import kept_files
from bufsim_tests.models import rows

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


def test_files_of_the_formats_before_are_refused_with_the_way_out(path: Path) -> None:
    for kept in set(kept_files.FOLDER.glob("store-*.sqlite")) - {kept_files.STORE}:
        shutil.copyfile(kept, path)
        with pytest.raises(InvalidValueError, match=r"was written by another version \(format .*; give a new file"):
            Store(path)
    for kept in set(kept_files.FOLDER.glob("result-*.zip")) - {kept_files.RESULT}:
        with pytest.raises(InvalidValueError, match=rf"has format \d+, this bufsim reads {FORMAT}; run it again"):
            Result.load(kept)
