from __future__ import annotations

import pandas as pd
import pytest
from bufsim_tests.results_small import run

from bufsim import FlushAtSize, FlushEvery, JobBuffer, Merge, PushWorkers, Stops
from bufsim.results.records import SCHEMAS, schema

RUNS = {
    "plain": lambda: run([1.0, 2.0, 3.0]),
    "with keys, bytes and workers": lambda: run(
        [1.0, 2.0, 3.0],
        trace={"keys": ["a", None, "a"], "nbytes": [1, 2, 3]},
        reduce=Merge(),
        workers=[PushWorkers(1, service=1.0)],
    ),
    "with two buffers, losses and jobs that pass by": lambda: run(
        [1.0, 2.0, 3.0, 7.0],
        trace={"queues": ["x", "x", "y", "x"]},
        buffers=[JobBuffer(name, policy=FlushEvery(2.0), collect="x") for name in ("a", "b")],
        stops=Stops(at=[6.5], downtime=1.0),
        durable_queue=False,
    ),
    "with a reduce of one's own": lambda: run([1.0, 2.0], reduce=lambda jobs: jobs[:1]),
    "without jobs": lambda: run([30.0]),
    "without flushes": lambda: run([1.0], policy=FlushAtSize(5)),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("table", SCHEMAS)
def test_the_tables_have_the_columns_and_dtypes_of_their_schema(table, name):
    frame: pd.DataFrame = getattr(RUNS[name](), table)
    assert frame.columns.tolist() == [column.name for column in SCHEMAS[table]]
    assert [str(dtype) for dtype in frame.dtypes] == [column.dtype for column in SCHEMAS[table]]


def test_the_schema_can_be_had_as_a_table():
    table = schema()
    assert table.columns.tolist() == ["table", "column", "dtype", "unit", "meaning"]
    assert len(table) == sum(map(len, SCHEMAS.values()))
    assert table["meaning"].str.len().gt(0).all()


def test_every_duration_and_time_has_its_unit():
    table = schema().set_index(["table", "column"])
    assert set(table.unit[table.dtype == "float64"]) == {"s"}
    assert table.unit["jobs", "nbytes"] == "bytes"
