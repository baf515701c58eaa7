from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import bufsim
from bufsim.cli import main, printing
from bufsim.cli import run as pictures
from bufsim.cli.main import COMMANDS

CATALOGUE = Path(__file__).parents[2] / "data" / "scenarios" / "vendure-catalogue.toml"
TABLES = ["attempts", "buffer_size", "flushes", "jobs", "work"]
SMALL = ["run", "--arrivals", "poisson:80", "--policy", "size(200) | age(30s)", "--until", "1min", "--seed", "1"]
Printed = pytest.CaptureFixture[str]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def value(printed: str, row: str) -> list[str]:
    """The cells of a row, of the last if there are several."""
    *_, line = [line for line in printed.splitlines() if line.startswith(row)]
    return re.split(r"\s{2,}", line.removeprefix(row).strip())


def test_the_real_run_prints_the_back_test_and_both_policies(tmp_path: Path, capsys: Printed) -> None:
    assert main(["run", str(CATALOGUE), "--seed", "1", "--out", str(tmp_path), "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert "a Vendure catalogue import, seed 1" in printed
    assert value(printed, "jobs, recorded") == value(printed, "jobs, predicted") == ["800", "5,860"]
    assert value(printed, "batches that differ") == ["0", "0"]
    assert "None of the 324 batches differs, before or after reduce." in printed
    assert re.search(r"as recorded +size\(200\) \| age\(30s\)", printed)
    assert value(printed, "jobs that arrived") == ["6,660", "6,660"]
    assert value(printed, "flushes  ")[0] == "321"
    assert printed.endswith(f"in {tmp_path}: 12 tables (csv), 8 pictures (png)\n")
    ids = ["search-plugin-apply-collection-filters", "search-plugin-update-search-index"]
    assert files(tmp_path) == sorted(
        [
            "backtest.csv",
            "summary.csv",
            "loss_at_stop.png",
            "queue.png",
            *(f"{run}/{table}.csv" for run in ("backtest", "run") for table in TABLES),
            *(f"{name}-{buffer}.png" for name in ("batch_sizes", "buffer_size", "waits") for buffer in ids),
        ]
    )
    assert not pd.read_csv(tmp_path / "backtest.csv")["differs"].any()
    assert len(pd.read_csv(tmp_path / "backtest" / "flushes.csv")) == 321
    assert (tmp_path / "queue.png").read_bytes().startswith(b"\x89PNG")


def test_the_policy_of_the_command_line_takes_the_place_of_the_files(tmp_path: Path, capsys: Printed) -> None:
    arguments = [
        "run",
        str(CATALOGUE),
        "--policy",
        "every(2s)",
        "--until",
        "330s",
        "--out",
        str(tmp_path),
        "--no-pictures",
    ]
    assert main([*arguments, "--seed", "1"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"as recorded +every\(2s\)", printed)
    flushes = pd.read_parquet(tmp_path / "run" / "flushes.parquet")
    assert set(flushes["cause"]) == {"FlushEvery(2.0)"}


def test_a_model_can_be_made_of_options_alone(tmp_path: Path, capsys: Printed) -> None:
    assert main([*SMALL, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "poisson:80 until 1min, seed 1" in printed
    assert value(printed, "batch size, mean / largest, jobs") == ["200 / 200"]
    assert "queue size" not in printed
    assert files(tmp_path) == sorted(
        [
            "summary.parquet",
            *(f"run/{table}.parquet" for table in TABLES),
            *(f"{name}.png" for name in ("batch_sizes", "buffer_size", "loss_at_stop", "waits")),
        ]
    )


def test_every_part_of_such_a_model_has_an_option(tmp_path: Path, capsys: Printed) -> None:
    others = {
        "--keys": "zipf(5, 1)",
        "--nbytes": "1 kB",
        "--reduce": "unique_by_key",
        "--drain": "at_most(100)",
        "--capacity": "capacity(150, on_full=drop_oldest)",
        "--flush-time": "flush_time(2s, per_job=2ms)",
        "--workers": "push(3, service=exponential(10ms))",
        "--warm-up": "10",
        "--policy": "size(120)",
    }
    options = [part for option in others.items() for part in option]
    assert main([*SMALL, *options, "--out", str(tmp_path), "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["runs"]["size(120)"]
    assert run["peak_buffer_size_jobs"] == 150
    assert run["largest_batch_size_jobs"] == 100
    assert run["longest_flush_s"] == pytest.approx(2.2)
    assert run["work_saved_share"] == pytest.approx(0.95)
    assert run["lost_jobs"] > 0
    assert 0.0 < run["utilisation"] < 1.0
    assert set(pd.read_parquet(tmp_path / "run" / "jobs.parquet")["nbytes"]) == {1000}


def test_json_is_the_whole_answer_and_nothing_else(tmp_path: Path, capsys: Printed) -> None:
    arguments = ["run", str(CATALOGUE), "--seed", "1", "--out", str(tmp_path), "--no-pictures", "--json"]
    assert main(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["seed"] == 1
    assert answer["engine"] == "simpy"
    assert answer["backtest"]["flushes"] == 324
    assert answer["backtest"]["differ"] == 0
    assert list(answer["runs"]) == list(answer["warnings"]) == ["as recorded", "size(200) | age(30s)"]
    assert len(answer["files"]) == 2 + 2 * len(TABLES)


def test_what_is_not_a_number_is_null_in_json(tmp_path: Path, capsys: Printed) -> None:
    assert main([*SMALL, "--out", str(tmp_path), "--no-pictures", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["runs"]["size(200) | age(30s)"]["utilisation"] is None


def test_quiet_prints_nothing(tmp_path: Path, capsys: Printed) -> None:
    assert main([*SMALL, "--out", str(tmp_path), "--no-pictures", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(files(tmp_path)) == 1 + len(TABLES)


def test_what_can_mislead_is_said(tmp_path: Path, capsys: Printed) -> None:
    arguments = ["run", "--arrivals", "poisson:80", "--policy", "size(200)", "--until", "1min", "--seed", "1"]
    assert main([*arguments, "--out", str(tmp_path), "--no-pictures"]) == 0
    assert "size(200): never due: FlushAtSize(200) alone: " in capsys.readouterr().out


def test_one_seed_gives_one_answer_and_no_seed_tells_the_one_it_drew(tmp_path: Path, capsys: Printed) -> None:
    def answer(*arguments: str) -> dict[str, object]:
        assert main([*SMALL[:-2], *arguments, "--out", str(tmp_path), "--no-pictures", "--json"]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    drawn = answer()
    again = answer("--seed", str(drawn["seed"]))
    assert again == drawn
    assert answer()["seed"] != drawn["seed"]


def test_keys_of_several_types_can_be_written(tmp_path: Path) -> None:
    keys = pd.Categorical.from_codes(
        [0, 1, -1, 2], categories=pd.Index([1, "1", (1, "a")], dtype=object, tupleize_cols=False)
    )
    for table_format in ("parquet", "csv"):
        printing.Folder(tmp_path / table_format, table_format).table("keys", pd.DataFrame({"key": keys}))
    assert pd.read_parquet(tmp_path / "parquet" / "keys.parquet")["key"].tolist()[:2] == ["1", "'1'"]
    assert len(pd.read_csv(tmp_path / "csv" / "keys.csv", keep_default_na=False)) == 4


def test_without_pyarrow_tables_are_csv(tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main([*SMALL, "--out", str(tmp_path), "--no-pictures"]) == 0
    assert files(tmp_path) == [*(f"run/{table}.csv" for table in TABLES), "summary.csv"]
    assert main([*SMALL, "--out", str(tmp_path), "--format", "parquet"]) == 2
    assert (
        "--format parquet needs pyarrow: pip install 'bufsim[parquet]', or take --format csv" in capsys.readouterr().err
    )


def test_an_interruption_keeps_what_was_finished(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "write", interrupt)
    assert main([*SMALL, "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "bufsim: interrupted; a run that is not finished is not kept\n"
    assert files(tmp_path) == [*(f"run/{table}.parquet" for table in TABLES), "summary.parquet"]


def test_a_reader_who_has_enough_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stdout", Closed())
    assert main([*SMALL, "--out", str(tmp_path), "--no-pictures"]) == 0
    assert len(files(tmp_path)) == 1 + len(TABLES)


def test_a_file_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device", str(path))

    with pytest.raises(OSError, match="No space left"):
        printing.Folder(tmp_path, "csv").write("run/jobs.csv", fail)
    assert files(tmp_path) == []


WRONG = {
    "nothing": (["run"], "give a scenario file, or --arrivals, --policy and --until; --arrivals is missing"),
    "no end": (
        ["run", "--arrivals", "poisson:8", "--policy", "never"],
        "options: until must be given, since the arrivals of producer 'arrivals' are no recording that ends",
    ),
    "no such file": (["run", "nowhere.toml"], "there is no scenario file 'nowhere.toml'"),
    "wrong policy": (
        [*SMALL[:3], "--policy", "sise(3)", "--until", "1min"],
        "options: buffer 'buffer', policy has the unknown flush policy 'sise' at character 1 of 'sise(3)'; known are",
    ),
    "wrong policy for a file": (
        ["run", str(CATALOGUE), "--policy", "sise(3)"],
        "--policy has the unknown flush policy 'sise' at character 1",
    ),
    "wrong arrivals": (
        ["run", "--arrivals", "poisson:-1", "--policy", "never", "--until", "1"],
        "options: producer 'arrivals', arrivals: rate must be > 0, got -1, at character 1 of 'poisson(-1)'",
    ),
    "wrong workers": ([*SMALL, "--workers", "pull(3)"], "options: workers number 1 has the unknown workers 'pull'"),
    "wrong end": ([*SMALL, "--until", "1 fortnight"], "options: until has the unknown unit 'fortnight'"),
    "too short for the record": (
        ["run", str(CATALOGUE), "--until", "5min"],
        "until must be later than the last recorded flush at 322.006959 s, got 300.0",
    ),
    "file and arrivals": (
        ["run", str(CATALOGUE), "--arrivals", "poisson:80"],
        "--arrivals goes without a scenario file; change ",
    ),
    "file and flush time": (["run", str(CATALOGUE), "--flush-time", "1s"], "--flush-time goes without a scenario file"),
    "engine that cannot": (
        ["run", str(CATALOGUE), "--engine", "compiled"],
        "of buffer 'search-plugin-apply-collection-filters'; run it with engine=\"simpy\", or use a built-in one",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_sentence_with_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: Printed
) -> None:
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("bufsim: error: ")
    assert message in printed
    assert "Traceback" not in printed


def test_the_output_must_be_a_folder_that_can_be_written(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main([*SMALL, "--out", str(tmp_path / "file")]) == 2
    assert "--out must be a directory, got the file" in capsys.readouterr().err
    assert main([*SMALL, "--out", str(tmp_path / "file" / "inside")]) == 2
    assert "--out must be a directory, got the file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*SMALL[:-1], "-3"], "must be a whole number of at least 0, got '-3'"),
        ([*SMALL[:-1], "one"], "must be a whole number of at least 0, got 'one'"),
        ([*SMALL, "--format", "excel"], "invalid choice: 'excel'"),
        (["rum"], "invalid choice: 'rum'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_wrong_option_is_refused_with_exit_code_2(arguments: list[str], message: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    # one line, without the usage
    assert printed.startswith("bufsim: error: ")
    assert message in printed
    assert printed.endswith(" --help\n")
    assert printed.count("\n") == 1


def test_help_tells_the_words_the_examples_and_the_exit_codes(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for word in (
        "size(200)",
        "checked_every(5s)",
        "bufsim run data/scenarios/vendure-catalogue.toml",
        "--json",
        "--seed",
    ):
        assert word in told
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert "130  interrupted" in told
    for summary in COMMANDS.values():
        assert summary in told


def test_the_version_is_told(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"bufsim {bufsim.__version__}\n"


@pytest.mark.parametrize(("first", "second"), [("parquet", "csv"), ("csv", "parquet")])
def test_a_second_run_into_a_folder_replaces_the_tables_of_the_first(tmp_path: Path, first: str, second: str) -> None:
    # the tables of two runs once lay side by side, which is case 22
    def run(rate: int, table_format: str, out: Path = tmp_path) -> None:
        model = ["--arrivals", f"poisson:{rate}", "--policy", "age(5s)", "--until", "60s", "--seed", "1"]
        assert main(["run", *model, "--no-pictures", "--quiet", "--out", str(out), "--format", table_format]) == 0

    run(5, first)
    (tmp_path / "run" / "notes.csv").write_text("a file of the user's own")
    (tmp_path / "backtest").mkdir()
    for table in ("backtest", "backtest/jobs"):
        (tmp_path / f"{table}.{first}").write_text("of an earlier run with a back-test")
    run(50, second)
    tables = [*(f"run/{table}.{second}" for table in TABLES), f"summary.{second}"]
    assert files(tmp_path) == sorted(["run/notes.csv", *tables])
    read = pd.read_csv if second == "csv" else pd.read_parquet
    assert 2700 < len(read(tmp_path / "run" / f"jobs.{second}")) < 3300


def test_a_comparison_replaces_the_tables_of_a_run_in_its_folder_and_the_other_way_round(tmp_path: Path) -> None:
    model = ["--arrivals", "poisson:5", "--policy", "age(5s)", "--until", "20s", "--seed", "1", "--quiet"]
    output = ["--no-pictures", "--out", str(tmp_path), "--format", "csv"]
    run, compared = ["run", *model, *output], ["compare", *model, "--policy", "age(2s)", "-n", "2", *output]
    of_run = sorted(["summary.csv", *(f"run/{table}.csv" for table in TABLES)])
    of_comparison = ["differences.csv", "intervals.csv", "replications.csv"]
    for command, left in ((run, of_run), (compared, of_comparison), (run, of_run)):
        (tmp_path / "mine.csv").write_text("a user's own")
        (tmp_path / "pareto.png").write_text("a picture of a command before it, or of the user's own")
        assert main(command) == 0
        assert [name for name in files(tmp_path) if not name.endswith(".png")] == sorted(["mine.csv", *left])


def test_a_second_run_leaves_no_pictures_of_the_first(tmp_path: Path) -> None:
    model = ["--arrivals", "poisson:5", "--policy", "age(5s)", "--until", "20s", "--seed", "1", "--quiet"]
    (tmp_path / "waits-notes.png").write_text("a user's own, in a folder that no command has written into")
    assert main(["run", *model, "--out", str(tmp_path)]) == 0
    assert "queue.png" not in files(tmp_path)
    assert {"waits.png", "waits-notes.png"} <= set(files(tmp_path))
    for name in ("waits-b", "queue"):
        (tmp_path / f"{name}.png").write_text("of an earlier run of another model")
    (tmp_path / "mine.png").write_text("a picture of the user's own")
    assert main(["run", *model, "--no-pictures", "--out", str(tmp_path)]) == 0
    assert [name for name in files(tmp_path) if name.endswith(".png")] == ["mine.png"]


def test_a_run_without_an_end_ends_with_its_recording(tmp_path: Path, capsys: Printed) -> None:
    case = Path(__file__).parents[1] / "data" / "cases" / "13-short-trace.csv"
    model = ["run", "--policy", "every(1s)", "--seed", "1", "--no-pictures", "--json", "--out", str(tmp_path)]
    for words, size in ((f"trace:{case}", 1.5 / 3.5), (f"trace({str(case)!r}, length=4s)", 0.5)):
        assert main([*model, "--arrivals", words]) == 0
        answer = json.loads(capsys.readouterr().out)
        (run,) = answer["runs"].values()
        # by hand: 3 jobs of 0.5 s up to the last arrival at 3.5 s, or 4 in 4 s
        assert run["arrivals_jobs"] == 4
        assert run["mean_buffer_size_jobs"] == pytest.approx(size)
        assert answer["title"] == words
        assert answer["warnings"] == {"every(1s)": []}


def test_the_help_of_run_tells_how_to_take_whole_requests(capsys: Printed) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "size(500) & age(0s) takes whole requests" in capsys.readouterr().out
