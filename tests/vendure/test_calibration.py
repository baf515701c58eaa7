"""Calibrations of real stores: what they leave behind, what they refuse, and that they tell no secret."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from bufsim_tests.servers import PASSWORD, USER
from bufsim_tests.stores import Store

from bufsim import InvalidTypeError, InvalidValueError, StoreError, load_scenario
from bufsim.cli import main
from bufsim.cli.calibrate import fragment
from bufsim.plots.calibration import CalibrationLines
from bufsim.statistics import lines
from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job, SqlJobBufferStorageStrategy, calibrate, calibration

SCRATCH = calibration.SCRATCH
MOST = "0.3s"


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return Store("sqlite", f"sqlite:///{tmp_path / 'jobs.db'}")
    return Store(request.param, request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(autouse=True)
def few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SIZES", (1, 30))
    monkeypatch.setattr(calibration, "ROUNDS", 4)
    # the intervals have tests of their own
    monkeypatch.setattr(lines, "_RESAMPLES", 3)


def everything(strategy: Any) -> dict[str, Any]:
    """What lies in a store, by table or key."""
    if strategy.__class__.__name__.startswith("Redis"):
        client = strategy._redis
        return {key.decode(): client.dump(key) for key in client.scan_iter("*")}
    from sqlalchemy import inspect, text

    with strategy._engine.connect() as connection:
        names = inspect(connection).get_table_names()
        return {name: connection.execute(text(f'SELECT * FROM "{name}"')).fetchall() for name in names}


@pytest.mark.parametrize("options", [{}, {"atomic": True}, {"acknowledged": True}], ids=str)
def test_a_calibration_measures_and_leaves_everything_as_it_was(store: Store, options: dict[str, bool]) -> None:
    with store.open(**options) as strategy:
        for number in range(3):
            strategy.add("kept", Job(queue_name="q", data=number))
        before = everything(strategy)
        found = calibrate(strategy, most=MOST)
        assert everything(strategy) == before
        assert [job.data for job in strategy.take("kept", 3)] == [0, 1, 2]
    assert found.sizes == (1, 30)
    shipped = not options
    assert (found.atomic, found.acknowledged) == (not shipped, "acknowledged" in options)
    assert (found.window is None) == (not shipped)
    names = {"add", "buffer_size", "flush"} | ({"window", "rest"} if shipped else set())
    assert {one.operation for one in found.measurements} == names
    assert all(one.seconds > 0.0 for one in found.measurements)
    if shipped:
        assert 0.0 < found.read_delete_window(30) < 1.2 * found.flush.at(30)
        # more than was measured: that of most
        assert found.read_delete_window(10_000) == found.read_delete_window(30)


def test_a_url_does_as_well_and_makes_no_file(tmp_path: Path) -> None:
    found = calibrate(f"sqlite:///{tmp_path / 'none.db'}", most=MOST, atomic=True)
    assert found.atomic
    assert found.read_delete_window(5) == 0.0
    assert list(tmp_path.iterdir()) == []


def test_a_slow_store_is_seen_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    # 2 ms for every flush, and 1 ms a job, on top of what memory takes
    flush = calibration._Scratch.empty

    def slow(scratch: Any) -> None:
        time.sleep(0.002 + 0.001 * scratch.buffer_size(["scratch"])["scratch"])
        flush(scratch)

    monkeypatch.setattr(calibration._Scratch, "empty", slow)
    found = calibrate("sqlite://", most="1s", atomic=True)
    assert found.flush.at(30) >= 0.032
    assert found.flush.per_job == pytest.approx(0.001, rel=0.5)


def test_what_is_there_under_that_name_is_refused_and_stays(store: Store) -> None:
    with store.open() as strategy:
        strategy.add("kept", Job(queue_name="q"))
        if store.kind == "redis":
            strategy._redis.set(f"{SCRATCH}:other", "mine")
        else:
            with strategy._engine.connect() as connection:
                connection.exec_driver_sql(f"CREATE TABLE {SCRATCH} (mine int)")
        before = everything(strategy)
        try:
            for given in (strategy, store.url):
                with pytest.raises(StoreError, match=rf"{SCRATCH}.* is there already, .*rename it, or remove it"):
                    calibrate(given, most=MOST)
            assert everything(strategy) == before
        finally:
            if store.kind == "redis":
                strategy._redis.delete(f"{SCRATCH}:other")
            else:
                with strategy._engine.connect() as connection:
                    connection.exec_driver_sql(f"DROP TABLE {SCRATCH}")


def test_what_fails_on_the_way_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scratch: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration._Scratch, "empty", broken)
    with store.open() as strategy:
        before = everything(strategy)
        with pytest.raises(KeyboardInterrupt):
            calibrate(strategy, most=MOST)
        assert everything(strategy) == before


def test_what_fails_while_it_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(storage: Any) -> None:
        raise KeyboardInterrupt

    with Store("sqlite", f"sqlite:///{tmp_path / 'jobs.db'}").open() as strategy:
        before = everything(strategy)
        monkeypatch.setattr(SqlJobBufferStorageStrategy, "_make_index", broken)
        with pytest.raises(KeyboardInterrupt):
            calibrate(strategy._url, most=MOST, atomic=True)
        assert everything(strategy) == before


def test_a_file_that_others_have_come_to_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store("sqlite", f"sqlite:///{tmp_path / 'jobs.db'}")

    def meanwhile(text: str) -> None:
        with store.open() as strategy:
            strategy.add("a", Job(queue_name="q", data=text))

    calibrate(store.url, most=MOST, say=meanwhile)
    with store.open() as strategy:
        assert len(strategy.flush(["a"])["a"]) == 2
        assert set(everything(strategy)) == {store.part}


def test_sizes_for_which_there_is_no_time_are_left_out_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SIZES", (1, 2, 1_000_000))
    said: list[str] = []
    found = calibrate("sqlite://", most="0.05s", say=said.append)
    assert found.sizes == (1, 2)
    assert said == [
        "measuring buffers of 1 job",
        "measuring buffers of 2 jobs",
        "no time to measure buffers of 1,000,000 jobs and more",
    ]


def test_what_lies_in_memory_is_refused() -> None:
    with pytest.raises(InvalidTypeError, match=r"store must be a SqlJob.* got a InMemoryJobBufferStorageStrategy"):
        calibrate(InMemoryJobBufferStorageStrategy())  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["atomic", "acknowledged"])
def test_a_strategy_is_measured_as_it_flushes_and_not_otherwise(option: str) -> None:
    refused = pytest.raises(InvalidValueError, match="go with a URL: a strategy is measured as it flushes")
    with SqlJobBufferStorageStrategy("sqlite://") as strategy, refused:
        calibrate(strategy, most=MOST, **{option: True})


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_a_part_of_a_scenario_file_that_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, picture = tmp_path / "store.toml", tmp_path / "store.png"
    command = ["calibrate", "--storage", "sqlite://", "--most", MOST, "--batch", "20"]
    assert main([*command, "--out", str(out), "--picture", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "SQLite in memory" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = out.read_text()
    assert text in printed
    flush_time = next(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# flush_time"))
    whole = tmp_path / "scenario.toml"
    producer = "[[producer]]\nname = 'p'\narrivals = 'poisson(1.0)'\n"
    whole.write_text(
        f"[simulation]\nuntil = 10.0\n\n{producer}\n[[buffer]]\nid = 'b'\npolicy = 'size(3)'\n{flush_time}\n\n{text}"
    )
    simulation = load_scenario(whole)
    assert simulation.storage.durable
    assert 0.0 < simulation.storage.read_delete_window < 1.0
    assert simulation.buffers[0].flush_time.per_job < 1.0


def test_json_has_the_lines_and_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--storage", "sqlite://", "--most", MOST, "--atomic", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["storage"] == {"durable": True, "read_delete_window": 0.0}
    assert set(answer["lines"]) == {"add", "buffer size", "flush"}
    assert answer["flush_time"]["fixed"] == answer["lines"]["flush"]["fixed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--storage", "sqlite://", "--batch", "0"], "--batch must be at least 1, got 0"),
        (["--storage", "sqlite://", "--picture", "a.doc"], "--picture must end in .png, .svg, .pdf, got 'a.doc'"),
        (["--storage", "sqlite://", "--most=-1s"], "most must be"),
        (["--storage", "redis://no.where", "--out", "/"], "'/' is a folder, which is not replaced"),
        (["--storage", "mysql://me:hush-hush@host/shop"], "url must be that of an SQLite file or of PostgreSQL"),
        (["--storage", "redis://me:hush-hush@localhost:1/0"], "Redis at localhost:1 cannot be reached"),
    ],
)
def test_wrong_input_is_a_sentence(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", *options]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "hush-hush" not in said


def test_a_url_in_the_wrong_place_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["calibrate", "--storage", "sqlite://", "postgresql://me:hush-hush@host/shop"])
    said = capsys.readouterr().err
    assert "unrecognized arguments: postgresql://...@host/shop" in said
    assert "hush" not in said


SECRETS = [PASSWORD, PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A"), USER, "hush-hush"]


def test_no_user_and_no_password_is_in_anything_that_is_printed_written_or_logged(
    postgresql_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    names = ("store.toml", "store.svg")
    out, picture = (str(tmp_path / name) for name in names)
    command = ["calibrate", "--storage", postgresql_url, "--most", MOST]
    assert main([*command, "--out", out, "--picture", picture]) == 0
    assert main([*command, "--json"]) == 0
    # one that is there already, a wrong password, and where an error comes from
    wrong = postgresql_url.replace("p%40ss", "hush-hush")
    assert wrong != postgresql_url
    assert main(["calibrate", "--debug", "--storage", wrong]) == 2
    found = calibrate(postgresql_url, most=MOST)
    told = capsys.readouterr()
    texts = [told.out, told.err, caplog.text, repr(found), fragment(found, 10)]
    texts += [(tmp_path / name).read_text("utf-8") for name in names]
    texts += [str(CalibrationLines(found).frame())]
    for secret in SECRETS:
        assert not any(secret in text for text in texts), secret
    # negative control: the URL holds them
    assert sum(secret in postgresql_url for secret in SECRETS) == 2


def test_an_old_table_of_a_users_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE product (id int)")
    calibrate(f"sqlite:///{path}", most=MOST)
    with sqlite3.connect(path) as connection:
        # sqlite_sequence is SQLite's own, once a table has counted
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")} - {"sqlite_sequence"}
    assert tables == {"product"}
