from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bufsim.cli import main, metrics
from bufsim.cli.command import Command, write

SMALL = ["run", "--arrivals", "poisson:80", "--policy", "size(200) | age(30s)", "--until", "1min", "--seed", "1"]
Printed = pytest.CaptureFixture[str]


def bufsim(*arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bufsim", *arguments]
    return subprocess.run(command, capture_output=True, env=os.environ | settings, check=False, timeout=300)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437"])
def test_an_output_of_any_encoding_takes_all_that_is_printed(encoding: str, capsys: Printed) -> None:
    assert main(["metrics"]) == 0
    usual = capsys.readouterr().out
    found = bufsim("metrics", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert found.returncode == 0, found.stderr
    assert found.stderr == b""
    assert len(found.stdout.decode(encoding).splitlines()) == len(usual.splitlines())


def test_an_output_of_any_encoding_takes_all_help() -> None:
    assert bufsim("run", "--help", PYTHONIOENCODING="ascii", PYTHONUTF8="0").returncode == 0


def test_signs_that_an_encoding_lacks_are_spelled(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with path.open("w", encoding="cp1252") as stream:
        write(stream, "p99 \u2264 5 s, \u2212 \u00d7 2, 100 \u00b5s, \u4e2d")
    assert path.read_text(encoding="cp1252") == "p99 <= 5 s, - \u00d7 2, 100 \u00b5s, \\u4e2d\n"


def test_what_is_printed_gives_a_terminal_no_orders(capsys: Printed) -> None:
    write(sys.stdout, "a\x1b[2Jb\nc\u202ed\te")
    assert capsys.readouterr().out == "a\\x1b[2Jb\nc\\u202ed\\te\n"


def test_a_reader_who_has_read_enough_stops_nothing(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m bufsim metrics | head -n 1'
    found = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False, timeout=300)
    assert found.returncode == 0
    assert found.stderr == b""
    closed = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m bufsim metrics >&-'], capture_output=True, check=False, timeout=300
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


def test_a_full_disk_is_a_sentence() -> None:
    command = f'"{sys.executable}" -m bufsim metrics > /dev/full'
    found = subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=300)
    assert found.returncode == 2
    assert found.stderr.decode() == "bufsim: error: the output: No space left on device\n"


def failing(error: Exception) -> Command:
    def run(options: object) -> int:
        raise error

    return Command("", "", metrics.COMMAND.add_options, run, without_seed="")


@pytest.mark.parametrize(
    "error", [RuntimeError("x" * 9_999), RecursionError("deep"), ZeroDivisionError(), KeyError("a\n")]
)
def test_a_fault_of_its_own_is_one_sentence_and_exit_code_3(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setattr(metrics, "COMMAND", failing(error))
    assert main(["metrics"]) == 3
    told = capsys.readouterr().err
    assert told.startswith(f"bufsim: a fault of bufsim's own, {type(error).__name__}: ")
    assert told.count("\n") == 1
    assert len(told) <= 501
    assert main(["metrics", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_too_little_memory_is_the_inputs_fault(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.setattr(metrics, "COMMAND", failing(MemoryError()))
    assert main(["metrics"]) == 2
    assert "needs more memory than there is" in capsys.readouterr().err


def test_a_huge_option_is_quoted_in_part(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*SMALL, "--seed", "x" * 100_000])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err) < 600


NASTY = ["../../up", "$^$", "\\u001b[2J", "=1+1", "<svg>", "x" * 5_000]


def nasty_model(tmp_path: Path) -> Path:
    parts = [
        f"""
[[producer]]
name = "p{name}"
arrivals = "poisson(20)"
queue = "{name}"

[[buffer]]
id = "{name}"
collect = ["{name}"]
policy = "size(20) | age(5s)"
"""
        for name in NASTY
    ]
    path = tmp_path / "nasty.toml"
    path.write_text('title = "$^$ \\u001b[2J <b>"\n[simulation]\nuntil = "1min"\n' + "".join(parts), encoding="utf-8")
    return path


def test_names_of_any_kind_stay_in_the_folder_and_give_a_terminal_no_orders(tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "a" / "b"
    assert main(["run", str(nasty_model(tmp_path)), "--seed", "1", "--out", str(out), "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.replace("\n", "").isprintable()
    pictures = sorted(path.name for path in out.glob("waits-*.png"))
    assert len(pictures) == len(NASTY)
    assert not list(tmp_path.rglob("up*"))
    flushes = (out / "run" / "flushes.csv").read_text(encoding="utf-8")
    assert "\n=1+1," not in flushes
    assert "\n'=1+1," in flushes
