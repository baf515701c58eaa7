from __future__ import annotations

import pytest
from bufsim_tests.malformed import QUICK, SLOW, UGLY, RawError, ending, mutants, try_all
from hypothesis import given
from hypothesis import strategies as st

from bufsim import spelling
from bufsim.spelling import build
from bufsim.studies.formulas import expression, limit

WORDS = {
    "policy": (
        "size(200) | age(30s)",
        "(size(100) & idle(2s)).checked_every(5s, phase=1.5)",
        "bytes(64 MiB) & every(15min, anchor='flush_end') | at(1.0, 2.5, 1h30min)",
        "cron('*/15 * * * *', start='2026-03-29T00:00:00+01:00') | never",
        "FlushAtSize(200) | FlushAfterAge(30.0)",
    ),
    "arrivals": (
        "poisson(80)",
        "bursty(100, 0, 1s, 9s)",
        "bulk(poisson(2), geometric(5))",
        "renewal(gamma(100ms, 0.5))",
        "time_varying(steps([0, 1h, 2h], [1, 5], repeat=true), 5)",
    ),
    "workers": (
        "polling(service=20ms, retries=3, backoff=backoff(1s, factor=2))",
        "push(3, service=exponential(10ms))",
    ),
    "keys": ("zipf(9000, 0.9)", "uniform(100)"),
    "capacity": ("capacity(2048, on_full=drop_oldest)",),
    "flush_time": ("flush_time(50ms, per_job=2ms)", "flush_time(given(0.5, 0.25))"),
}
FORMULAS = ("metric('p99_wait', of='search') + 2 * mean_wait", "flush_rate * 3 + 0.5 * (mean_wait - 1)")
LIMITS = ("p99_wait <= 2s", "mean_buffer_size + 3 <= 100")


def tried(role: str, text: str) -> None:
    """Read words; what is taken must be written as words that mean the same."""
    value = build(role, text, name=role)
    again = repr(value)
    if "<" not in again:
        assert build(role, again, name=role) == value, again


def words(n: int, seed: int) -> None:
    ends = [0, 0]
    for number, (role, goods) in enumerate(WORDS.items()):
        share = n if number == 0 else n // 3
        for good in goods:
            tried(role, good)
        found = mutants(goods, share, seed=seed + number, tokens=[token for good in goods for token in good.split()])
        taken, refused = try_all(lambda text, role=role: tried(role, text), found)
        ends[0] += taken
        ends[1] += refused
    assert min(ends) > n // 20
    for read, goods in ((expression, FORMULAS), (limit, LIMITS)):
        try_all(read, mutants(goods, n // 3, seed=seed))


def test_words_are_taken_as_meant_or_refused_with_a_sentence() -> None:
    words(QUICK, seed=1)


@pytest.mark.slow
def test_many_words_are_taken_as_meant_or_refused_with_a_sentence() -> None:
    words(SLOW, seed=2)


@given(text=st.text(max_size=60))
def test_texts_of_any_letters_are_read(text: str) -> None:
    for role in WORDS:
        ending(lambda role=role: tried(role, text))
    ending(lambda: spelling.arrivals(text))
    ending(lambda: expression(text))


@pytest.mark.parametrize("token", UGLY, ids=lambda token: repr(token)[:12])
def test_any_token_may_stand_where_a_number_is_due(token: str) -> None:
    for text in (f"size({token})", f"age({token})", f"age({token}s)", f"bytes({token} MiB)", token, f"at(1, {token})"):
        ending(lambda text=text: tried("policy", text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age(1e99999999s)", "age must lie between 1e-300 and 1e300, or be 0, got '1e99999999'"),
        ("age(1e-9999999s)", "age must lie between 1e-300 and 1e300, or be 0, got '1e-9999999'"),
        ("size(1__0)", "has '__0', which does not fit there, at character 7"),
        ("(" * 400 + "size(1)" + ")" * 400, "is nested more than 50 deep at character 52"),
        (" | ".join(["size(1)"] * 1001), "has more than 1,000 parts at character 1 of 10,007"),
        (
            "size(1) | " * 30_000,
            "must have at most 200,000 characters, got 300,000; long lists of times go into a file",
        ),
        ("size(100000000000000000000)", "size must be <= 9,007,199,254,740,992, got 100000000000000000000"),
        ("size(" + "9" * 5000 + ")", "must lie between 1e-300 and 1e300, or be 0, got '99999"),
    ],
)
def test_words_that_hung_or_became_something_else_are_refused(text: str, message: str) -> None:
    assert message in ending(lambda: spelling.policy(text))


@pytest.mark.parametrize("raw", [float, int, lambda text: {"size": 1}[text]])
def test_a_reader_that_lets_errors_through_is_found_out(raw: object) -> None:
    with pytest.raises(RawError, match=r"of 60 end otherwise:"):
        try_all(raw, mutants(WORDS["policy"], QUICK, seed=1))
