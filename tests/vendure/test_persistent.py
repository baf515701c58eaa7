from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bufsim_tests.stores import Store

from bufsim.errors import InvalidTypeError, InvalidValueError, StoreError
from bufsim.vendure import (
    Job,
    JobBufferService,
    RedisJobBufferStorageStrategy,
    redis_storage,
    sql_storage,
    stored_job,
)
from bufsim.verification.replays import RecordedBuffer, RecordedQueue, tags

Open = Callable[..., Any]
stored_job_read = stored_job.read
REPAIRED = pytest.mark.parametrize("mode", ["atomic", "acknowledged"])


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    kind = request.param
    return Store(kind, f"sqlite:///{tmp_path}/jobs.db" if kind == "sqlite" else request.getfixturevalue(f"{kind}_url"))


@pytest.fixture
def opened(store: Store) -> Iterator[Open]:
    """What opens storage strategies on one store, all of which are closed in the end."""
    strategies: list[Any] = []

    def opening(**options: Any) -> Any:
        strategies.append(store.open(**options))
        return strategies[-1]

    yield opening
    for strategy in strategies:
        strategy.close()


def job(number: int) -> Job:
    return Job(queue_name="q", data={"tag": f"j{number}", "v": number})


def fill(storage: Any, buffer_id: str, count: int) -> list[str]:
    jobs = [storage.add(buffer_id, job(number)) for number in range(count)]
    return tags(jobs)


# as shipped: what is recorded is replayed in test_persistent_recorded.py


def test_what_is_stored_outlives_the_strategy_that_stored_it(opened: Open) -> None:
    first = opened()
    stored = fill(first, "a", 3)
    first.close()
    assert sorted(tags(opened().flush(["a"])["a"])) == stored


@pytest.mark.parametrize("happens", ["add", "flush"])
def test_between_reading_and_deleting_one_add_is_lost_and_another_flush_gets_the_same_jobs(
    opened: Open, monkeypatch: pytest.MonkeyPatch, happens: str
) -> None:
    storage, other = opened(), opened()
    fill(storage, "a", 1)
    also: list[str] = []
    if hasattr(storage, "_redis"):
        read, at = storage._redis, "lrange"
    else:
        read, at = storage._statements, "delete"
    once = getattr(read, at)

    def meanwhile(*arguments: Any) -> Any:
        answer = once(*arguments)
        if happens == "add":
            other.add("a", job(7))
        else:
            monkeypatch.undo()
            also.extend(tags(other.flush(["a"])["a"]))
        return answer

    monkeypatch.setattr(read, at, meanwhile)
    assert tags(storage.flush(["a"])["a"]) == ["j0"]
    monkeypatch.undo()
    assert also == ([] if happens == "add" else ["j0"])
    assert not storage.flush(["a"]).get("a")


# repaired


@REPAIRED
def test_a_repaired_storage_knows_what_is_meant_by_all_by_none_and_by_some(opened: Open, mode: str) -> None:
    storage = opened(**{mode: True})
    fill(storage, "a", 2)
    fill(storage, "b", 1)
    assert storage.buffer_size() == {"a": 2, "b": 1}
    assert storage.buffer_size([]) == storage.flush([]) == {}
    assert storage.buffer_size(["a", "x"]) == {"a": 2, "x": 0}
    assert {key: tags(jobs) for key, jobs in storage.flush(["x", "a", "a"]).items()} == {"x": [], "a": ["j0", "j1"]}
    assert {key: tags(jobs) for key, jobs in storage.flush().items()} == {"b": ["j0"]}
    assert storage.flush() == {}


@REPAIRED
def test_a_flush_gives_the_oldest_job_first_over_any_number_of_pages(
    opened: Open, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sql_storage, redis_storage):
        monkeypatch.setattr(module, "PAGE", 3)
    storage = opened(**{mode: True})
    for count in (2, 3, 7):
        stored = fill(storage, "a", count)
        assert tags(storage.flush(["a"])["a"]) == stored


@pytest.mark.parametrize("mode", ["atomic", "acknowledged", None])
def test_a_part_is_taken_from_the_oldest_and_the_rest_stays_in_order(opened: Open, mode: str | None) -> None:
    storage = opened(**({mode: True} if mode else {}))
    stored = fill(storage, "a", 5)
    assert tags(storage.take("a", 2)) == stored[:2]
    assert storage.buffer_size(["a"]) == {"a": 3}
    assert tags(storage.take("a", 9)) == stored[2:]
    assert storage.take("a", 1) == storage.take("unknown", 1) == []


@REPAIRED
def test_two_flushers_never_get_the_same_job_and_none_is_lost(opened: Open, mode: str) -> None:
    storages = [opened(**{mode: True}, server=f"server {number}") for number in range(4)]
    got: list[str] = []
    done = threading.Event()

    def write(number: int) -> None:
        for v in range(40):
            storages[number].add("a", job(100 * number + v))

    def flush(number: int) -> None:
        while not done.is_set():
            got.extend(tags(storages[number].flush(["a"])["a"]))

    writers = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    flushers = [threading.Thread(target=flush, args=(number,)) for number in (2, 3)]
    for thread in [*writers, *flushers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in flushers:
        thread.join()
    got.extend(tags(storages[0].flush(["a"])["a"]))
    assert Counter(got) == Counter(f"j{100 * number + v}" for number in (0, 1) for v in range(40))


@REPAIRED
def test_what_is_stored_during_a_flush_stays_for_the_next_one(
    postgresql_url: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite keeps writers out, and Redis has one script: here a flush has pages, between which others write
    monkeypatch.setattr(sql_storage, "PAGE", 2)
    store, read, later = Store("postgresql", postgresql_url), stored_job.read, iter(range(100, 103))
    with store.open(**{mode: True}) as storage, store.open() as other:
        stored = fill(storage, "a", 4)

        def meanwhile(text: str) -> Job:
            if (number := next(later, None)) is not None:
                other.add("a", job(number))
            return read(text)

        monkeypatch.setattr(stored_job, "read", meanwhile)
        assert tags(storage.flush(["a"])["a"]) == stored
        assert tags(storage.flush(["a"])["a"]) == ["j100", "j101", "j102"]


@REPAIRED
def test_a_flush_does_not_wait_for_jobs_that_another_is_taking(postgresql_url: str, mode: str) -> None:
    store = Store("postgresql", f"{postgresql_url}&options=-c%20lock_timeout%3D2000")
    with store.open(**{mode: True}) as storage, store.open() as other:
        fill(storage, "a", 3)
        with other._transaction("taking") as connection:
            connection.exec_driver_sql(f"SELECT id FROM {store.part} ORDER BY id LIMIT 1 FOR UPDATE")
            assert tags(storage.flush(["a"])["a"]) == ["j1", "j2"]
        assert tags(storage.flush(["a"])["a"]) == ["j0"]


def test_a_repaired_table_has_one_index_on_the_buffers_id_and_one_as_shipped_has_none(tmp_path: Path) -> None:
    from sqlalchemy import create_engine, inspect

    store = Store("sqlite", f"sqlite:///{tmp_path}/jobs.db")
    engine, indexes = create_engine(store.url), []
    for options in ({}, {"atomic": True}, {"acknowledged": True}):
        store.open(**options).close()
        indexes.append([index["column_names"] for index in inspect(engine).get_indexes(store.part)])
    engine.dispose()
    assert indexes == [[], [["bufferId", "id"]], [["bufferId", "id"]]]


def test_an_index_of_the_users_own_does_as_well(tmp_path: Path) -> None:
    from sqlalchemy import create_engine, inspect

    store = Store("sqlite", f"sqlite:///{tmp_path}/jobs.db")
    store.open().close()
    engine = create_engine(store.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f'CREATE INDEX mine ON {store.part} ("bufferId")')
    store.open(atomic=True).close()
    assert [index["name"] for index in inspect(engine).get_indexes(store.part)] == ["mine"]
    engine.dispose()


@pytest.mark.parametrize("prefix", ["part*", "part?", "[p]art1", "^-\\"])
def test_all_buffers_are_those_of_the_prefix_as_it_is_written(redis_url: str, prefix: str) -> None:
    def opening(prefix: str) -> Any:
        return RedisJobBufferStorageStrategy(redis_url, prefix=prefix, atomic=True)

    with opening(prefix) as storage, opening("part1") as other:
        fill(storage, "a", 1)
        fill(other, "b", 1)
        assert storage.buffer_size() == {"a": 1}
        assert tags(storage.flush()["a"]) == ["j0"]
        assert tags(other.flush()["b"]) == ["j0"]


def test_as_shipped_what_is_no_job_keeps_a_sql_buffer_whole_and_costs_a_redis_buffer_its_jobs(
    store: Store, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened()
    fill(storage, "a", 2)
    monkeypatch.setattr(stored_job, "read", lambda text: stored_job_read("{}"))
    with pytest.raises(StoreError, match="which is no job"):
        storage.flush(["a"])
    monkeypatch.undo()
    assert storage.buffer_size(["a"]).get("a", 0) == (0 if store.kind == "redis" else 2)


@REPAIRED
def test_a_row_that_is_no_job_stays_with_all_others(opened: Open, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = opened(**{mode: True})
    fill(storage, "a", 2)
    read = stored_job.read

    def unreadable(text: str) -> Job:
        if b'"v":1' in (text if isinstance(text, bytes) else text.encode()):
            return read("{}")
        return read(text)

    monkeypatch.setattr(stored_job, "read", unreadable)
    with pytest.raises(StoreError, match=r"the store holds '\{\}', which is no job"):
        storage.flush(["a"])
    monkeypatch.undo()
    assert tags(storage.flush(["a"])["a"]) == ["j0", "j1"]


# acknowledged


def test_what_was_claimed_and_not_confirmed_comes_back_before_what_came_later(opened: Open) -> None:
    first = opened(acknowledged=True)
    for number in (0, 1):
        first.add("a", job(number))
        assert len(first.flush(["a"])["a"]) == 1
    first.add("a", job(2))
    assert first.buffer_size() == {"a": 1}
    assert first.came_back == 0
    again = opened(acknowledged=True)
    assert again.came_back == 2
    assert tags(again.flush(["a"])["a"]) == ["j0", "j1", "j2"]


def test_what_was_confirmed_never_comes_back(opened: Open) -> None:
    first = opened(acknowledged=True)
    fill(first, "a", 3)
    jobs = first.flush(["a"])["a"]
    first.confirm("a", jobs[:1])
    # a claim is dropped whole
    assert opened(acknowledged=True, server="another").came_back == 0
    first.confirm("a", jobs[1:])
    assert opened(acknowledged=True).came_back == 0
    assert opened(acknowledged=True).flush() == {}


def test_a_server_takes_back_its_own_claims_only(opened: Open) -> None:
    one = opened(acknowledged=True, server="one")
    fill(one, "a", 2)
    one.flush()
    assert opened(acknowledged=True, server="two").came_back == 0
    assert opened(acknowledged=True, server="one").came_back == 2


def test_without_claims_to_confirm_and_to_give_back_does_nothing(opened: Open) -> None:
    storage = opened(atomic=True)
    fill(storage, "a", 1)
    jobs = storage.flush(["a"])["a"]
    storage.give_back("a", jobs)
    storage.confirm("a", jobs)
    assert (storage.flush(["a"]), storage.came_back) == ({"a": []}, 0)


def service_over(storage: Any, fail_on: list[str] | None = None) -> tuple[JobBufferService, RecordedQueue]:
    queue = RecordedQueue(fail_on)
    service = JobBufferService(storage, queue)
    service.add_buffer(RecordedBuffer("a"))
    service.add_buffer(RecordedBuffer("b"))
    return service, queue


def test_the_service_confirms_what_it_has_handed_over(opened: Open) -> None:
    service, queue = service_over(opened(acknowledged=True))
    for number in range(3):
        service.add(job(number))
    service.flush()
    service.add(job(3))
    service.hand_over(service.take("a", 1))
    assert tags(queue.jobs) == ["j0", "j1", "j2", "j0", "j1", "j2", "j3"]
    again = opened(acknowledged=True)
    assert (again.came_back, again.buffer_size()) == (0, {"b": 1})


def test_a_job_queue_that_raises_gives_the_batch_and_all_later_ones_back(opened: Open) -> None:
    storage = opened(acknowledged=True)
    service, queue = service_over(storage, fail_on=["j1"])
    for number in range(3):
        service.add(job(number))
    with pytest.raises(RuntimeError, match="queue add failed: j1"):
        service.flush()
    assert tags(queue.jobs) == ["j0"]
    # once too often is j0 queued, in the end
    assert (storage.came_back, storage.buffer_size()) == (6, {"a": 3, "b": 3})
    queue.fail_on = []
    service.flush()
    assert tags(queue.jobs) == ["j0", *["j0", "j1", "j2"] * 2]


def test_jobs_of_a_buffer_that_is_not_registered_go_back(opened: Open) -> None:
    storage = opened(acknowledged=True)
    service, _ = service_over(storage)
    fill(storage, "orphans", 2)
    assert service.flush(["orphans"]) == service.hand_over(service.take("orphans")) == []
    assert storage.buffer_size(["orphans"]) == {"orphans": 2}


# processes that are killed

CHILD = """
import itertools, os, signal, sys
import bufsim.vendure
from bufsim.vendure import Job, JobBufferService

class Queue:
    added = 0
    def add(self, job):
        if self.added == {kill_at}:
            os.kill(os.getpid(), signal.SIGKILL)
        self.added += 1
        print("queued", job.data["v"], flush=True)
        return job

class Buffer:
    id = "a"
    def collect(self, job): return True
    def reduce(self, jobs): return jobs

service = JobBufferService({storage}, Queue())
service.add_buffer(Buffer())
numbers = itertools.count({start})
while True:
    for number in itertools.islice(numbers, {batch}):
        service.add(Job(queue_name="q", data={{"tag": f"j{{number}}", "v": number}}))
        print("added", number, flush=True)
    service.flush()
"""


def outcome(printed: str) -> tuple[set[int], list[int]]:
    """The jobs that a process said it added, and those that it queued; a line may be cut off."""
    lines = [line.split() for line in printed.splitlines(keepends=True) if line.endswith("\n")]
    added = {int(number) for what, number in lines if what == "added"}
    return added, [int(number) for what, number in lines if what == "queued"]


def killed(store: Store, *, after: float | None = None, start: int = 0, **child: Any) -> tuple[set[int], list[int]]:
    """Run a process until it kills itself at some job, or is killed some seconds after its first one."""
    options = {name: True for name in ("atomic", "acknowledged") if child.pop(name, False)}
    code = CHILD.format(**{"kill_at": -1, "batch": 50, "start": start, **child, "storage": store.code(**options)})
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=out)
        if after is not None:
            while not os.fstat(out.fileno()).st_size and process.poll() is None:
                time.sleep(0.01)
            time.sleep(after)
            process.kill()
        assert process.wait(timeout=60) == -signal.SIGKILL
        out.seek(0)
        printed = out.read()
    return outcome(printed)


def test_nothing_acknowledged_is_lost_where_a_server_is_killed_between_flush_and_queue(
    store: Store, opened: Open
) -> None:
    added, queued = killed(store, kill_at=20, acknowledged=True)
    assert (len(added), queued) == (50, [*range(20)])
    again = opened(acknowledged=True)
    assert again.came_back == 50
    service, queue = service_over(again)
    service.flush(["a"])
    assert [job.data["v"] for job in queue.jobs] == [*range(50)]
    # the twenty that were queued before are queued again, and no other
    assert sum(count > 1 for count in Counter([*queued, *range(50)]).values()) == 20


def test_without_acknowledgement_the_rest_of_the_batch_is_lost_as_recorded(tmp_path: Path) -> None:
    lost_by_killing(Store("sqlite", f"sqlite:///{tmp_path}/jobs.db"), None)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["atomic", None])
def test_without_acknowledgement_the_rest_of_the_batch_is_lost_on_each_store(mode: str | None, store: Store) -> None:
    lost_by_killing(store, mode)


def lost_by_killing(store: Store, mode: str | None) -> None:
    # recorded of Vendure: killed when the queue had accepted 20 of 50, 30 were lost on every strategy
    added, queued = killed(store, kill_at=20, **({mode: True} if mode else {}))
    assert (len(added), len(queued)) == (50, 20)
    with store.open() as storage:
        assert storage.buffer_size(["a"]).get("a", 0) == 0


def killed_at_random(store: Store, times: int, seed: int, **mode: bool) -> tuple[int, int]:
    """Kill a server again and again; return the jobs lost and those queued twice."""
    generator = random.Random(seed)
    added: set[int] = set()
    queued: list[int] = []
    for number in range(times):
        more = killed(store, after=generator.uniform(0.0, 0.3), start=100_000 * number, batch=7, **mode)
        added |= more[0]
        queued += more[1]
    with store.open(**mode) as storage:
        queued += [job.data["v"] for job in storage.flush(["a"]).get("a", [])]
    counts = Counter(queued)
    return len(added - set(counts)), sum(count > 1 for count in counts.values())


def test_a_server_that_is_killed_at_any_moment_loses_nothing_that_is_acknowledged(tmp_path: Path) -> None:
    lost, twice = killed_at_random(Store("sqlite", f"sqlite:///{tmp_path}/jobs.db"), 2, seed=1, acknowledged=True)
    assert lost == 0
    assert twice <= 2 * 7


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing_acknowledged_and_a_batch_each_at_most_otherwise(
    store: Store,
) -> None:
    lost, twice = killed_at_random(store, 6, seed=2, acknowledged=True)
    assert lost == 0
    assert twice <= 6 * 7
    store.part += "atomic"
    lost, twice = killed_at_random(store, 6, seed=3, atomic=True)
    assert lost <= 6 * 7
    # what was queued before its kill was noted is not known; but nothing is given out twice
    assert twice == 0


# how it is opened and closed


def test_a_closed_strategy_says_so(opened: Open) -> None:
    with opened() as storage:
        fill(storage, "a", 1)
    storage.close()
    with pytest.raises(StoreError, match=r"was closed by close\(\); make another"):
        storage.add("a", job(0))


@pytest.mark.parametrize("method", ["buffer_size", "flush"])
def test_ids_are_a_list_of_texts(opened: Open, method: str) -> None:
    storage = opened()
    with pytest.raises(InvalidTypeError, match=r"buffer_ids must be a list of ids, got 'ab'; write \['ab'\]"):
        getattr(storage, method)("ab")
    with pytest.raises(InvalidTypeError, match="buffer_ids must be a list of str, got 7 in it"):
        getattr(storage, method)([7])


def test_a_job_that_json_cannot_hold_is_not_stored(opened: Open) -> None:
    storage = opened(atomic=True)
    with pytest.raises(InvalidTypeError, match=r"job\.data must hold what JSON can, to be stored, got \{1"):
        storage.add("a", Job(queue_name="q", data={"set": {1}}))
    assert storage.buffer_size() == {}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"atomic": 1}, InvalidTypeError, "atomic must be True or False, got 1"),
        ({"acknowledged": "yes"}, InvalidTypeError, "acknowledged must be True or False, got 'yes'"),
        ({"server": ""}, InvalidValueError, "server must not be empty"),
    ],
)
def test_options_are_checked(store: Store, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        store.open(**options)


@pytest.mark.parametrize("at_most", [0, 1.5])
def test_a_part_is_a_job_at_least(opened: Open, at_most: Any) -> None:
    with pytest.raises((InvalidValueError, InvalidTypeError), match="at_most must be"):
        opened().take("a", at_most)
