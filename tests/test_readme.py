"""The README is executed: its Python blocks run, and what it shows is what they, and its command, print."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bufsim.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def test_every_python_block_runs_and_prints_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    checked = 0
    for (kind, code), (following, shown) in itertools.pairwise(BLOCKS):
        if kind != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "README.md", "exec"), names)
        assert following == "text"
        assert lines(printed.getvalue()) == lines(shown)
        checked += 1
    assert checked == 2


@pytest.mark.parametrize(
    ("place", "command"),
    [
        # a minute and more, with its pictures
        pytest.param(
            0, "plan data/scenarios/plan-next-season.toml -o {folder}/plan.html", id="plan", marks=pytest.mark.slow
        ),
        pytest.param(1, "run data/scenarios/vendure-catalogue.toml --out {folder} --no-pictures", id="run"),
    ],
)
def test_what_is_shown_of_a_command_is_what_it_prints(
    place: int, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main([word.format(folder=tmp_path) for word in command.split()]) == 0
    shown = [text for kind, text in BLOCKS if kind == "text"][place]
    assert "\n".join(lines(shown)) in capsys.readouterr().out


def test_the_command_that_calibrates_a_store_leaves_what_it_says_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (command,) = (text for kind, text in BLOCKS if kind == "sh" and "calibrate" in text)
    assert main(command.split()[1:]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.png", "store.toml"]
    assert tomllib.loads((tmp_path / "store.toml").read_text("utf-8"))["storage"]["durable"]


def test_two_commands_install_run_and_test() -> None:
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    start = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt "
    assert commands == [
        start + '".[studies,parquet]" && .venv/bin/bufsim plan data/scenarios/plan-next-season.toml -o out/plan.html',
        start + '-e ".[dev]" && .venv/bin/pytest',
    ]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_file_that_is_linked_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("name", ["plan-next-season.png", "vendure-catalogue.png"])
def test_a_picture_is_a_small_png(name: str) -> None:
    picture = ROOT / "docs" / name
    assert f"]({picture.relative_to(ROOT).as_posix()})" in README
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 200_000


def test_the_constraints_name_releases_of_all_that_is_needed_and_no_addresses() -> None:
    pinned = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            found = re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)( ; python_version < \"3\.12\")?", line)
            assert found, line
            pinned[found[1]] = found[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [
        *project["dependencies"],
        *(part for extra in project["optional-dependencies"].values() for part in extra),
    ]
    names = {re.split(r"[\[>=<]", need)[0] for need in needed} - {"bufsim"}
    assert names - pinned.keys() == set()


def test_the_version_is_the_same_everywhere() -> None:
    import bufsim

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == bufsim.__version__
    assert f"version: {bufsim.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
