"""bufsim simulates job buffers, so that you can choose a flush policy with evidence."""

import importlib
import typing

if typing.TYPE_CHECKING:
    from bufsim import theory
    from bufsim import vendure as vendure
    from bufsim.errors import (
        BufsimError,
        InvalidTypeError,
        InvalidValueError,
        MissingExtraError,
        NotLoweredError,
        StoreError,
    )
    from bufsim.model.arrivals import Bulk, Bursty, Deterministic, Poisson, Renewal
    from bufsim.model.buffers import (
        Capacity,
        CollectAll,
        CollectQueues,
        Drain,
        DrainAll,
        DrainAtMost,
        DrainUntil,
        FlushTime,
        JobBuffer,
        Storage,
    )
    from bufsim.model.distributions import Constant, Distribution, Exponential, Gamma, Geometric, LogNormal, Uniform
    from bufsim.model.flush_policy import BufferView, FlushPolicy
    from bufsim.model.given import GivenFailures, GivenTimes
    from bufsim.model.policies import (
        FlushAfterAge,
        FlushAfterGap,
        FlushAt,
        FlushAtBytes,
        FlushAtSize,
        FlushCron,
        FlushEvery,
        FlushWhenIdle,
        NeverFlush,
    )
    from bufsim.model.producers import Producer, UniformKeys, Zipf
    from bufsim.model.reducers import KeepAll, Merge, SearchIndexReduce, UniqueByKey
    from bufsim.model.stops import Stops
    from bufsim.model.time_varying import Sinusoid, StepRate, TimeVarying
    from bufsim.model.traces import Trace
    from bufsim.model.workers import Backoff, PollingWorkers, PushWorkers
    from bufsim.results.result import Result
    from bufsim.scenario_files import load_scenario
    from bufsim.simulation import Simulation
    from bufsim.studies.expressions import cost, metric
    from bufsim.studies.scenarios import policy_grid
    from bufsim.studies.store import salvage
    from bufsim.studies.study import Study
    from bufsim.studies.study_result import StudyResult

__version__ = "0.1.0"

__all__ = [
    "Backoff",
    "BufferView",
    "BufsimError",
    "Bulk",
    "Bursty",
    "Capacity",
    "CollectAll",
    "CollectQueues",
    "Constant",
    "Deterministic",
    "Distribution",
    "Drain",
    "DrainAll",
    "DrainAtMost",
    "DrainUntil",
    "Exponential",
    "FlushAfterAge",
    "FlushAfterGap",
    "FlushAt",
    "FlushAtBytes",
    "FlushAtSize",
    "FlushCron",
    "FlushEvery",
    "FlushPolicy",
    "FlushTime",
    "FlushWhenIdle",
    "Gamma",
    "Geometric",
    "GivenFailures",
    "GivenTimes",
    "InvalidTypeError",
    "InvalidValueError",
    "JobBuffer",
    "KeepAll",
    "LogNormal",
    "Merge",
    "MissingExtraError",
    "NeverFlush",
    "NotLoweredError",
    "Poisson",
    "PollingWorkers",
    "Producer",
    "PushWorkers",
    "Renewal",
    "Result",
    "SearchIndexReduce",
    "Simulation",
    "Sinusoid",
    "StepRate",
    "Stops",
    "Storage",
    "StoreError",
    "Study",
    "StudyResult",
    "TimeVarying",
    "Trace",
    "Uniform",
    "UniformKeys",
    "UniqueByKey",
    "Zipf",
    "cost",
    "load_scenario",
    "metric",
    "policy_grid",
    "salvage",
    "theory",
]

_MODULES = {
    "bufsim.errors": (
        "BufsimError",
        "InvalidTypeError",
        "InvalidValueError",
        "MissingExtraError",
        "NotLoweredError",
        "StoreError",
    ),
    "bufsim.model.arrivals": ("Bulk", "Bursty", "Deterministic", "Poisson", "Renewal"),
    "bufsim.model.buffers": (
        "Capacity",
        "CollectAll",
        "CollectQueues",
        "Drain",
        "DrainAll",
        "DrainAtMost",
        "DrainUntil",
        "FlushTime",
        "JobBuffer",
        "Storage",
    ),
    "bufsim.model.distributions": (
        "Constant",
        "Distribution",
        "Exponential",
        "Gamma",
        "Geometric",
        "LogNormal",
        "Uniform",
    ),
    "bufsim.model.flush_policy": ("BufferView", "FlushPolicy"),
    "bufsim.model.given": ("GivenFailures", "GivenTimes"),
    "bufsim.model.policies": (
        "FlushAfterAge",
        "FlushAfterGap",
        "FlushAt",
        "FlushAtBytes",
        "FlushAtSize",
        "FlushCron",
        "FlushEvery",
        "FlushWhenIdle",
        "NeverFlush",
    ),
    "bufsim.model.producers": ("Producer", "UniformKeys", "Zipf"),
    "bufsim.model.reducers": ("KeepAll", "Merge", "SearchIndexReduce", "UniqueByKey"),
    "bufsim.model.stops": ("Stops",),
    "bufsim.model.time_varying": ("Sinusoid", "StepRate", "TimeVarying"),
    "bufsim.model.traces": ("Trace",),
    "bufsim.model.workers": ("Backoff", "PollingWorkers", "PushWorkers"),
    "bufsim.simulation": ("Simulation",),
    "bufsim.results.result": ("Result",),
    "bufsim.scenario_files": ("load_scenario",),
    "bufsim.studies.expressions": ("cost", "metric"),
    "bufsim.studies.scenarios": ("policy_grid",),
    "bufsim.studies.study": ("Study",),
    "bufsim.studies.study_result": ("StudyResult",),
    "bufsim.studies.store": ("salvage",),
}
"""The public names by the module that has them, which is imported when one of them is first asked for."""
_PLACES = {name: module for module, names in _MODULES.items() for name in names}
_WINGS = ("theory", "vendure")
"""The parts of the package that stand beside the model: ``bufsim.theory`` and ``bufsim.vendure``."""


def __getattr__(name: str) -> object:
    """Return a name that is imported when it is asked for."""
    if name in _WINGS:
        return importlib.import_module(f"bufsim.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module 'bufsim' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted({*globals(), *__all__, *_WINGS})
