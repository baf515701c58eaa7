"""The script that breaks one operator at a time: what it breaks, and whom it asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = "bufsim/model/rules.py"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    # the benchmarks stand beside the package, and are not installed
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        ("a < b", {"a <= b"}),
        ("(a) is not(b)", {"(a) is(b)"}),
        ("é == b not in c", {"é != b not in c", "é == b in c"}),
        ("a + b * c", {"a - b * c", "a + b / c"}),
        ("a and b", {"a or b"}),
        ("b = not a", {"b =  a"}),
        ("-a", {"a"}),
        ("max(a, b)", {"min(a, b)", "max(a)", "pass"}),
        ("np.floor(a)", {"np.ceil(a)", "pass"}),
        ("f(a, b=c)", {"f(a)", "pass"}),
        ("f(**a)", {"pass"}),
        ("a += b", {"a -= b", "pass"}),
        ("a[b] = c", {"pass"}),
        ("a: int = 3", {"a: int = 4", "a: int = 2"}),
        ("a = 0.5", {"a = 1.5", "a = (-0.5)"}),
        ("a = True", {"a = False"}),
        ("b if a else c", {"b if (not (a)) else c"}),
        ("{a for a in b if c}", {"{a for a in b if (not (c))}"}),
        ("while a:\n    break", {"while (not (a)):\n    break", "while a:\n    continue"}),
        ("def f() -> a | b:\n    return a", {"def f() -> a | b:\n    return None"}),
        # what is said is not broken, only whether it is
        ("raise ValueError(f'{a + 1}')", {"pass"}),
        ("if TYPE_CHECKING:\n    a = 1", {"if (not (TYPE_CHECKING)):\n    a = 1"}),
        ("'a text of 3 words'", set()),
    ],
)
def test_each_operator_is_broken_in_its_ways(source: str, broken: set[str]) -> None:
    from benchmarks.mutation.breaking import is_another, mutants

    data = source.encode()
    found = [mutant for mutant in mutants(MODULE, data) if is_another(mutant, data)]
    assert {mutant.of(data).decode() for mutant in found} == broken
    assert len({mutant.name for mutant in found}) == len(found) == len(broken)


def test_a_change_keeps_its_name_when_other_lines_change() -> None:
    from benchmarks.mutation.breaking import mutants

    source = "def f(a):\n    return a + 1\n"
    before = {mutant.name for mutant in mutants(MODULE, source.encode())}
    after = {mutant.name: mutant.line for mutant in mutants(MODULE, f"b = 3\n\n\n{source}".encode())}
    assert before < after.keys()
    assert {after[name] for name in before} == {5}


def test_the_sample_is_the_same_each_time_and_holds_all_parts() -> None:
    from benchmarks.mutation.__main__ import PARTS, modules

    assert [part for part in PARTS if not modules(part)] == []
    assert "bufsim/engines/compilation.py" not in modules("engines")
    assert "bufsim/engines/kernel/loop.py" in modules("kernel")


def test_those_tests_are_asked_that_reach_the_line_the_cheapest_first(tmp_path: Path) -> None:
    from benchmarks.mutation.reaching import Map

    reached = {
        "": {MODULE: [1, 2]},
        "t.py::dear": {MODULE: [7]},
        "t.py::cheap": {MODULE: [6, 7]},
        "t.py::other": {MODULE: [9]},
        "u.py": {MODULE: [7]},  # in a fixture, for any test of the file
        "v.py::failed": {MODULE: [7]},
    }
    tests = {"t.py::dear": 3.0, "t.py::cheap": 1.0, "t.py::other": 0.5, "u.py::all": 2.0, "w.py::far": 0.1}
    path = tmp_path / "t.abc.json"
    path.write_text(json.dumps({"tests": tests, "reached": reached}))
    known = Map()
    known.add(path)
    assert known.tests(MODULE, (7, 7)) == ["t.py::cheap", "u.py::all", "t.py::dear"]
    assert known.tests(MODULE, (8, 10)) == ["t.py::other"]
    # run at the import alone: by all that reach the module
    assert known.tests(MODULE, (2, 2)) == ["t.py::other", "t.py::cheap", "u.py::all", "t.py::dear"]
    assert known.tests(MODULE, (4, 4)) == []
    assert known.name("t.py::dear") == "t.py::dear abc"


def test_what_became_of_a_change_is_kept(tmp_path: Path) -> None:
    from benchmarks.mutation.__main__ import Outcomes, report
    from benchmarks.mutation.breaking import mutants

    first, second, third = list(mutants(MODULE, (ROOT / MODULE).read_bytes()))[:3]
    outcomes = Outcomes(tmp_path / "outcomes.jsonl")
    outcomes.add(first, {"outcome": "noticed", "by": "t.py::test", "asked": [], "seconds": 1.5})
    outcomes.add(second, {"outcome": "survived", "by": "", "asked": ["t.py::test"], "seconds": 2.0})
    again = Outcomes(tmp_path / "outcomes.jsonl")
    assert [again.of(one) is None for one in (first, second, third)] == [False, False, True]
    table, survivors = report([first, second, third], again)
    assert [cell.strip() for cell in table.splitlines()[-1].split("|")[1:-1]] == ["all", "2", "1", "0", "1", "50.0"]
    assert survivors.startswith(f"{MODULE}:{second.line}: {second.kind}: ")
    assert "\n" not in survivors
