from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from bufsim_tests.models import by_name, drawn

from bufsim import (
    FlushAfterAge,
    FlushAtSize,
    InvalidValueError,
    JobBuffer,
    NeverFlush,
    Poisson,
    Producer,
    Simulation,
    Trace,
)
from bufsim.statistics import Interval, mean_interval
from bufsim.studies.expressions import metric
from bufsim.studies.formulas import limit
from bufsim.studies.limit_checks import LimitCheck, LimitChecks, joint
from bufsim.studies.study import Study

POLICIES = {
    "small": FlushAtSize(10) | FlushAfterAge(5.0),
    "large": FlushAtSize(80) | FlushAfterAge(5.0),
    "never": NeverFlush(),
}


@pytest.fixture(scope="module")
def result():
    scenarios = by_name(POLICIES, until=100.0)
    return Study(scenarios, seed=5).run(10, progress=False)


def check(low, high, bound=2.0, **changed):
    kept = metric("mean_wait") <= bound
    interval = Interval((low + high) / 2, low, high, 0.95, 30, "t")
    return LimitCheck(kept, "a", kept.verdict(interval), interval, **({"runs_beyond": 0} | changed))


def test_each_limit_passes_fails_or_is_undecided_by_its_interval(result):
    middle = result.interval("mean_wait", "large").estimate
    checks = result.check("mean_wait <= 2s", metric("mean_wait") <= middle)
    told = {(one.scenario, one.limit.bound): one.verdict for one in checks.checks}
    assert told["small", 2.0] == told["small", middle] == "pass"
    assert (told["large", 2.0], told["large", middle]) == ("fail", "undecided")
    assert (checks.verdict("small"), checks.verdict("large")) == ("pass", "fail")


def test_the_interval_that_is_printed_is_adjusted_for_the_scenarios_and_not_for_the_limits(result):
    wait, size = result.check("mean_wait <= 2s", "mean_buffer_size <= 50").checks[:2]
    for one, name in ((wait, "mean_wait"), (size, "mean_buffer_size")):
        plain = result.interval(name, "small", confidence=1.0 - 0.05 / 3)
        assert (one.interval.low, one.interval.high) == (plain.low, plain.high)
        assert one.interval.confidence == 0.95
        assert one.interval.method.endswith("Bonferroni over 3 scenarios")
        assert str(plain) in one.sentence()


def test_a_metric_that_is_undefined_is_undecided_and_says_why(result):
    (never,) = (one for one in result.check("mean_wait <= 2s").checks if one.scenario == "never")
    assert (never.verdict, never.interval, never.room) == ("undecided", None, -math.inf)
    assert "has no value in 10 of 10 replications (there is nothing to take it of" in never.sentence()
    assert never.replications_needed is None
    assert math.isnan(result.check("mean_wait <= 2s").table().iloc[2].estimate)


def test_how_many_single_runs_were_beyond_is_told_even_where_the_mean_keeps_the_limit(result):
    peaks = result.values("peak_buffer_size")["large"]
    bound = float(peaks.median())
    (one,) = (one for one in result.check(metric("peak_buffer_size") <= bound).checks if one.scenario == "large")
    assert one.runs_beyond == int((peaks > bound).sum())
    assert one.runs_beyond == 0 or f"beyond it in {one.runs_beyond} of 10 runs" in one.sentence()
    (small,) = (one for one in result.check("mean_wait >= 1s").checks if one.scenario == "small")
    assert small.runs_beyond == 10


def test_an_undecided_limit_says_how_many_replications_would_decide_it():
    near = check(1.8, 2.4)
    assert near.verdict == "undecided"
    # the half-width 0.3 must shrink to the gap 0.1
    assert near.replications_needed == 270
    assert near.sentence() == (
        "a may or may not keep mean wait ≤ 2 s: 2.1 [1.8, 2.4] s; about 270 replications would decide it"
    )
    assert check(1.8, 2.2).replications_needed is None
    assert check(1.0, 1.2).replications_needed is None


def test_a_value_is_told_in_a_unit_that_fits_its_limit():
    share = LimitCheck(limit("utilisation <= 0.9"), "a", "fail", Interval(0.971, 0.962, 0.98, 0.95, 10, "t"), 0)
    assert share.sentence() == "a does not keep utilisation ≤ 90 %: 97.1 [96.2, 98.0] %"
    brief = LimitCheck(limit("mean_wait <= 2s"), "a", "pass", Interval(0.3, 0.2, 0.4, 0.95, 10, "t"), 0)
    assert brief.text() == "0.30 [0.20, 0.40] s"


def test_what_is_not_drawn_at_random_is_called_exact_and_what_happens_to_be_the_same_is_not():
    recorded = Simulation(
        producers=[Producer("edits", Trace([0.0, 1.0, 2.0, 4.0, 8.0]))],
        buffers=[JobBuffer("search", policy=FlushAfterAge(3.0))],
        until=20.0,
    )
    drawn = replace(
        recorded, producers=[Producer("edits", Poisson(10.0))], buffers=[JobBuffer("search", policy=FlushAtSize(4))]
    )
    found = Study({"recorded": recorded, "drawn": drawn}, seed=1).run(4, progress=False)
    # flushes at 3, 7 and 11: the mean wait is (3 + 2 + 1 + 3 + 3) / 5
    (wait, _) = found.check("mean_wait <= 3s").checks
    assert wait.sentence() == "recorded keeps mean wait ≤ 3 s: 2.4 s (exact: nothing is drawn at random)"
    assert wait.row()[-2] == "exact: nothing is drawn at random"
    (_, peak) = found.check("peak_buffer_size <= 5").checks
    assert peak.interval.low == peak.interval.high == 4.0
    assert peak.sentence() == "drawn keeps peak buffer size ≤ 5 jobs: 4 [4, 4] jobs"


def test_the_cells_of_the_table_are_what_they_are_called():
    kept = limit("mean_wait <= 2s")
    undecided = check(1.8, 2.4, runs_beyond=4)
    undefined = LimitCheck(kept, "b", "undecided", None, 0, "no jobs")
    rows = LimitChecks((undecided, undefined)).table().to_dict("records")
    assert rows[0] == {
        **{
            "scenario": "a",
            "limit": "mean_wait_s <= 2 s",
            "verdict": "undecided",
            "estimate": 2.1,
            "low": 1.8,
            "high": 2.4,
        },
        **{"unit": "s", "bound": 2.0, "confidence": 0.95, "n": 30},
        **{"runs_beyond": 4, "replications_needed": 270, "method": "t", "reason": ""},
    }
    numbers = [rows[1].pop(name) for name in ("estimate", "low", "high", "confidence", "replications_needed")]
    assert all(map(math.isnan, numbers))
    assert rows[1] == {
        **{"scenario": "b", "limit": "mean_wait_s <= 2 s", "verdict": "undecided", "unit": "s", "bound": 2.0, "n": 0},
        **{"runs_beyond": 0, "method": "", "reason": "no jobs"},
    }


def test_all_must_pass_and_one_that_fails_is_enough():
    passes, fails, either = check(1.0, 1.2), check(2.1, 2.2), check(1.9, 2.1)
    assert joint([passes, passes]) == joint([]) == "pass"
    assert joint([passes, either]) == "undecided"
    assert joint([passes, either, fails]) == "fail"


def test_a_limit_that_no_scenario_keeps_says_how_far_the_nearest_is(result):
    said = result.check("mean_buffer_size <= 0.5").sentences()[-1]
    # the upper end, rounded up
    kept = re.search(r"raise the limit to ([0-9.]+) jobs or more, or try other policies", said)
    assert kept is not None
    assert any(check.verdict == "pass" for check in result.check(f"mean_buffer_size <= {kept[1]}").checks)
    assert said.startswith("no scenario keeps mean buffer size ≤ 0.5 jobs: small comes nearest with 4.")
    low = result.check("throughput >= 1000").sentences()[-1]
    kept = re.search(r"lower the limit to ([0-9.]+) per s or less, or try other policies", low)
    assert kept is not None
    assert any(check.verdict == "pass" for check in result.check(f"throughput >= {kept[1]}").checks)
    assert not any(line.startswith("no scenario") for line in result.check("mean_buffer_size <= 5").sentences())


def test_a_limit_of_a_buffer_that_is_not_there_is_an_error(result):
    with pytest.raises(InvalidValueError, match="mean_wait_s is about a buffer, one of 'search', got of='sarch'"):
        result.check(metric("mean_wait", of="sarch") <= 1)


def test_checks_show_themselves(result):
    checks = result.check("mean_wait <= 2s")
    assert repr(checks).splitlines() == checks.sentences()
    table = checks.table()
    assert table.verdict.tolist() == ["pass", "fail", "undecided"]
    assert table.columns[:4].tolist() == ["scenario", "limit", "verdict", "estimate"]
    assert LimitChecks(()).sentences() == []


def test_limits_are_printed_with_the_digits_that_make_the_sentence_true():
    made = replace(check(2.8998, 2.9), limit=metric("mean_wait") <= 2.8996)
    assert "≤ 2.8996 s" in made.sentence()
    assert str(metric("mean_wait") <= 2.345) != str(metric("mean_wait") <= 2.346)
    assert str(metric("peak_buffer_nbytes") <= 1234567) == "peak_buffer_nbytes <= 1,234,567 bytes"


def test_a_limit_near_the_far_end_of_skewed_replications_is_undecided():
    made = mean_interval([0.0] * 19 + [20.0])
    for bound, verdict in ((made.high + 1.0, "undecided"), (made.far_ends[1], "pass")):
        assert (metric("mean_wait") <= bound).verdict(made) == verdict
        # negative control: the ends that are printed would do
        assert (metric("mean_wait") <= bound).verdict(replace(made, skewness=0.0)) == "pass"
    # a limit from below looks at the other side
    assert (metric("work_saved_share") >= made.low).verdict(made) == "pass"
    one = replace(check(1.0, 3.0, made.high + 1.0), interval=made, verdict="undecided", reason=made.note)
    assert "the replications are skewed (4.5)" in one.text()


def test_a_limit_that_is_broken_by_an_open_interval_has_no_number_to_raise_it_to():
    result = Study({"a": drawn(FlushAfterAge(5.0), until=50.0)}, seed=5).run(4, progress=False)
    checks = result.check("p99.99_wait <= 1s")
    assert checks.checks[0].interval.high == math.inf
    assert checks.verdict(result.finished[0]) == "fail"
    assert "what limit would be kept is not known (no upper bound at 95 % from " in checks.sentences()[-1]
