from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from bufsim_tests.models import timed

import bufsim as bs
from bufsim.backtest import Backtest, backtest, read_log
from bufsim.errors import InvalidValueError
from bufsim.scenario_files import Scenario, read_scenario

SCENARIO = Path(__file__).parents[1] / "data" / "scenarios" / "vendure-catalogue.toml"


@pytest.fixture(scope="module")
def catalogue() -> Scenario:
    return read_scenario(SCENARIO)


SMALL = timed([1.0, 2.0, 2.5, 3.0], bs.NeverFlush(), until=10.0)


def record(*flushes: tuple[float, float, int], buffer: str = "b") -> pd.DataFrame:
    """Flushes of one buffer: start and duration, s, and the batch size."""
    rows = [(buffer, start, duration, size, size, size, size) for start, duration, size in flushes]
    names = ["buffer", "start", "duration", "batch_size", "ids", "reduced_size", "reduced_ids"]
    return pd.DataFrame(rows, columns=names)


def test_the_simulation_predicts_every_recorded_batch_of_the_real_server(catalogue: Scenario) -> None:
    assert catalogue.flushes is not None
    found = backtest(catalogue.simulation, catalogue.flushes, seed=1)
    assert len(found.flushes) == 324
    assert found.differing.empty
    summary = found.summary()
    for name in ("jobs", "reduced jobs", "ids", "largest batch"):
        assert summary.loc[f"{name}, recorded"].tolist() == summary.loc[f"{name}, predicted"].tolist()
    assert summary.loc["jobs, predicted"].sum() == 6660
    assert summary.loc["empty"].tolist() == [2, 1]
    assert len(found.result.flushes) == 324 - 3
    assert found.result.flushes["cause"].str.startswith("FlushAt(").all()


def test_it_says_why_none_differs_and_that_some_could(catalogue: Scenario) -> None:
    assert catalogue.flushes is not None
    found = backtest(catalogue.simulation, catalogue.flushes, seed=1)
    assert found.flushes["jobs_during_flush"].sum() == 0
    assert found.why().startswith(
        "None of the 324 batches differs, before or after reduce. No job came to a buffer while a flush of it was under"
    )
    assert found.shifted(0.0) == 0
    assert found.shifted(0.1) > found.shifted(0.01) > 0
    assert found.shifted(-0.01) > 0


def test_one_batch_size_that_would_change_is_one() -> None:
    # 10 ms later the job at 2.005 s is in the batch too; 10 ms earlier nothing is other than it was
    model = timed([1.0, 2.005, 3.0], bs.NeverFlush(), until=10.0)
    why = backtest(model, record((2.0, 0.0, 1)), seed=1).why()
    assert "10 ms late, 1 batch size would change, 0 with it as much early" in why


def test_other_flush_times_give_other_batches(catalogue: Scenario) -> None:
    assert catalogue.flushes is not None
    later = catalogue.flushes.assign(start=catalogue.flushes["start"] + 0.5)
    found = backtest(catalogue.simulation, later, seed=1)
    assert len(found.differing) > 100
    assert found.shifted(-0.5) > 100


def test_the_reduction_counts_too() -> None:
    flushes = record((2.2, 0.0, 2), (5.0, 0.0, 2))
    assert backtest(SMALL, flushes).differing.empty
    assert len(backtest(SMALL, flushes.assign(reduced_size=1)).differing) == 2
    assert len(backtest(SMALL, flushes.assign(reduced_ids=1)).differing) == 2


def test_an_empty_recorded_flush_agrees_with_no_flush() -> None:
    found = backtest(SMALL, record((0.5, 0.0, 0), (5.0, 0.0, 4)))
    assert found.differing.empty
    assert found.summary().loc["empty", "b"] == 1
    assert repr(found) == "Backtest(<2 flushes, 0 differ>)"


def test_a_job_at_the_instant_of_a_flush_is_in_its_batch() -> None:
    found = backtest(SMALL, record((2.0, 0.0, 2), (5.0, 0.0, 2)))
    assert found.differing.empty
    assert found.shifted(-1e-9) == 2


def test_jobs_that_come_during_a_flush_explain_a_difference() -> None:
    # the record's first flush, logged at 1.9 s, read the storage at 2.2 s, when one more job had come
    found = backtest(SMALL, record((1.9, 0.4, 2), (5.0, 0.0, 2)))
    assert found.differing["predicted_batch_size"].tolist() == [1, 3]
    assert found.flushes["jobs_during_flush"].tolist() == [1, 0]
    assert "2 of the 2 batches differ. For 2 of them jobs came to the buffer while that flush or the one" in found.why()
    assert "The other 0 are not explained by that." in found.why()


def test_a_difference_without_such_jobs_is_not_explained_away() -> None:
    found = backtest(SMALL, record((1.5, 0.1, 2), (5.0, 0.0, 2)))
    assert "For 0 of them" in found.why()
    assert "The other 2 are not explained by that." in found.why()


def test_jobs_during_a_flush_can_be_left_for_the_next() -> None:
    found = backtest(SMALL, record((1.9, 0.4, 1), (5.0, 0.0, 3)))
    assert "1 jobs came to a buffer while a flush of it was under way, and were left for the next." in found.why()


@pytest.mark.parametrize(
    ("flushes", "message"),
    [
        (record((1.0, 0.0, 1)).drop(columns="batch_size"), "columns start (or time) and batch_size, and has no"),
        (record(), "flushes must have at least one row, got none"),
        (record((1.0, 0.0, 1)).assign(batch_size=None), "batch_size of flushes must be there in every row, is missing"),
        (record((1.0, 0.0, 1), (1.0, 0.0, 0)), "start of flushes must differ between the flushes of one buffer"),
        (
            record((1.0, 0.0, 1), buffer="bb"),
            "the recorded buffer 'bb' is not in the model, whose buffers are 'b'; did",
        ),
        (
            record((1.0, 0.0, 1)).assign(start=pd.Timestamp("2026-03-01")),
            "start of flushes must hold numbers, times in s",
        ),
        (record((1.0, 0.0, 1)).assign(batch_size="one"), "batch_size of flushes must hold numbers, times in s, got"),
        (record((10.0, 0.0, 1)), "until must be later than the last recorded flush at 10.0 s, got 10.0"),
    ],
)
def test_a_record_that_does_not_fit_the_model_is_refused(flushes: pd.DataFrame, message: str) -> None:
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        backtest(SMALL, flushes)


def flushing_at_3(log: pd.DataFrame, until: float = 40.0) -> Backtest:
    """A server that flushes at 3 jobs, which come once a second from 1 to 12 s (case 12)."""
    jobs = bs.Producer("p", bs.Trace([float(second) for second in range(1, 13)]))
    buffers = [bs.JobBuffer("b", policy=bs.FlushAtSize(3))]
    return backtest(bs.Simulation(producers=[jobs], buffers=buffers, until=until), log)


def test_the_job_that_fills_a_batch_and_comes_at_its_start_is_in_it() -> None:
    test = flushing_at_3(record((3.0, 0.05, 3), (6.0, 0.05, 3), (9.0, 0.05, 3), (12.0, 0.05, 3)))
    assert test.flushes["jobs_during_flush"].tolist() == [0, 0, 0, 0]
    assert test.flushes["jobs_at_start"].tolist() == [1, 1, 1, 1]
    assert test.why().startswith(
        "None of the 4 batches differs, before or after reduce. 4 jobs came at the very start of a flush of their "
        "buffer, such as a job that fills the batch, and are in it. No other job came to a buffer while a flush"
    )
    assert "left for the next" not in test.why()


def test_a_flush_that_lasts_longer_leaves_the_jobs_after_its_start() -> None:
    # the flush from 3 to 5 s: the job at 3 s is in it, those at 4 and 5 s are not
    test = flushing_at_3(record((3.0, 2.0, 3), (6.0, 0.05, 3), (9.0, 0.05, 3), (12.0, 0.05, 3)))
    assert test.flushes["jobs_during_flush"].tolist() == [2, 0, 0, 0]
    assert "2 jobs came to a buffer while a flush of it was under way, and were left for the next." in test.why()


def test_times_and_batch_sizes_are_enough_and_what_is_not_compared_is_said() -> None:
    test = flushing_at_3(pd.DataFrame({"time": [3.0, 6.0, 9.0, 12.0], "batch_size": [3, 3, 3, 3]}))
    assert test.differing.empty
    assert test.not_compared == ["reduced jobs", "ids"]
    assert test.summary().loc["jobs, recorded", "b"] == test.summary().loc["jobs, predicted", "b"] == 12
    assert "ids, recorded" not in test.summary().index
    assert "jobs_during_flush" not in test.flushes
    why = test.why()
    assert why.startswith("None of the 4 batches differs. 4 jobs came at the very start")
    assert why.endswith(
        "Not recorded, and so not compared: reduced jobs and ids. How long a flush took is not recorded: which jobs "
        "came while one was under way is not known."
    )
    assert "not compared" not in flushing_at_3(record((3.0, 0.0, 3))).why()


def test_a_log_of_times_and_batch_sizes_can_differ() -> None:
    test = flushing_at_3(pd.DataFrame({"start": [3.0, 6.0, 9.0, 12.0], "batch_size": [2, 4, 3, 1]}))
    # 2 and 4 in place of 3 and 3: the first flush left the job of its own instant; 1 in place of 3 is two jobs too few
    assert test.flushes["differs"].tolist() == [True, True, False, True]
    assert test.flushes["explained"].tolist() == [True, True, False, False]
    assert "3 of the 4 batches differ. For 2 of them jobs came to the buffer at the start of that" in test.why()


def test_more_jobs_than_came_during_a_flush_do_not_explain_a_difference() -> None:
    # one job came during the first flush; two more than predicted are not explained by it
    test = flushing_at_3(record((3.5, 1.0, 5), (6.5, 0.0, 1)))
    assert test.flushes["predicted_batch_size"].tolist() == [3, 3]
    assert test.flushes["explained"].tolist() == [False, False]
    assert flushing_at_3(record((3.5, 1.0, 4), (6.5, 0.0, 2))).flushes["explained"].tolist() == [True, True]


def test_several_buffers_must_be_named_in_the_log() -> None:
    buffers = [bs.JobBuffer(name, policy=bs.NeverFlush()) for name in "bc"]
    simulation = bs.Simulation(producers=[bs.Producer("p", bs.Poisson(1.0))], buffers=buffers, until=10)
    with pytest.raises(InvalidValueError, match="flushes must have a column 'buffer', since the model has 2 buffers"):
        backtest(simulation, pd.DataFrame({"time": [1.0], "batch_size": [1]}))


def test_a_buffer_without_recorded_flushes_is_refused() -> None:
    buffers = [bs.JobBuffer(name, policy=bs.NeverFlush()) for name in "bc"]
    simulation = bs.Simulation(producers=[bs.Producer("p", bs.Poisson(1.0))], buffers=buffers, until=10)
    with pytest.raises(InvalidValueError, match="buffer 'c' has no recorded flush; leave it out of the model"):
        backtest(simulation, record((1.0, 0.0, 1)))


CASE = Path(__file__).parent / "data" / "cases" / "12-own-flush-log.toml"


def test_a_scenario_file_takes_a_log_of_times_and_batch_sizes() -> None:
    found = read_scenario(CASE)
    assert found.flushes is not None
    test = backtest(found.simulation, found.flushes, seed=1)
    assert test.flushes["recorded_batch_size"].tolist() == test.flushes["predicted_batch_size"].tolist() == [3, 3, 3, 3]
    assert test.not_compared == ["reduced jobs", "ids"]
    assert test.why().startswith("None of the 4 batches differs. 4 jobs came at the very start")


def test_columns_units_and_origins_of_a_log_can_be_told(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("at,n,duration,buffer,reduced_size\n1003000,3,50,b,2\n1006000,3,0,b,1\n", encoding="utf-8")
    flushes = read_log(log, time="at", unit="ms", origin=1_000_000, batch_size="n")
    assert flushes.to_dict("list") == {
        "start": [3.0, 6.0],
        "batch_size": [3, 3],
        "buffer": ["b", "b"],
        "duration": [0.05, 0.0],
        "reduced_size": [2, 1],
    }
    text = CASE.read_text(encoding="utf-8").replace("12-jobs.csv", str(CASE.with_name("12-jobs.csv")))
    told = 'log.csv"\ntime = "at"\nunit = "ms"\norigin = 1000000\nbatch_size = "n"'
    (tmp_path / "a.toml").write_text(text.replace('12-flush-log.csv"', told), encoding="utf-8")
    assert read_scenario(tmp_path / "a.toml").flushes.equals(flushes)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,batch_size\n3,2.5\n", "batch_size in row 0 (line 2 of log.csv) must be a whole number >= 0, got 2.5"),
        ("time,batch_size\n3,1\n2,1\n", "time in row 1 (line 3 of log.csv) goes back: 2 after 3"),
        ("time,size\n3,1\n", "column 'batch_size' is missing; there are 'time', 'size'"),
        ("when,batch_size\n3,1\n", "column 'time' is missing; there are 'when', 'batch_size'"),
        ("time,batch_size,duration\n3,1,-1\n", "duration in row 0 (line 2 of log.csv) must be a number >= 0, got -1"),
        (
            "time,batch_size\n2026-01-01T00:00:03Z,1\n",
            "origin must be given, since column 'time' holds datetimes: the one that is 0 s of the model's jobs",
        ),
    ],
)
def test_a_log_that_cannot_be_read_is_refused(text: str, message: str, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        read_log(log)


def test_datetimes_of_a_log_count_from_the_origin(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time,batch_size\n2026-01-01T00:00:03Z,1\n", encoding="utf-8")
    assert read_log(log, origin="2026-01-01T00:00:00Z")["start"].tolist() == [3.0]
