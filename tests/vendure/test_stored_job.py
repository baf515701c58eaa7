from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError, InvalidValueError, StoreError
from bufsim.vendure import Job, JobState
from bufsim.vendure.stored_job import read, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(data=JSON, key=st.none() | st.text() | st.tuples(st.integers(), st.text()), nbytes=st.integers(0, 10**9))
def test_what_json_can_hold_comes_back_as_it_was(data: Any, key: Any, nbytes: int) -> None:
    job = Job(queue_name="q", data=data, id="x", retries=2, state=JobState.RETRYING, key=key, nbytes=nbytes)
    again = read(written(job))
    assert (again.data, again.key, again.nbytes) == (job.data, key, nbytes)
    assert (again.queue_name, again.id, again.retries, again.state) == ("q", "x", 2, JobState.RETRYING)


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        ([math.nan, math.inf, -0.0], [None, None, 0]),
        ({"gone": object(), "kept": [object(), 1]}, {"kept": [None, 1]}),
        ({7: (1, 2)}, {"7": [1, 2]}),
        ([np.int64(3), np.float64(0.5)], [3, 0.5]),
        ({"at": datetime(2024, 2, 29, 12, tzinfo=UTC)}, {"at": "2024-02-29T12:00:00.000Z"}),
    ],
)
def test_what_json_cannot_hold_becomes_what_javascript_makes_of_it(data: Any, stored: Any) -> None:
    text = written(Job(queue_name="q", data=data))
    assert json.dumps(json.loads(text)["data"]) == json.dumps(stored)


def test_dates_become_iso_strings_and_stay_so() -> None:
    again = read(written(Job(queue_name="q", created_at=0.0, started_at=1735689600.0015, state=JobState.RUNNING)))
    assert (again.created_at, again.started_at) == ("1970-01-01T00:00:00.000Z", "2025-01-01T00:00:00.001Z")
    assert math.isnan(again.duration or 0.0)
    assert written(read(written(again))) == written(again)


def test_a_job_without_a_date_has_none_later() -> None:
    assert read(written(Job(queue_name="q", created_at=math.nan))).created_at is None


def test_a_date_beyond_all_calendars_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"job\.createdAt must be a time up to the year 9999"):
        written(Job(queue_name="q", created_at=1e300))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": {1}}, r"job\.data must hold what JSON can, to be stored, got \{1\}"),
        ({(1, 2): 3}, r"job\.data must have keys that are str or int, to be stored, got \(1, 2\)"),
    ],
)
def test_what_has_no_place_in_json_is_refused(data: Any, message: str) -> None:
    with pytest.raises(InvalidTypeError, match=message):
        written(Job(queue_name="q", data=data))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"queueName": "q", "state": "LOST"}', "[" * 100_000])
def test_what_is_no_job_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="which is no job; another program wrote it"):
        read(text)
