"""The Redis storage strategy: buffered jobs as lists, one a buffer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError, MissingExtraError, StoreError
from bufsim.vendure import stored_job
from bufsim.vendure.job import Job
from bufsim.vendure.persistent import PersistentStorage, ids_of

if TYPE_CHECKING:
    from redis import Redis

PAGE = 1_000
"""So many jobs of a claim are read by one command at most."""

TAKE = """
local jobs = {}
for i, key in ipairs(KEYS) do
    local most = tonumber(ARGV[1])
    if most == 0 then most = redis.call('LLEN', key) end
    jobs[i] = most > 0 and redis.call('LRANGE', key, -most, -1) or {}
    redis.call('LTRIM', key, 0, -most - 1)
end
return jobs
"""
"""Takes the oldest jobs (0: all) out of the lists KEYS, and returns them, the newest first as they lie."""

CLAIM = """
local counts = {}
for i = 1, #ARGV - 1 do
    local from, to = KEYS[2 * i], KEYS[2 * i + 1]
    local most = tonumber(ARGV[1])
    local have = redis.call('LLEN', from)
    if most == 0 or most > have then most = have end
    if most > 0 then
        if most == have then
            redis.call('RENAME', from, to)
        else
            for _ = 1, most do redis.call('LPUSH', to, redis.call('RPOP', from)) end
        end
        redis.call('RPUSH', KEYS[1], ARGV[i + 1])
    end
    counts[i] = most
end
return counts
"""
"""Moves the oldest jobs (0: all) of each list to the list of a claim, and notes the claim in KEYS[1]."""

GIVE_BACK = """
local count = 0
local job = redis.call('LPOP', KEYS[3])
while job do
    redis.call('RPUSH', KEYS[2], job)
    count = count + 1
    job = redis.call('LPOP', KEYS[3])
end
redis.call('LREM', KEYS[1], 0, ARGV[1])
return count
"""
"""Puts the jobs of the claim KEYS[3] behind those of the buffer KEYS[2], where the oldest lie; strikes the claim."""


class RedisJobBufferStorageStrategy(PersistentStorage):
    """Buffered jobs in lists of Redis: what `BullMQJobQueuePlugin` brings in Vendure.

    Parameters
    ----------
    url : str
        Where Redis is: ``"redis://user:password@host:6379/0"``, ``"rediss://..."`` with TLS, ``"unix:///path"``.
        It has 10 s to be reached and 60 s to answer, or as ``?socket_connect_timeout=`` and ``?socket_timeout=`` say.
    prefix : str
        What the key of every list begins with; a colon and the buffer's id follow.
    atomic : bool
        False flushes as Vendure does, by reading and then deleting, and loses what comes in between; two flushes at
        once return the same jobs. True takes all batches out in one script, oldest first: every job is returned by one
        flush, once.
    acknowledged : bool
        True claims each batch in place of deleting it (and is atomic too). The service confirms a claim when it has
        handed the batch over; what was claimed and not confirmed comes back when a strategy with the same `server`
        is made again, as after a crash. So no job is lost between flush and queue, and some may be queued twice.
    server : str
        The name under which this server claims. Servers that share a store need a name each.

    Attributes
    ----------
    came_back : int
        Jobs that were claimed, not confirmed, and came back, since the strategy was made: so many may be queued twice.

    Raises
    ------
    MissingExtraError
        If redis-py is not installed.
    StoreError
        If Redis cannot be reached, or refuses; no message holds the user or the password of the URL.

    Notes
    -----
    Without `atomic` and `acknowledged` it does what Vendure's strategy was recorded to do. Quirks: no argument and an
    empty list of ids both mean no buffer at all, for `flush` and for `buffer_size`; a flush returns the newest job
    first. See the methods for the others.

    How much outlives a crash of Redis itself is a matter of how it is set up: as it comes, it may lose the last
    minutes. Redis Cluster is not supported with `atomic`.

    Examples
    --------
    >>> with RedisJobBufferStorageStrategy("redis://localhost") as storage:  # doctest: +SKIP
    ...     storage.add("a", Job(queue_name="q"))
    ...     storage.flush(["a"])
    {'a': [Job(queue_name='q')]}
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        prefix: str = "vendure-job-buffer",
        atomic: bool = False,
        acknowledged: bool = False,
        server: str = "server",
    ) -> None:
        self._redis = _client(url)
        super().__init__(url, _label(self._redis), atomic=atomic, acknowledged=acknowledged, server=server)
        self._prefix = checks.text("prefix", prefix)
        self._registry = f"{prefix}-claims:{server}"
        self._scripts = {text: self._redis.register_script(text) for text in (TAKE, CLAIM, GIVE_BACK)}
        self._open()

    def _store(self, buffer_id: str, text: str) -> None:
        with self._speaking("storing a job"):
            self._redis.lpush(self._key(buffer_id), text)

    def buffer_size(self, buffer_ids: Iterable[str] | None = None) -> dict[str, int]:
        """Jobs now stored, by buffer; those that are claimed do not count.

        Parameters
        ----------
        buffer_ids
            Which buffers to count.

        Notes
        -----
        Quirks of Vendure: no argument and an empty list both give ``{}``, though its documentation says that an empty
        list means all; a buffer named ``"__proto__"`` is left out. An unknown id gives 0. With `atomic`, None means all
        buffers, a list exactly these.
        """
        with self._speaking("counting jobs"):
            return {buffer_id: int(self._redis.llen(self._key(buffer_id))) for buffer_id in self._chosen(buffer_ids)}

    def flush(self, buffer_ids: Iterable[str] | None = None) -> dict[str, list[Job]]:
        """Take out and return the jobs stored, by buffer, newest first.

        Parameters
        ----------
        buffer_ids
            Which buffers to empty.

        Raises
        ------
        StoreError
            If Redis fails. Of a buffer that was read and not deleted the jobs are still there; those of the buffers
            before it are lost. Or if a buffer holds what is no job: it is looked at after the deletion, so that the
            jobs beside it are lost too; with `atomic` all stay.

        Notes
        -----
        Quirks of Vendure: no argument and an empty list both give ``{}`` and touch nothing; an unknown id gives ``[]``;
        an id given twice is read twice, and the second, empty read is what is returned, so that its jobs are lost;
        the buffers are read and deleted one after the other, each in two commands, so that jobs stored in between are
        lost; those of a buffer named ``"__proto__"`` always are.

        With `atomic`, None means all buffers and a list exactly these; the oldest job comes first, an id given twice
        loses nothing, and what is stored meanwhile stays for the next flush.
        """
        if self.atomic:
            return self._taken(list(dict.fromkeys(self._chosen(buffer_ids))), None)
        flushed: dict[str, list[Job]] = {}
        with self._speaking("flushing"):
            for buffer_id in ids_of(buffer_ids) or []:
                key = self._key(buffer_id)
                texts = self._redis.lrange(key, 0, -1)
                self._redis.delete(key)
                flushed[buffer_id] = [stored_job.read(text) for text in texts]
        flushed.pop("__proto__", None)
        return flushed

    def _taken(self, ids: list[str], at_most: int | None) -> dict[str, list[Job]]:
        if not ids:
            return {}
        most = at_most or 0
        if self.acknowledged:
            return self._claimed(ids, most)
        keys = [self._key(buffer_id) for buffer_id in ids]
        with self._speaking("flushing"):
            lists = self._scripts[TAKE](keys=keys, args=[most])
            try:
                return {key: _oldest_first(texts) for key, texts in zip(ids, lists, strict=True)}
            except StoreError:
                for key, texts in zip(keys, lists, strict=True):
                    if texts:
                        self._redis.rpush(key, *texts)
                raise

    def _claimed(self, ids: list[str], most: int) -> dict[str, list[Job]]:
        claims = [json.dumps([self._key(buffer_id), f"{self._prefix}-claim:{uuid4().hex}"]) for buffer_id in ids]
        keys = [self._registry, *(key for claim in claims for key in json.loads(claim))]
        with self._speaking("claiming jobs"):
            counts = self._scripts[CLAIM](keys=keys, args=[most, *claims])
            there = [claim for claim, count in zip(claims, counts, strict=True) if count]
            try:
                jobs = {
                    buffer_id: list(self._read(json.loads(claim)[1], count))
                    for buffer_id, claim, count in zip(ids, claims, counts, strict=True)
                }
            except BaseException:
                with contextlib.suppress(StoreError):
                    self._return(there)
                raise
        for buffer_id, claim in zip(ids, claims, strict=True):
            if claim in there:
                self._claims.note(claim, jobs[buffer_id])
        return jobs

    def _read(self, key: str, count: int) -> Iterator[Job]:
        """The jobs of a list, oldest first, a page at a time."""
        for done in range(0, count, PAGE):
            yield from _oldest_first(self._redis.lrange(key, -(done + PAGE), -done - 1))

    def _set_up(self) -> None:
        with self._speaking("connecting"):
            self._redis.ping()

    def _return_own(self) -> int:
        with self._speaking("reading claims"):
            claims: list[Any] = self._redis.lrange(self._registry, 0, -1)
        return self._return([claim.decode() for claim in claims])

    def _drop(self, claims: list[str]) -> None:
        with self._speaking("confirming jobs"), self._redis.pipeline(transaction=True) as pipe:
            for claim in claims:
                pipe.delete(json.loads(claim)[1])
                pipe.lrem(self._registry, 0, claim)
            pipe.execute()

    def _return(self, claims: list[str]) -> int:
        count = 0
        # the newest first: the one that comes last lies where the oldest jobs do
        for claim in reversed(claims):
            with self._speaking("giving jobs back"):
                count += int(self._scripts[GIVE_BACK](keys=[self._registry, *json.loads(claim)], args=[claim]))
        return count

    def _chosen(self, buffer_ids: Iterable[str] | None) -> list[str]:
        """The ids meant by an argument: for none given all with `atomic`, else no id at all."""
        ids = ids_of(buffer_ids)
        if not self.atomic:
            return [buffer_id for buffer_id in ids or [] if buffer_id != "__proto__"]
        if ids is not None:
            return ids
        literal = "".join(f"\\{letter}" if letter in "*?[]^-\\" else letter for letter in self._prefix)
        with self._speaking("looking for buffers"):
            keys = sorted(set(self._redis.scan_iter(f"{literal}:*", count=1_000, _type="list")))
        return [key.decode()[len(self._prefix) + 1 :] for key in keys]

    def _key(self, buffer_id: str) -> str:
        return f"{self._prefix}:{buffer_id}"

    @contextlib.contextmanager
    def _speaking(self, doing: str) -> Iterator[None]:
        """Tell of a failure of what is done inside in a sentence."""
        from redis import RedisError

        self._check_open()
        try:
            yield
        except (RedisError, OSError, UnicodeError) as error:
            # what the driver says may hold the URL, or a job
            raise StoreError(f"{self.label} {_meaning(error).format(doing=doing)}") from None

    def _disconnect(self) -> None:
        self._redis.close()


def _oldest_first(texts: Sequence[Any]) -> list[Job]:
    return [stored_job.read(text) for text in reversed(texts)]


def _client(url: str) -> Redis:
    """What speaks to Redis: it sends each command once, and never repeats one that may have been done."""
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise MissingExtraError("RedisJobBufferStorageStrategy needs redis-py: pip install 'bufsim[stores]'") from None
    if not isinstance(url, str):
        raise InvalidTypeError(f"url must be a str, got a {type(url).__name__}; such as 'redis://localhost:6379/0'")
    try:
        parts = urlsplit(url)
        # an @ behind the host is a part of a password that should have been written as %40
        if "@" not in parts.path + parts.query + parts.fragment:
            return Redis.from_url(
                url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=10.0, socket_timeout=60.0, protocol=2
            )
    except (ValueError, TypeError):
        pass
    raise InvalidValueError(
        "url must be that of Redis, such as 'redis://user:password@host:6379/0', with %40, %2F, %3F and %23 for @, /, "
        "? and # in the password; what was given is not repeated, as it may hold one"
    )


def _label(client: Redis) -> str:
    """What messages call the store: without user, password and options."""
    options = client.connection_pool.connection_kwargs
    if "path" in options:
        return f"Redis at {options['path']}"
    return f"Redis at {options.get('host', 'localhost')}:{options.get('port', 6379)}"


def _meaning(error: Exception) -> str:
    """What follows the store's name in the sentence for a failure."""
    from redis import exceptions

    text = str(error)
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return "refuses the user or the password: it failed at {doing}; correct them in the url"
    if isinstance(error, exceptions.NoPermissionError) or "NOPERM" in text:
        return "gives the user no right to that: it failed at {doing}; give the rights, or take another user"
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM" in text:
        return "is full: it failed at {doing}; nothing was stored; make room"
    if isinstance(error, exceptions.ReadOnlyError) or text.startswith("MISCONF"):
        return "takes no writes now: it failed at {doing}; look into its log, or give the url of the primary"
    if "WRONGTYPE" in text:
        return "has something else than a list of jobs under a buffer's key: it failed at {doing}; give another prefix"
    if "connecting to" in text or "onnection refused" in text or "ame or service not known" in text:
        return "cannot be reached: it failed at {doing}; start it, or correct the host and the port of the url"
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return (
            "is no longer connected: it failed at {doing}; whether that was done is not known; the next call connects "
            "again"
        )
    if isinstance(error, UnicodeError):
        return "cannot hold that text: it failed at {doing}; leave half surrogates out of the buffer's id"
    return f"failed at {{doing}} ({type(error).__name__}); look into its log"
