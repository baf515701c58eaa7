from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from bufsim_tests.generated import SEED, simulations
from bufsim_tests.models import producer, simulate, timed
from hypothesis import given, settings

from bufsim import InvalidTypeError, InvalidValueError, MissingExtraError, PushWorkers, Result, UniqueByKey
from bufsim.results.files import FORMAT, built, digest_of, plain
from bufsim.results.measures import SIZES, Histogram
from bufsim.results.records import SCHEMAS

TABLES = tuple(SCHEMAS)


def saved_and_loaded(result: Result, path) -> Result:
    return Result.load(result.save(path / "run.zip"))


def assert_same(again: Result, result: Result) -> None:
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name), check_exact=True)
    assert again.tally == result.tally
    for name in ("seed", "replication", "engine", "recorded", "versions"):
        assert getattr(again, name) == getattr(result, name)
    assert again.warnings() == result.warnings()


@settings(max_examples=25)
@given(simulation=simulations())
def test_a_result_comes_back_to_the_bit(simulation, tmp_path_factory):
    result = simulation.run(seed=SEED)
    assert_same(saved_and_loaded(result, tmp_path_factory.mktemp("results")), result)


@pytest.mark.parametrize(
    "keys",
    [
        ["b", "a", "b"],
        [3, 1, 3],
        [2.5, None, -0.5],
        [("sku", 17), ("sku", 3), None],
        ["a", 1, None],
        [True, False, None],
        [b"raw", "text", 2],
    ],
)
def test_keys_of_any_plain_kind_come_back(keys, tmp_path):
    result = simulate(producer([1.0, 2.0, 3.0], keys=keys), reduce=UniqueByKey())
    again = saved_and_loaded(result, tmp_path)
    assert_same(again, result)
    assert [(type(key), key) for key in again.jobs.key.cat.categories] == [
        (type(key), key) for key in result.jobs.key.cat.categories
    ]


def test_a_key_that_is_no_plain_value_cannot_be_saved(tmp_path):
    result = simulate(producer([1.0], keys=[frozenset({1})]))
    with pytest.raises(InvalidTypeError, match=r"a key must be a text, a number or a tuple of them .* got frozenset"):
        result.save(tmp_path / "run.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("recorded", ["flushes", "summary"])
def test_what_was_left_out_stays_left_out(recorded, tmp_path):
    whole = simulate([1.0, 2.0])
    flushes = whole.flushes if recorded == "flushes" else None
    again = saved_and_loaded(Result.from_tally(whole.simulation, 1, 0, "simpy", whole.tally, flushes=flushes), tmp_path)
    assert again.recorded == recorded
    assert again.tally == whole.tally


def test_a_loaded_result_knows_its_simulation_as_text_and_says_so(tmp_path):
    result = simulate([1.0, 2.0], workers=[PushWorkers(1, service=1.0)])
    again = saved_and_loaded(result, tmp_path)
    assert again.simulation == repr(result.simulation)
    assert repr(again).splitlines()[:-1] == repr(result).splitlines()
    assert repr(again).endswith("Loaded from a file: the simulation is known as text only.")
    assert again.metric("p99_wait_s") == result.metric("p99_wait_s")


def test_a_loaded_result_can_be_given_its_simulation_and_no_other(tmp_path):
    simulation = timed([1.0, 2.0])
    path = simulation.run(seed=1).save(tmp_path / "run.zip")
    assert Result.load(path, simulation=simulation).simulation is simulation
    with pytest.raises(
        InvalidValueError, match=r"simulation must be that of .*run\.zip, Simulation\(.*, got Simulation\("
    ):
        Result.load(path, simulation=timed([1.0, 2.0], until=21.0))


def test_saving_twice_gives_the_same_bytes(tmp_path):
    result = simulate([1.0, 2.0])
    assert result.save(tmp_path / "a").read_bytes() == result.save(tmp_path / "b").read_bytes()


def test_a_file_is_replaced_only_when_the_new_one_is_complete(tmp_path, monkeypatch):
    path = simulate([1.0]).save(tmp_path / "run.zip")
    before = path.read_bytes()

    def fail(*args, **options):
        raise OSError("disk full")

    monkeypatch.setattr("pyarrow.parquet.write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate([1.0, 2.0]).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_tables_can_be_read_by_anyone(tmp_path):
    result = simulate(producer([1.0, 2.0], keys=["a", "b"]))
    path = result.save(tmp_path / "run.zip")
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == sorted(["result.json", *(f"{name}.parquet" for name in TABLES)])
        about = json.loads(archive.read("result.json"))
        jobs = pd.read_parquet(archive.open("jobs.parquet"))
    assert about["simulation"] == repr(result.simulation)
    assert jobs.key.tolist() == ["a", "b"]
    assert jobs.flush_id.tolist() == [0, 0]


def test_columns_carry_their_unit_and_meaning(tmp_path):
    import pyarrow.parquet as pq

    with zipfile.ZipFile(simulate([1.0]).save(tmp_path / "run.zip")) as archive:
        field = pq.read_schema(archive.open("jobs.parquet")).field("created_at")
    assert field.metadata[b"unit"] == b"s"
    assert field.metadata[b"meaning"] == b"its arrival"


def rewritten(path, change, *, digested=True):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(parts["result.json"])
    change(about)
    if digested:
        about["digest"] = digest_of(about)
    parts["result.json"] = json.dumps(about).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(("number", "way_out"), [(1, "run it again"), (FORMAT + 1, "update bufsim")])
def test_a_file_of_another_format_is_refused_with_the_way_out(tmp_path, number, way_out):
    path = simulate([1.0]).save(tmp_path / "run.zip")
    rewritten(path, lambda about: about.update(format=number))
    with pytest.raises(InvalidValueError, match=rf"run\.zip has (the )?format {number}.*{way_out}"):
        Result.load(path)


@pytest.mark.parametrize("part", ["format", "tally", "recorded", "categories"])
def test_a_file_without_a_part_is_refused(part, tmp_path):
    path = simulate([1.0]).save(tmp_path / "run.zip")
    rewritten(path, lambda about: about.pop(part))
    with pytest.raises(InvalidValueError, match=r"run\.zip is no result that bufsim has saved"):
        Result.load(path)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("nothing")
    with pytest.raises(
        InvalidValueError, match=r"notes\.txt is no result that bufsim has saved: File is not a zip file"
    ):
        Result.load(path)
    with pytest.raises(InvalidValueError, match="nowhere' cannot be read: No such file or directory; give another"):
        Result.load(tmp_path / "nowhere")


def test_a_result_that_was_changed_since_it_was_saved_is_refused(tmp_path):
    path = simulate([1.0]).save(tmp_path / "run.zip")
    rewritten(path, lambda about: about.update(seed=2), digested=False)
    with pytest.raises(InvalidValueError, match=r"run\.zip is no .*: it has been changed since it was saved; copy it"):
        Result.load(path)
    rewritten(path, lambda about: about.update(seed=2))
    assert Result.load(path).seed == 2
    data = path.read_bytes()
    # four bytes of the magic number: a table of other bytes, with the checksum of the archive made anew
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part.replace(b"PAR1", b"PAR2") if name == "jobs.parquet" else part)
    assert path.read_bytes() != data
    with pytest.raises(InvalidValueError, match="the table jobs has been changed since it was saved"):
        Result.load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    with pytest.raises(InvalidValueError, match=r"its part result\.json is compressed"):
        Result.load(path)


@pytest.mark.parametrize("act", [lambda path: simulate([1.0]).save(path), Result.load])
def test_without_pyarrow_the_error_says_how_to_install_it(act, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"needs pyarrow; install it with pip install 'bufsim\[parquet\]'"):
        act(tmp_path / "run.zip")


def test_reading_a_file_runs_no_code(tmp_path):
    # keys that are no plain values are written as literals, which only literals are read from
    path = simulate(producer([1.0], keys=[("a", 1)])).save(tmp_path / "run.zip")

    def poison(about):
        about["categories"]["jobs"]["key"]["values"] = ["__import__('os').getcwd()"]

    rewritten(path, poison)
    with pytest.raises(InvalidValueError, match="is no result that bufsim has saved"):
        Result.load(path)


@dataclass(frozen=True)
class Part:
    number: int
    share: float
    counts: tuple[int, ...]
    by_name: dict[str, Histogram]


WEIGHTED = Histogram.of(SIZES, np.array([1, 300]), np.array([0.5, 2.0]))
VALUE = Part(3, 0.1, (1, 2), {"a": Histogram.of(SIZES, np.array([0, 0, 1, 2])), "b": WEIGHTED})


def test_values_come_back_from_json_as_they_were():
    again = built(Part, json.loads(json.dumps(plain(VALUE))))
    assert again == VALUE
    assert [again.by_name[name].amounts.dtype.kind for name in "ab"] == ["i", "f"]


def test_a_whole_tally_comes_back():
    tally = simulate([1.0, 2.0, 3.0]).tally
    assert built(type(tally), json.loads(json.dumps(plain(tally)))) == tally


@pytest.mark.parametrize("data", [{}, {"number": 3}, []])
def test_data_of_another_kind_is_refused(data):
    with pytest.raises((KeyError, TypeError)):
        built(Part, data)
