from __future__ import annotations

import json

import pytest

from bufsim.cli import main, verify
from bufsim.verification.claims import CLAIMS, Claim
from bufsim.verification.findings import Extent, Finding

Printed = pytest.CaptureFixture[str]


def claims(*verdicts: str) -> tuple[Claim, ...]:
    """Claims whose checks give these verdicts."""
    return tuple(
        Claim(
            f"claim {number}",
            lambda extent, number=number, verdict=verdict: Finding(
                f"claim {number}", f"seed {extent.seed}, {extent.models} models", verdict, 7
            ),
        )
        for number, verdict in enumerate(verdicts)
    )


def test_each_claim_has_a_line(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CLAIMS", claims("holds", "holds"))
    assert main(["verify"]) == 0
    assert capsys.readouterr().out == (
        "holds       claim 0             seed 1, 60 models\n"
        "holds       claim 1             seed 1, 60 models\n"
        "\nall 2 hold, seed 1\n"
    )


def test_help_says_which_seed_it_takes(capsys: Printed) -> None:
    with pytest.raises(SystemExit):
        main(["verify", "--help"])
    assert "without it, it is 1" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("verdict", ["FAILS", "not checked"])
def test_one_that_fails_or_is_not_checked_ends_with_1(
    verdict: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "CLAIMS", claims("holds", verdict))
    assert main(["verify", "--seed", "3"]) == 1
    printed = capsys.readouterr().out
    assert f"{verdict:<12}claim 1" in printed
    assert "\n1 of 2 hold, seed 3\n" in printed


def test_full_looks_at_more(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CLAIMS", claims("holds"))
    assert main(["verify", "--full"]) == 0
    assert f"{Extent.full().models} models" in capsys.readouterr().out


def test_json_has_every_finding_and_quiet_prints_nothing(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CLAIMS", claims("holds", "FAILS"))
    assert main(["verify", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["seed"], answer["holds"]) == (1, False)
    assert answer["findings"][1] == {
        "subject": "claim 1",
        "checked": "seed 1, 60 models",
        "verdict": "FAILS",
        "count": 7,
    }
    assert main(["verify", "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


def test_the_lines_are_those_of_the_claims_and_fit_a_terminal() -> None:
    assert [claim.subject for claim in CLAIMS] == [
        "Vendure's classes",
        "a server's batches",
        "two engines",
        "conservation",
        "closed forms",
        "intervals",
    ]
    text = verify.line(Finding("intervals", "word " * 60, "holds"))
    assert max(map(len, text.splitlines())) <= 118
    assert text.splitlines()[1].startswith(" " * 32 + "word")
