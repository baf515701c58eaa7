"""The SQL storage strategy: buffered jobs as rows of a table, in SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bufsim import checks
from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, MissingExtraError, StoreError
from bufsim.vendure import sql_failures, stored_job
from bufsim.vendure.job import Job
from bufsim.vendure.persistent import INHERITED, PersistentStorage, ids_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Delete, Engine, Select, Table
    from sqlalchemy.sql import ColumnElement

PAGE = 1_000
"""So many jobs are deleted, or moved, by one statement at most."""

OF_NO_USE = ("createdAt", "updatedAt")
"""Columns that Vendure has, and nothing here reads."""


class SqlJobBufferStorageStrategy(PersistentStorage):
    """Buffered jobs in a table of SQLite or PostgreSQL: what ``useDatabaseForBuffer: true`` chooses in Vendure.

    Parameters
    ----------
    url : str
        Where the database is: ``"sqlite:///jobs.db"`` is the file jobs.db, ``"sqlite://"`` is in memory,
        ``"postgresql://user:password@host:5432/shop"``. PostgreSQL is reached through psycopg 3, within 10 s or as
        ``?connect_timeout=`` says; a lock of SQLite is waited for 5 s, or as ``?timeout=`` says.
    atomic : bool
        False flushes as Vendure does, by reading and then deleting, and loses what comes in between; two flushes at
        once return the same jobs. True takes each batch out in one transaction, oldest first, a page at a time: every
        job is returned by one flush, once. It puts an index on the buffer's id where there is none.
    acknowledged : bool
        True claims each batch in place of deleting it (and is atomic too). The service confirms a claim when it has
        handed the batch over; what was claimed and not confirmed comes back when a strategy with the same `server`
        is made again, as after a crash. So no job is lost between flush and queue, and some may be queued twice.
    server : str
        The name under which this server claims. Servers that share a store need a name each.
    table : str
        The table of the jobs; it is made where there is none. Claims lie in another, named so with ``_claim``.

    Attributes
    ----------
    came_back : int
        Jobs that were claimed, not confirmed, and came back, since the strategy was made: so many may be queued twice.

    Raises
    ------
    MissingExtraError
        If SQLAlchemy or psycopg is not installed.
    StoreError
        If the database cannot be reached, or refuses; no message holds the user or the password of the URL.

    Notes
    -----
    Without `atomic` and `acknowledged` it does what Vendure's strategy was recorded to do. Quirks: an empty list of
    ids means all buffers, for `flush` and for `buffer_size`, while no argument means all for `flush` and none for
    `buffer_size`. See the methods for the others.

    Each call stands for itself: a job that is added is there when `add` returns, whatever transaction the caller has
    open elsewhere.

    Examples
    --------
    >>> with SqlJobBufferStorageStrategy("sqlite://") as storage:
    ...     job = storage.add("a", Job(queue_name="q", data={"productId": 17}))
    ...     storage.buffer_size(["a"]), storage.flush(["a"]), storage.flush(["a"])
    ({'a': 1}, {'a': [Job(queue_name='q', data={'productId': 17})]}, {})
    """

    def __init__(
        self,
        url: str = "sqlite:///jobs.db",
        *,
        atomic: bool = False,
        acknowledged: bool = False,
        server: str = "server",
        table: str = "job_record_buffer",
    ) -> None:
        parsed = _parsed(url)
        super().__init__(url, sql_failures.label(parsed), atomic=atomic, acknowledged=acknowledged, server=server)
        self._table = _jobs_table(checks.text("table", table))
        self._claimed = _claims_table(f"{table}_claim")
        self._statements = _Statements(self._table)
        # SQLite in memory is one connection, which threads use in turn
        self._in_turn: contextlib.AbstractContextManager[object] = (
            RLock() if sql_failures.is_in_memory(parsed) else contextlib.nullcontext()
        )
        self._engine = _engine(parsed)
        self._open()

    def _store(self, buffer_id: str, text: str) -> None:
        with self._connection("storing a job") as connection:
            connection.execute(self._statements.insert, {"bufferId": buffer_id, "job": text})

    def buffer_size(self, buffer_ids: Iterable[str] | None = None) -> dict[str, int]:
        """Jobs now stored, by buffer; those that are claimed do not count.

        Parameters
        ----------
        buffer_ids
            Which buffers to count.

        Notes
        -----
        Quirks of Vendure: no argument gives ``{}`` and an empty list gives all buffers; a buffer without jobs is left
        out; so is one named ``"__proto__"``. With `atomic`, None means all buffers, a list exactly these.
        """
        ids = ids_of(buffer_ids)
        count, given = self._statements.count(ids), {"ids": ids}
        with self._connection("counting jobs") as connection:
            sizes = {str(buffer_id): int(size) for buffer_id, size in connection.execute(count, given)}
        if self.atomic:
            return sizes if ids is None else {buffer_id: sizes.get(buffer_id, 0) for buffer_id in ids}
        if ids is None:
            return {}
        sizes.pop("__proto__", None)
        return sizes

    def flush(self, buffer_ids: Iterable[str] | None = None) -> dict[str, list[Job]]:
        """Take out and return the jobs stored, by buffer.

        Parameters
        ----------
        buffer_ids
            Which buffers to empty.

        Raises
        ------
        InvalidTypeError
            If jobs lie in a buffer whose id is the name of something that every JavaScript object has, such as
            ``"constructor"``. Quirk: such a buffer, and all buffers together, can never be flushed.
        StoreError
            If the database fails, or holds what is no job. Jobs that were read and not deleted are still there.

        Notes
        -----
        Quirks of Vendure: no argument and an empty list both mean all buffers, also those that belong to nobody; a
        buffer without jobs is left out; the jobs are read in one statement and deleted in another, so that those stored
        in between are lost; the order is the database's own (that of insertion, as recorded).

        With `atomic`, None means all buffers and a list exactly these, with ``[]`` for one without jobs; the oldest job
        comes first, and what is stored meanwhile stays for the next flush.
        """
        ids = ids_of(buffer_ids)
        if self.atomic:
            return self._flush_at_once(ids)
        given = {"ids": ids}
        jobs: dict[str, list[Job]] = {}
        with self._connection("flushing") as connection:
            # all are read before any is looked at: a statement that is under way keeps SQLite's writers out
            for buffer_id, text in connection.execute(self._statements.read(ids), given).all():
                jobs.setdefault(_own(buffer_id), []).append(stored_job.read(text))
            connection.execute(self._statements.delete(ids), given)
        return jobs

    def _flush_at_once(self, ids: list[str] | None) -> dict[str, list[Job]]:
        if ids is None:
            return self._taken(None, None)
        taken = self._taken(ids, None) if ids else {}
        return {buffer_id: taken.get(buffer_id, []) for buffer_id in ids}

    def _taken(self, ids: list[str] | None, at_most: int | None) -> dict[str, list[Job]]:
        """Take the oldest jobs out, in one transaction; claim them if they are to be acknowledged."""
        from sqlalchemy import func, select

        rows: list[tuple[int, str, Job]] = []
        claims: dict[str, str] = {}
        with self._transaction("taking jobs") as connection:
            newest = connection.scalar(select(func.max(self._table.c.id)).where(*self._condition(ids)))
            # what is stored from now on stays for the next flush
            condition = [*self._condition(ids), self._table.c.id <= (newest or 0)]
            for page in self._pages(connection, self._table, condition, at_most):
                rows += [(row["id"], row["bufferId"], stored_job.read(row["job"])) for row in page]
                if self.acknowledged:
                    self._claim(connection, page, claims)
        jobs: dict[str, list[Job]] = {}
        for _, buffer_id, job in sorted(rows, key=lambda row: row[0]):
            jobs.setdefault(buffer_id, []).append(job)
        for buffer_id, claim in claims.items():
            self._claims.note(claim, jobs[buffer_id])
        return jobs

    def _claim(self, connection: Connection, page: list[dict[str, Any]], claims: dict[str, str]) -> None:
        for row in page:
            claims.setdefault(row["bufferId"], uuid4().hex)
        connection.execute(
            self._claimed.insert(),
            [{**row, "claim": claims[row["bufferId"]], "server": self.server} for row in page],
        )

    def _pages(
        self, connection: Connection, table: Table, condition: list[ColumnElement[bool]], at_most: int | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Delete the oldest rows of a table, a page at a time, and yield them; another's transaction keeps its own."""
        from sqlalchemy import delete, select

        left = at_most
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            oldest = select(table.c.id).where(*condition).order_by(table.c.id).limit(size)
            chosen = oldest.with_for_update(skip_locked=True).cte("chosen")
            doomed = delete(table).where(table.c.id.in_(select(chosen.c.id)))
            result = connection.execute(doomed.returning(table.c.id, table.c.bufferId, table.c.job))
            page = [dict(row) for row in result.mappings()]
            if page:
                yield page
            if len(page) < size:
                return
            left = None if left is None else left - len(page)

    def _drop(self, claims: list[str]) -> None:
        from sqlalchemy import delete

        with self._connection("confirming jobs") as connection:
            connection.execute(delete(self._claimed).where(self._claimed.c.claim.in_(claims)))

    def _return(self, claims: list[str]) -> int:
        return self._returned(self._claimed.c.claim.in_(claims))

    def _return_own(self) -> int:
        return self._returned(self._claimed.c.server == self.server)

    def _returned(self, condition: ColumnElement[bool]) -> int:
        count = 0
        with self._transaction("giving jobs back") as connection:
            for page in self._pages(connection, self._claimed, [condition]):
                connection.execute(self._table.insert(), page)
                count += len(page)
        return count

    def _condition(self, ids: list[str] | None) -> list[ColumnElement[bool]]:
        """Which rows are meant: all, for None and for no ids."""
        return [self._table.c.bufferId.in_(ids)] if ids else []

    def _set_up(self) -> None:
        self._make(self._table)
        if self.atomic:
            self._check_ids()
            self._make_index()
        if self.acknowledged:
            self._make(self._claimed)

    def _make(self, table: Table) -> None:
        from sqlalchemy import inspect
        from sqlalchemy.schema import CreateTable

        with self._connection("opening the table") as connection:
            if not inspect(connection).has_table(table.name):
                connection.execute(CreateTable(table, if_not_exists=True))
            there = {column["name"]: column for column in inspect(connection).get_columns(table.name)}
        of_another_version = f"the table {table.name!r} in {self.label} is of another version"
        missing = [column.name for column in table.c if column.name not in {*OF_NO_USE, *there}]
        if missing:
            raise StoreError(f"{of_another_version}: it has no column {missing[0]!r}; give another table")
        asked = [
            name
            for name, column in there.items()
            if name not in table.c and not column["nullable"] and column["default"] is None
        ]
        if asked:
            raise StoreError(f"{of_another_version}: its column {asked[0]!r} must be given a value; give another table")

    def _check_ids(self) -> None:
        from sqlalchemy import Integer, inspect

        with self._connection("opening the table") as connection:
            columns = inspect(connection).get_columns(self._table.name)
        kind = next(column["type"] for column in columns if column["name"] == "id")
        if not isinstance(kind, Integer):
            raise StoreError(
                f"the ids of the table {self._table.name!r} in {self.label} are no numbers, so that the oldest job is "
                "not known; give another table, or leave atomic and acknowledged out"
            )

    def _make_index(self) -> None:
        from sqlalchemy import Index, inspect
        from sqlalchemy.schema import CreateIndex

        with self._connection("making an index") as connection:
            there = inspect(connection).get_indexes(self._table.name)
            if any(index["column_names"][:1] == ["bufferId"] for index in there):
                return
            index = Index(f"{self._table.name}_bufferId", self._table.c.bufferId, self._table.c.id)
            connection.execute(CreateIndex(index, if_not_exists=True))

    @contextlib.contextmanager
    def _connection(self, doing: str) -> Iterator[Connection]:
        """Yield a connection on which each statement stands for itself, and tell of a failure in a sentence."""
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.exc import TimeoutError as NoConnectionLeftError

        self._check_open()
        try:
            with self._in_turn, self._engine.connect() as connection:
                yield connection
        except BufsimError:
            raise
        except (DBAPIError, NoConnectionLeftError, UnicodeError, ValueError) as error:
            # what the driver says may hold the URL, or a job
            raise StoreError(sql_failures.sentence(self.label, doing, error)) from None

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[Connection]:
        """Yield a connection inside a transaction, which is undone if anything fails."""
        with self._connection(doing) as connection:
            # SQLite's own BEGIN would wait with the lock until the first write, and then not wait for it
            connection.exec_driver_sql("BEGIN IMMEDIATE" if self._engine.dialect.name == "sqlite" else "BEGIN")
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(Exception):
                    connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def _disconnect(self) -> None:
        self._engine.dispose()


def _parsed(url: str) -> Any:
    """The URL, with the driver that is meant; a message never repeats it."""
    try:
        from sqlalchemy import make_url
    except ImportError:
        raise MissingExtraError("SqlJobBufferStorageStrategy needs SQLAlchemy: pip install 'bufsim[stores]'") from None
    if not isinstance(url, str):
        raise InvalidTypeError(f"url must be a str, got a {type(url).__name__}; such as 'sqlite:///jobs.db'")
    try:
        parsed = make_url(url)
    except Exception:
        parsed = None
    # an @ or a : that does not belong there is a part of a password that should have been written as %40 or %3A
    if parsed is None or parsed.drivername not in DRIVERS or _torn(parsed):
        raise InvalidValueError(
            "url must be that of an SQLite file or of PostgreSQL, such as 'sqlite:///jobs.db' or "
            "'postgresql://user:password@host:5432/shop', with %40 for an @ in the password; what was given is not "
            "repeated, as it may hold one"
        )
    return parsed.set(drivername=DRIVERS[parsed.drivername])


def _torn(url: Any) -> bool:
    return url.drivername not in ("sqlite", "sqlite+pysqlite") and any(
        letter in (part or "") for part in (url.host, url.database) for letter in "@:"
    )


DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""How the URL may begin, and the driver that is meant."""


def _engine(url: Any) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import QueuePool, StaticPool

    options: dict[str, Any] = {"poolclass": QueuePool}
    if url.drivername == "sqlite":
        options["connect_args"] = {"check_same_thread": False}
        if sql_failures.is_in_memory(url):
            options["poolclass"] = StaticPool
    else:
        options["connect_args"] = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
    try:
        # each statement stands for itself, as in Vendure; what belongs together is put into a transaction by hand
        return create_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True, **options)
    except ImportError:
        raise MissingExtraError("a postgresql:// URL needs psycopg: pip install 'bufsim[stores]'") from None
    except Exception as error:
        raise InvalidValueError(
            f"url must be one that the driver understands, but its options are not ({type(error).__name__}); "
            "leave them out"
        ) from None


def _jobs_table(name: str) -> Table:
    """The table as Vendure makes it."""
    from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, Text, func

    return Table(
        name,
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("createdAt", DateTime, nullable=False, server_default=func.now()),
        Column("updatedAt", DateTime, nullable=False, server_default=func.now()),
        Column("bufferId", String, nullable=False),
        Column("job", Text, nullable=False),
        sqlite_autoincrement=True,
    )


def _claims_table(name: str) -> Table:
    """What is claimed: the rows that were taken out, with their ids, and who took them."""
    from sqlalchemy import Column, Integer, MetaData, String, Table, Text

    return Table(
        name,
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("bufferId", String, nullable=False),
        Column("job", Text, nullable=False),
        Column("claim", String, nullable=False),
        Column("server", String, nullable=False),
    )


class _Statements:
    """What is said to the database at every call, made once: each of all rows, and of those of some buffers."""

    def __init__(self, table: Table) -> None:
        from sqlalchemy import bindparam, delete, func, select

        of_some = table.c.bufferId.in_(bindparam("ids", expanding=True))
        count = select(table.c.bufferId, func.count()).group_by(table.c.bufferId)
        read = select(table.c.bufferId, table.c.job)
        self.insert = table.insert()
        self._count = count, count.where(of_some)
        self._read = read, read.where(of_some)
        self._delete = delete(table), delete(table).where(of_some)

    # no ids and an empty list mean all

    def count(self, ids: list[str] | None) -> Select[str, int]:
        """The number of jobs by buffer."""
        return self._count[bool(ids)]

    def read(self, ids: list[str] | None) -> Select[str, str]:
        """The buffer and the text of each job."""
        return self._read[bool(ids)]

    def delete(self, ids: list[str] | None) -> Delete:
        """No more jobs."""
        return self._delete[bool(ids)]


def _own(buffer_id: str) -> str:
    if buffer_id in INHERITED:
        raise InvalidTypeError(
            f"the buffer {buffer_id!r} cannot be flushed: every JavaScript object has something of that name, on which "
            "Vendure's strategy stumbles, so that this does too; rename the buffer, or give atomic=True"
        )
    return buffer_id
