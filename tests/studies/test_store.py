from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import sqlite3
import textwrap
import zlib

import pytest
from bufsim_tests.models import Failing, bits, drawn, study_of

from bufsim import BufsimError, FlushAtSize, InvalidTypeError, InvalidValueError, Trace
from bufsim.results.files import plain
from bufsim.results.measures import TIMES
from bufsim.results.tallies import Tally
from bufsim.studies import store as stores
from bufsim.studies.store import Key, Store, packed, salvage, unpacked

KEY = Key("of a simulation", "compiled", 7)


@pytest.fixture(scope="module")
def tally():
    return drawn().run(1, record="summary").tally


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.sqlite"


def execute(path, statement, *values):
    """Change the file behind the store's back."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def computed(path, *args, **options):
    """How many replications are run, and not read, of a study with this store."""
    counts = []
    result = study_of(*args, **options).run(3, store=path, progress=lambda done, total: counts.append(done))
    assert result.complete
    return len(counts)


# what is written is read


def test_a_tally_comes_back_to_the_bit(tally):
    again = unpacked(packed(tally))
    assert again == tally
    assert packed(again) == packed(tally)
    assert plain(again) == plain(tally)


def test_arrays_come_back_in_their_types(tally):
    histogram = tally.buffers["search"].waits.histogram
    again = unpacked(packed(tally)).buffers["search"].waits.histogram
    assert again.amounts.dtype == histogram.amounts.dtype
    assert again.most.flags.writeable


def test_a_replication_is_read_under_its_own_key_only(path, tally):
    with Store(path) as store:
        store.write([(KEY, 3, tally), (KEY, 4, tally)])
        assert store.read(KEY, range(10)) == {3: tally, 4: tally}
        assert store.read(KEY, [4, 5]) == {4: tally}
        for other in (KEY._replace(simulation="x"), KEY._replace(engine="simpy"), KEY._replace(seed=8)):
            assert store.read(other, range(10)) == {}


def test_seeds_of_any_size_are_kept(path, tally):
    large = KEY._replace(seed=2**80)
    with Store(path) as store:
        store.write([(large, 0, tally)])
        assert store.read(large, [0]) == {0: tally}
        assert store.read(KEY._replace(seed=2**80 + 1), [0]) == {}


def test_what_is_there_already_stays(path, tally):
    with Store(path) as store:
        store.write([(KEY, 0, tally)])
        store.write([(KEY, 0, drawn(until=5.0).run(1, record="summary").tally)])
        assert store.read(KEY, [0]) == {0: tally}


def test_what_is_written_together_is_there_together_or_not_at_all(path, tally):
    with Store(path) as store:
        with pytest.raises(sqlite3.ProgrammingError):
            store.write([(KEY, 0, tally), (KEY, object(), tally)])
        assert store.read(KEY, range(2)) == {}
        store.write([(KEY, 2, tally)])  # and it still takes the next
        assert list(store.read(KEY, range(9))) == [2]


# a study goes on where it was stopped


def test_a_study_goes_on_where_it_was_stopped(path):
    whole = study_of().run(4, progress=False)

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    part = study_of().run(4, store=path, progress=stop)
    assert not part.complete
    assert sum(map(len, part.tallies.values())) == 5
    counts = []
    resumed = study_of().run(4, store=path, progress=lambda done, total: counts.append((done, total)))
    assert resumed.complete
    assert counts == [(n, 12) for n in range(6, 13)]
    assert bits(resumed) == bits(whole)


def test_a_study_that_is_there_runs_nothing(path):
    assert computed(path) == 9
    assert computed(path) == 0


def test_more_replications_and_scenarios_run_what_is_new(path):
    computed(path)
    counts = []
    more = study_of(FlushAtSize(7), FlushAtSize(9)).run(5, store=path, progress=lambda *done: counts.append(done))
    assert len(counts) == 2 + 5
    assert bits(more) == bits(study_of(FlushAtSize(7), FlushAtSize(9)).run(5, progress=False))


def test_a_failed_replication_is_tried_again(path):
    first = study_of(Failing(), FlushAtSize(7)).run(2, store=path, progress=False)
    assert len(first.failures) == 2
    counts = []
    study_of(Failing(), FlushAtSize(7)).run(2, store=path, progress=lambda done, total: counts.append(done))
    assert len(counts) == 2


# what has changed is not mixed up


def test_another_seed_is_another_study(path):
    assert computed(path, seed=7) == 9
    assert computed(path, seed=8) == 9


def test_another_parameter_is_another_scenario(path):
    assert computed(path, FlushAtSize(7)) == 3
    assert computed(path, FlushAtSize(8)) == 3
    assert computed(path, FlushAtSize(7), rate=11.0) == 3
    assert computed(path, FlushAtSize(7), until=61.0) == 3
    assert computed(path, FlushAtSize(7)) == 0


def test_other_data_of_a_trace_that_looks_the_same_is_another_scenario(path):
    def of(times, keys=None):
        from bufsim import Producer

        return drawn(producers=[Producer("log", Trace(times, keys=keys))])

    from bufsim.studies.study import Study

    def run(simulation):
        counts = []
        Study({"log": simulation}, seed=1).run(2, store=path, progress=lambda *done: counts.append(done))
        return len(counts)

    times, others = [0.0, 1.0, 2.0], [0.0, 1.5, 2.0]
    assert repr(of(times)) == repr(of(others))
    assert run(of(times)) == 2
    assert run(of(others)) == 2
    assert run(of(times, keys=["a", "b", "a"])) == 2
    assert run(of(times, keys=["a", "b", "c"])) == 2
    assert run(of(times)) == 0


def policy_from(text, **names):
    """Return the policy that a text of a program defines as Mine."""
    space = {"__name__": "notebook", **names}
    exec(textwrap.dedent(text), space)  # as a notebook does with its cells
    return space["Mine"]()


OWN = """
    import math
    from bufsim import FlushPolicy
    class Mine(FlushPolicy):
        def due(self, view):
            return -math.inf if view.size >= SIZE else math.inf
        def __repr__(self):
            return "Mine()"
"""


def test_a_class_of_the_same_name_with_other_source_is_another_scenario(path):
    assert computed(path, policy_from(OWN.replace("SIZE", "5"))) == 3
    assert computed(path, policy_from(OWN.replace("SIZE", "6"))) == 3
    assert computed(path, policy_from(OWN.replace("SIZE", "5"))) == 0


def test_another_value_that_the_class_finds_in_its_module_is_another_scenario(path):
    assert computed(path, policy_from(OWN, SIZE=5)) == 3
    assert computed(path, policy_from(OWN, SIZE=6)) == 3
    assert computed(path, policy_from(OWN, SIZE=5)) == 0


def test_another_value_in_a_closure_is_another_scenario(path):
    def collecting(queue):
        return lambda job: job.queue_name == queue

    from bufsim import JobBuffer, Poisson, Producer, Simulation
    from bufsim.studies.study import Study

    def run(queue):
        buffers = [JobBuffer("b", policy=FlushAtSize(3), collect=collecting(queue))]
        simulation = Simulation(producers=[Producer("p", Poisson(5.0))], buffers=buffers, until=10.0)
        counts = []
        Study({"b": simulation}, seed=1).run(2, store=path, progress=lambda *done: counts.append(done))
        return len(counts)

    assert run("default") == 2
    assert run("other") == 2
    assert run("default") == 0


# what is refused


def test_a_store_of_another_version_is_refused_with_the_way_out(path, monkeypatch):
    computed(path)
    with monkeypatch.context() as patched:
        patched.setattr("bufsim.__version__", "0.0.9")
        with pytest.raises(InvalidValueError) as error:
            study_of().run(3, store=path, progress=False)
    assert str(error.value) == (
        f"store {str(path)!r} was written by another version (bufsim 0.1.0, this is 0.0.9), whose numbers may differ; "
        "give a new file, or run with that version"
    )
    assert computed(path) == 0  # it is as it was


def test_so_is_one_whose_numbers_another_numpy_has_drawn(path, monkeypatch):
    Store(path).close()
    monkeypatch.setattr(stores, "version", lambda name: "9.9.1")
    with pytest.raises(InvalidValueError, match=r"written by another version \(numpy 2.*, this is 9\.9\)"):
        Store(path)


OTHER = "was written by another version (format {}, this is "


def opened(path):
    with pytest.raises(InvalidValueError) as raised:
        Store(path)
    assert str(raised.value).endswith("), whose numbers may differ; give a new file, or run with that version")
    return str(raised.value)


@dataclasses.dataclass(frozen=True)
class Wider(Tally):
    more: int = 0


@dataclasses.dataclass(frozen=True)
class OtherKind:
    window: float


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bufsim.studies.store.Tally", Wider),
        ("bufsim.studies.store.Tally", OtherKind),
        ("bufsim.studies.store.TIMES", dataclasses.replace(TIMES, whole=True)),
        ("bufsim.studies.store.BINS", 64),
        ("bufsim.studies.store.OUTCOMES", ("buffered",)),
        ("bufsim.studies.store.LOSS_CAUSES", ("buffer", "capacity")),
        ("bufsim.studies.store.FORMAT", 99),
        ("bufsim.studies.store.SCHEMA", (*stores.SCHEMA, "CREATE TABLE IF NOT EXISTS more (name TEXT)")),
    ],
)
def test_a_store_of_another_format_is_of_another_version(path, monkeypatch, tally, name, value):
    with monkeypatch.context() as patched:
        patched.setattr(name, value)
        Store(path).close()
    assert OTHER.split("{}")[0] in opened(path)
    # negative control: to the version that made it, it is its own
    monkeypatch.setattr(name, value)
    Store(path).close()


def test_a_store_from_before_a_version_was_written_down_is_of_another_version(path):
    Store(path).close()
    execute(path, "DELETE FROM about WHERE name = 'format'")
    assert OTHER.format("unknown") in opened(path)
    # looking has not made it one of this version
    assert OTHER.format("unknown") in opened(path)


def test_a_store_whose_tables_are_others_is_of_another_version(path):
    Store(path).close()
    execute(path, "DROP TABLE about")
    execute(path, "CREATE TABLE about (name TEXT, version TEXT)")
    assert OTHER.format("unknown") in opened(path)


def test_a_replication_of_other_fields_is_of_another_version(path, tally):
    with Store(path) as store:
        store.write([(KEY, 0, tally)])
        data = {name: value for name, value in plain(tally).items() if name != "jobs"}
        text = json.dumps(data).encode()
        packed_so = zlib.compress(len(text).to_bytes(4, "little") + text)
        execute(path, "UPDATE replications SET tally = ?", packed_so)
        with pytest.raises(InvalidValueError, match=r"was written by another version \(of a tally, without 'jobs'\)"):
            store.read(KEY, [0])


@pytest.mark.parametrize("content", ["a table", "a text"])
def test_another_programs_file_is_refused_and_stays_as_it_is(path, content):
    if content == "a text":
        path.write_text("dear diary " * 100)
        cause = "file is not a database"
    else:
        execute(path, "CREATE TABLE diary (day TEXT)")
        cause = "it is another program's database"
    before = path.read_bytes()
    with pytest.raises(InvalidValueError) as error:
        study_of().run(3, store=path, progress=False)
    assert str(error.value) == f"store must be a file that bufsim has written, or a new one, got {str(path)!r}: {cause}"
    assert path.read_bytes() == before


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InvalidValueError, match="store must be a file in a folder that is there, got "):
        study_of().run(3, store=tmp_path, progress=False)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidValueError, match=r"store must be a file in a folder that is there, got .*missing/x"):
        study_of().run(3, store=str(tmp_path / "missing" / "x.sqlite"), progress=False)


def test_a_file_that_cannot_be_written_is_refused(path, monkeypatch):
    computed(path)
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda file, **options: connect(f"file:{file}?mode=ro", uri=True, **options)
    )
    with pytest.raises(InvalidValueError) as error:
        study_of().run(3, store=path, progress=False)
    assert "store must be a file that can be written, got " in str(error.value)
    assert "attempt to write a readonly database; copy it to where it can" in str(error.value)


def test_a_file_that_cannot_be_made_is_refused(path, monkeypatch):
    def refuse(*args, **options):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(InvalidValueError, match=r"must be a file that can be written, got .*: unable to open database"):
        Store(path)


def test_a_full_disk_ends_the_study_and_keeps_what_is_written(path, tally, monkeypatch):
    class Full(sqlite3.Connection):
        """One for which the disk has no page more than the file has now."""

        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            (pages,) = self.execute("PRAGMA page_count").fetchone()
            self.execute(f"PRAGMA max_page_count = {pages}")

    with Store(path) as store:
        store.write([(KEY, 0, tally)])
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Full))
    with Store(path) as store:
        with pytest.raises(BufsimError) as error:
            store.write([(KEY, number, tally) for number in range(1, 50)])
        assert str(error.value) == (
            f"store {str(path)!r} could not be written: database or disk is full; make room for it, and run the study "
            "again: what was written before is kept"
        )
        assert list(store.read(KEY, range(99))) == [0]


def as_row(text):
    """Bytes of a row whose JSON is this text."""
    return zlib.compress(len(text).to_bytes(4, "little") + text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        as_row(b"[]"),
        zlib.compress(b"\x01\x00\x00\x00x"),
        zlib.compress(bytes(2**28), 1),
        as_row(b"[" * 100_000),
        as_row(b"[" * 100_000 + b"]" * 100_000),
        as_row(b"7"),
        as_row(b'{"window": [1e999, 0, 1]}'),
        as_row(b'{"window": ["<f8", 0, -7]}'),
        as_row(b'{"window": ["<f8", 99999999999999999999, 1]}'),
        None,
        7,
    ],
)
def test_a_damaged_replication_is_refused_and_the_others_can_be_saved(path, data, tally, tmp_path):
    with Store(path) as store:
        store.write([(KEY, number, tally) for number in (0, 2)])
        # as another program may have made it
        execute(path, "PRAGMA ignore_check_constraints = 1")
        execute(path, "INSERT INTO replications VALUES (?, ?, ?, 1, ?)", *KEY.row(), b"" if data is None else data)
        with pytest.raises(InvalidValueError, match=r"(is damaged: a replication in it|another version)"):
            store.read(KEY, [0, 1, 2])
    before = path.read_bytes()
    assert salvage(path, tmp_path / "copy.sqlite") == (2, 1)
    assert path.read_bytes() == before
    with Store(tmp_path / "copy.sqlite") as copy:
        assert list(copy.read(KEY, range(9))) == [0, 2]
    with pytest.raises(InvalidValueError, match="into must be a new file"):
        salvage(path, tmp_path / "copy.sqlite")


def test_pages_that_are_damaged_lose_what_is_in_them_and_no_more(path, tally, tmp_path):
    keys = [(KEY, number, tally) for number in range(60)]
    with Store(path) as store:
        store.write(keys)
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 8192 * 4096
    whole[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(whole)
    with Store(path) as store, pytest.raises(InvalidValueError, match=r"is damaged: .*bufsim\.salvage\("):
        store.read(KEY, range(60))
    kept, lost = salvage(path, tmp_path / "copy.sqlite")
    assert 30 <= kept < 60
    assert lost <= 1
    with Store(tmp_path / "copy.sqlite") as copy:
        assert {packed(found) for found in copy.read(KEY, range(60)).values()} == {packed(tally)}


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "no/folder"])
def test_a_name_that_no_file_has_is_a_sentence(name, tmp_path):
    with pytest.raises(InvalidValueError, match=r"store must be a file|a file's name must not hold the character 0"):
        Store(tmp_path / name)


def test_nothing_that_is_read_is_run(path, tally):
    # the type of an array is the one text in a replication that something is made of
    text = json.dumps({"window": ["O", 0, 1]}).encode()
    with Store(path) as store:
        data = zlib.compress(len(text).to_bytes(4, "little") + text + bytes(8))
        execute(path, "INSERT INTO replications VALUES (?, ?, ?, 0, ?)", *KEY.row(), data)
        with pytest.raises(InvalidValueError, match="cannot be read"):
            store.read(KEY, [0])


@pytest.mark.parametrize("store", [5, b"study.sqlite", ["study.sqlite"]])
def test_a_store_that_is_no_path_is_told(store):
    with pytest.raises(InvalidTypeError, match=r"^store must be the path of a file such as 'study\.sqlite', got "):
        study_of().run(2, store=store, progress=False)
