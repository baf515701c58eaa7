from __future__ import annotations

import pytest

from bufsim import FlushAfterAge, FlushAt, FlushAtBytes, FlushAtSize, FlushEvery, FlushPolicy, FlushWhenIdle, NeverFlush
from bufsim.report.answer import settings

WORDS = {
    "at 400 jobs": FlushAtSize(400),
    "at 64 kB": FlushAtBytes(64_000),
    "when the oldest job is 90 s old": FlushAfterAge("90s"),
    "when no job has come for 200 ms": FlushWhenIdle(0.2),
    "every 15 min": FlushEvery("15min"),
    "at 2 given times": FlushAt([1.0, 2.0]),
    "never": NeverFlush(),
    "at 400 jobs, or when the oldest job is 10 s old": FlushAtSize(400) | FlushAfterAge(10.0),
    "at 4 jobs and when no job has come for 2 s": FlushAtSize(4) & FlushWhenIdle(2.0),
    "at 100 jobs, looked at every 5 s": FlushAtSize(100).checked_every(5.0),
}


@pytest.mark.parametrize(("words", "policy"), WORDS.items(), ids=WORDS)
def test_a_policy_is_told_in_words(words: str, policy: FlushPolicy) -> None:
    assert policy.phrase == words


def test_a_policy_of_ones_own_is_its_repr() -> None:
    class Own(FlushPolicy):
        def __repr__(self) -> str:
            return "Own()"

        def due(self, view: object) -> float:
            return 0.0

    assert Own().phrase == "Own()"


def test_settings_elsewhere_are_those_that_say_nearly_the_same() -> None:
    found = dict(settings(FlushAtSize(400) | FlushAfterAge(15.0)))
    assert found == {
        "bufsim": "FlushAtSize(400) | FlushAfterAge(15.0)",
        "Vendure": "call flush at 400 jobs, or when the oldest job is 15 s old; bufferSize tells the size (there is no "
        "such setting)",
        "Vector": "batch.max_events = 400, batch.timeout_secs = 15",
        "Ray Serve": "max_batch_size=400, batch_wait_timeout_s=15",
    }
    kafka = dict(settings(FlushAtBytes(16384) | FlushAfterAge(0.005)))
    assert kafka["Kafka producer"] == "batch.size=16384, linger.ms=5"
    spans = dict(settings(FlushAtSize(512) | FlushEvery(5.0, anchor="flush_end")))
    assert spans["OpenTelemetry"] == "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=512, OTEL_BSP_SCHEDULE_DELAY=5000"
    assert dict(settings(FlushEvery("15min")))["Vendure"] == "a scheduled task that calls flush every 15 min"


@pytest.mark.parametrize(
    "policy",
    [
        FlushAtSize(4),
        FlushAtSize(4) & FlushAfterAge(1.0),
        FlushAtSize(4) | FlushEvery(5.0),
        FlushAtSize(4) | FlushAfterAge(1.0) | FlushWhenIdle(2.0),
        FlushAtSize(4) | FlushAtSize(5),
    ],
)
def test_no_system_is_named_for_what_it_cannot_say(policy: FlushPolicy) -> None:
    assert [system for system, _ in settings(policy)] == ["bufsim", "Vendure"]
