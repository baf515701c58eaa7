from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bufsim as bs
from bufsim import vendure
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.distributions import Scaled
from bufsim.scenario_files import load_scenario, read_scenario, scenario, scenario_text

SCENARIOS = Path(__file__).parents[2] / "data" / "scenarios"
SMALL = """
[simulation]
until = "1min"

[[producer]]
name = "edits"
arrivals = "poisson(80)"

[[buffer]]
id = "search"
policy = "size(200) | age(30s)"
"""
THE_WHOLE = bs.Simulation(
    until=7200,
    warm_up=300,
    durable_queue=["email"],
    producers=[
        bs.Producer(
            "edits",
            bs.Bulk(bs.Bursty(100, 1, 1, 9, start="high"), bs.Geometric(5)),
            queue="update-search-index",
            keys=bs.Zipf(9000, 0.9),
            nbytes=bs.LogNormal(1000, 2),
        ),
        bs.Producer("mails", bs.Renewal(bs.Gamma(0.1, 2)), queue="email", nbytes=64_000),
    ],
    buffers=[
        bs.JobBuffer(
            "search",
            policy=bs.FlushAtSize(200) | bs.FlushAfterAge(30.0),
            collect="update-search-index",
            reduce=bs.UniqueByKey(),
            drain=bs.DrainAtMost(100, 2**20),
            capacity=bs.Capacity(jobs=2048, on_full="drop_oldest"),
            flush_time=bs.FlushTime(bs.Exponential(0.05), per_job=0.002),
        ),
        bs.JobBuffer(
            "rest",
            policy=bs.FlushAtSize(100).checked_every(5.0),
            collect=["email"],
            reduce=bs.Merge(),
            flush_time=0.05,
            storage=bs.Storage(),
        ),
    ],
    workers=[
        bs.PollingWorkers(2, queue="update-search-index", poll_interval=0.5, service=0.02, per_item=0.005),
        bs.PushWorkers(service=bs.Exponential(0.01), failure=0.01, retries=3, backoff=bs.Backoff(1, 2, 60)),
    ],
    storage=bs.Storage(durable=True, read_delete_window=0.03),
    stops=bs.Stops(at=[1800, 3600], downtime=30),
)


def read(text: str, base: Path = Path()) -> bs.Simulation:
    return scenario(tomllib.loads(text), name="a.toml", base=base).simulation


def test_a_file_is_the_simulation_that_it_says() -> None:
    path = SCENARIOS / "reference.toml"
    assert load_scenario(path) == THE_WHOLE
    assert read_scenario(path).title == "everything that a file can say"
    assert read_scenario(str(path)).flushes is None


def test_without_a_title_a_scenario_has_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert read_scenario(path).title == "small"


# every value that users declare, and how a file says it: the table, the key, what stands there
SAID: dict[type, tuple[str, str]] = {
    bs.Poisson: ("producer", "arrivals = { kind = 'poisson', rate = 80 }"),
    bs.Renewal: ("producer", "arrivals = 'renewal(0.1)'"),
    bs.Deterministic: ("producer", "arrivals = { kind = 'deterministic', interval = '100ms' }"),
    bs.Bursty: ("producer", "arrivals = 'bursty(100, 0, 1s, 9s)'"),
    bs.Bulk: ("producer", "arrivals = { kind = 'bulk', arrivals = 'poisson(2)', size = 3 }"),
    bs.TimeVarying: ("producer", "arrivals = { kind = 'time_varying', rate = 'sinusoid(9, 5, 1h)', max_rate = 14 }"),
    bs.Sinusoid: ("producer", "arrivals = 'time_varying(sinusoid(9, 5, 1h), 14)'"),
    bs.StepRate: ("producer", "arrivals = 'time_varying(steps([0, 30], [5], repeat=true), 5)'"),
    bs.Trace: ("producer", "trace = { path = 'jobs.csv', time = 't', unit = 'ms' }"),
    bs.UniformKeys: ("producer", "arrivals = 'poisson(1)'\nkeys = 'uniform(9)'"),
    bs.Zipf: ("producer", "arrivals = 'poisson(1)'\nkeys = { kind = 'zipf', n = 9, exponent = 1 }"),
    bs.Constant: ("producer", "arrivals = 'renewal(constant(100ms))'"),
    bs.Exponential: ("producer", "arrivals = 'renewal(exponential(100ms))'"),
    bs.Uniform: ("producer", "arrivals = 'renewal(uniform(0, 100ms))'"),
    bs.Gamma: ("producer", "arrivals = 'renewal(gamma(100ms, 2))'"),
    bs.LogNormal: ("producer", "arrivals = 'renewal(lognormal(100ms, 2))'"),
    bs.Geometric: ("producer", "arrivals = 'bulk(poisson(2), geometric(5))'"),
    Scaled: ("producer", "arrivals = 'renewal(scaled(exponential(1s), 0.1))'"),
    bs.FlushAtSize: ("buffer", "policy = 'size(2)'"),
    bs.FlushAtBytes: ("buffer", "policy = 'bytes(1 MB)'"),
    bs.FlushAfterAge: ("buffer", "policy = { kind = 'age', age = '30s' }"),
    bs.FlushWhenIdle: ("buffer", "policy = 'idle(2s)'"),
    bs.FlushAfterGap: ("buffer", "policy = '(size(2) | age(5s)) & gap(1s)'"),
    bs.FlushEvery: ("buffer", "policy = { kind = 'every', period = '5s', anchor = 'flush_end' }"),
    bs.FlushAt: ("buffer", "policy = { kind = 'at', times = [1, '2s'] }"),
    bs.FlushCron: ("buffer", "policy = { kind = 'cron', expression = '* * * * *', start = 2026-03-29T00:00:00+01:00 }"),
    bs.NeverFlush: ("buffer", "policy = 'never'"),
    bs.CollectAll: ("buffer", "policy = 'never'\ncollect = { kind = 'all' }"),
    bs.CollectQueues: ("buffer", "policy = 'never'\ncollect = { kind = 'queues', queues = ['default'] }"),
    bs.KeepAll: ("buffer", "policy = 'never'\nreduce = 'keep_all'"),
    bs.UniqueByKey: ("buffer", "policy = 'never'\nreduce = 'unique_by_key'"),
    bs.Merge: ("buffer", "policy = 'never'\nreduce = 'merge'"),
    bs.SearchIndexReduce: ("buffer", "policy = 'never'\nreduce = 'search_index'"),
    bs.DrainAll: ("buffer", "policy = 'never'\ndrain = 'all'"),
    bs.DrainUntil: ("buffer", "policy = 'never'\ndrain = 'until(100, repeat=until_empty)'"),
    bs.DrainAtMost: ("buffer", "policy = 'never'\ndrain = 'at_most(nbytes=1 kB)'"),
    bs.Capacity: ("buffer", "policy = 'never'\ncapacity = { nbytes = '64 MiB' }"),
    bs.FlushTime: ("buffer", "policy = 'never'\nflush_time = { fixed = 0.05, per_job = '2ms' }"),
    bs.PollingWorkers: ("workers", "kind = 'polling'"),
    bs.PushWorkers: ("workers", "kind = 'push'"),
    bs.Backoff: ("workers", "kind = 'push'\nbackoff = '1s'"),
    bs.GivenTimes: ("workers", "kind = 'push'\nservice = [0.5, '250ms']"),
    bs.GivenFailures: ("workers", "kind = 'push'\nfailure = [[true, false], [false, false]]"),
    bs.Storage: ("storage", "durable = true\nstrategy = 'testing'"),
    bs.Stops: ("stops", "mean_time_between = '1d'"),
}
PARTS = {
    "producer": "[[producer]]\nname = 'edits'\n",
    "buffer": "[[buffer]]\nid = 'search'\n",
    "workers": "[[workers]]\n",
    "storage": "[storage]\n",
    "stops": "[stops]\n",
}
DEFAULTS = {"producer": "arrivals = 'poisson(1)'", "buffer": "policy = 'never'"}


def parts(value: object) -> set[type]:
    """The classes of all values inside a value."""
    inside: list[object] = list(value) if isinstance(value, list | tuple) else []
    if dataclasses.is_dataclass(value):
        inside += [getattr(value, field.name) for field in dataclasses.fields(value)]
    return {type(value)}.union(*map(parts, inside))


@pytest.mark.parametrize("kind", SAID, ids=lambda kind: kind.__name__)
def test_every_value_of_the_model_can_be_said_in_a_file(kind: type, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("t\n5\n7\n", encoding="utf-8")
    table, said = SAID[kind]
    filled = {**DEFAULTS, table: said}
    text = "[simulation]\nuntil = 60\n" + "".join(PARTS[name] + lines + "\n" for name, lines in filled.items())
    assert kind in parts(read(text, tmp_path))


def test_no_public_value_of_the_model_is_missing_above() -> None:
    named = [getattr(bs, name) for name in bs.__all__]
    public = {kind for kind in named if getattr(kind, "__module__", "").startswith("bufsim.model.")}
    values = {kind for kind in public if dataclasses.is_dataclass(kind)}
    assert values - {bs.BufferView, bs.Producer, bs.JobBuffer} == SAID.keys() - {Scaled}


def test_the_storage_strategy_is_named() -> None:
    simulation = read(SMALL + "[storage]\nstrategy = 'testing'")
    assert simulation.storage.strategy is vendure.TestingJobBufferStorageStrategy


def test_a_ported_buffer_brings_its_own_rules() -> None:
    text = SMALL.replace("id = ", "ported = ").replace('"search"', '"SearchIndexJobBuffer"')
    text = text.replace("[[buffer]]", "queue = 'update-search-index'\n[[buffer]]")
    (buffer,) = read(text).buffers
    assert buffer.id == "search-plugin-update-search-index"
    assert type(buffer.reduce.__self__) is vendure.SearchIndexJobBuffer  # type: ignore[union-attr]


def test_a_trace_is_found_beside_the_file_and_its_columns_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("ts,sku,size,q\n1500,a,10,email\n2500,b,20,index\n", encoding="utf-8")
    mapping = "trace = { path = 'jobs.csv', time = 'ts', unit = 'ms', key = 'sku', nbytes = 'size', queue = 'q' }"
    path = tmp_path / "a.toml"
    path.write_text(SMALL.replace('arrivals = "poisson(80)"', mapping), encoding="utf-8")
    (producer,) = load_scenario(path).producers
    assert producer.arrivals == bs.Trace([1.5, 2.5], keys=["a", "b"], nbytes=[10, 20], queues=["email", "index"])


def test_what_stays_of_a_scaled_trace_and_how_long_it_is_can_be_said_and_the_run_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("time\n1\n2\n", encoding="utf-8")
    text = '[[producer]]\nname = "log"\ntrace = TRACE\n[[buffer]]\nid = "b"\npolicy = "every(1s)"\n'
    spelled = {
        "{ path = 'jobs.csv', keep = 'independent' }": bs.Trace([1.0, 2.0], keep="independent"),
        "{ path = 'jobs.csv', shift = '5min', length = '1min' }": bs.Trace([1.0, 2.0], shift=300, length=60),
    }
    for words, trace in spelled.items():
        simulation = read(text.replace("TRACE", words), tmp_path)
        assert simulation.producers[0].arrivals == trace
        assert simulation.until == trace.end
    words = "\"trace('jobs.csv', shift=5min, length=1min)\""
    assert read(text.replace("trace = TRACE", f"arrivals = {words}"), tmp_path).until == 60.0


def test_a_trace_can_be_a_path_alone(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("time\n1\n2\n", encoding="utf-8")
    (producer,) = read(SMALL.replace('arrivals = "poisson(80)"', "trace = 'jobs.csv'"), tmp_path).producers
    assert producer.arrivals == bs.Trace([1.0, 2.0])


def test_the_recorded_catalogue_is_a_scenario() -> None:
    found = read_scenario(SCENARIOS / "vendure-catalogue.toml")
    assert [buffer.id for buffer in found.simulation.buffers] == [
        "search-plugin-apply-collection-filters",
        "search-plugin-update-search-index",
    ]
    assert found.flushes is not None
    assert len(found.flushes) == 324


RATES = st.floats(0.001, 1000.0)
DISTRIBUTIONS = st.one_of(
    st.builds(bs.Constant, RATES), st.builds(bs.Gamma, RATES, RATES), st.builds(bs.Uniform, st.just(0.5), st.just(2.0))
)
STRATEGY = {"strategy": st.just(vendure.TestingJobBufferStorageStrategy)}
BUFFERS = st.builds(
    bs.JobBuffer,
    st.just('b"\\\x7f'),
    policy=st.one_of(
        st.builds(lambda n, age: bs.FlushAtSize(n) | bs.FlushAfterAge(age), st.integers(1, 99), RATES),
        st.builds(lambda n: (bs.FlushAtSize(n) & bs.FlushWhenIdle(1.0)).checked_every(2.0), st.integers(1, 99)),
    ),
    collect=st.sampled_from([bs.CollectAll(), bs.CollectQueues(["q"])]),
    reduce=st.sampled_from([bs.KeepAll(), bs.Merge(), bs.UniqueByKey(), bs.SearchIndexReduce()]),
    drain=st.one_of(
        st.just(bs.DrainAll()),
        st.builds(bs.DrainAtMost, st.integers(1, 9), repeat=st.sampled_from([None, "while_full"])),
    ),
    capacity=st.one_of(st.none(), st.builds(bs.Capacity, st.integers(1, 9), on_full=st.just("drop_oldest"))),
    flush_time=st.builds(bs.FlushTime, DISTRIBUTIONS, per_job=RATES),
    storage=st.one_of(st.none(), st.just(bs.Storage()), st.builds(bs.Storage, durable=st.just(True), **STRATEGY)),
)
WORKERS = st.one_of(
    st.builds(bs.PushWorkers, st.integers(1, 9), service=DISTRIBUTIONS, backoff=st.builds(bs.Backoff, RATES)),
    st.builds(
        bs.PollingWorkers, queue=st.just("q"), service=st.just([0.5, 0.25]), poll_interval=RATES, failure=st.just(0.5)
    ),
)
SIMULATIONS = st.builds(
    bs.Simulation,
    producers=st.builds(
        lambda arrivals, keys, nbytes: [bs.Producer("p", arrivals, queue="q", keys=keys, nbytes=nbytes)],
        st.one_of(
            st.builds(bs.Poisson, RATES), st.builds(bs.Bulk, st.builds(bs.Renewal, DISTRIBUTIONS), st.integers(1, 9))
        ),
        st.one_of(st.none(), st.builds(bs.Zipf, st.integers(1, 99), RATES)),
        st.one_of(st.integers(0, 10**9), DISTRIBUTIONS),
    ),
    buffers=st.lists(BUFFERS, min_size=1, max_size=1),
    workers=st.lists(WORKERS, max_size=1),
    until=st.floats(60.0, 1e5),
    warm_up=st.sampled_from([0.0, 5.0]),
    storage=st.builds(bs.Storage, durable=st.booleans(), **STRATEGY),
    durable_queue=st.sampled_from([True, False, ["q"]]),
    stops=st.one_of(
        st.none(), st.just(bs.Stops(at=[1, 2.5], downtime=1)), st.builds(bs.Stops, mean_time_between=RATES)
    ),
)


@given(SIMULATIONS)
def test_what_is_written_reads_back_as_the_same_simulation(simulation: bs.Simulation) -> None:
    assert read(scenario_text(simulation)) == simulation


def test_given_draws_are_written_as_lists_and_read_back() -> None:
    times = [[0.5, 1.0], [0.25, 2.0]]
    simulation = bs.Simulation(
        producers=[bs.Producer("edits", bs.Poisson(1.0))],
        buffers=[bs.JobBuffer("search", policy=bs.NeverFlush(), flush_time=bs.FlushTime([0.5, 0.25], per_job=0.1))],
        workers=[bs.PushWorkers(1, service=times, failure=[[True, False], [False, False]], retries=1)],
        until=60.0,
    )
    text = scenario_text(simulation)
    assert "flush_time = { fixed = [0.5, 0.25], per_job = 0.1 }" in text
    assert "failure = [[true, false], [false, false]]" in text
    assert read(text, Path()) == simulation


OWN_STORAGE = """storage = { durable = true, read_delete_window = 0.03 }"""


def test_storages_of_buffers_and_names_of_durable_queues_are_written_and_read_back() -> None:
    simulation = read(SMALL.replace("[[producer]]", "durable_queue = ['default']\n[[producer]]") + OWN_STORAGE)
    assert simulation.buffers[0].storage == bs.Storage(durable=True, read_delete_window=0.03)
    assert simulation.durable_queue == ("default",)
    text = scenario_text(simulation)
    assert OWN_STORAGE in text
    assert 'durable_queue = ["default"]' in text
    assert read(text) == simulation


@pytest.mark.parametrize(
    ("said", "storage"),
    [
        ("'in_memory'", bs.Storage()),
        ("'durable'", bs.Storage(durable=True)),
        ("'durable(30ms)'", bs.Storage(durable=True, read_delete_window=0.03)),
        ("{ read_delete_window = '30ms' }", bs.Storage(read_delete_window=0.03)),
        ("'Storage(durable=True)'", bs.Storage(durable=True)),
    ],
)
def test_the_storage_of_a_buffer_is_a_word_or_a_table(said: str, storage: bs.Storage) -> None:
    assert read(f"{SMALL}storage = {said}").buffers[0].storage == storage


def test_a_ported_buffer_is_written_by_its_name() -> None:
    buffer = bs.JobBuffer.ported(vendure.CollectionJobBuffer(), policy=bs.NeverFlush(), storage=bs.Storage())
    producer = bs.Producer("p", bs.Poisson(1.0), queue="apply-collection-filters")
    text = scenario_text(bs.Simulation(producers=[producer], buffers=[buffer], until=60))
    assert 'ported = "CollectionJobBuffer"\npolicy = "NeverFlush()"\nstorage = "in_memory"\n' in text
    assert scenario_text(read(text)) == text


class Sooner(bs.FlushPolicy):
    def due(self, view: bs.BufferView) -> float:
        return view.now


UNWRITABLE: dict[str, dict[str, Any]] = {
    "producer 'p' has recorded jobs, which have no place in a scenario file; keep them in a file of their own": {
        "producers": [bs.Producer("p", bs.Trace([1.0]))]
    },
    "buffer 'b', policy cannot be written in a scenario file, got Sooner(); it is code of your own": {
        "buffers": [bs.JobBuffer("b", policy=Sooner())]
    },
    "buffer 'b', reduce cannot be written in a scenario file": {
        "buffers": [bs.JobBuffer("b", policy=bs.NeverFlush(), reduce=lambda jobs: jobs)]
    },
    "buffer 'b', storage, strategy cannot be written in a scenario file": {
        "buffers": [bs.JobBuffer("b", policy=bs.NeverFlush(), storage=bs.Storage(strategy=lambda: None))]
    },
    "storage, strategy cannot be written in a scenario file": {
        "storage": bs.Storage(strategy=lambda: vendure.InMemoryJobBufferStorageStrategy())
    },
}


@pytest.mark.parametrize(("message", "part"), UNWRITABLE.items())
def test_what_is_code_of_the_users_own_cannot_be_written(message: str, part: dict[str, Any]) -> None:
    simulation = bs.Simulation(
        **{
            "producers": [bs.Producer("p", bs.Poisson(1.0))],
            "buffers": [bs.JobBuffer("b", policy=bs.NeverFlush())],
            "until": 60.0,
            **part,
        }
    )
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        scenario_text(simulation)


POISSON = '"poisson(80)"'
WRONG: dict[str, tuple[str, str, str]] = {
    "unknown table": (
        "[[buffer]]",
        "[[bufer]]",
        "a.toml has the unknown key 'bufer'; known are title, simulation, storage, stops, backtest, plan, producer, "
        "buffer, "
        "workers; did you mean 'buffer'?",
    ),
    "missing table": ("[[buffer]]", "[[workers]]", "a.toml needs the table [[buffer]]"),
    "no table on the run": ("[simulation]\nuntil", "title", "a.toml: until must be given, since the arrivals of"),
    "unknown key": (
        "name = ",
        "naem = 'x'\nname = ",
        "a.toml: producer 'edits': producer has no key 'naem'; it takes name, arrivals, trace, queue, keys, nbytes; "
        "did you mean 'name'?",
    ),
    "missing key": ('name = "edits"', "", "a.toml: producer number 1: producer needs the key 'name'"),
    "unknown key of the run": (
        "until",
        "untill",
        "a.toml: [simulation]: simulation has no key 'untill'; it takes until",
    ),
    "run without an end": ('until = "1min"', "", "a.toml: until must be given, since the arrivals of producer 'edits'"),
    "wrong until": ('"1min"', '"1 fortnight"', "a.toml: until has the unknown unit 'fortnight'"),
    "negative until": ('"1min"', "-1", "a.toml: until must be > 0, got -1"),
    "unknown kind": (
        POISSON,
        "{ kind = 'poison', rate = 1 }",
        "a.toml: producer 'edits', arrivals has the unknown arrival process 'poison'; known are poisson, renewal, "
        "deterministic, bursty, time_varying, bulk, trace, vendure; did you mean 'poisson'?",
    ),
    "no kind": (
        POISSON,
        "{ rate = 1 }",
        "a.toml: producer 'edits', arrivals must say its kind, one of poisson, renewal,",
    ),
    "unknown key of a value": (
        POISSON,
        "{ kind = 'poisson', rat = 1 }",
        "a.toml: producer 'edits', arrivals: poisson has no key 'rat'; it takes rate; did you mean 'rate'?",
    ),
    "wrong value": (
        POISSON,
        "'poisson(-1)'",
        "a.toml: producer 'edits', arrivals: rate must be > 0, got -1, at character 1 of 'poisson(-1)'",
    ),
    "wrong value in a table": (
        POISSON,
        "{ kind = 'poisson', rate = -1 }",
        "a.toml: producer 'edits', arrivals: rate must be > 0, got -1",
    ),
    "wrong type": (POISSON, "80", "a.toml: producer 'edits', arrivals must be an arrival process, one of poisson,"),
    "wrong type deep inside": (
        POISSON,
        "{ kind = 'bulk', arrivals = { kind = 'poisson', rate = '80' }, size = 3 }",
        "a.toml: producer 'edits', arrivals, arrivals: rate must be a number, got '80'",
    ),
    "table for a number": (
        POISSON,
        "{ kind = 'poisson', rate = { a = 1 } }",
        "a.toml: producer 'edits', arrivals, rate must be a plain value, got the table {'a': 1}",
    ),
    "both inputs": (
        "[[buffer]]",
        "trace = 'a.csv'\n[[buffer]]",
        "a.toml: producer 'edits', trace: there is no file 'a.csv'",
    ),
    "neither input": (
        f"arrivals = {POISSON}",
        "",
        "a.toml: producer 'edits': a producer needs either arrivals or trace",
    ),
    "wrong policy": (
        '"size(200) | age(30s)"',
        "'sise(200)'",
        "a.toml: buffer 'search', policy has the unknown flush policy 'sise' at character 1 of 'sise(200)'; known are",
    ),
    "no id": (
        'id = "search"',
        "",
        "a.toml: buffer number 1: a buffer needs an id, or ported = 'SearchIndexJobBuffer' or",
    ),
    "ported with an id": (
        'id = "search"',
        "id = 'a'\nported = 'CollectionJobBuffer'",
        "a.toml: buffer 'a': a ported buffer brings its own id; leave id out",
    ),
    "unknown ported buffer": ('id = "search"', "ported = 'search'", "has the unknown ported buffer 'search'"),
    "unreachable buffer": (
        'id = "search"',
        "id = 'search'\ncollect = 'mail'",
        "a.toml: buffer 'search' collects with CollectQueues(('mail',)), which no producer's queue meets",
    ),
    "one bracket": (
        "[[producer]]",
        "[producer]",
        "a.toml: producer must be tables, each under [[producer]], got {'name': 'edits'",
    ),
    "two brackets": (
        "[simulation]",
        "[[simulation]]",
        "a.toml: simulation must be one table, under [simulation], got [{",
    ),
    "yes for true": (
        "[[producer]]",
        "durable_queue = 'yes'\n[[producer]]",
        "a.toml: durable_queue must be True, False, or name queues of the producers, which are 'default', got 'yes'",
    ),
    "number for a storage": (
        'id = "search"',
        'id = "search"\nstorage = 5',
        "a.toml: buffer 'search', storage must be a storage, one of storage, in_memory, durable, got 5",
    ),
    "unknown storage": (
        'id = "search"',
        'id = "search"\nstorage = "durabel"',
        "a.toml: buffer 'search', storage has the unknown storage 'durabel' at character 1 of 'durabel'; known are "
        "storage, in_memory, durable; did you mean 'durable'?",
    ),
    "empty title": ("[simulation]", "title = ''\n[simulation]", "a.toml: title must not be empty"),
}


@pytest.mark.parametrize(("old", "new", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_says_where_and_how_to_mend_it(old: str, new: str, message: str) -> None:
    assert SMALL.count(old) == 1
    with pytest.raises((InvalidValueError, InvalidTypeError), match=re.escape(message)):
        read(SMALL.replace(old, new))


def test_two_inputs_of_one_producer_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time\n1\n", encoding="utf-8")
    with pytest.raises(InvalidValueError, match="a producer needs either arrivals or trace, got both or neither"):
        read(SMALL.replace("[[buffer]]", "trace = 'a.csv'\n[[buffer]]"), tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"there is no scenario file '.*nowhere\.toml'"):
        load_scenario(tmp_path / "nowhere.toml")
    with pytest.raises(InvalidValueError, match=r"the scenario file '.*' cannot be read: "):
        load_scenario(tmp_path)
    broken = tmp_path / "broken.toml"
    broken.write_text("[simulation\n", encoding="utf-8")
    with pytest.raises(InvalidValueError, match=r"broken\.toml is not TOML: .*at line 1, column 12"):
        load_scenario(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidValueError, match=r"broken\.toml is not TOML: it must be text in UTF-8"):
        load_scenario(broken)


def test_a_wrong_trace_is_named_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("time\n2\n1\n", encoding="utf-8")
    with pytest.raises(
        InvalidValueError, match=r"a\.toml: producer 'edits': time in row 1 \(line 3 of jobs\.csv\) goes"
    ):
        read(SMALL.replace(f"arrivals = {POISSON}", "trace = 'jobs.csv'"), tmp_path)
