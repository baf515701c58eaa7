from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidValueError
from bufsim.vendure.job import serialisable
from bufsim.verification.replays import decoded

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(JSON)
def test_json_stays_as_it_is(data: Any) -> None:
    assert serialisable(data) == data


def test_nested_containers_are_copied() -> None:
    data = {"ids": [1]}
    mended = serialisable(data)
    data["ids"].append(2)
    assert mended == {"ids": [1]}


def test_a_datetime_becomes_an_iso_string_in_utc() -> None:
    noon = datetime(2024, 2, 29, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert serialisable([noon]) == ["2024-02-29T12:00:00.123Z"]
    assert serialisable(datetime(2024, 1, 1, tzinfo=UTC)) == "2024-01-01T00:00:00.000Z"


def test_a_datetime_without_a_time_zone_is_an_error() -> None:
    naive = datetime(2024, 1, 1)
    expected = f"a datetime in a job's data must have a time zone, got {naive!r}; give it a tzinfo"
    with pytest.raises(InvalidValueError, match=re.escape(expected)):
        serialisable({"at": naive})


def test_what_lies_deeper_than_ten_levels_is_cut() -> None:
    # `{"$deep": n}` is n dicts around {"end": n}, whose number lies at depth n + 1
    assert serialisable(decoded({"$deep": 9})) == decoded({"$deep": 9})
    at_ten = serialisable(decoded({"$deep": 10}))
    at_eleven = serialisable(decoded({"$deep": 11}))
    for _ in range(10):
        at_ten, at_eleven = at_ten["n"], at_eleven["n"]
    assert at_ten == {"end": "[max depth reached]"}
    assert at_eleven == {"n": "[max depth reached]"}


def test_a_cycle_is_cut_where_it_closes() -> None:
    loop: dict[str, Any] = {"list": []}
    loop["list"].append(loop)
    assert serialisable(loop) == {"list": ["[circular *list.0]"]}


def test_what_occurs_twice_side_by_side_is_no_cycle() -> None:
    shared = [1]
    assert serialisable({"a": shared, "b": shared}) == {"a": [1], "b": [1]}
