from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bufsim_tests.malformed import QUICK, SLOW, RawError, damaged, mutants, tampered, try_all

from bufsim import Trace, load_scenario
from bufsim.backtest import read_log
from bufsim.scenario_files import scenario, scenario_text
from bufsim.scenario_files.plans import read_plan
from bufsim.vendure_trace import read_adds, read_flushes

pytest.importorskip("pyarrow")

CSV = "time,key,nbytes,queue\n0.5,a,10,x\n1,b,20,y\n1,,30,x\n2.25,a,0,x\n"
DATED = "time,key,nbytes,queue\n2024-01-01T00:00:00Z,a,1,q\n2024-01-01 00:00:01.5+00:00,b,2,q\n"
LOG = "start,batch_size,buffer,duration\n1,2,s,0.5\n2,3,s,0\n3.5,1,t,1e-3\n"
ADDS = (
    "t_ms,queue_name,job_type,apply_to_changed_variants_only,n_ids,entity_ids\n"
    "1,q,update-product,,1,3\n2.5,q,update-variants-by-id,,2,7;12\n3,c,,true,2,1;2\n"
)
FLUSHES = (
    "t_ms,buffer_id,batch_size,ids_in_batch,jobs_after_reduce,ids_after_reduce,flush_ms\n"
    "5,a,3,4,1,4,0.5\n9,b,1,1,1,1,2\n"
)
LINES = '{"time": 1.5, "key": "a"}\n{"time": 2, "key": "b"}\n'
SCENARIO = """title = "shop"
[simulation]
until = "1h"
warm_up = 60
[[producer]]
name = "edits"
arrivals = "poisson(80)"
keys = "zipf(9000, 0.9)"
nbytes = "1 kB"
[[producer]]
name = "imports"
arrivals = { kind = "bulk", arrivals = "poisson(0.1)", size = 20 }
queue = "imports"
[[buffer]]
id = "search"
policy = "size(200) | age(30s)"
reduce = "unique_by_key"
capacity = { jobs = 2048, on_full = "drop_oldest" }
flush_time = { fixed = "50ms", per_job = 0.002 }
[[workers]]
kind = "push"
concurrency = 3
service = "exponential(10ms)"
retries = 2
[storage]
durable = true
read_delete_window = "30ms"
[stops]
at = [100, "10min"]
"""
PLAN = (
    SCENARIO
    + """[plan]
minimise = "flush_rate"
policies = ["size(100)", "age(10s)"]
limits = ["p99_wait <= 30s"]
loads = [1, 1.5]
replications = 5
seed = 3
confidence = 0.9
"""
)
KEYS = {"key": "key", "nbytes": "nbytes", "queue": "queue"}


def written(folder: Path, name: str, read: Callable[[Path], object]) -> Callable[[str | bytes], object]:
    """What reads a text, or bytes, from a file of that name."""

    def from_file(content: str | bytes) -> object:
        path = folder / name
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return read(path)

    return from_file


def as_rows_say(path: Path) -> None:
    """Read a trace; what is taken has one sound job a row."""
    trace = Trace.read(path, **KEYS)
    assert np.isfinite(trace.times).all()
    assert (np.diff(trace.times) >= 0.0).all()
    assert trace.nbytes is not None
    assert (trace.nbytes >= 0).all()
    assert trace.queues is not None
    assert all(trace.queues)


def as_written_again(path: Path) -> None:
    """Read a scenario; what is taken says the same when it is written."""
    simulation = load_scenario(path)
    assert scenario(tomllib.loads(scenario_text(simulation)), name="again").simulation == simulation


def csv_files(folder: Path, n: int, seed: int) -> None:
    read = written(folder, "jobs.csv", as_rows_say)
    taken, refused = try_all(read, mutants((CSV, DATED), n, seed=seed))
    assert taken
    assert refused
    packed = [gzip.compress(text.encode(), mtime=0) for text in (CSV, DATED)]
    try_all(written(folder, "jobs.csv.gz", as_rows_say), damaged(packed, n, seed=seed))
    for name, text, reader in (
        ("log.csv", LOG, read_log),
        ("adds.csv", ADDS, read_adds),
        ("flushes.csv", FLUSHES, read_flushes),
    ):
        try_all(written(folder, name, reader), mutants((text,), n, seed=seed))
    try_all(written(folder, "jobs.csv", as_rows_say), damaged([CSV.encode()], n, seed=seed))


def parquet_files(folder: Path, n: int, seed: int) -> None:
    good = pd.DataFrame({"time": np.arange(50.0), "key": ["a", "b"] * 25, "nbytes": np.arange(50), "queue": ["q"] * 50})
    kinds = []
    for number, options in enumerate(({}, {"compression": "gzip"}, {"use_dictionary": False})):
        good.to_parquet(folder / f"{number}.parquet", **options)
        kinds.append((folder / f"{number}.parquet").read_bytes())
    try_all(written(folder, "jobs.parquet", as_rows_say), damaged(kinds, n, seed=seed))


def toml_files(folder: Path, n: int, seed: int) -> None:
    tokens = [word for line in SCENARIO.splitlines() for word in line.split()]
    for name, text, reader in (("s.toml", SCENARIO, as_written_again), ("p.toml", PLAN, read_plan)):
        read = written(folder, name, reader)
        read(text)
        taken, refused = try_all(read, mutants((text,), n, seed=seed, tokens=tokens))
        assert taken
        assert refused
    # any plain value in place of any
    try_all(lambda given: scenario(given, name="s.toml"), tampered(tomllib.loads(SCENARIO), n, seed=seed))


def lines_of_json(folder: Path, n: int, seed: int) -> None:
    # not read: a sentence says what is
    for name in ("jobs.jsonl", "jobs.json", "jobs"):
        taken, _ = try_all(written(folder, name, as_rows_say), mutants((LINES,), n, seed=seed))
        assert not taken
    # of the right name, other contents
    try_all(written(folder, "jobs.csv", as_rows_say), mutants((LINES,), n, seed=seed))
    try_all(written(folder, "jobs.parquet", as_rows_say), mutants((LINES,), n, seed=seed))


KINDS = [csv_files, parquet_files, toml_files, lines_of_json]


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_taken_as_meant_or_refused_with_a_sentence(kind: Callable[..., None], tmp_path: Path) -> None:
    kind(tmp_path, QUICK, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_files_are_taken_as_meant_or_refused_with_a_sentence(kind: Callable[..., None], tmp_path: Path) -> None:
    kind(tmp_path, SLOW, seed=2)


@pytest.mark.parametrize(
    "raw",
    [
        pd.read_parquet,
        pd.read_csv,
        lambda path: json.loads(path.read_text()),
        lambda path: tomllib.loads(path.read_text()),
    ],
)
def test_a_reader_that_lets_errors_through_is_found_out(raw: Callable[[Path], object], tmp_path: Path) -> None:
    texts: Iterable[str] = mutants((LINES, SCENARIO, CSV), QUICK, seed=1)
    with pytest.raises(RawError, match=r"of 60 end otherwise:"):
        try_all(written(tmp_path, "file", raw), texts)
