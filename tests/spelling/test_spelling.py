from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bufsim as bs
from bufsim import spelling
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.distributions import Scaled
from bufsim.spelling.words import ROLES

BERLIN = ZoneInfo("Europe/Berlin")
POLICIES = {
    "size(200) | age(30s)": bs.FlushAtSize(200) | bs.FlushAfterAge(30.0),
    "size(200)|age(30)": bs.FlushAtSize(200) | bs.FlushAfterAge(30.0),
    "every(15min)": bs.FlushEvery(900.0),
    "every(period=5s, phase=1s)": bs.FlushEvery(5.0, phase=1.0),
    "every(5s, anchor=flush_end)": bs.FlushEvery(5.0, anchor="flush_end"),
    "every(5s, anchor='flush_start')": bs.FlushEvery(5.0, anchor="flush_start"),
    "every(30s, anchor=activation)": bs.FlushEvery(30.0, anchor="activation"),
    "every(30s, anchor=activation, repeat=false)": bs.FlushEvery(30.0, anchor="activation", repeat=False),
    "every(30s, spent_by=own)": bs.FlushEvery(30.0, spent_by="own"),
    "idle(2s)": bs.FlushWhenIdle(2.0),
    "(size(9) | age(5s)) & gap(10s)": (bs.FlushAtSize(9) | bs.FlushAfterAge(5.0)) & bs.FlushAfterGap(10.0),
    "age(1h30min)": bs.FlushAfterAge(5400.0),
    "age(1 h 30 min)": bs.FlushAfterAge(5400.0),
    "age(2.5e-1 s)": bs.FlushAfterAge(0.25),
    "age('5s')": bs.FlushAfterAge(5.0),
    "bytes(64 MiB)": bs.FlushAtBytes(64 * 2**20),
    "bytes(1_000)": bs.FlushAtBytes(1000),
    "at(1.0, 2.5)": bs.FlushAt([1.0, 2.5]),
    "at([1, 2.5])": bs.FlushAt([1.0, 2.5]),
    "at(90s)": bs.FlushAt([90.0]),
    "at(1min, 2min,)": bs.FlushAt([60.0, 120.0]),
    "never": bs.NeverFlush(),
    "never()": bs.NeverFlush(),
    "size(2) & age(1s) | idle(3s)": (bs.FlushAtSize(2) & bs.FlushAfterAge(1.0)) | bs.FlushWhenIdle(3.0),
    "size(2) & (age(1s) | idle(3s))": bs.FlushAtSize(2) & (bs.FlushAfterAge(1.0) | bs.FlushWhenIdle(3.0)),
    "size(100).checked_every(5s)": bs.FlushAtSize(100).checked_every(5.0),
    "size(100).checked(5s, phase=1s)": bs.FlushAtSize(100).checked_every(5.0, phase=1.0),
    "(size(9) & idle(2s)).checked_every(5s)": (bs.FlushAtSize(9) & bs.FlushWhenIdle(2.0)).checked_every(5.0),
    "never.checked_every(5s)": bs.NeverFlush().checked_every(5.0),
    "checked_every(size(100), 5s)": bs.FlushAtSize(100).checked_every(5.0),
    "\n size(2)\n | age(1s)\n": bs.FlushAtSize(2) | bs.FlushAfterAge(1.0),
    'FlushAtSize(200) | FlushAfterAge("30s")': bs.FlushAtSize(200) | bs.FlushAfterAge(30.0),
    "FlushAt((1.0,))": bs.FlushAt([1.0]),
    "cron('*/15 * * * *', start='2026-03-29T00:00:00+01:00')": bs.FlushCron(
        "*/15 * * * *", dt.datetime(2026, 3, 29, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    ),
    "cron('0 3 * * *', start='2026-03-29T00:00:00', zone='Europe/Berlin')": bs.FlushCron(
        "0 3 * * *", dt.datetime(2026, 3, 29, tzinfo=BERLIN)
    ),
}


@pytest.mark.parametrize(("text", "policy"), POLICIES.items())
def test_a_policy_reads_as_it_is_written(text: str, policy: bs.FlushPolicy) -> None:
    assert spelling.policy(text) == policy


SECONDS = st.floats(0.001, 1e6)
LEAVES = st.one_of(
    st.builds(bs.FlushAtSize, st.integers(1, 10**9)),
    st.builds(bs.FlushAtBytes, st.integers(1, 2**53)),
    st.builds(bs.FlushAfterAge, SECONDS),
    st.builds(bs.FlushWhenIdle, SECONDS),
    st.builds(bs.FlushAfterGap, SECONDS),
    st.builds(bs.FlushEvery, SECONDS, phase=SECONDS),
    st.builds(bs.FlushEvery, SECONDS, anchor=st.sampled_from(["flush_start", "flush_end"])),
    st.builds(lambda times: bs.FlushAt(sorted(times)), st.sets(SECONDS, min_size=1, max_size=4)),
    st.builds(
        bs.FlushCron,
        st.just("5 4 * * *"),
        st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2090, 1, 1), timezones=st.sampled_from([dt.UTC, BERLIN])),
    ),
    st.builds(
        bs.FlushCron,
        st.just("5 4 * * *"),
        st.just(dt.datetime(2026, 1, 1, 0, 0, 1, 5, tzinfo=dt.timezone(-dt.timedelta(hours=3, minutes=30)))),
    ),
    st.just(bs.NeverFlush()),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.builds(lambda p, q: p | q, inner, inner), st.builds(lambda p, q: p & q, inner, inner)),
    max_leaves=6,
)


@given(st.one_of(TREES, st.builds(lambda p, period: p.checked_every(period, phase=1.0), TREES, SECONDS)))
def test_what_a_policy_prints_reads_back(policy: bs.FlushPolicy) -> None:
    assert spelling.policy(repr(policy)) == policy


def outcome(text: str) -> str:
    try:
        return f"policy {spelling.policy(text)!r}"
    except (InvalidValueError, InvalidTypeError) as error:
        return str(error)


@given(st.text("size(age)|&.,='\"0123 []{};~stmin\\", max_size=30))
def test_any_text_is_a_policy_or_a_clear_error(text: str) -> None:
    assert outcome(text).startswith("policy")


KNOWN = "size, bytes, age, idle, gap, every, at, cron, never, checked_every, checked"
NO_NEGATION = "there is no 'not': a due time has no negation"
SUMMER = "2026-03-29T00:00:00"
ZONE = "cron('* * * * *', datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta({}))))"
# in a message @7 stands for: at character 7 of the text
WRONG_POLICIES = {
    "sise(3)": f"policy has the unknown flush policy 'sise' @1; known are {KNOWN}; did you mean 'size'?",
    "size(2) | poisson(3)": f"policy has the unknown flush policy 'poisson' @11; known are {KNOWN}",
    "size(3": "policy ends too early, @7; expected , or )",
    "(size(3)": "policy ends too early, @9; expected , or )",
    "size(3) |": "policy ends too early, @10; expected a word such as size(200)",
    "size(3) || age(3s)": "policy has '|', which does not fit there, @10; write | once",
    "size(3) && age(3s)": "policy has '&', which does not fit there, @10; write & once",
    "size(3) or age(2s)": "policy has 'or', which does not fit there, @9; write | for 'or'",
    "size(3) and age(2s)": "policy has 'and', which does not fit there, @9; write & for 'and'",
    "not size(3)": f"policy has 'not', which does not fit there, @1; {NO_NEGATION}",
    "~size(3)": f"policy has '~', which does not fit there, @1; {NO_NEGATION}",
    "size(3) & !age(1)": f"policy has '!', which does not fit there, @11; {NO_NEGATION}",
    "size(3) + age(2s)": "policy has '+', which does not fit there, @9; policies are joined by | and &",
    "size(3) age(3s)": "policy has 'age', which does not fit there, @9; expected |, & or the end",
    "size(3) | ;": "policy has ';', which does not fit there, @11; expected a word such as size(200)",
    "size(3).cheked(2s)": "policy has 'cheked', which does not fit there, @9; expected checked_every",
    "size.(3)": "policy has '(', which does not fit there, @6; expected a name",
    "size(3).checked_every 5": "policy has '5', which does not fit there, @23; expected (",
    "size()": "policy: size needs the argument 'size' @1",
    "size(3, 4)": "policy: size takes 1 by position, size, and got more @1",
    "size(sz=3)": "policy: size has no argument 'sz' @1; it takes size; did you mean 'size'?",
    "size(3, size=3)": "policy: size got size twice @1",
    "size(0)": "policy: size must be >= 1, got 0, @1",
    "size(30s)": "policy: size must be a whole number, got '30s', @1",
    "age(30 parsecs)": "policy: age has the unknown unit 'parsecs' in '30 parsecs'; the units are us, ms, s, min, "
    "h, d, or second, minute, hour, day, week, @1",
    "age(size(3))": "policy must be a plain value, got 'size' @5",
    "age(size(3) | never)": "policy must be a plain value, got flush policies joined by | @5",
    "5 | size(3)": f"policy must be a flush policy, one of {KNOWN}, got 5 @1",
    "[size(3)]": f"policy must be a flush policy, one of {KNOWN}, got a list @1",
    "at(2, 1)": "policy: times must increase strictly, got times[0]=2.0, times[1]=1.0; sort them and drop repeats, @1",
    "at(1s, 2 lightyears)": "policy[1]: it has the unknown unit 'lightyears'",
    "size(1).checked(2s) & age(3s).checked(5s)": "policy: one & holds at most one checked_every grid",
    f"cron('x', start='{SUMMER}+01:00')": "policy: expression must be a cron expression, got 'x'",
    "cron('* * * * *', start='soon')": "policy: start must be an ISO 8601 datetime such as "
    "'2026-03-29T00:00:00+01:00', got 'soon', @1",
    f"cron('* * * * *', start='{SUMMER}')": "policy: start must know its time zone",
    "cron('* * * * *', start=5)": "policy: start must be a datetime, got 5",
    f"cron('* * * * *', '{SUMMER}', zone='Mars/X')": "policy: a time zone must have a name that this machine knows, "
    "such as 'Europe/Berlin', got 'Mars/X'; where none is known, pip install tzdata, @1",
    "cron('* * * * *', datetime.datetime(2026, 13, 1))": "policy: a datetime must exist: month must be in 1..12",
    ZONE.format("days=2"): "policy: a time zone must have an offset of less than a day",
    ZONE.format("'x'"): "policy: a timedelta must be made of numbers",
    "": "policy must not be empty; write for example 'size(200) | age(30s)'",
    "__import__('os').system('true')": "policy has 'system', which does not fit there, @18; expected checked_every",
    "().__class__": "policy has '__class__', which does not fit there, @4; expected checked_every",
    "eval('1')": "policy has the unknown flush policy 'eval' @1",
}


def placed(message: str, text: str) -> str:
    """A pattern for a message, with its places written out."""
    return re.escape(re.sub(r"@(\d+)", lambda found: f"at character {found[1]} of {text!r}", message))


@pytest.mark.parametrize(("text", "message"), WRONG_POLICIES.items())
def test_a_wrong_policy_says_where_and_what_is_known(text: str, message: str) -> None:
    with pytest.raises((InvalidValueError, InvalidTypeError), match=placed(message, text)):
        spelling.policy(text)


def test_a_policy_must_be_a_text() -> None:
    with pytest.raises(InvalidTypeError, match=r"policy must be a flush policy, one of size, bytes, .*, got 5"):
        spelling.policy(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name, role in ROLES.items() if role.words and not role.plain])
def test_a_number_where_none_will_do_is_refused_with_what_will(name: str) -> None:
    example = ROLES[name].example
    with pytest.raises(InvalidTypeError, match=rf", got 500; write for example {re.escape(repr(example))}$"):
        spelling.build(name, 500, name="it")
    assert spelling.build(name, example, name="it") is not None


def test_what_a_number_stands_for_is_named_without_a_list_of_one() -> None:
    wrong = {
        "capacity": "it must be a capacity, got 500; write for example 'capacity(500)'",
        "workers": "it must be workers, one of push, polling, got 500; write for example 'push(4)'",
    }
    for name, message in wrong.items():
        with pytest.raises(InvalidTypeError, match=re.escape(message)):
            spelling.build(name, 500, name="it")


ARRIVALS = {
    "poisson:80": bs.Poisson(80.0),
    "poisson(80)": bs.Poisson(80.0),
    "Poisson(rate=80)": bs.Poisson(80.0),
    "bursty:100, 0, 1s, 9s": bs.Bursty(100.0, 0.0, 1.0, 9.0),
    "bursty(100, 0, 1, 9, start=high)": bs.Bursty(100.0, 0.0, 1.0, 9.0, start="high"),
    "renewal(gamma(100ms, 2))": bs.Renewal(bs.Gamma(0.1, 2.0)),
    "renewal(0.5)": bs.Renewal(0.5),
    "renewal(500ms)": bs.Renewal(0.5),
    "deterministic(100ms, offset=1s)": bs.Deterministic(0.1, 1.0),
    "time_varying(sinusoid(10, 5, 1h), 15)": bs.TimeVarying(bs.Sinusoid(10.0, 5.0, 3600.0), 15.0),
    "time_varying(steps([0, 1min], [5], repeat=true), 5)": bs.TimeVarying(bs.StepRate([0, 60], [5], repeat=True), 5.0),
    "bulk(poisson(2), 3)": bs.Bulk(bs.Poisson(2.0), 3),
    "bulk(poisson(2), geometric(5))": bs.Bulk(bs.Poisson(2.0), bs.Geometric(5.0)),
    "renewal(scaled(lognormal(1s, 4), 0.5))": bs.Renewal(Scaled(bs.LogNormal(1.0, 4.0), 0.5)),
}


@pytest.mark.parametrize(("text", "arrivals"), ARRIVALS.items())
def test_arrivals_read_as_they_are_written(text: str, arrivals: object) -> None:
    assert spelling.arrivals(text) == arrivals


def test_a_frozen_distribution_of_scipy_is_read_by_its_name() -> None:
    assert repr(spelling.arrivals("renewal(scipy.stats.gamma(2.0, scale=0.5))")) == (
        "Renewal(scipy.stats.gamma(2.0, scale=0.5))"
    )


WRONG_ARRIVALS = {
    "poisson:-1": "arrivals: rate must be > 0, got -1, at character 1 of 'poisson(-1)'",
    "bulk(poisson(0), 3)": "arrivals: rate must be > 0, got 0, at character 6 of 'bulk(poisson(0), 3)'",
    "size(3)": "arrivals has the unknown arrival process 'size'",
    "poisson(2) | poisson(3)": "arrivals must be an arrival process, got flush policies joined by |",
    "trace:nowhere.csv": "arrivals: there is no file 'nowhere.csv' in ",
    "renewal(scipy.stats.gama(2))": "arrivals has the unknown distribution of times 'scipy.stats.gama'",
    "renewal(scipy.stats.norm(2, foo=3))": "scipy.stats.norm does not take these parameters",
    "renewal(scipy.stats.sys.exit(2))": "arrivals has the unknown distribution of times 'scipy.stats.sys.exit'",
    "time_varying(steps([0, 1], [5], repeat=1), 5)": "arrivals: it must be true or false, got 1",
}


@pytest.mark.parametrize(("text", "message"), WRONG_ARRIVALS.items())
def test_wrong_arrivals_say_where(text: str, message: str) -> None:
    with pytest.raises((InvalidValueError, InvalidTypeError), match=placed(message, text)):
        spelling.arrivals(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(" * 60 + "size(1)" + ")" * 60,
        "at(" + "[" * 5_000,
        "size(1)" + ".checked_every(5s)" * 2_000,
        "(" * 45 + "size(1)" + ".checked_every(5s))" * 45 + ".checked_every(5s)" * 9,
    ],
)
def test_a_policy_that_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="policy is nested more than 50 deep at character "):
        spelling.policy(text)


def test_a_long_policy_is_read() -> None:
    leaves = [f"age({n})" for n in range(1, 400)]
    assert repr(spelling.policy(" | ".join(leaves))).count("FlushAfterAge") == 399


def test_a_number_with_thousands_of_digits_is_refused_in_part() -> None:
    with pytest.raises(
        InvalidValueError, match=r"policy must lie between 1e-300 and 1e300, .*, got '1+ … 1+'"
    ) as caught:
        spelling.policy(f"size({'1' * 5_000})")
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize(
    "text", ["age(1e99999999s)", "age(1e-99999999s)", "age(1e00000000099999999 s)", "size(1e-999)"]
)
def test_a_number_whose_exponent_no_float_has_is_refused_and_not_expanded(text: str) -> None:
    with pytest.raises(InvalidValueError, match="must lie between 1e-300 and 1e300, or be 0"):
        spelling.policy(text)


def test_digits_are_told_apart_by_single_underscores_as_in_python() -> None:
    assert repr(spelling.policy("size(1_000)")) == "FlushAtSize(1000)"
    assert repr(spelling.policy("age(25e-3)")) == repr(spelling.policy("age(25e-3 s)")) == "FlushAfterAge(0.025)"
    with pytest.raises(InvalidValueError, match="'__0'"):
        spelling.policy("size(1__0)")
