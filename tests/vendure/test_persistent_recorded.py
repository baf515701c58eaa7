from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bufsim_tests import stores

from bufsim.vendure import RedisJobBufferStorageStrategy, SqlJobBufferStorageStrategy
from bufsim.verification.replays import ServiceReplay, StorageReplay, Vector, differs_after, of_level

OF_SQLITE = ("sql-better-sqlite3", "sql-sqljs")
STRATEGIES = (*OF_SQLITE, "sql-postgres", "redis")


@dataclass
class Emptied:
    """One storage strategy, emptied before each case."""

    storage: Any
    empty: Callable[[Any], None]
    contents: Callable[[Any], stores.Stored]

    def __call__(self) -> Any:
        self.empty(self.storage)
        return self.storage

    def differs(self, vector: Vector) -> bool:
        replay = StorageReplay if vector["level"] == "storage" else ServiceReplay
        return replay(vector, self(), self.contents).differs()


def edges(level: str, strategy: str) -> list[Vector]:
    """The cases that were made to show something."""
    return [vector for vector in of_level(level, strategy) if "/edge/" in vector["name"]]


@pytest.fixture(scope="module", params=STRATEGIES)
def recorded(request: pytest.FixtureRequest) -> Iterator[tuple[str, Emptied]]:
    if request.param == "redis":
        with RedisJobBufferStorageStrategy(request.getfixturevalue("redis_url"), prefix="recorded") as redis:
            yield request.param, Emptied(redis, stores.empty_redis, stores.redis_contents)
        return
    url = "sqlite://" if request.param in OF_SQLITE else request.getfixturevalue("postgresql_url")
    with SqlJobBufferStorageStrategy(url, table="recorded") as sql:
        yield request.param, Emptied(sql, stores.empty_sql, stores.sql_contents)


@pytest.mark.parametrize("level", ["storage", "service"])
def test_a_persistent_storage_equals_every_sequential_case_of_its_record(
    recorded: tuple[str, Emptied], level: str
) -> None:
    strategy, emptied = recorded
    # all those of servers take a while: they are among the slow tests
    vectors = of_level(level, strategy) if strategy in OF_SQLITE else edges(level, strategy)
    assert [vector["name"] for vector in vectors if emptied.differs(vector)] == []


@pytest.mark.slow
@pytest.mark.parametrize("level", ["storage", "service"])
def test_a_server_equals_all_of_its_record(recorded: tuple[str, Emptied], level: str) -> None:
    strategy, emptied = recorded
    vectors = of_level(level, strategy)
    assert [vector["name"] for vector in vectors if emptied.differs(vector)] == []


def test_a_job_comes_back_as_recorded(recorded: tuple[str, Emptied]) -> None:
    strategy, emptied = recorded
    vectors = of_level("roundtrip", strategy)
    assert len(vectors) == 14
    assert [vector["name"] for vector in vectors if differs_after(vector, emptied())] == []


@pytest.mark.parametrize(("strategy", "other"), [("redis", "sql-better-sqlite3"), ("sql-better-sqlite3", "redis")])
def test_the_record_of_another_strategy_differs(strategy: str, other: str, redis_url: str) -> None:
    # negative control
    sql = SqlJobBufferStorageStrategy("sqlite://")
    redis = RedisJobBufferStorageStrategy(redis_url, prefix="other")
    with sql, redis:
        emptied = {
            "redis": Emptied(redis, stores.empty_redis, stores.redis_contents),
            "sql-better-sqlite3": Emptied(sql, stores.empty_sql, stores.sql_contents),
        }[strategy]
        assert sum(map(emptied.differs, edges("storage", other))) > 10


def test_a_repaired_storage_differs_from_the_record_in_what_it_repairs() -> None:
    with SqlJobBufferStorageStrategy("sqlite://", atomic=True) as sql:
        emptied = Emptied(sql, stores.empty_sql, stores.sql_contents)
        differing = {v["name"].rpartition("/")[2] for v in edges("storage", "sql-better-sqlite3") if emptied.differs(v)}
    assert {"size-undefined", "size-emptyarray", "flush-emptyarray", "buffer-id-constructor"} <= differing
    assert not {"order-jobs-fifo-or-lifo", "order-keys-flush-undefined", "same-object-readd-keeps-position"} & differing
