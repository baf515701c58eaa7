"""Traces from tables: every unit and form of time, and errors that name the row and the line."""

from __future__ import annotations

import datetime as dt
import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, MissingExtraError
from bufsim.model.traces import Trace


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    ("unit", "values", "seconds"),
    [
        ("s", [0.5, 2.0], [0.5, 2.0]),
        ("ms", [484.001, 515.41], [484.001 / 1000, 515.41 / 1000]),
        ("us", [1, 3_000_000], [1e-6, 3.0]),
        ("min", [1, 2.5], [60.0, 150.0]),
        ("h", [0, 0.5], [0.0, 1800.0]),
    ],
)
def test_units_become_seconds(unit, values, seconds):
    assert Trace.from_frame(frame(time=values), unit=unit).times.tolist() == seconds


def test_columns_become_attributes():
    table = frame(ts=[1, 2, 3], id=["a", None, "b"], size=[10, 20, 30], q=["x", "y", "x"])
    trace = Trace.from_frame(table, time="ts", key="id", nbytes="size", queue="q")
    assert trace == Trace([1.0, 2.0, 3.0], keys=["a", None, "b"], nbytes=[10, 20, 30], queues=["x", "y", "x"])
    assert Trace.from_frame(table, time="ts") == Trace([1.0, 2.0, 3.0])


def test_the_index_of_a_frame_does_not_matter():
    table = frame(time=[1.0, 2.0], id=["a", "b"])
    table.index = [7, 7]
    assert Trace.from_frame(table, key="id") == Trace([1.0, 2.0], keys=["a", "b"])


STAMPS = ["2025-03-01 12:00:00", "2025-03-01 12:00:00.25", "2025-03-01 13:00:00"]


@pytest.mark.parametrize(
    "column",
    [
        STAMPS,
        pd.to_datetime(STAMPS, format="ISO8601"),
        pd.to_datetime(STAMPS, format="ISO8601").tz_localize("Europe/Vienna"),
        [dt.datetime(2025, 3, 1, 12), dt.datetime(2025, 3, 1, 12, 0, 0, 250_000), dt.datetime(2025, 3, 1, 13)],
    ],
    ids=["text", "naive", "aware", "objects"],
)
def test_datetimes_are_counted_from_the_first(column):
    assert Trace.from_frame(frame(time=column)).times.tolist() == [0.0, 0.25, 3600.0]


def test_datetimes_are_counted_over_a_change_of_the_clocks():
    column = pd.to_datetime(["2025-03-30 01:59", "2025-03-30 03:01"]).tz_localize("Europe/Vienna")
    assert Trace.from_frame(frame(time=column)).times.tolist() == [0.0, 120.0]


def test_an_origin_moves_time_0():
    stamps = pd.to_datetime(STAMPS, format="ISO8601")
    assert Trace.from_frame(frame(time=stamps), origin="2025-03-01 11:59").times[0] == 60.0
    assert Trace.from_frame(frame(time=stamps), origin=dt.datetime(2025, 3, 1, 11)).times[0] == 3600.0
    assert Trace.from_frame(frame(time=[5000, 6000]), unit="ms", origin=4000).times.tolist() == [1.0, 2.0]
    assert Trace.from_frame(frame(time=[5000, 6000]), unit="ms", origin="first").times.tolist() == [0.0, 1.0]


def test_large_whole_numbers_lose_nothing_before_the_origin_is_taken_off():
    start = 2**60
    assert Trace.from_frame(frame(time=[start + 1, start + 2]), unit="us", origin=start).times.tolist() == [1e-6, 2e-6]


@pytest.mark.parametrize(
    ("columns", "arguments", "message"),
    [
        ({"time": [1.0, 3.0, 2.0]}, {}, r"time in row 2 goes back: 2\.0 after 3\.0; sort the jobs by time first"),
        (
            {"time": [-1.0, 3.0]},
            {},
            r"time in row 0 must be >= 0 s, got -1\.0; give an earlier origin, or leave it out",
        ),
        ({"time": [1.0, None]}, {}, "time in row 1 is missing"),
        ({"time": [1.0, np.inf]}, {}, "time in row 1 must be finite, got inf"),
        ({"time": ["1", "x"]}, {}, "time in row 1 must be a number, got 'x'"),
        ({"time": [1, "x"]}, {}, "time in row 1 must be a number, got 'x'"),
        ({"time": ["x", "1"]}, {}, "time in row 0 must be a number, or an ISO 8601 datetime, got 'x'"),
        ({"time": [STAMPS[0], "noon"]}, {}, "time in row 1 must be a datetime, got 'noon'"),
        ({"time": [STAMPS[0], None]}, {}, "time in row 1 is missing"),
        (
            {"time": pd.to_datetime(STAMPS[::2][::-1])},
            {},
            "time in row 1 goes back: 2025-03-01 12:00:00 after 2025-03-01 13",
        ),
        ({"tiem": [1.0]}, {}, "column 'time' is missing; there are 'tiem'; did you mean 'tiem'\\?"),
        ({"time": [1.0]}, {"key": "id"}, "column 'id' is missing; there are 'time'"),
        ({"time": [1.0]}, {"unit": "ns"}, "unit must be one of 's', 'ms', 'us', 'min', 'h', got 'ns'; did you mean"),
        (
            {"time": pd.to_datetime(STAMPS[:1])},
            {"unit": "ms"},
            "unit is for numbers, and column 'time' holds datetimes, got",
        ),
        ({"time": []}, {}, "df must have at least one row, got none"),
        ({"time": [1.0], "b": [-1]}, {"nbytes": "b"}, "b in row 0 must be a whole number >= 0, got -1"),
        ({"time": [1.0, 2.0], "b": [1, None]}, {"nbytes": "b"}, "b in row 1 must be a whole number >= 0, got nan"),
        ({"time": [1.0], "b": [0.5]}, {"nbytes": "b"}, r"b in row 0 must be a whole number >= 0, got 0\.5"),
        ({"time": [1.0], "b": ["x"]}, {"nbytes": "b"}, "b in row 0 must be a whole number >= 0, got 'x'"),
        ({"time": [1.0], "q": [""]}, {"queue": "q"}, "q in row 0 must be a queue's name, got ''"),
        ({"time": [1.0, 2.0], "q": ["a", None]}, {"queue": "q"}, "q in row 1 must be a queue's name, got "),
    ],
)
def test_a_wrong_cell_is_named_by_its_row(columns, arguments, message):
    with pytest.raises(InvalidValueError, match=f"^{message}"):
        Trace.from_frame(frame(**columns), **arguments)


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        ({"time": [1.0]}, {}, "df must be a pandas DataFrame, got dict; for a file use Trace.read"),
        (frame(time=[True]), {}, "column 'time' must hold numbers or datetimes, got bool"),
        (
            frame(time=[1.0]),
            {"origin": "noon"},
            "origin must be a number in s, as column 'time' is, or 'first', got 'noon'",
        ),
        (
            frame(time=pd.to_datetime(STAMPS[:1])),
            {"origin": "noon o'clock"},
            "origin must be a datetime as column 'time' is",
        ),
        (
            frame(time=pd.to_datetime(STAMPS[:1]).tz_localize("UTC")),
            {"origin": "2025-03-01"},
            "origin must be a datetime as column 'time' is, got '2025-03-01': ",
        ),
    ],
)
def test_what_cannot_be_a_trace_is_a_type_error(table, arguments, message):
    with pytest.raises(InvalidTypeError, match=f"^{message}"):
        Trace.from_frame(table, **arguments)


def test_a_column_that_is_there_twice_is_an_error():
    table = pd.DataFrame([[1.0, 2.0]], columns=["time", "time"])
    with pytest.raises(InvalidValueError, match=r"^column 'time' must be there once, got it 2 times; rename one$"):
        Trace.from_frame(table)


def test_csv_and_parquet_give_the_same_trace(tmp_path):
    table = frame(t_ms=[484.001, 515.41, 515.41], id=["a", "NA", "b"], size=[1, 2, 3], q=["x", "y", "x"])
    table.to_csv(tmp_path / "log.csv", index=False)
    table.to_csv(tmp_path / "log.csv.gz", index=False)
    table.to_parquet(tmp_path / "log.parquet")
    expected = Trace(
        [484.001 / 1000, 515.41 / 1000, 515.41 / 1000], keys=["a", "NA", "b"], nbytes=[1, 2, 3], queues=["x", "y", "x"]
    )
    for name in ("log.csv", "log.csv.gz", "log.parquet"):
        arguments = {"time": "t_ms", "unit": "ms", "key": "id", "nbytes": "size", "queue": "q"}
        assert Trace.read(tmp_path / name, **arguments) == expected
        assert Trace.read(str(tmp_path / name), **arguments) == expected


def test_times_in_a_csv_file_are_read_to_the_last_bit(tmp_path):
    times = np.cumsum(np.random.default_rng(1).exponential(0.1, 1000))
    frame(time=times).to_csv(tmp_path / "log.csv", index=False)
    assert Trace.read(tmp_path / "log.csv").times.tolist() == times.tolist()


def test_an_empty_key_is_none(tmp_path):
    (tmp_path / "log.csv").write_text("time,id\n1,a\n2,\n")
    assert Trace.read(tmp_path / "log.csv", key="id").keys == ("a", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time\n1\n2\n1.5\n", r"time in row 2 \(line 4 of log.csv\) goes back: 1\.5 after 2\.0; sort"),
        ("time\n1\n\n2\n\n1.5\n", r"time in row 2 \(line 6 of log.csv\) goes back"),
        ('time,note\n1,"two\nlines"\nx,\n', r"time in row 1 \(line 4 of log.csv\) must be a number, got 'x'"),
        ("time,note\n1,a\n,b\n", r"time in row 1 \(line 3 of log.csv\) is missing"),
        ("time\n1\nnan\n", r"time in row 1 \(line 3 of log.csv\) must be a number, got 'nan'"),
        ("time\n-1\n", r"time in row 0 \(line 2 of log.csv\) must be >= 0 s, got -1;"),
        ("time\n", "log.csv must have at least one row, got none"),
        ("", "log.csv must have a header and at least one row, got an empty file"),
        ("time\n1\n2,3,4\n", "log.csv must be a CSV file in UTF-8: "),
        ("seconds\n1\n", "column 'time' is missing; there are 'seconds'"),
    ],
)
def test_a_wrong_cell_of_a_csv_file_is_named_by_its_line(tmp_path, text, message):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(InvalidValueError, match=f"^{message}"):
        Trace.read(tmp_path / "log.csv")


def test_a_wrong_cell_of_other_files_is_named_too(tmp_path):
    with gzip.open(tmp_path / "log.csv.gz", "wt") as file:
        file.write("time\n2\n1\n")
    frame(time=[2, 1]).to_parquet(tmp_path / "log.parquet")
    with pytest.raises(InvalidValueError, match=r"^time in row 1 \(line 3 of log.csv.gz\) goes back: 1 after 2; sort"):
        Trace.read(tmp_path / "log.csv.gz")
    with pytest.raises(InvalidValueError, match=r"^time in row 1 of log.parquet goes back: 1 after 2; sort"):
        Trace.read(tmp_path / "log.parquet")


def test_a_file_that_is_no_text_is_an_error(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"time\n\xff\xfe\n")
    with pytest.raises(InvalidValueError, match=r"^log.csv must be a CSV file in UTF-8: "):
        Trace.read(tmp_path / "log.csv")


def test_an_unknown_kind_of_file_is_an_error():
    with pytest.raises(InvalidValueError, match=r"^path must end in .csv, .csv.gz, .parquet or .pq, got 'log.xlsx'$"):
        Trace.read("log.xlsx")


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(InvalidValueError, match=r"log\.csv' cannot be read: No such file or directory; give another"):
        Trace.read(tmp_path / "log.csv")


PACKED = gzip.compress(b"time\n" + b"\n".join(b"%d" % i for i in range(5000)), mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv.gz", PACKED[:2000], "must be a whole gzip file: Compressed file ended before"),
        ("a.csv.gz", b"time\n1\n", "must be a whole gzip file: Not a gzipped file"),
        ("a.csv.gz", PACKED[:-6] + b"abcdef", "must be a whole gzip file: CRC check failed"),
        ("a.parquet", b"time\n1\n", "must be a whole Parquet file: .* smaller than .*; copy it anew"),
        ("a.parquet", b"", "must be a whole Parquet file: Parquet file size is 0 bytes"),
        ("a.csv", b"time,time\n1,5\n2,6\n", "column 'time' must be there once, got it 2 times; rename one"),
        ("a.csv", b"time\n1,5\n2,6\n", "must have a name for each column, got rows of more cells than the header"),
        ("a.csv", b"time\n1\n" + b"9" * 400, "time in row 1 .line 3 of a.csv. must be finite, got inf"),
        ("a.csv", b"time\ntoday\nnow\n", "time in row 0 .* must be a number, or an ISO 8601 datetime, got 'today'"),
        ("a.csv", b"time\n2024-01-01\nnow\n", "time in row 1 .* must be a datetime, got 'now'"),
        ("a.csv", b"time\nTrue\nTrue\n", "column 'time' must hold numbers or datetimes, got bool"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BufsimError, match=message):
        Trace.read(tmp_path / name)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("True", "n in row 0 .line 2 of a.csv. must be a whole number >= 0, got "),
        ("9" * 400, "n in row 0 .* must be <= 9,007,199,254,740,992, got"),
        ("9007199254740994", "n in row 0 .* must be <= 9,007,199,254,740,992, got 9007199254740994"),
        ("1.5", "n in row 0 .* must be a whole number >= 0, got 1.5"),
    ],
)
def test_a_size_that_is_none_is_refused(size, message, tmp_path):
    (tmp_path / "a.csv").write_text(f"time,n\n1,{size}\n")
    with pytest.raises(InvalidValueError, match=message):
        Trace.read(tmp_path / "a.csv", nbytes="n")
    # the largest that is taken, and a column of another use
    (tmp_path / "a.csv").write_text(f"time,n,{'x' * 400}\n1,{2**53},{size}\n")
    assert Trace.read(tmp_path / "a.csv", nbytes="n").nbytes.tolist() == [2**53]


def test_columns_of_one_name_in_parquet_are_refused(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.Table.from_arrays([arrow.array([1.0]), arrow.array([2.0]), arrow.array(["a"])], ["time", "time", "k"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InvalidValueError, match="column 'time' must be there once, got it 2 times; rename one"):
        Trace.read(tmp_path / "a.parquet", key="k")


def test_a_header_with_a_mark_of_byte_order_is_read(tmp_path):
    (tmp_path / "a.csv").write_bytes("\ufefftime,k\n1,a\n".encode())
    assert Trace.read(tmp_path / "a.csv", key="k").keys == ("a",)


@pytest.mark.parametrize("origin", ["now", "today", "yesterday"])
def test_an_origin_is_a_date_that_stays(origin):
    with pytest.raises(
        InvalidTypeError, match=r"origin must be a datetime as column 't' is, got '.*': it names no date"
    ):
        Trace.from_frame(pd.DataFrame({"t": ["2024-01-01"]}), time="t", origin=origin)


@pytest.mark.parametrize("size", [2**53 + 1, 2**63, 10**400, 10**5000], ids=["53", "63", "400", "5000"])
def test_sizes_that_no_column_holds_are_refused(size):
    with pytest.raises(InvalidValueError, match=r"nbytes\[1\] must be <= 9,007,199,254,740,992, got"):
        Trace([1.0, 2.0], nbytes=[1, size])


def test_parquet_without_its_library_names_the_extra(tmp_path, monkeypatch):
    frame(time=[1.0]).to_parquet(tmp_path / "log.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"^Parquet files need pyarrow: pip install 'bufsim\[parquet\]'$"):
        Trace.read(tmp_path / "log.parquet")
