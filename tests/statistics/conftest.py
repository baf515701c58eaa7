"""Generators of the decision problems in plain numpy, which share no code with the engines."""

from __future__ import annotations

import json
from bisect import bisect_right
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

PROBLEMS = Path(__file__).parents[1] / "data" / "decisions" / "problems.json"


@pytest.fixture(scope="session")
def problems():
    """The decision problems by number: truths from closed forms."""
    listed = json.loads(PROBLEMS.read_text(encoding="utf-8"))["problems"]
    return {int(problem["name"].split("-")[0]): problem for problem in listed}


@pytest.fixture(scope="session")
def truth(problems):
    """The true value of a quantity of a problem."""
    return lambda number, name: problems[number]["quantities"][name]["value"]


@pytest.fixture(scope="session")
def generate():
    """The generators of this file."""
    return SimpleNamespace(
        poisson=poisson,
        mmpp=mmpp,
        flushes=flushes,
        waits=waits,
        mean_level=mean_level,
        binned_level=binned_level,
        size_or_age_cycles=size_or_age_cycles,
        bulk_queue=bulk_queue,
    )


@pytest.fixture(scope="session", params=[40, pytest.param(150, marks=pytest.mark.slow)], ids="{} studies".format)
def bursty_waits(request):
    """The waits of problem 2 from 100 s on: studies of 30 replications, with a bursty source."""
    rng = np.random.default_rng(93)
    policy = {"size": 60, "age": 4.0}

    def replication():
        times = mmpp(rng, 350.0)
        return waits(times, *flushes(times, policy, 350.0), 100.0)

    return [[replication() for _ in range(30)] for _ in range(request.param)]


def poisson(rng, rate, until):
    return np.sort(rng.uniform(0.0, until, rng.poisson(rate * until)))


def mmpp(rng, until, *, rates=(80.0, 3.0), leave=(0.2, 0.05)):
    """Problem 2's source, from its stationary phase."""
    phase = int(rng.random() < leave[0] / sum(leave))
    now, times = 0.0, []
    while now < until:
        stay = min(rng.exponential(1.0 / leave[phase]), until - now)
        times.append(now + np.sort(rng.uniform(0.0, stay, rng.poisson(rates[phase] * stay))))
        now, phase = now + stay, 1 - phase
    return np.concatenate(times)


def flushes(times, policy, until):
    """Start and batch size of each flush before `until`, under a policy in the words of problems.json."""
    if "period" in policy:
        ticks = policy.get("phase", 0.0) + policy["period"] * np.arange(int(until / policy["period"]) + 1)
        starts = ticks[(ticks > 0.0) & (ticks < until)]
        ends = np.searchsorted(times, starts, "right")
    elif "idle" in policy:
        last = np.flatnonzero(np.diff(times, append=np.inf) > policy["idle"])
        starts, ends = times[last] + policy["idle"], last + 1
    else:
        starts, ends = _size_or_age(times.tolist(), policy.get("size", 2**62), policy.get("age", np.inf))
    sizes = np.diff(ends, prepend=0)
    kept = (sizes > 0) & (starts < until)
    return starts[kept], sizes[kept]


def _size_or_age(times, size, age):
    starts, ends, first = [], [], 0
    while first < len(times):
        limit = times[first] + age
        end = min(bisect_right(times, limit), first + size)
        if end == first + size:
            limit = times[end - 1]
        elif end == len(times) and age == np.inf:
            break
        starts.append(limit)
        ends.append(end)
        first = end
    return np.array(starts), np.array(ends, dtype=np.int64)


def waits(times, starts, sizes, warm_up):
    """The waits of the jobs whose flush starts after the warm-up."""
    at = np.repeat(starts, sizes)
    return (at - times[: at.size])[at > warm_up]


def mean_level(times, starts, sizes, start, end):
    """Time average of the buffer size over [start, end)."""
    return binned_level(times, starts, sizes, start, end, 1)[0]


def binned_level(times, starts, sizes, start, end, bins):
    """Time averages of the buffer size in equal bins of [start, end)."""
    moments = np.concatenate(([0.0], times, starts))
    steps = np.concatenate(([0.0], np.ones(times.size), -sizes.astype(float)))
    order = np.argsort(moments, kind="stable")
    moments, levels = moments[order], np.cumsum(steps[order])
    area = np.concatenate(([0.0], np.cumsum(levels[:-1] * np.diff(moments))))
    edges = np.linspace(start, end, bins + 1)
    at = np.searchsorted(moments, edges, "right") - 1
    return np.diff(area[at] + levels[at] * (edges - moments[at])) / ((end - start) / bins)


def size_or_age_cycles(rng, rate, size, age, n, cycles):
    """Independent cycles of size | age under Poisson arrivals: flush starts (n, cycles) and waits, NaN for no job."""
    gaps = rng.exponential(1.0 / rate, (n, cycles, size))
    offsets = np.cumsum(gaps, axis=2) - gaps[:, :, :1]
    flush = np.minimum(offsets[:, :, -1], age)
    wait = flush[:, :, None] - offsets
    wait[offsets > age] = np.nan
    return np.cumsum(gaps[:, :, 0] + flush, axis=1), wait


def bulk_queue(rng, replications, until, bins, *, bulk_rate=0.72, p=0.2, servers=4, initial=None):
    """Problem 4: jobs in the M^X/M/4 system in equal bins of [0, until), stepped as a uniformised chain."""
    clock = bulk_rate + servers
    steps = int(until * clock)
    level = np.zeros(replications) if initial is None else np.asarray(initial, dtype=float).copy()
    total = np.zeros((replications, bins))
    for step in range(steps):
        total[:, step * bins // steps] += level
        event = rng.random(replications) * clock
        arrives = event < bulk_rate
        served = ~arrives & (event - bulk_rate < np.minimum(level, servers))
        level[arrives] += rng.geometric(p, int(arrives.sum()))
        level[served] -= 1.0
    return total / np.bincount(np.arange(steps) * bins // steps)


@pytest.fixture(scope="session")
def agrees():
    """Whether `hits` of `tries` agree with probability `p`, within 4 standard errors."""

    def within(hits, tries, p):
        return abs(hits - tries * p) <= 4.0 * np.sqrt(tries * p * (1.0 - p))

    return within
