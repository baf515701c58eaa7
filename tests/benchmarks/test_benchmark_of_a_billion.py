from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # the benchmarks stand beside the package, and are not installed
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


def test_it_says_what_each_size_took_and_writes_it_between_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import billion, readme

    path = tmp_path / "README.md"
    path.write_text("before\n<!-- billion -->\nold\n<!-- end of billion -->\nafter\n")
    monkeypatch.setattr(readme, "README", path)
    billion.main(["--jobs", "2e3", "--write"])
    printed = capsys.readouterr().out
    sizes = [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("|")]
    assert sizes[0] == "jobs"
    assert sizes[2:] == ["2,000"]
    assert path.read_text() == f"before\n<!-- billion -->\n\n{printed}\n<!-- end of billion -->\nafter\n"


@pytest.mark.parametrize("part", ["measured", "billion", "parts", "study"])
def test_the_real_file_has_the_marks(part: str) -> None:
    from benchmarks.readme import README

    text = README.read_text()
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    assert (text.count(begin), text.count(end)) == (1, 1)
    assert text.index(begin) < text.index(end)


def test_a_row_tells_nanoseconds_a_job() -> None:
    from benchmarks.billion import Measured

    assert Measured(jobs=10**9, wall=15.0, cpu=14.5, peak=250.4).row() == [
        "1,000,000,000",
        "15.00",
        "14.50",
        "14.5",
        "250",
    ]
