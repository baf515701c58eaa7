"""One repetition of a problem: one study by bufsim, through its public names alone, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

from benchmarks.decisions.problems import problems, study, truth
from benchmarks.decisions.scarce import SCARCE, Seen
from bufsim.studies.expressions import cost
from bufsim.studies.study_result import StudyResult

METRICS: Mapping[int, Mapping[str, str]] = {
    1: {
        "mean_wait": "mean_wait_s",
        "mean_batch": "mean_batch_size_jobs",
        "share_size": "flushes_by_size_share",
        "mean_buffer_size": "mean_buffer_size_jobs",
        "flush_rate": "flush_rate_per_s",
        "wait_p99": "p99_wait_s",
    },
    2: {
        "mean_wait": "mean_wait_s",
        "mean_batch": "mean_batch_size_jobs",
        "share_size": "flushes_by_size_share",
        "mean_buffer_size": "mean_buffer_size_jobs",
        "flush_rate": "flush_rate_per_s",
        "wait_p95": "p95_wait_s",
    },
    3: {
        "A.reduced_size": "mean_reduced_size_jobs",
        "A.saved_share": "work_saved_share",
        "A.work_rate": "enqueued_rate_per_s",
        "C.reduced_size": "mean_reduced_size_jobs",
    },
    4: {"mean_in_system": "mean_unfinished_jobs", "mean_queue_wait": "mean_queue_wait_s"},
    9: {
        "A.loss_mean": "mean_loss_at_stop_jobs",
        "B.loss_mean": "mean_loss_at_stop_jobs",
        "A.loss_p95": "p95_loss_at_stop_jobs",
        "B.loss_p95": "p95_loss_at_stop_jobs",
        "A.loss_p99": "p99_loss_at_stop_jobs",
        "B.loss_p99": "p99_loss_at_stop_jobs",
    },
    10: {
        "flushes": "flush_count",
        "left_in_buffer": "buffered_at_end_jobs",
        "mean_buffer_size": "mean_buffer_size_jobs",
        "jobs": "arrivals_jobs",
    },
}
DIFFERENCES = {"mean_wait": "mean_wait_s", "mean_batch": "mean_batch_size_jobs"}
FEW = 10
"""Replications of problem 6 with which power is asked for."""
SHORT = 700.0
"""The run of problem 4 that is too short, s."""
MARGIN = "5 %"


def repeat(number: int, seed: int) -> Seen:
    """Return what one study of a problem comes to, with a root seed."""
    if number in SCARCE:
        return SCARCE[number].repeat(seed)
    return _REPEAT.get(number, _covered)(number, seed)


def _run(number: int, seed: int, **changed: float) -> StudyResult:
    return study(number, seed, **changed).run(problems()[number]["replications"], progress=False)


def _covered(number: int, seed: int) -> Seen:
    return _coverage(number, _run(number, seed))


def _coverage(number: int, result: StudyResult) -> Seen:
    """Return of each quantity whether the interval holds the truth."""
    return {
        f"covers {name}": float(truth(number, name) in result.interval(metric, _scenario(name)))
        for name, metric in METRICS[number].items()
    }


def _scenario(quantity: str) -> str:
    return quantity.split(".")[0] if "." in quantity else "A"


def _dedupe(number: int, seed: int) -> Seen:
    result = _run(number, seed)
    (row,) = result.compare("enqueued_rate", pairs=[("A", "B")]).rows
    seen = _coverage(number, result)
    seen["covers A-B.work_rate"] = float(truth(number, "A-B.work_rate") in row.comparison.interval)
    return seen | {"A-B.work_rate has the right sign": float(row.verdict == "higher")}


def _queue(number: int, seed: int) -> Seen:
    short = _run(number, seed, until=SHORT, warm_up=0.0)
    warned = any(sentence.startswith("warm-up: ") for sentence in short.warnings())
    covers = truth(number, "mean_in_system") in short.interval("mean_unfinished", "A")
    return _covered(number, seed) | {"warns of the short run": float(warned), "covers in the short run": float(covers)}


def _no_difference(number: int, seed: int) -> Seen:
    result = _run(number, seed)
    seen: Seen = {}
    for first, second in combinations(result.finished, 2):
        (row,) = result.compare("mean_wait", pairs=[(first, second)]).rows
        seen[f"rejects {first}-{second}"] = float(row.verdict in ("better", "worse"))
    together = result.compare("mean_wait", pairs="all").rows
    seen["rejects any pair, adjusted"] = float(any(row.verdict in ("better", "worse") for row in together))
    for row in result.compare("mean_wait", pairs="all", margin=MARGIN).rows:
        seen[f"equivalent {row.first}-{row.second}"] = float(row.verdict == "equivalent")
    return seen


def _small_difference(number: int, seed: int) -> Seen:
    declared = study(number, seed)
    few, many = declared.run(FEW, progress=False), declared.run(problems()[number]["replications"], progress=False)
    pair = [("B", "A")]
    seen: Seen = {}
    for name, metric in DIFFERENCES.items():
        for result, label in ((few, f"n = {FEW}"), (many, "n = 30")):
            (row,) = result.compare(metric, pairs=pair).rows
            seen[f"shows {name}, {label}"] = float(row.comparison.interval.low > 0.0)
            seen[f"wrong sign of {name}, {label}"] = float(row.comparison.interval.high < 0.0)
        seen[f"covers B-A.{name}"] = float(truth(number, f"B-A.{name}") in row.comparison.interval)
    (row,) = few.compare("mean_wait", pairs=pair, margin=truth(number, "B-A.mean_wait")).rows
    seen["equivalent at a margin as large as the difference"] = float(row.verdict == "equivalent")
    stopped = declared.run_until(separated="mean_wait", pairs=pair, progress=False)
    seen["replications until the difference is shown"] = float(stopped.look.replications)
    return seen


def _optimum(number: int, seed: int) -> Seen:
    problem = problems()[number]
    objective = cost(per_flush=problem["cost"]["per_flush"], per_job_second=problem["cost"]["per_job_second"])
    best, near = set(problem["best"]), set(problem["within_1pct"])
    selection = _run(number, seed).best(minimise=objective)
    stopped = study(number, seed).run_until(minimise=objective, indifference="1 %", progress=False)
    assert stopped.selection is not None
    return {
        "chooses within 1 %": float(selection.chosen in near),
        "tie set holds every best": float(best <= set(selection.tie_set)),
        "size of the tie set": float(len(selection.tie_set)),
        "wrong single winner": float(selection.winner is not None and {selection.winner} != best),
        "sequential: right": float(stopped.reached and stopped.selection.chosen in near),
        "sequential: replications": float(stopped.look.replications),
    }


def _import(number: int, seed: int) -> Seen:
    result = _run(number, seed)
    uncut = all(simulation.warm_up == 0.0 for simulation in result.scenarios.values())
    return _coverage(number, result) | {"nothing is cut by default": float(uncut)}


_REPEAT: Mapping[int, Callable[[int, int], Seen]] = {
    3: _dedupe,
    4: _queue,
    5: _no_difference,
    6: _small_difference,
    7: _optimum,
    8: _optimum,
    10: _import,
}
