"""The decision problems, a few repetitions each: `python -m benchmarks.decisions` makes 200."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# the long runs fewer times, and more often among the slow tests
REPETITIONS = {1: 8, 2: 6, 3: 3, 4: 3, 5: 3, 6: 4, 7: 4, 8: 3, 9: 3, 10: 12, 11: 8, 12: 2, 13: 3, 14: 3}
MORE = {1: 12, 2: 8, 4: 5, 6: 8, 7: 8, 8: 6, 12: 6, 13: 8}


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    # the benchmarks stand beside the package, and are not installed
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize(
    ("number", "repetitions"),
    [*REPETITIONS.items(), *(pytest.param(*one, marks=pytest.mark.slow) for one in MORE.items())],
)
def test_no_criterion_is_shown_to_be_missed(number, repetitions):
    from benchmarks.decisions.criteria import scores
    from benchmarks.decisions.repetitions import repeat

    seen = [repeat(number, 1000 + repetition) for repetition in range(repetitions)]
    missed = [score.row() for score in scores(number, seen) if not score.passes]
    assert missed == []


def test_every_problem_asks_for_something():
    from benchmarks.decisions.criteria import criteria

    # 84 of the ten, and of those where runs tell little
    asked = {number: sum(criterion.asks for criterion in criteria(number)) for number in REPETITIONS}
    assert asked == {
        **{1: 6, 2: 6, 3: 6, 4: 3, 5: 31, 6: 9, 7: 6, 8: 6, 9: 6, 10: 5},
        **{11: 3, 12: 4, 13: 6, 14: 10},
    }


def test_few_repetitions_miss_a_criterion_only_where_that_is_shown():
    from benchmarks.decisions.criteria import BAND, Criterion

    covers = Criterion("covers", *BAND)
    assert covers.met(0.895, 200)
    assert not covers.met(0.894, 200)
    assert not covers.met(0.995, 200)
    assert covers.met(1.0, 10)
    assert covers.met(0.8, 10)
    # negative control: an interval that covers four times in ten is found out in ten repetitions
    assert not covers.met(0.4, 10)
    rejects = Criterion("rejects", high=0.105)
    assert rejects.met(0.3, 10)
    assert not rejects.met(0.6, 10)
    size = Criterion("size", high=1.5, is_mean=True)
    assert size.met(1.8, 10)
    assert not size.met(1.8, 200)
    assert not size.met(2.0, 10)
    assert [covers.bound(), rejects.bound(), Criterion("power", low=0.4).bound()] == [
        *("0.895 to 0.990", "≤ 0.105", "≥ 0.400")
    ]


def test_the_command_prints_the_scores_and_fails_with_them(capsys):
    from benchmarks.decisions import __main__ as command

    words = ["--problem", "10", "--repetitions", "2", "--executor", "1"]
    assert command.main(words) == 0
    printed = capsys.readouterr().out
    assert "2 repetitions, root seeds from 1000 on" in printed
    assert "| 10      | covers flushes " in printed
    assert "5 of 5 criteria are met" in printed
