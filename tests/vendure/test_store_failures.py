from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import redis
import sqlalchemy
from bufsim_tests import servers

from bufsim.errors import InvalidTypeError, InvalidValueError, StoreError
from bufsim.vendure import Job, RedisJobBufferStorageStrategy, SqlJobBufferStorageStrategy, sql_failures

SECRET = "hunter2-and-more"
SQL, REDIS = SqlJobBufferStorageStrategy, RedisJobBufferStorageStrategy


def job() -> Job:
    return Job(queue_name="q", data={"n": 1, "address": "Kassandra"})


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    """The message of the failure; neither it nor the traceback holds a password, a user or what a job carries."""
    with pytest.raises((StoreError, InvalidValueError, InvalidTypeError)) as caught:
        call(*arguments, **options)
    shown = "".join(traceback.format_exception(caught.value))
    for hidden in (SECRET, servers.PASSWORD, "p%40ss", servers.USER, "clerk", "Kassandra"):
        assert hidden not in str(caught.value)
        assert hidden not in shown
    text = str(caught.value)
    assert len(text) < 400
    return text


@pytest.mark.parametrize(
    ("strategy", "url", "message"),
    [
        (SQL, f"postgresql://clerk:{SECRET}@127.0.0.1:9/shop", "the database 'shop' at 127.0.0.1:9 cannot be reached"),
        (REDIS, f"redis://clerk:{SECRET}@127.0.0.1:9/0", "Redis at 127.0.0.1:9 cannot be reached"),
        (REDIS, "unix:///no/such/folder/redis.sock", "Redis at /no/such/folder/redis.sock cannot be reached"),
        (SQL, "sqlite:////no/such/folder/jobs.db", "'/no/such/folder/jobs.db' cannot be opened"),
        (SQL, f"mysql://clerk:{SECRET}@host/shop", "url must be that of an SQLite file or of PostgreSQL"),
        (SQL, f"postgresql://clerk:{SECRET}@x@host/shop", "with %40 for an @ in the password"),
        (SQL, f"postgresql://cl/erk:{SECRET}@host/shop", "what was given is not repeated"),
        (SQL, f"clerk:{SECRET}", "what was given is not repeated"),
        (REDIS, f"http://clerk:{SECRET}@host", "url must be that of Redis"),
        (REDIS, f"redis://:12/{SECRET}@host:6379", "what was given is not repeated"),
        (REDIS, f"redis://clerk:{SECRET}@host:port", "what was given is not repeated"),
        (SQL, 7, "url must be a str, got a int"),
        (REDIS, None, "url must be a str, got a NoneType"),
    ],
)
def test_a_url_that_leads_nowhere_gets_a_sentence(strategy: Any, url: Any, message: str) -> None:
    assert message in refusal(strategy, url)


def test_the_wrong_password_user_or_database_gets_a_sentence(postgresql_url: str, redis_url: str) -> None:
    right = sqlalchemy.make_url(postgresql_url)
    for wrong in (right.set(password=SECRET), right.set(username="clerk")):
        assert "refuses the user or the password" in refusal(SQL, wrong.render_as_string(hide_password=False))
    nowhere = right.set(database="nowhere").render_as_string(hide_password=False)
    assert "has no database of that name" in refusal(SQL, nowhere)
    assert "refuses the user or the password" in refusal(REDIS, f"unix://clerk:{SECRET}@{redis_url[7:]}")


def test_no_file_that_is_something_else_is_taken_for_a_database(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("what I have to do\n" * 100)
    assert "is no SQLite database" in refusal(SQL, f"sqlite:///{tmp_path}/notes.db")


@pytest.mark.parametrize(
    ("mode", "shown"),
    [({}, ""), ({"atomic": True}, ", atomic=True"), ({"acknowledged": True}, ", atomic=True, acknowledged=True")],
)
def test_a_repr_shows_no_credentials(postgresql_url: str, mode: dict[str, bool], shown: str) -> None:
    with SQL(postgresql_url, table="shown", **mode) as storage:
        text = repr(storage)
    (folder,) = parse_qs(urlsplit(postgresql_url).query)["host"]
    assert text.startswith(f"<SqlJobBufferStorageStrategy: the database 'postgres' at {folder}")
    assert text.endswith(f":5432{shown}>")


# no rights


def test_a_user_without_rights_on_the_table_gets_a_sentence(postgresql_url: str) -> None:
    with SQL(postgresql_url, table="guarded") as storage:
        storage.add("a", job())
        with storage._engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE ROLE clerk LOGIN PASSWORD '{SECRET}'")
            connection.exec_driver_sql("GRANT SELECT ON guarded TO clerk")
    url = sqlalchemy.make_url(postgresql_url).set(username="clerk", password=SECRET)
    with SQL(url.render_as_string(hide_password=False), table="guarded") as storage:
        assert storage.buffer_size(["a"]) == {"a": 1}
        assert "gives no right to that: it failed at storing a job" in refusal(storage.add, "a", job())
        assert "gives no right to that: it failed at flushing" in refusal(storage.flush, ["a"])
        assert storage.buffer_size(["a"]) == {"a": 1}


def test_a_file_that_can_only_be_read_gets_a_sentence(tmp_path: Path) -> None:
    with SQL(f"sqlite:///{tmp_path}/jobs.db") as storage:
        storage.add("a", job())
    with SQL(f"sqlite:///file:{tmp_path}/jobs.db?mode=ro&uri=true") as storage:
        assert "can only be read: it failed at storing a job" in refusal(storage.add, "a", job())
        assert storage.buffer_size(["a"]) == {"a": 1}


def test_a_redis_user_without_rights_gets_a_sentence(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as admin:
        admin.acl_setuser("clerk", enabled=True, passwords=[f"+{SECRET}"], keys=["*"], commands=["+ping", "+client"])
    with REDIS(f"unix://clerk:{SECRET}@{redis_url[7:]}", prefix="guarded") as storage:
        assert "gives the user no right to that: it failed at storing a job" in refusal(storage.add, "a", job())


# a table of another version

TABLES = [
    ('CREATE TABLE old (id INTEGER PRIMARY KEY, "bufferId" TEXT)', "atomic", "it has no column 'job'"),
    (
        'CREATE TABLE old (id INTEGER PRIMARY KEY, "bufferId" TEXT, job TEXT, shop TEXT NOT NULL)',
        "atomic",
        "its column 'shop' must be given a value",
    ),
    (
        'CREATE TABLE old (id TEXT, "bufferId" TEXT, job TEXT)',
        "acknowledged",
        "the ids of the table 'old' in .* no numbers",
    ),
]


@pytest.mark.parametrize(("table", "mode", "message"), TABLES, ids=["missing", "more", "ids"])
def test_a_table_of_another_version_gets_a_sentence(tmp_path: Path, table: str, mode: str, message: str) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(table)
    engine.dispose()
    with pytest.raises(StoreError, match=message):
        SQL(url, table="old", **{mode: True})


def test_a_table_as_vendure_makes_it_is_taken_as_it_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            'CREATE TABLE "job_record_buffer" ("createdAt" datetime NOT NULL DEFAULT (datetime(\'now\')), "updatedAt" '
            'datetime NOT NULL DEFAULT (datetime(\'now\')), "bufferId" varchar NOT NULL, "job" text NOT NULL, '
            '"id" integer PRIMARY KEY AUTOINCREMENT NOT NULL)'
        )
        connection.exec_driver_sql(
            'INSERT INTO "job_record_buffer" ("bufferId", "job") VALUES (?, ?)',
            ("a", '{"queueName":"q","data":{"tag":"é"},"createdAt":"2025-01-01T00:00:00.000Z","retries":2}'),
        )
    engine.dispose()
    with SQL(url, acknowledged=True) as storage:
        (stored,) = storage.flush(["a"])["a"]
    assert (stored.queue_name, stored.data, stored.retries, stored.created_at) == (
        "q",
        {"tag": "é"},
        2,
        "2025-01-01T00:00:00.000Z",
    )


def test_a_redis_key_of_another_kind_gets_a_sentence(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("kinds:a", "no list")
    for mode in ({}, {"atomic": True}, {"acknowledged": True}):
        with REDIS(redis_url, prefix="kinds", **mode) as storage:
            for call in (lambda: storage.add("a", job()), lambda: storage.flush(["a"])):
                assert "has something else than a list of jobs under a buffer's key" in refusal(call)


# a store that fills up


def is_taken(storage: Any, large: Job) -> bool:
    try:
        storage.add("a", large)
    except StoreError:
        return False
    return True


def test_a_file_that_fills_up_keeps_what_it_acknowledged_and_stores_no_half(tmp_path: Path) -> None:
    with SQL(f"sqlite:///{tmp_path}/jobs.db", atomic=True) as storage:
        with storage._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 20")
        large = Job(queue_name="q", data={"text": "Kassandra" * 500})
        # this many are acknowledged
        stored = next(number for number in range(100) if not is_taken(storage, large))
        assert "is full: it failed at storing a job; nothing was stored; make room" in refusal(storage.add, "a", large)
        assert stored > 3
        assert storage.buffer_size() == {"a": stored}
        assert len(storage.flush()["a"]) == stored


def test_a_database_that_fills_up_gets_a_sentence(postgresql_url: str) -> None:
    with SQL(postgresql_url, table="filling") as storage:
        storage.add("a", job())
        with storage._engine.connect() as connection:
            connection.exec_driver_sql(
                "CREATE FUNCTION filled() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER filled BEFORE INSERT ON filling FOR EACH ROW EXECUTE FUNCTION filled()"
            )
        assert "is full: it failed at storing a job; nothing was stored" in refusal(storage.add, "a", job())
        assert storage.buffer_size(["a"]) == {"a": 1}


@pytest.fixture
def full_redis(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as admin:
        yield admin
        admin.config_set("maxmemory", 0)


def test_a_redis_that_fills_up_takes_no_more_and_loses_nothing(redis_url: str, full_redis: redis.Redis) -> None:
    with REDIS(redis_url, prefix="filling", acknowledged=True) as storage:
        for _ in range(3):
            storage.add("a", job())
        full_redis.config_set("maxmemory", 1)
        assert "is full: it failed at storing a job; nothing was stored" in refusal(storage.add, "a", job())
        assert storage.buffer_size(["a"]) == {"a": 3}
        # what is there can be taken out and given back all the same, in part or whole
        storage.give_back("a", storage.take("a", 1))
        storage.give_back("a", storage.flush(["a"])["a"])
        assert storage.came_back == 4
    with REDIS(redis_url, prefix="filling", acknowledged=True) as storage:
        assert len(storage.flush(["a"])["a"]) == 3


# a connection that is lost


def test_a_lost_connection_gets_a_sentence_and_the_next_call_another_connection(postgresql_url: str) -> None:
    others = "pid <> pg_backend_pid() AND usename = current_user"
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    with SQL(postgresql_url, table="lost") as storage, SQL(postgresql_url, table="other") as other:
        storage.add("a", job())
        with other._engine.connect() as connection:
            connection.exec_driver_sql(end)
        message = refusal(storage.add, "a", job())
        assert "is no longer connected: it failed at storing a job; whether that was done is not known" in message
        storage.add("a", job())
        assert storage.buffer_size(["a"]) == {"a": 2}


def test_a_server_that_ends_a_connection_without_a_word_is_lost_and_not_unreachable() -> None:
    said = psycopg.OperationalError("server closed the connection unexpectedly")

    def sentence(*, invalidated: bool) -> str:
        error = sqlalchemy.exc.OperationalError(None, None, said, connection_invalidated=invalidated)
        return sql_failures.sentence("the store", "flushing", error)

    assert sentence(invalidated=True).startswith("the store is no longer connected: it failed at flushing; whether")
    # negative control: one that was never made
    assert sentence(invalidated=False).startswith("the store cannot be reached")


def test_a_connection_that_is_lost_inside_a_flush_undoes_it(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SQL(postgresql_url, table="undone", acknowledged=True) as storage:
        storage.add("a", job())

        def lose(connection: Any, *_: Any) -> None:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

        monkeypatch.setattr(storage, "_claim", lose)
        assert "is no longer connected: it failed at taking jobs" in refusal(storage.flush, ["a"])
        monkeypatch.undo()
        assert len(storage.flush(["a"])["a"]) == 1


def test_a_lost_connection_to_redis_gets_a_sentence_and_the_next_call_another_connection(redis_url: str) -> None:
    messages: list[str] = []
    with REDIS(redis_url, prefix="lost") as storage, redis.Redis.from_url(redis_url) as admin:
        storage.add("a", job())
        # a writer waits for the answer when its connection is cut
        admin.client_pause(60_000, all=False)
        writer = threading.Thread(target=lambda: messages.append(refusal(storage.add, "a", job())))
        writer.start()
        end = time.monotonic() + 20.0
        while not any(client["cmd"] == "lpush" and "b" in client["flags"] for client in admin.client_list()):
            assert time.monotonic() < end, admin.client_list()
            time.sleep(0.01)
        admin.client_kill_filter(_type="normal", skipme=True)
        writer.join()
        admin.client_unpause()
        (message,) = messages
        assert "is no longer connected: it failed at storing a job; whether that was done is not known" in message
        storage.add("a", job())
        assert storage.buffer_size(["a"]) == {"a": 2}


@pytest.mark.parametrize(
    ("strategy", "url"),
    [
        (SQL, f"postgresql://clerk:{SECRET}@127.0.0.1:{{}}/shop?connect_timeout=2"),
        (REDIS, f"redis://clerk:{SECRET}@127.0.0.1:{{}}/0?socket_timeout=0.2"),
    ],
)
def test_a_server_that_never_answers_is_waited_for_as_long_as_the_url_says(strategy: Any, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert "it failed at" in refusal(strategy, url.format(silent.getsockname()[1]))
        # by themselves 10 s, and 60 s
        assert time.monotonic() - start < 8.0


def test_what_a_job_carries_is_in_no_log_of_the_library(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    with SQL(f"sqlite:///{tmp_path}/jobs.db") as storage:
        storage.add("a", job())
    assert "INSERT" in caplog.text
    assert "Kassandra" not in caplog.text


def test_a_redis_that_has_stopped_cannot_be_reached() -> None:
    with servers.redis_server() as url:
        storage = REDIS(url)
        storage.add("a", job())
    with storage:
        assert "cannot be reached: it failed at storing a job" in refusal(storage.add, "a", job())


def test_a_database_that_another_process_locks_gets_a_sentence(tmp_path: Path) -> None:
    with SQL(f"sqlite:///{tmp_path}/jobs.db?timeout=0.05") as storage, SQL(f"sqlite:///{tmp_path}/jobs.db") as other:
        with other._transaction("locking"):
            assert "was locked by others all the time: it failed at storing a job" in refusal(storage.add, "a", job())
        storage.add("a", job())
        assert storage.buffer_size(["a"]) == {"a": 1}


@pytest.mark.parametrize("strategy", [SQL, REDIS])
def test_an_id_that_a_store_cannot_hold_gets_a_sentence(strategy: Any, redis_url: str) -> None:
    with strategy("sqlite://" if strategy is SQL else redis_url) as storage:
        with pytest.raises(InvalidValueError, match="buffer_id must be text that UTF-8 can hold"):
            storage.add("\ud800", job())
        assert "cannot hold that text" in refusal(storage.flush, ["\ud800"])


def test_postgresql_holds_no_nul_in_an_id(postgresql_url: str) -> None:
    with SQL(postgresql_url, table="nul") as storage:
        assert "cannot hold that text: it failed at storing a job" in refusal(storage.add, "a\0b", job())


@pytest.mark.parametrize(
    ("library", "make", "message"),
    [
        ("sqlalchemy", "SqlJobBufferStorageStrategy()", "SqlJobBufferStorageStrategy needs SQLAlchemy"),
        ("redis", "RedisJobBufferStorageStrategy()", "RedisJobBufferStorageStrategy needs redis-py"),
        ("psycopg", "SqlJobBufferStorageStrategy('postgresql://a/b')", "a postgresql:// URL needs psycopg"),
    ],
)
def test_a_missing_library_names_the_extra_that_brings_it(library: str, make: str, message: str) -> None:
    missing = f"import sys; sys.modules[{library!r}] = None; import bufsim.vendure as v"
    code = f"{missing}\ntry: v.{make}\nexcept ImportError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{message}: pip install 'bufsim[stores]'"
