"""Vendure's two job-queue plugins as values: what each brings as a storage, as workers, and as TypeScript."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, Annotated, Any, Literal

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.declared import Count, Duration, Flag, Period, Value, default, value
from bufsim.errors import InvalidValueError
from bufsim.vendure.storage import InMemoryJobBufferStorageStrategy, JobBufferStorageStrategy

if TYPE_CHECKING:
    from bufsim.model.buffers import Storage
    from bufsim.model.workers import PollingWorkers, PushWorkers

# the model declares with these classes, and imports this wing: its own come in when a method needs them


_ONLY_IN_DATABASE = "go with use_database_for_buffer=True: else jobs lie in memory"


def _retries(name: str, given: object) -> int | None:
    return None if given is None else checks.integer(name, given, at_least=0, at_most=1_000_000)


class _Plugin(Value):
    """What both plugins bring as a storage of the model."""

    __slots__ = ()

    def _recorded_window(self) -> float | None:
        """From reading a batch to deleting it, s, as recorded; None where buffered jobs lie in memory."""
        raise NotImplementedError

    def storage(self, *, read_delete_window: Seconds | None = None, atomic: bool = False, servers: int = 1) -> Storage:
        """The storage as the model has it.

        Parameters
        ----------
        read_delete_window : float, str or timedelta, optional
            Between reading a batch and deleting it, s. None: what the jobs lost to four writers come to in the record
            of one machine, 2 ms for PostgreSQL and 0.5 ms for Redis; with 16 writers it was some four times as long,
            and it grows with the batch. ``bufsim calibrate`` measures yours.
        atomic : bool
            Whether the strategy is repaired, so that there is no window.
        servers : int
            Servers that flush the store at the same times, ≥ 1.

        Raises
        ------
        InvalidValueError
            If there is a window beside `atomic`, or anything is given where jobs lie in memory.
        """
        from bufsim.model.buffers import Storage

        recorded = self._recorded_window()
        if recorded is None:
            if read_delete_window is not None or atomic or servers != 1:
                raise InvalidValueError(f"read_delete_window, atomic and servers {_ONLY_IN_DATABASE}")
            return Storage()
        if atomic:
            if read_delete_window is not None:
                raise InvalidValueError("with atomic=True there is no read_delete_window; leave one of the two out")
            recorded = 0.0
        window = recorded if read_delete_window is None else read_delete_window
        return Storage(durable=True, read_delete_window=window, servers=servers)


@value
class DefaultJobQueuePlugin(_Plugin):
    """Vendure's `DefaultJobQueuePlugin`: the job queue, and if so chosen the buffers, in the shop's own database.

    Parameters
    ----------
    use_database_for_buffer : bool
        Whether buffered jobs lie in the database; else in memory, where a stop of the server loses them.
    poll_interval : float, str or timedelta
        Between polls of the database for new jobs, s, > 0.
    concurrency : int
        Jobs of a queue in service at once, ≥ 1.
    backoff : float, str or timedelta
        From a failed attempt to the next, s, ≥ 0: Vendure's ``backoffStrategy``, constant.
    retries : int, optional
        Attempts after the first, of every job: Vendure's ``setRetries``. None: as many as each job says.
    graceful_shutdown_timeout : float, str or timedelta
        How long a server that stops waits for running jobs, s, ≥ 0. It has no part in the model.

    Notes
    -----
    The defaults are Vendure's own, of 3.5.4. Durations are milliseconds there, and are written so by `config`.

    Examples
    --------
    >>> plugin = DefaultJobQueuePlugin(use_database_for_buffer=True, poll_interval="1s")
    >>> plugin.storage()
    Storage(durable=True, read_delete_window=0.002)
    >>> plugin.workers("update-search-index", service=0.05)
    PollingWorkers(queue='update-search-index', service=Constant(0.05), backoff=Backoff(1.0), poll_interval=1.0)
    """

    _: KW_ONLY
    use_database_for_buffer: Flag = False
    poll_interval: Period = default(0.2)
    concurrency: Count = 1
    backoff: Duration = default(1.0)
    retries: Annotated[int | None, _retries] = None
    graceful_shutdown_timeout: Duration = default(20.0)

    def storage_strategy(self, connection: str | None = None, **options: Any) -> JobBufferStorageStrategy:
        """The storage strategy itself, on a real database.

        Parameters
        ----------
        connection : str, optional
            The URL of the database, such as ``"sqlite:///jobs.db"``; without a database for the buffers there is none.
        **options
            Those of `SqlJobBufferStorageStrategy`, such as ``atomic=True``; without any it flushes as Vendure does.

        Examples
        --------
        >>> DefaultJobQueuePlugin().storage_strategy().buffer_size()
        {}
        """
        if self.use_database_for_buffer:
            from bufsim.vendure.sql_storage import SqlJobBufferStorageStrategy

            return SqlJobBufferStorageStrategy(_url(connection, "sqlite:///jobs.db"), **options)
        if connection is not None or options:
            raise InvalidValueError(f"connection, and options of a database, {_ONLY_IN_DATABASE}")
        return InMemoryJobBufferStorageStrategy()

    def _recorded_window(self) -> float | None:
        return 0.002 if self.use_database_for_buffer else None

    def workers(self, queue: str | None = None, **others: Any) -> PollingWorkers:
        """The workers of a queue (None: of each) as the model has them.

        Parameters
        ----------
        queue : str, optional
            The queue that they serve.
        **others
            What the plugin does not know: `service`, `per_item`, `failure`, and `retries` where it leaves them to jobs.
        """
        from bufsim.model.workers import PollingWorkers

        return PollingWorkers(
            self.concurrency,
            queue=queue,
            poll_interval=self.poll_interval,
            backoff=self.backoff,
            **_with_retries(others, self.retries),
        )

    def config(self) -> str:
        """The TypeScript for the shop's configuration.

        Examples
        --------
        >>> print(DefaultJobQueuePlugin(use_database_for_buffer=True, concurrency=3).config())
        import { DefaultJobQueuePlugin } from '@vendure/core';
        <BLANKLINE>
        // among the plugins of VendureConfig; the first time it needs a migration, for the table of buffered jobs
        DefaultJobQueuePlugin.init({
            useDatabaseForBuffer: true,
            pollInterval: 200,
            concurrency: 3,
            backoffStrategy: () => 1000,
            gracefulShutdownTimeout: 20000,
        }),
        """
        about = "among the plugins of VendureConfig"
        if self.use_database_for_buffer:
            about += "; the first time it needs a migration, for the table of buffered jobs"
        return _init(
            "DefaultJobQueuePlugin",
            "@vendure/core",
            about,
            {
                "useDatabaseForBuffer": "true" if self.use_database_for_buffer else "false",
                "pollInterval": _ms(self.poll_interval),
                "concurrency": str(self.concurrency),
                "backoffStrategy": f"() => {_ms(self.backoff)}",
                "setRetries": None if self.retries is None else f"() => {self.retries}",
                "gracefulShutdownTimeout": _ms(self.graceful_shutdown_timeout),
            },
        )


@value
class BullMQJobQueuePlugin(_Plugin):
    """Vendure's `BullMQJobQueuePlugin`: the job queue and the buffers in Redis.

    Parameters
    ----------
    concurrency : int
        Jobs in service at once, ≥ 1.
    backoff : float, str or timedelta
        From the first failed attempt to the next, s, ≥ 0.
    backoff_type : {"exponential", "fixed"}
        Whether each further wait is twice the last.
    retries : int, optional
        Attempts after the first, of every job: Vendure's ``setRetries``. None: as many as each job says.

    Notes
    -----
    The defaults are Vendure's own, of 3.5.4. BullMQ has one pool of workers for all queues; the model gives each queue
    its own.

    Examples
    --------
    >>> plugin = BullMQJobQueuePlugin()
    >>> plugin.storage()
    Storage(durable=True, read_delete_window=0.0005)
    >>> plugin.workers(service=0.05)
    PushWorkers(service=Constant(0.05), backoff=Backoff(1.0, factor=2.0))
    """

    _: KW_ONLY
    concurrency: Count = 3
    backoff: Duration = default(1.0)
    backoff_type: Literal["exponential", "fixed"] = "exponential"
    retries: Annotated[int | None, _retries] = None

    def storage_strategy(self, connection: str | None = None, **options: Any) -> JobBufferStorageStrategy:
        """The storage strategy itself, on a real Redis.

        Parameters
        ----------
        connection : str
            The URL of Redis, such as ``"redis://localhost:6379/0"``.
        **options
            Those of `RedisJobBufferStorageStrategy`, such as ``atomic=True``; without any it flushes as Vendure does.
        """
        from bufsim.vendure.redis_storage import RedisJobBufferStorageStrategy

        return RedisJobBufferStorageStrategy(_url(connection, "redis://localhost:6379/0"), **options)

    def _recorded_window(self) -> float:
        return 0.0005

    def workers(self, queue: str | None = None, **others: Any) -> PushWorkers:
        """The workers of a queue (None: of each) as the model has them.

        Parameters
        ----------
        queue : str, optional
            The queue that they serve.
        **others
            What the plugin does not know: `service`, `per_item`, `failure`, and `retries` where it leaves them to jobs.
        """
        from bufsim.model.workers import Backoff, PushWorkers

        backoff = Backoff(self.backoff, factor=2.0 if self.backoff_type == "exponential" else 1.0)
        return PushWorkers(self.concurrency, queue=queue, backoff=backoff, **_with_retries(others, self.retries))

    def config(self) -> str:
        """The TypeScript for the shop's configuration; where Redis is stands in ``connection``, which is yours.

        Examples
        --------
        >>> print(BullMQJobQueuePlugin(retries=3).config())
        import { BullMQJobQueuePlugin } from '@vendure/job-queue-plugin/package/bullmq';
        <BLANKLINE>
        // among the plugins of VendureConfig, in place of DefaultJobQueuePlugin
        BullMQJobQueuePlugin.init({
            connection: { host: 'localhost', port: 6379, maxRetriesPerRequest: null },
            concurrency: 3,
            setRetries: () => 3,
            setBackoff: () => ({ type: 'exponential', delay: 1000 }),
        }),
        """
        return _init(
            "BullMQJobQueuePlugin",
            "@vendure/job-queue-plugin/package/bullmq",
            "among the plugins of VendureConfig, in place of DefaultJobQueuePlugin",
            {
                "connection": "{ host: 'localhost', port: 6379, maxRetriesPerRequest: null }",
                "concurrency": str(self.concurrency),
                "setRetries": None if self.retries is None else f"() => {self.retries}",
                "setBackoff": f"() => ({{ type: '{self.backoff_type}', delay: {_ms(self.backoff)} }})",
            },
        )


def _url(given: str | None, example: str) -> str:
    if given is None:
        raise InvalidValueError(f"connection must be the URL of the store, such as {example!r}, got None")
    return given


def _with_retries(others: dict[str, Any], retries: int | None) -> dict[str, Any]:
    """What workers are given besides, with the plugin's retries."""
    if retries is None:
        return others
    if "retries" in others:
        raise InvalidValueError(f"the plugin sets retries={retries} for every job; leave one of the two out")
    return {**others, "retries": retries}


def _ms(seconds: float) -> str:
    return f"{seconds * 1000.0:.15g}"


def _init(plugin: str, package: str, about: str, options: dict[str, str | None]) -> str:
    lines = [f"    {name}: {text}," for name, text in options.items() if text is not None]
    return "\n".join(
        [f"import {{ {plugin} }} from '{package}';", "", f"// {about}", f"{plugin}.init({{", *lines, "}),"]
    )
