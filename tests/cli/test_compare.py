from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from bufsim.cli import main
from bufsim.cli.compare import letters
from bufsim.errors import InvalidValueError
from bufsim.model.policies import FlushAfterAge
from bufsim.plots import StudyPlots
from bufsim.simulation import Simulation
from bufsim.studies import running, tasks

CATALOGUE = Path(__file__).parents[2] / "data" / "scenarios" / "vendure-catalogue.toml"
MODEL = ["compare", "--arrivals", "poisson:10", "--until", "2min", "--seed", "1"]
TWO = [*MODEL, "--policy", "size(40) | age(5s)", "--policy", "every(2s)"]
Printed = pytest.CaptureFixture[str]


def answer(capsys: Printed, *arguments: str) -> dict[str, object]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def rows(printed: str, start: str) -> list[list[str]]:
    """The cells of the lines that start so."""
    lines = [line for line in printed.splitlines() if line.startswith(start)]
    return [re.split(r"\s{2,}", line.removeprefix(start).strip()) for line in lines]


def test_policies_stand_in_rows_and_their_differences_below(capsys: Printed) -> None:
    assert main([*TWO, "-n", "20"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        "poisson:10 until 2min: 2 policies, 20 replications each under common random numbers, seed 1, "
    )
    assert "p99 wait, s" in printed
    assert rows(printed, "A  size(40) | age(5s)")[0][1] == "40 [40, 40]"
    difference = rows(printed, "B - A")[0]
    assert re.fullmatch(r"-\d\.\d+ \[-\d\.\d+, -\d\.\d+\]", difference[0])
    assert re.search(r"better, n≈\d+, .\d", printed)
    told = " ".join(printed.split())
    assert re.search("n≈ the replications that would show it, and . how many times as many without pairing", told)
    assert "Paired differences over 20 replications. The intervals of policies hold at 95 % each" in printed
    assert "at 95 % together (Holm over 4 comparisons)" in " ".join(printed.split())


def test_a_difference_of_quantiles_says_how_many_flushes_it_needs(capsys: Printed, tmp_path: Path) -> None:
    # some 30 flushes a run under size(40), of 368 that p99 needs
    asked = [*TWO, "-n", "2", "--metric", "p99_wait", "--metric", "p50_wait"]
    assert main([*asked, "--out", str(tmp_path), "--format", "csv"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(
        r"size\(40\) \| age\(5s\) has no upper bound at 95 % from \d+ flushes \(368 flushes needed\)", told
    )
    table = pd.read_csv(tmp_path / "differences.csv")
    assert table["verdict"].tolist() == ["not separable", "better"]
    assert table.loc[0, ["low", "high"]].tolist() == [float("-inf"), float("inf")]
    assert (tmp_path / "differences.png").stat().st_size > 0
    found = pd.DataFrame(answer(capsys, *asked)["differences"])
    assert found.loc[0, ["low", "high"]].isna().all()
    assert found.loc[1, ["low", "high"]].notna().all()


def test_the_numbers_are_those_of_the_study(capsys: Printed) -> None:
    found = answer(capsys, *TWO, "-n", "10", "--metric", "mean_wait", "--metric", "2 * flush_rate")
    intervals = pd.DataFrame(found["intervals"])
    assert intervals["metric"].unique().tolist() == ["mean_wait_s", "2.0 * flush_rate_per_s"]
    # closed form: the mean of a uniform wait under a clock
    wait = intervals.set_index(["scenario", "metric"]).loc[("every(2s)", "mean_wait_s")]
    assert wait["low"] < 1.0 < wait["high"]
    assert (found["seed"], found["replications"], found["complete"]) == (1, 10, True)
    difference = pd.DataFrame(found["differences"]).iloc[0]
    assert (difference["first"], difference["second"], difference["verdict"]) == (
        "every(2s)",
        "size(40) | age(5s)",
        "better",
    )


def test_the_verdict_does_not_depend_on_the_order_of_the_policies(capsys: Printed) -> None:
    policies = ["every(5s)", "age(4.88s)", "size(41)"]
    found = []
    for order in (policies, policies[::-1]):
        given = [part for words in order for part in ("--policy", words)]
        table = pd.DataFrame(answer(capsys, *MODEL, *given, "-n", "10", "--metric", "mean_wait")["differences"])
        found.append(
            {
                frozenset((row.first, row.second)): (
                    round(row.p_value, 12),
                    round(abs(row.difference), 12),
                    {"better": row.first, "worse": row.second}.get(row.verdict, "neither"),
                )
                for row in table.itertuples()
            }
        )
    assert found[0] == found[1]
    assert len(found[0]) == 3


def test_many_metrics_go_into_blocks_that_fit_a_terminal(capsys: Printed) -> None:
    metrics = [
        part
        for name in ("p99_wait", "p95_wait", "mean_wait", "max_wait", "p50_wait", "sd_wait")
        for part in ("--metric", name)
    ]
    assert main([*TWO, "-n", "5", *metrics]) == 0
    printed = capsys.readouterr().out
    assert len(rows(printed, "A  size(40) | age(5s)")) > 1
    assert max(map(len, printed.splitlines())) <= 118


def test_what_is_not_separable_says_how_many_replications_would_do(capsys: Printed) -> None:
    assert main([*MODEL, "--policy", "size(40)", "--policy", "size(41)", "-n", "3", "--metric", "mean_wait"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"not separable, n≈\d+, .\d", printed)
    assert re.search(r"with this noise about \d+ replications would show a difference of", printed)


def test_a_metric_without_a_value_is_told_and_the_others_are_compared(tmp_path: Path, capsys: Printed) -> None:
    asked = [*MODEL, "--policy", "never", "--policy", "size(20)", "-n", "4"]
    assert main([*asked, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert rows(printed, "A  never")[0][0] == "undefined"
    difference = rows(printed, "B - A")[0]
    assert (difference[0], difference[3]) == ("undefined", "undefined")
    assert difference[1].startswith("-1,2")
    words = " ".join(printed.split())
    assert "p99_wait_s of never is undefined: it has no value in 4 of 4 replications" in words
    assert "it is left out of the comparisons" in words
    assert "(Holm over 2 comparisons)" in words
    assert "result." not in printed
    found = answer(capsys, *asked)
    assert [one["metric"] for one in found["differences"]] == ["peak_buffer_size_jobs", "flush_rate_per_s"]


def test_where_nothing_can_be_compared_the_numbers_are_shown_all_the_same(capsys: Printed) -> None:
    policies = ["--policy", "size(10)", "--policy", "size(20)", "-n", "4"]
    assert main([*MODEL, *policies, "--metric", "utilisation"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "A size(10) undefined B size(20) undefined Nothing is compared" in printed
    assert "utilisation of size(10) is undefined: nothing serves the queue" in printed


def test_a_margin_makes_small_differences_equivalent(capsys: Printed) -> None:
    alike = [*MODEL, "--policy", "size(40)", "--policy", "size(41)", "-n", "30"]
    found = answer(capsys, *alike, "--metric", "mean_wait", "--metric", "flush_rate", "--margin", "20%")
    assert [row["verdict"] for row in found["differences"]] == ["equivalent", "equivalent"]
    by_metric = answer(capsys, *alike, "--metric", "mean_wait", "--metric", "flush_rate", "--margin", "mean_wait=1s")
    assert by_metric["differences"][0]["verdict"] == "equivalent"
    assert by_metric["differences"][1]["verdict"] != "equivalent"
    assert main([*alike, "--metric", "mean_wait", "--margin", "20%"]) == 0
    assert "are equivalent within 20 %" in capsys.readouterr().out


def test_with_a_baseline_all_others_are_compared_with_it(capsys: Printed) -> None:
    three = [*TWO, "--policy", "age(1s)", "-n", "5", "--metric", "mean_wait"]
    pairs = [(row["first"], row["second"]) for row in answer(capsys, *three)["differences"]]
    assert len(pairs) == 3
    found = answer(capsys, *three, "--baseline", "every(2s)")
    assert [(row["first"], row["second"]) for row in found["differences"]] == [
        ("size(40) | age(5s)", "every(2s)"),
        ("age(1s)", "every(2s)"),
    ]


def test_a_file_brings_its_own_policy_and_a_replayed_trace_is_exact(capsys: Printed) -> None:
    assert main(["compare", str(CATALOGUE), "--policy", "every(2s)", "-n", "2", "--seed", "1"]) == 0
    printed = capsys.readouterr().out
    assert rows(printed, "A  size(200) | age(30s)") == [["29.36", "313", "26.8", "85"]]
    assert rows(printed, "B  every(2s)")[0][1] == "274"
    assert "All numbers are exact: nothing in this model is drawn at random" in printed


def test_the_usual_metrics_are_those_that_say_something_of_the_model(capsys: Printed) -> None:
    found = answer(capsys, *TWO, "-n", "2")
    names = list(dict.fromkeys(row["metric"] for row in found["intervals"]))
    assert names == ["p99_wait_s", "peak_buffer_size_jobs", "flush_rate_per_s", "mean_wait_s"]
    found = answer(capsys, *TWO, "-n", "2", "--keys", "uniform(5)", "--reduce", "unique_by_key", "--flush-time", "1ms")
    names = list(dict.fromkeys(row["metric"] for row in found["intervals"]))
    assert names == ["p99_wait_s", "peak_buffer_size_jobs", "longest_flush_s", "work_saved_share"]


def test_tables_go_where_they_are_wanted(tmp_path: Path, capsys: Printed) -> None:
    assert main([*TWO, "-n", "4", "--out", str(tmp_path), "--format", "csv"]) == 0
    assert "tables (csv)" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "intervals.csv")) == 8
    assert len(pd.read_csv(tmp_path / "differences.csv")) == 4
    assert len(pd.read_csv(tmp_path / "replications.csv")) == 4 * 2 * 4
    for name in ("differences", "pareto"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_without_pictures_or_with_one_metric_there_is_no_front(tmp_path: Path, capsys: Printed) -> None:
    assert main([*TWO, "-n", "2", "--out", str(tmp_path), "--no-pictures"]) == 0
    assert not list(tmp_path.glob("*.png"))
    assert main([*TWO, "-n", "2", "--out", str(tmp_path), "--metric", "mean_wait"]) == 0
    assert [path.name for path in tmp_path.glob("*.png")] == ["differences.png"]


def test_a_picture_that_cannot_be_drawn_is_told(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise InvalidValueError("nothing to see")

    monkeypatch.setattr(StudyPlots, "pareto", refuse)
    assert main([*TWO, "-n", "2", "--out", str(tmp_path)]) == 0
    assert "no picture pareto.png: nothing to see" in capsys.readouterr().out


def test_quiet_prints_nothing_and_json_only_json(tmp_path: Path, capsys: Printed) -> None:
    assert main([*TWO, "-n", "2", "--quiet", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", "")
    assert answer(capsys, *TWO, "-n", "2", "--out", str(tmp_path))["files"]


def test_what_can_mislead_is_said(capsys: Printed) -> None:
    assert main([*MODEL, "--policy", "size(40)", "--policy", "size(50)", "-n", "2"]) == 0
    assert "never due: size(40): FlushAtSize(40) alone:" in capsys.readouterr().out


def test_one_seed_gives_one_answer_and_no_seed_tells_the_one_it_drew(capsys: Printed) -> None:
    drawn = answer(capsys, *TWO[:5], *TWO[7:], "-n", "2")
    again = answer(capsys, *TWO[:5], *TWO[7:], "-n", "2", "--seed", str(drawn["seed"]))
    assert again == drawn


def test_a_study_that_is_stored_goes_on_where_it_was(tmp_path: Path, capsys: Printed) -> None:
    store = ["--store", str(tmp_path / "study.sqlite")]
    first = answer(capsys, *TWO, "-n", "4", *store)

    def refuse(*arguments: object) -> None:
        assert arguments[0] == [], "a replication that is in the store was run again"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "execute", refuse)
        assert answer(capsys, *TWO, "-n", "4", *store) == first


def test_an_interruption_shows_what_is_finished(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = running.execute

    def interrupted(tasks: list[object], *others: object) -> None:
        execute(tasks[:6], *others)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "execute", interrupted)
    assert main([*TWO, "-n", "10"]) == 130
    printed = capsys.readouterr()
    assert "3 replications each" in printed.out
    assert "INTERRUPTED: this is what was finished" in printed.out
    assert printed.err.endswith("bufsim: interrupted; the finished replications are not kept without --store FILE\n")
    store = tmp_path / "study.sqlite"
    assert main([*TWO, "-n", "10", "--store", str(store)]) == 130
    assert capsys.readouterr().err.endswith(f"interrupted; the finished replications are kept in {store}\n")


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        (slice(0, 0), ""),
        (slice(0, 20, 2), "A  size(40) | age(5s)"),
        (slice(0, 3), "A  size(40) | age(5s)"),
    ],
    ids=["nothing", "one policy", "two of one, one of the other"],
)
def test_an_interruption_that_leaves_nothing_to_compare_shows_what_there_is(
    first: slice, shown: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = running.execute

    def interrupted(tasks: list[object], *others: object) -> None:
        execute(tasks[first], *others)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "execute", interrupted)
    assert main([*TWO, "-n", "10"]) == 130
    printed = capsys.readouterr()
    assert printed.err.endswith("interrupted; the finished replications are not kept without --store FILE\n")
    assert "error" not in printed.err
    assert shown in printed.out
    assert (
        "Nothing is compared: it was interrupted before two policies had two" in " ".join(printed.out.split())
    ) == bool(shown)


def test_a_policy_that_fails_is_named_with_its_cause(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tasks.run_on

    def failing(simulation: Simulation, *arguments: object, **named: object) -> object:
        if simulation.buffers[0].policy == FlushAfterAge(1.0):
            raise RuntimeError("no more disk")
        return run(simulation, *arguments, **named)

    monkeypatch.setattr(tasks, "run_on", failing)
    assert main([*TWO, "--policy", "age(1s)", "-n", "2"]) == 0
    printed = capsys.readouterr().out
    assert "2 policies" in printed
    assert "failed: age(1s): RuntimeError: no more disk" in printed


WRONG = {
    "one policy, no file": (
        [*MODEL, "--policy", "age(5s)"],
        "two different policies at least, got 'age(5s)' alone; give",
    ),
    "no policy": (["compare", str(CATALOGUE)], "got 'size(200) | age(30s)' alone; give --policy again"),
    "the same twice": (
        [*MODEL, "--policy", "age(5s)", "--policy", "age(5s)"],
        "--policy must be unique, got 'age(5s)'",
    ),
    "that of the file": (
        ["compare", str(CATALOGUE), "--policy", "size(200) | age(30s)"],
        "two different policies at least",
    ),
    "no such file": (["compare", "nowhere.toml", "--policy", "age(5s)"], "there is no scenario file 'nowhere.toml'"),
    "wrong policy": ([*TWO, "--policy", "sise(3)"], "the unknown flush policy 'sise' at character 1 of 'sise(3)'"),
    "wrong metric": ([*TWO, "--metric", "p99_wiat"], "metric must be one of those that `bufsim metrics` lists"),
    "one run": ([*TWO, "-n", "1"], "replications must be >= 2, got 1"),
    "wrong baseline": ([*TWO, "--baseline", "every(3s)"], "baseline must be one of"),
    "margin in another unit": ([*TWO, "--metric", "peak_buffer_size", "--margin", "50ms"], "margin must be a number"),
    "two margins": ([*TWO, "--margin", "5%", "--margin", "6%"], "--margin must be one size, or METRIC=SIZE"),
    "margin of no metric": ([*TWO, "--margin", "utilisation=5%"], "a metric in margin must be one of"),
    "no processes": ([*TWO, "--executor", "0"], "executor must be"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_sentence_with_exit_code_2(arguments: list[str], message: str, capsys: Printed) -> None:
    assert main([*arguments[:1], *arguments[1:]]) == 2
    printed = capsys.readouterr().err
    assert printed.splitlines()[-1].startswith("bufsim: error: ")
    assert message in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("option", ["--executor", "-n"])
def test_a_number_must_be_whole(option: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*TWO, option, "two"])
    assert ended.value.code == 2
    assert "must be a whole number, got 'two'" in capsys.readouterr().err


def test_more_policies_than_letters_have_numbers() -> None:
    assert list(letters([str(number) for number in range(27)]).values())[-1] == "27"


def test_help_tells_what_is_printed_and_has_examples(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for word in ("not separable", "--baseline", "--margin", "--store", "bufsim compare data/scenarios/reference.toml"):
        assert word in told
    assert "--engine {auto,simpy,compiled} both count the same, and sums of seconds agree to 12 digits" in " ".join(
        told.split()
    )


CASES = Path(__file__).parents[1] / "data" / "cases"


def test_what_a_full_buffer_loses_is_among_what_is_compared(capsys: Printed) -> None:
    policies = [part for words in ("every(5s)", "age(5s)", "size(512) | age(5s)") for part in ("--policy", words)]
    asked = ["compare", str(CASES / "01-full-buffer-compare.toml"), *policies, "-n", "3", "--seed", "1"]
    assert main(asked) == 0
    told = " ".join(capsys.readouterr().out.split())
    # by hand: 512 of the 2,500 that come in 5 s leave; 2,048 of them find a place in 5 s; at 512 as they come, all do
    assert "policy lost, % p99 wait, s" in told
    assert re.search(
        r"lost: every\(5s\): 39,\d{3} jobs a run, 79\.\d % .*: all because the buffer was full; waits", told
    )
    assert re.search(r"lost: age\(5s\): [89],\d{3} jobs a run, 1[78][.\d]* % ", told)
    assert "lost: size(512)" not in told
    assert told.count("waits are those of the survivors") == 2
    found = pd.DataFrame(answer(capsys, *asked)["intervals"]).query("metric == 'lost_share'")
    assert found["estimate"].tolist() == pytest.approx([1 - 512 / 2500, 1 - 2048 / 2500, 0.0], abs=0.005)


def test_a_model_that_cannot_lose_shows_no_loss_and_a_loss_that_nobody_has_is_no_axis(
    tmp_path: Path, capsys: Printed
) -> None:
    roomy = [*TWO, "--capacity", "capacity(1000)", "-n", "2"]
    assert main([*roomy, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert re.search("^policy +lost, % +p99 wait", printed, re.MULTILINE)
    assert "lost: " not in printed
    assert "no picture" not in printed
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["differences.png", "pareto.png"]
    assert main([*TWO, "-n", "2"]) == 0
    assert "lost" not in capsys.readouterr().out


FULL = ["compare", str(CASES / "01-full-buffer-compare.toml"), "-n", "2", "--seed", "1", "--metric", "lost_share"]


@pytest.mark.parametrize(
    ("varied", "names", "lost"),
    [
        # 512 of 2,500 leave every 5 s; 20,000 places are full at 50.3 s, and 14 flushes make room before 125 s
        (
            "capacity=2048, 6144, 20000",
            ["capacity 2048", "capacity 6144", "capacity 20000"],
            [1 - 512 / 2500, 1 - 512 / 2500, (500 * (125 - 50.3) - 14 * 512) / 50_000],
        ),
        ("drain=512,at_most(1024),2048", ["drain 512", "drain at_most(1024)", "drain 2048"], [0.795, 0.59, 0.181]),
        ("capacity=none", ["capacity as declared", "capacity none"], [0.795, 0.0]),
    ],
)
def test_what_else_than_policies_is_varied_in_the_words_of_a_study(
    varied: str, names: list[str], lost: list[float], capsys: Printed
) -> None:
    found = pd.DataFrame(answer(capsys, *FULL, "--vary", varied)["intervals"])
    assert found["scenario"].tolist() == names
    assert found["estimate"].tolist() == pytest.approx(lost, abs=0.01)


def test_every_policy_meets_every_combination_of_what_is_varied(capsys: Printed) -> None:
    workers = ["--workers", "push(1, service=exponential(80ms))", "--metric", "utilisation", "-n", "2"]
    asked = [*TWO, *workers, "--vary", "concurrency=1,2", "--vary", "flush-time=0,50ms"]
    found = pd.DataFrame(answer(capsys, *asked)["intervals"]).set_index("scenario")["estimate"]
    assert list(found.index[:3]) == [
        "size(40) | age(5s) · concurrency 1 · flush_time 0",
        "size(40) | age(5s) · concurrency 1 · flush_time 50ms",
        "size(40) | age(5s) · concurrency 2 · flush_time 0",
    ]
    assert len(found) == 8
    # two workers are half as busy with the same work
    busy = [found[f"every(2s) · concurrency {count} · flush_time 0"] for count in (1, 2)]
    assert busy[0] == pytest.approx(2 * busy[1], rel=0.1)
    baseline = "every(2s) · concurrency 2 · flush_time 0"
    assert main([*asked, "--baseline", baseline]) == 0
    printed = capsys.readouterr().out
    assert "8 scenarios, 2 replications each" in printed
    assert re.search(r"^scenario +workers in service|^scenario +utilisation", printed, re.MULTILINE)
    assert "The intervals of scenarios hold" in printed


def test_memory_and_durable_storage_are_compared_where_the_server_stops(tmp_path: Path, capsys: Printed) -> None:
    path = tmp_path / "stops.toml"
    path.write_text(
        '[simulation]\nuntil = "20s"\n[[producer]]\nname = "p"\narrivals = "deterministic(1)"\n'
        '[[buffer]]\nid = "b"\npolicy = "at(15)"\n[stops]\nat = [9.5]\n',
        encoding="utf-8",
    )
    asked = ["compare", str(path), "--vary", "storage=in_memory,durable", "-n", "2"]
    found = pd.DataFrame(answer(capsys, *asked)["intervals"])
    lost = found.query("metric == 'lost_share'").set_index("scenario")["estimate"]
    # of the jobs at 1, 2, ... 19 s those until 9 s are in the buffer at the stop
    assert lost.to_dict() == {"storage in_memory": pytest.approx(9 / 19), "storage durable": 0.0}


@pytest.mark.parametrize(
    ("varied", "message"),
    [
        (["capcity=100"], "--vary must be one of 'backoff', 'capacity', "),
        (["capcity=100"], "did you mean 'capacity'?"),
        (["capacity"], "--vary must be FIELD=VALUE,VALUE, such as 'capacity=2048,6144', got 'capacity'"),
        (["capacity="], "--vary capacity must have a value between two commas, got nothing"),
        (["policy=every(5s)"], "--vary cannot vary policy in words: give each policy with --policy"),
        (["arrivals_scale=1,2"], "--vary cannot vary arrivals_scale in words: give the loads of a plan as its loads"),
        (["drain=512,at_most(512)"], "values of --vary drain must be unique, got 'DrainAtMost(n=512)' twice"),
        (["capacity=1,2", "capacity=3"], "fields of --vary must be unique, got 'capacity' twice"),
        (["concurrency=2"], "--vary: concurrency is a field of workers, and the simulation has none"),
        (["capacity=0"], "jobs must be >= 1, got 0"),
        (["storage=disk"], "--vary storage has the unknown storage 'disk' at character 1 of 'disk'; known are"),
    ],
)
def test_a_mistake_in_what_is_varied_is_one_sentence(varied: list[str], message: str, capsys: Printed) -> None:
    given = [part for text in varied for part in ("--vary", text)]
    assert main([*MODEL, "--policy", "every(2s)", *given]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
