from __future__ import annotations

import builtins

import pytest
from bufsim_tests.models import without

from bufsim import InvalidTypeError, MissingExtraError
from bufsim.studies import progress as bars
from bufsim.studies.progress import show_progress


def test_a_function_is_called_with_the_replications_done_and_all():
    told = []
    with show_progress(lambda done, total: told.append((done, total)), 10, 3) as bar:
        bar.advance(1)
        bar.advance(4)
        assert not bar.speaks
        bar.say("nothing, since it has its own way to")
    assert told == [(4, 10), (8, 10)]


def test_quiet_is_quiet(capfd):
    with show_progress(False, 10, 3) as bar:
        bar.advance(7)
        assert not bar.speaks
        bar.say("nothing")
    assert capfd.readouterr() == ("", "")


def test_a_bar_that_is_asked_for_is_shown_and_left(capfd):
    with show_progress(True, 10, 3) as bar:
        assert bar.speaks
        bar.say("10 runs")
        bar.advance(7)
    out, err = capfd.readouterr()
    assert out == ""
    assert "10 runs\n" in err
    assert "replications:  30%" in err
    assert "10/10" in err.splitlines()[-1]


def test_a_bar_that_nobody_asked_for_waits_whether_it_takes_long(capfd, monkeypatch):
    monkeypatch.setattr(bars, "PATIENCE", 1000.0)
    with show_progress(None, 10, 0) as bar:
        bar.advance(10)
    assert "10/10" not in capfd.readouterr().err
    monkeypatch.setattr(bars, "PATIENCE", 0.0)
    with show_progress(None, 10, 0) as bar:
        bar.advance(10)
    assert "replications" in capfd.readouterr().err


def test_without_tqdm_there_are_lines_but_no_bar(capfd, monkeypatch):
    monkeypatch.setattr(builtins, "__import__", without("tqdm"))
    with show_progress(None, 10, 0) as bar:
        assert bar.speaks
        bar.say("10 runs")
        bar.advance(10)
    assert capfd.readouterr() == ("", "10 runs\n")


def test_a_bar_that_is_asked_for_needs_tqdm(monkeypatch):
    monkeypatch.setattr(builtins, "__import__", without("tqdm"))
    with pytest.raises(MissingExtraError) as error, show_progress(True, 10, 0):
        pass
    assert str(error.value) == (
        'progress=True needs tqdm: install it with pip install "bufsim[studies]", or give a function'
    )


@pytest.mark.parametrize("wrong", ["yes", 1, 0.5])
def test_anything_else_is_refused(wrong):
    with pytest.raises(InvalidTypeError) as error, show_progress(wrong, 10, 0):
        pass
    assert str(error.value) == (
        f"progress must be True, False or a function of the replications done and all, got {wrong!r}"
    )


def test_the_time_that_was_announced_is_not_counted_as_that_of_runs(monkeypatch, capfd) -> None:
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    with show_progress(True, 100, 0) as bar:
        bar.advance(1)
        bar.say("it compiles")
        now[0] += 30.0  # in which the engine compiles
        bar.advance(1)
        now[0] += 1.0
        bar.advance(1)
        assert "3/100 [00:01<" in capfd.readouterr().err
        # negative control: without a word it is that of runs
        now[0] += 30.0
        bar.advance(1)
        assert "4/100 [00:31<" in capfd.readouterr().err
