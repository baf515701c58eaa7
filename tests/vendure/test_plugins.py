from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest
from bufsim_tests.models import column, simulate

from bufsim import (
    Backoff,
    FlushAt,
    FlushEvery,
    InvalidTypeError,
    InvalidValueError,
    PollingWorkers,
    PushWorkers,
    Storage,
    vendure,
)
from bufsim.vendure import (
    BullMQJobQueuePlugin,
    DefaultJobQueuePlugin,
    InMemoryJobBufferStorageStrategy,
    Job,
)

DATA = Path(__file__).parents[2] / "data" / "vendure-recorded"
IN_DATABASE = DefaultJobQueuePlugin(use_database_for_buffer=True)


def test_defaults_are_those_of_vendure() -> None:
    # read in the source of 3.5.4: 200 ms, 1 job at a time, () => 1000, 20 s, no database; BullMQ: 3, exponential 1000
    plugin = DefaultJobQueuePlugin()
    assert (plugin.poll_interval, plugin.concurrency, plugin.backoff) == (0.2, 1, 1.0)
    assert (plugin.use_database_for_buffer, plugin.retries, plugin.graceful_shutdown_timeout) == (False, None, 20.0)
    redis = BullMQJobQueuePlugin()
    assert (redis.concurrency, redis.backoff, redis.backoff_type, redis.retries) == (3, 1.0, "exponential", None)


@pytest.mark.parametrize("plugin", [DefaultJobQueuePlugin(), IN_DATABASE, BullMQJobQueuePlugin(retries=2)])
def test_plugins_are_values(plugin: DefaultJobQueuePlugin | BullMQJobQueuePlugin) -> None:
    assert eval(repr(plugin), vars(vendure)) == plugin == pickle.loads(pickle.dumps(plugin))
    assert hash(plugin) == hash(pickle.loads(pickle.dumps(plugin)))


def test_the_storage_of_a_plugin() -> None:
    assert DefaultJobQueuePlugin().storage() == Storage()
    assert IN_DATABASE.storage(servers=2) == Storage(durable=True, read_delete_window=0.002, servers=2)
    assert IN_DATABASE.storage(atomic=True) == Storage(durable=True)
    assert BullMQJobQueuePlugin().storage(read_delete_window="3ms") == Storage(durable=True, read_delete_window=0.003)
    assert BullMQJobQueuePlugin().storage(atomic=True) == Storage(durable=True)


def test_the_window_is_that_of_the_recorded_losses() -> None:
    # of those that arrive evenly the share window / time between two flushes is lost
    race = pd.read_csv(DATA / "race.csv").query("flushers == 1")
    race["window"] = race.lost / race.adds_acked * race.wall_ms / race.flushes / 1000.0
    windows = race.groupby(["strategy", "writers"]).window.median()
    for strategy, plugin in (("sql-postgres", IN_DATABASE), ("redis", BullMQJobQueuePlugin())):
        assert plugin.storage().read_delete_window == pytest.approx(windows[strategy, 4], rel=0.25)
        assert 3.0 < windows[strategy, 16] / windows[strategy, 4] < 5.0


def test_the_workers_of_a_plugin() -> None:
    sql = DefaultJobQueuePlugin(poll_interval="1s", concurrency=2, backoff="3s", retries=4)
    assert sql.workers("q", service=0.5) == PollingWorkers(
        2, queue="q", service=0.5, poll_interval=1.0, backoff=Backoff(3.0), retries=4
    )
    # BullMQ's exponential: the delay, then twice, four times, ...
    assert BullMQJobQueuePlugin(backoff="2s").workers(retries=5) == PushWorkers(
        3, backoff=Backoff(2.0, factor=2.0), retries=5
    )
    assert BullMQJobQueuePlugin(backoff_type="fixed").workers() == PushWorkers(3, backoff=Backoff(1.0))


def test_a_model_of_a_plugin_polls_and_loses_as_the_plugin_does() -> None:
    # three jobs at 1 s, one start every 200 ms; the job within 2 ms of the read is lost to the race
    result = simulate(
        [0.5, 0.5, 0.5, 1.001, 1.1],
        FlushAt([1.0]),
        storage=IN_DATABASE.storage(),
        workers=[IN_DATABASE.workers(service=0.01)],
        until=3.0,
    )
    assert column(result, "work", "started_at") == pytest.approx([1.2, 1.4, 1.6])
    assert column(result, "jobs", "outcome") == ["flushed"] * 3 + ["lost", "buffered"]


def test_the_storage_strategy_of_a_plugin_is_the_real_one() -> None:
    memory = DefaultJobQueuePlugin().storage_strategy()
    assert type(memory) is InMemoryJobBufferStorageStrategy
    with IN_DATABASE.storage_strategy("sqlite://") as strategy:
        assert type(strategy) is vendure.SqlJobBufferStorageStrategy
        strategy.add("a", Job(queue_name="q", data=7))
        assert [job.data for job in strategy.flush(["a"])["a"]] == [7]
    for options in ({"atomic": True}, {"acknowledged": True, "server": "second"}):
        with IN_DATABASE.storage_strategy("sqlite://", **options) as strategy:
            assert all(getattr(strategy, name) for name in options)


def test_a_run_on_the_real_storage_of_a_plugin_gives_the_batches_of_the_one_in_memory(tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    times = [0.3, 0.6, 1.2, 3.5, 3.6]
    kept = []
    for storage in (Storage(), Storage(strategy=lambda: kept.append(IN_DATABASE.storage_strategy(url)) or kept[-1])):
        result = simulate(times, FlushEvery(1.0), storage=storage, until=5.0)
        # by hand: ticks at 1, 2 and 4 s find two, one and two jobs
        assert column(result, "flushes", "batch_size") == [2, 1, 2]
        assert column(result, "jobs", "flush_id") == [0, 0, 1, 2, 2]
    kept[0].close()


BAD = [
    (lambda: DefaultJobQueuePlugin(poll_interval=0), "poll_interval must be > 0"),
    (lambda: DefaultJobQueuePlugin(concurrency=0), "concurrency must be >= 1, got 0"),
    (lambda: DefaultJobQueuePlugin(use_database_for_buffer=1), "use_database_for_buffer must be True or False, got 1"),
    (lambda: DefaultJobQueuePlugin(retries=-1), "retries must be >= 0, got -1"),
    (lambda: BullMQJobQueuePlugin(backoff_type="linear"), "backoff_type must be"),
    (lambda: IN_DATABASE.storage_strategy(), "connection must be the URL of the store, such as 'sqlite:///jobs.db'"),
    (lambda: BullMQJobQueuePlugin().storage_strategy(), "connection must be the URL of the store, such as 'redis://"),
    (lambda: DefaultJobQueuePlugin().storage_strategy("sqlite://"), "go with use_database_for_buffer=True"),
    (lambda: DefaultJobQueuePlugin().storage_strategy(atomic=True), "go with use_database_for_buffer=True"),
    *(
        (lambda option=option: DefaultJobQueuePlugin().storage(**option), "go with use_database_for_buffer=True")
        for option in ({"read_delete_window": 0.0}, {"atomic": True}, {"servers": 2})
    ),
    (lambda: IN_DATABASE.storage(atomic=True, read_delete_window=0.1), "with atomic=True there is no read_delete_w"),
    (lambda: DefaultJobQueuePlugin(retries=2).workers(retries=3), "the plugin sets retries=2 for every job"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_what_a_plugin_cannot_be_is_an_error_that_says_why(make, message: str) -> None:
    with pytest.raises((InvalidValueError, InvalidTypeError), match=message):
        make()


def test_the_typescript_has_every_option_under_its_name_there() -> None:
    text = DefaultJobQueuePlugin(poll_interval="1.5s", concurrency=4, backoff=0.25, retries=2).config()
    for line in (
        "useDatabaseForBuffer: false,",
        "pollInterval: 1500,",
        "concurrency: 4,",
        "backoffStrategy: () => 250,",
        "setRetries: () => 2,",
        "gracefulShutdownTimeout: 20000,",
    ):
        assert f"\n    {line}\n" in text
    assert "migration" not in text
    assert (
        "setBackoff: () => ({ type: 'fixed', delay: 500 }),"
        in BullMQJobQueuePlugin(backoff=0.5, backoff_type="fixed").config()
    )
