from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bufsim.errors import InvalidValueError
from bufsim.verification import replays
from bufsim.verification.replays import of_level, vectors, why_left_out


def test_every_vector_is_run_or_left_out_for_a_named_reason() -> None:
    run = {
        ("storage", "in-memory"): 326,
        ("storage", "testing"): 327,
        ("service", "in-memory"): 331,
        ("reduce", None): 315,
        ("roundtrip", "in-memory"): 14,
        ("storage", "sql-better-sqlite3"): 323,
        ("storage", "sql-sqljs"): 23,
        ("storage", "sql-postgres"): 323,
        ("storage", "redis"): 323,
        ("service", "sql-better-sqlite3"): 148,
        ("service", "sql-sqljs"): 28,
        ("service", "sql-postgres"): 28,
        ("service", "redis"): 148,
        ("roundtrip", "sql-better-sqlite3"): 14,
        ("roundtrip", "sql-sqljs"): 14,
        ("roundtrip", "sql-postgres"): 14,
        ("roundtrip", "redis"): 14,
    }
    left_out = {
        "what happens at once on SQL or Redis is a matter of timing": 28,
        "__proto__ as a key is JavaScript's own oddity": 2,
    }
    assert {key: len(of_level(*key)) for key in run} == run
    assert Counter(filter(None, map(why_left_out, vectors()))) == left_out
    assert sum(run.values()) + sum(left_out.values()) == len(vectors()) == 2743


def test_cases_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(replays, "DATA", tmp_path)
    with pytest.raises(InvalidValueError, match=r"are missing from the installation \(vectors\.json\.gz\); install it"):
        vectors.__wrapped__()
