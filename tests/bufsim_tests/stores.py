"""Empty persistent storages on real stores, and what lies in them."""

from __future__ import annotations

import itertools
from typing import Any

import redis
import sqlalchemy

from bufsim.vendure import Job, RedisJobBufferStorageStrategy, SqlJobBufferStorageStrategy, stored_job

Stored = list[tuple[str, list[Job]]]
_NUMBERS = itertools.count()


class Store:
    """A store that tests share: each gets a part of its own.

    Parameters
    ----------
    kind : str
        "sqlite", "postgresql" or "redis".
    url : str
        Where it is.
    """

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url
        self.part = f"part{next(_NUMBERS)}"

    def __repr__(self) -> str:
        return self.kind

    def open(self, **options: Any) -> Any:
        """Open a storage strategy on this part."""
        if self.kind == "redis":
            return RedisJobBufferStorageStrategy(self.url, prefix=self.part, **options)
        return SqlJobBufferStorageStrategy(self.url, table=self.part, **options)

    def code(self, **options: Any) -> str:
        """The expression that opens the same strategy in another process."""
        kind, name = ("Redis", "prefix") if self.kind == "redis" else ("Sql", "table")
        given = ", ".join(f"{key}={value!r}" for key, value in {name: self.part, **options}.items())
        return f"bufsim.vendure.{kind}JobBufferStorageStrategy({self.url!r}, {given})"


def sql_contents(storage: SqlJobBufferStorageStrategy) -> Stored:
    """Return what lies in a SQL storage, by row id, the buffers in the order of their first rows."""
    table = sqlalchemy.table(storage._table.name, *map(sqlalchemy.column, ("id", "bufferId", "job")))
    buffers: dict[str, list[Job]] = {}
    with storage._engine.connect() as connection:
        for _, buffer_id, text in connection.execute(sqlalchemy.select(table).order_by(table.c.id)):
            buffers.setdefault(buffer_id, []).append(stored_job.read(text))
    return list(buffers.items())


def empty_sql(storage: SqlJobBufferStorageStrategy) -> None:
    """Delete all rows, also those that no flush can take out."""
    with storage._engine.connect() as connection:
        connection.execute(sqlalchemy.delete(sqlalchemy.table(storage._table.name)))


def redis_contents(storage: RedisJobBufferStorageStrategy) -> Stored:
    """Return what lies in a Redis storage, sorted by key, the newest job first."""
    client: redis.Redis = storage._redis
    keys = sorted(client.scan_iter(f"{storage._prefix}:*"))
    names = [key.decode()[len(storage._prefix) + 1 :] for key in keys]
    return [
        (name, [stored_job.read(text) for text in client.lrange(key, 0, -1)])
        for name, key in zip(names, keys, strict=True)
    ]


def empty_redis(storage: RedisJobBufferStorageStrategy) -> None:
    """Delete all keys of a Redis storage."""
    for key in storage._redis.scan_iter(f"{storage._prefix}*"):
        storage._redis.delete(key)
