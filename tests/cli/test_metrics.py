from __future__ import annotations

import json

import pytest

from bufsim.cli import main
from bufsim.results.metrics import METRICS

Printed = pytest.CaptureFixture[str]


def test_each_metric_has_a_line_with_its_unit_and_meaning(capsys: Printed) -> None:
    assert main(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(METRICS)
    assert " ".join(lines[0].split()) == f"mean_wait_s s {METRICS['mean_wait_s'].meaning}"


def test_a_part_of_a_name_picks_those_that_have_it(capsys: Printed) -> None:
    assert main(["metrics", "queue_wait"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == [name for name in METRICS if "queue_wait" in name]
    assert main(["metrics", "zzz"]) == 0
    assert capsys.readouterr().out == "no metric has 'zzz' in its name\n"


def test_json_has_the_same(capsys: Printed) -> None:
    assert main(["metrics", "--json", "mean_wait"]) == 0
    (only,) = json.loads(capsys.readouterr().out)["metrics"]
    assert only == {"name": "mean_wait_s", "unit": "s", "meaning": METRICS["mean_wait_s"].meaning}


def test_compare_says_where_the_names_are(capsys: Printed) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    assert "bufsim metrics lists the names" in capsys.readouterr().out


def test_it_takes_no_seed(capsys: Printed) -> None:
    with pytest.raises(SystemExit):
        main(["metrics", "--seed"])
    assert capsys.readouterr().err == "bufsim: error: unrecognized arguments: --seed; see bufsim --help\n"
