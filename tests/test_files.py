from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from bufsim import files
from bufsim.errors import InvalidValueError
from bufsim.files import check_replaceable, file_name, replacing, without_formulas


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_name_of_any_length_that_a_file_may_have_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".txt")
    with replacing(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    with pytest.raises(InvalidValueError, match="is no place for a file: File name too long; give another"):
        check_replaceable(tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/dev/null", "is no regular file, which is not replaced; give the name of a file"),
        ("/", "is a folder, which is not replaced"),
        ("a\0b", r"must not hold the character 0, got 'a.x00b'"),
        ("/dev/null/a", "is no place for a file: Not a directory"),
    ],
)
def test_nothing_but_a_file_is_replaced(name: str, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem), replacing(Path(name)):
        pytest.fail("it was opened")
    assert Path("/dev/null").is_char_device()


def test_a_pipe_and_a_folder_are_not_replaced_and_a_link_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InvalidValueError, match="which is not replaced"):
            check_replaceable(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("behind")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "behind"


def test_names_that_differ_are_different_files(tmp_path: Path) -> None:
    names = ["a/b", "a_b", "a\\b", "a\nb", "..", ".", "x" * 10_000, "x" * 9_999, "../../etc", "\x1b", "$", "Ä"]
    found = [file_name(name) for name in names]
    assert len(set(found)) == len(found)
    for name in found:
        (tmp_path / f"waits-{name}.png").touch()
    assert len(list(tmp_path.iterdir())) == len(found)


def test_no_text_of_a_table_is_a_formula() -> None:
    table = pd.DataFrame(
        {
            "text": ["=1+1", "+1", "-1", "@x", "\t=1", "fine", "a=b"],
            "category": pd.Categorical(["=a", "b", "=a", "b", "b", "b", "b"]),
            "number": [-1.0, 2, 3, 4, 5, 6, 7],
        }
    )
    found = files.without_formulas(table)
    assert list(found["text"]) == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "fine", "a=b"]
    assert list(found["category"]) == ["'=a", "b", "'=a", "b", "b", "b", "b"]
    assert list(found["number"]) == list(table["number"])
    harmless = table.drop(columns=["text", "category"])
    assert without_formulas(harmless) is harmless
