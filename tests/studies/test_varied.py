from __future__ import annotations

import pytest

from bufsim import (
    Capacity,
    DrainAll,
    DrainAtMost,
    Exponential,
    FlushTime,
    InvalidTypeError,
    InvalidValueError,
    Merge,
    PollingWorkers,
    PushWorkers,
    Stops,
    Storage,
)
from bufsim.studies.scenarios import FIELDS, label
from bufsim.studies.varied import WORDS, choices, read


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("capacity=2048, 64 MiB,none", [Capacity(jobs=2048), Capacity(nbytes=67108864), None]),
        ("capacity=capacity(8, on_full=drop_oldest)", [Capacity(jobs=8, on_full="drop_oldest")]),
        ("drain = all, 512 ,at_most(5, nbytes=1 kB)", [DrainAll(), DrainAtMost(512), DrainAtMost(5, 1000)]),
        ("storage=in_memory,durable", [Storage(), Storage(durable=True)]),
        ("storage=durable(30ms)", [Storage(durable=True, read_delete_window=0.03)]),
        ("storage=storage(durable=true, read_delete_window=30ms)", [Storage(durable=True, read_delete_window=0.03)]),
        ("flush-time=50ms, flush_time(1s, per_job=2ms)", [FlushTime(0.05), FlushTime(1.0, per_job=0.002)]),
        ("workers=push(2), polling, none", [PushWorkers(2), PollingWorkers(), ()]),
        ("concurrency=1,2", [1, 2]),
        ("service=20ms, exponential(10ms)", [0.02, Exponential(0.01)]),
        ("failure=0.5,1e-3", [0.5, 0.001]),
        ("poll_interval=200ms", [0.2]),
        ("durable_queue=true,false,email", [True, False, "email"]),
        ("stops=none, 'stops(at=[5, 9])'".replace("'", ""), [None, Stops(at=[5.0, 9.0])]),
        ("reduce=merge", [Merge()]),
        ("until=1h,2h", [3600.0, 7200.0]),
    ],
)
def test_values_are_read_as_a_scenario_file_reads_them(text: str, values: list[object]) -> None:
    field, found = read(text)
    assert field in WORDS
    assert [choice.value for choice in found] == values
    assert all(choice.words in text for choice in found)


def test_a_plan_file_gives_them_as_its_own_values() -> None:
    given = [2048, {"nbytes": "1 MiB"}, "none", "capacity(9)"]
    found = choices("capacity", given, name="vary")
    assert [choice.value for choice in found] == [
        Capacity(jobs=2048),
        Capacity(nbytes=1048576),
        None,
        Capacity(jobs=9),
    ]
    assert choices("durable_queue", [True], name="vary")[0].words == "true"
    assert choices("durable_queue", [["a", "b"]], name="vary")[0].value == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ("2048", InvalidTypeError, r"vary capacity must be a list of values to try, got '2048'; write \['2048'\]"),
        (2048, InvalidTypeError, r"vary capacity must be a list of values to try, got 2048; write \[2048\]"),
        ([], InvalidValueError, "vary capacity must have at least one value to try, got none"),
        ([1, "1"], InvalidValueError, "values of vary capacity must be unique"),
    ],
)
def test_what_is_no_list_of_values_is_refused(values: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        choices("capacity", values, name="vary")


def test_all_that_a_study_varies_is_varied_in_words_or_said_where_else() -> None:
    assert set(FIELDS) - set(WORDS) == {"policy", "arrivals_scale", "producers", "buffers", "items"}
    for field in set(FIELDS) - set(WORDS):
        with pytest.raises(InvalidValueError, match=f"vary cannot vary {field} in words: "):
            choices(field, [1], name="vary")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FlushEvery(5.0) · capacity Capacity(jobs=2048)", "every 5 s · capacity 2,048 jobs"),
        ("capacity Capacity(nbytes=5000, on_full='drop_oldest')", "capacity 5,000 bytes, drop oldest"),
        ("capacity None", "no capacity"),
        ("drain DrainAtMost(n=512) · concurrency 2", "drain at most 512 jobs · concurrency 2"),
        ("drain DrainAll()", "drain all"),
        ("drain DrainUntil(n=9, repeat='while_full')", "drain until 9 jobs, again while full"),
        ("drain DrainAtMost(n=9, repeat='until_empty')", "drain at most 9 jobs, again until empty"),
        ("storage Storage()", "storage in memory"),
        ("storage Storage(durable=True)", "storage durable"),
        ("flush_time FlushTime(Constant(0.05))", "flush time 50 ms"),
    ],
)
def test_names_of_scenarios_read_in_few_words(name: str, text: str) -> None:
    assert label(name) == text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["-5"], "jobs must be >= 1, got -5"),
        (["10", "10"], "twice; leave one out"),
    ],
)
def test_a_capacity_that_will_not_do_says_its_own_rule(values: list[str], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        choices("capacity", values, name="--vary")
