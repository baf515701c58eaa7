"""Plan files: what a [plan] table may say, and what it says where it is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bufsim import (
    Capacity,
    DrainAll,
    DrainAtMost,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushTime,
    InvalidTypeError,
    InvalidValueError,
)
from bufsim.scenario_files import load_scenario
from bufsim.scenario_files.plans import read_plan
from bufsim.studies.expressions import cost
from bufsim.studies.formulas import expression, limit

SEASON = Path(__file__).parents[2] / "data" / "scenarios" / "plan-next-season.toml"
MODEL = """\
title = "a shop"

[simulation]
until = "5min"

[[producer]]
name = "edits"
arrivals = "poisson(10)"

[[buffer]]
id = "search"
policy = "every(2s)"
"""
PLAN = """
[plan]
policies = ["size(40) | age(5s)", "size(80) | age(5s)"]
minimise = "0.4 * flush_rate_per_s + 0.01 * mean_buffer_size_jobs"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plan_file_asks_what_it_says(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        MODEL
        + PLAN
        + """
today = "every(5s)"
grid = { size = [100, 200], age = ["5s"] }
limits = ["p99_wait <= 2s", "peak_buffer_size <= 100"]
loads = [1, 2, 4]
load = 2
headroom = [3]
assumptions = ["the load doubles"]
replications = 12
seed = 7
confidence = 0.9
""",
    )
    plan = read_plan(path).plan
    assert plan.title == "a shop"
    assert plan.today == FlushEvery(5.0)
    assert plan.policies == tuple(FlushAtSize(size) | FlushAfterAge(5.0) for size in (40, 80, 100, 200))
    assert plan.objective == expression("0.4 * flush_rate_per_s + 0.01 * mean_buffer_size_jobs")
    assert plan.limits == (limit("p99_wait <= 2s"), limit("peak_buffer_size <= 100"))
    assert (plan.loads, plan.load, plan.headroom) == ((1.0, 2.0, 4.0), 2.0, (3.0, 4.0))
    assert plan.assumptions == ("the load doubles",)
    assert (plan.replications, plan.seed, plan.confidence) == (12, 7, 0.9)


def test_little_needs_to_be_said(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, MODEL + PLAN)).plan
    assert (plan.today, plan.loads, plan.load, plan.replications) == (FlushEvery(2.0), (1.0,), 1.0, 30)


def test_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, MODEL + PLAN + "seed = 7\n"), replications=5, seed=8).plan
    assert (plan.replications, plan.seed) == (5, 8)


def test_prices_stand_for_the_objective(tmp_path: Path) -> None:
    asked = '[plan]\npolicies = ["age(5s)"]\ncost = { per_flush = 0.4, per_job_second = 0.01 }\n'
    assert read_plan(written(tmp_path, MODEL + asked)).plan.objective == cost(per_flush=0.4, per_job_second=0.01)


def test_more_may_be_better(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, MODEL + '[plan]\npolicies = ["age(5s)"]\nmaximise = "mean_batch_size"\n')).plan
    assert (plan.objective.name, plan.is_cost) == ("mean_batch_size_jobs", False)


def test_the_files_that_it_names_are_told_with_their_digests(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("time\n0.5\n1.5\n", encoding="utf-8")
    path = written(tmp_path, MODEL.replace('arrivals = "poisson(10)"', 'trace = "jobs.csv"') + PLAN)
    own, jobs = read_plan(path).inputs
    assert (own.name, own.sha256) == ("plan.toml", hashlib.sha256(path.read_bytes()).hexdigest())
    assert (jobs.name, jobs.rows) == ("jobs.csv", 3)
    assert jobs.sha256 == hashlib.sha256(b"time\n0.5\n1.5\n").hexdigest()


def test_a_plan_file_is_a_scenario_file_too(tmp_path: Path) -> None:
    path = written(tmp_path, MODEL + PLAN)
    assert load_scenario(path) == read_plan(path).plan.simulation


def test_the_plan_for_next_season_can_be_read_and_runs_on_the_compiled_engine() -> None:
    file = read_plan(SEASON)
    assert len(file.plan.options) == 17
    assert file.plan.load == 2.0
    assert [one.name for one in file.inputs] == ["plan-next-season.toml", "../vendure-catalogue"]
    from bufsim.engines.compiled_engine import can_run

    assert can_run(file.plan.simulation)


WRONG: dict[str, tuple[str, type[Exception], str]] = {
    "no plan": ("", InvalidValueError, r"plan\.toml needs the table \[plan\], with the policies to choose from"),
    "a plan that is no table": ("plan = 3\n", InvalidValueError, r"plan\.toml needs the table \[plan\]"),
    "unknown key": (PLAN + "lode = 2\n", InvalidValueError, r"\[plan\]: plan has no key 'lode'.*did you mean 'load'"),
    "no objective": (
        '[plan]\npolicies = ["age(5s)"]\n',
        InvalidValueError,
        r"one of minimise, maximise and cost, got none",
    ),
    "two objectives": (
        PLAN + 'maximise = "mean_batch_size"\n',
        InvalidValueError,
        r"one of minimise, maximise and cost, got minimise and maximise",
    ),
    "no policies": (
        '[plan]\nminimise = "mean_wait"\n',
        InvalidValueError,
        r"\[plan\]: policies must hold at least one",
    ),
    "one policy": (
        '[plan]\nminimise = "mean_wait"\npolicies = "age(5s)"\n',
        InvalidTypeError,
        r"policies must be a list of words such as 'size\(200\) \| age\(30s\)', got 'age\(5s\)'",
    ),
    "policy that is no text": (
        '[plan]\nminimise = "mean_wait"\npolicies = [5]\n',
        InvalidTypeError,
        r"policy number 1 must be a str, got 5",
    ),
    "unknown policy": (
        PLAN.replace("size(80)", "sise(80)"),
        InvalidValueError,
        r"\[plan\]: policy number 2 has the unknown flush policy 'sise' at character 1 of 'sise\(80\) \| age",
    ),
    "unknown metric": (PLAN + 'limits = ["p99_wiat <= 2s"]\n', InvalidValueError, r"\[plan\]: metric must be one of"),
    "unknown price": (
        '[plan]\npolicies = ["age(5s)"]\ncost = { per_flosh = 1 }\n',
        InvalidValueError,
        r"\[plan\], cost: cost has no key 'per_flosh'.*did you mean 'per_flush'",
    ),
    "unknown kind of grid": (
        '[plan]\nminimise = "mean_wait"\ngrid = { sizes = [5] }\n',
        InvalidValueError,
        r"\[plan\], grid: grid has no key 'sizes'.*did you mean 'size'",
    ),
    "load that is not run": (
        PLAN + "load = 3\n",
        InvalidValueError,
        r"\[plan\]: load must be one of the loads, 1, got 3",
    ),
    "negative seed": (PLAN + "seed = -1\n", InvalidValueError, r"\[plan\]: seed must be >= 0, got -1"),
    "today that is no policy": (PLAN + 'today = "sometimes"\n', InvalidValueError, r"\[plan\], today has the unknown"),
}


@pytest.mark.parametrize(("asked", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_plan_says_where_and_what(asked: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    text = asked + MODEL if asked.startswith("plan") else MODEL + asked
    with pytest.raises(error, match=message):
        read_plan(written(tmp_path, text))


def test_an_impossible_limit_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"p99_wait_s is never below 0, so that nothing can meet a limit <= -1"):
        read_plan(written(tmp_path, MODEL + PLAN + 'limits = ["p99_wait <= -1"]\n'))


def test_what_else_is_varied_is_written_as_in_a_scenario_file_and_the_command_line_has_the_last_word(
    tmp_path: Path,
) -> None:
    varied = '{ capacity = [100, "capacity(200)", "none"], drain = ["at_most(9)"] }'
    path = written(tmp_path, f'{MODEL}\n[plan]\nminimise = "flush_rate"\nvary = {varied}\n')
    plan = read_plan(path).plan
    assert plan.vary == {
        "capacity": (None, Capacity(jobs=100), Capacity(jobs=200)),
        "drain": (DrainAll(), DrainAtMost(9)),
    }
    assert plan.policies == ()
    changed = read_plan(path, vary=["capacity=7", "flush_time=50ms"]).plan
    assert changed.vary == {
        "capacity": (None, Capacity(jobs=7)),
        "drain": (DrainAll(), DrainAtMost(9)),
        "flush_time": (FlushTime(0.0), FlushTime(0.05)),
    }


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ("{ capcity = [1] }", r"\[plan\], vary must be one of .*did you mean 'capacity'"),
        ("[1]", r"\[plan\], vary must be a table such as { capacity = \[2048, 6144\] }, got \[1\]"),
        ("{ capacity = 5 }", r"\[plan\], vary capacity must be a list of values to try, got 5"),
        ('{ policy = ["every(1s)"] }', r"\[plan\], vary cannot vary policy in words: .* in a plan's policies"),
        ("{ concurrency = [2] }", r"\[plan\]: concurrency is a field of workers"),
    ],
)
def test_what_cannot_be_varied_says_where_and_why(vary: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'{MODEL}\n[plan]\nminimise = "flush_rate"\nvary = {vary}\n')
    with pytest.raises((InvalidValueError, InvalidTypeError), match=message):
        read_plan(path)
