"""The ten problems as studies: what is declared is what each problem names, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import bufsim as bs
from bufsim.studies.study import Study

DATA = Path(__file__).parents[2] / "tests" / "data" / "decisions" / "problems.json"
Problem = Mapping[str, Any]

# Problem 3 counts the flush at `until`; bufsim's runs cover [0, until), so that its runs end a hair later.
_CLOSED_AT_UNTIL = {3}
_HAIR = 1.0 + 1e-9
# Problem 9 stops at a uniform moment of the cycle [100 T, 101 T), which is the window whose levels are looked at.
_CYCLE = 20.0


@cache
def problems() -> Mapping[int, Problem]:
    """Return the problems by number."""
    listed = json.loads(DATA.read_text(encoding="utf-8"))["problems"]
    return {int(problem["name"].split("-")[0]): problem for problem in listed}


def truth(number: int, quantity: str) -> float:
    """Return the true value of a quantity."""
    value: float = problems()[number]["quantities"][quantity]["value"]
    return value


def study(number: int, seed: int, **changed: float) -> Study:
    """Return a problem's study; `changed` are fields of its simulations."""
    return Study({name: simulation(number, name, **changed) for name in problems()[number]["policies"]}, seed=seed)


def simulation(number: int, name: str, **changed: float) -> bs.Simulation:
    """Return the simulation of one of a problem's policies."""
    problem = problems()[number]
    keys = bs.Zipf(problem["keys"]["n"], problem["keys"]["s"]) if "keys" in problem else None
    buffer = bs.JobBuffer(
        "buffer",
        policy=policy(problem["policies"][name]),
        reduce=bs.UniqueByKey() if "reduce" in problem else bs.KeepAll(),
    )
    return bs.Simulation(
        producers=[bs.Producer("jobs", arrivals(problem["arrivals"]), keys=keys)],
        buffers=[buffer],
        workers=[bs.PushWorkers(4, service=bs.Exponential(1.0))] if "workers" in problem else [],
        **(_window(number) | changed),
    )


def _window(number: int) -> dict[str, float]:
    problem = problems()[number]
    if number == 9:
        return {"warm_up": 100.0 * _CYCLE, "until": 101.0 * _CYCLE}
    until = problem["until"] * (_HAIR if number in _CLOSED_AT_UNTIL else 1.0)
    # nothing is cut unless the problem asks for it
    return {"until": until} | ({"warm_up": problem["warm_up"]} if problem["warm_up"] else {})


def arrivals(given: Problem) -> bs.Poisson | bs.Bursty | bs.Bulk:
    """Return the arrival process that a problem names."""
    if given["kind"] == "MMPP2":
        return bs.Bursty(given["l1"], given["l2"], mean_high=1.0 / given["q12"], mean_low=1.0 / given["q21"])
    if given["kind"] == "bulk Poisson":
        return bs.Bulk(bs.Poisson(given["bulk_rate"]), bs.Geometric(1.0 / given["bulk_size"]["p"]))
    return bs.Poisson(given["rate"])


def policy(keys: Mapping[str, float]) -> bs.FlushPolicy:
    """Return the flush policy of a problem's keys, joined by ``|``."""
    leaves: list[bs.FlushPolicy] = []
    if "size" in keys:
        leaves.append(bs.FlushAtSize(int(keys["size"])))
    if "age" in keys:
        leaves.append(bs.FlushAfterAge(keys["age"]))
    if "idle" in keys:
        leaves.append(bs.FlushWhenIdle(keys["idle"]))
    if "period" in keys:
        leaves.append(bs.FlushEvery(keys["period"], phase=keys.get("phase", 0.0)))
    whole = leaves[0]
    for leaf in leaves[1:]:
        whole = whole | leaf
    return whole
