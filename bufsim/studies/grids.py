"""Many simulations out of one: every combination of values for some of its fields."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.buffers import JobBuffer
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.policies import FlushAfterAge, FlushAtSize, FlushEvery, FlushWhenIdle
from bufsim.model.workers import PollingWorkers, PushWorkers
from bufsim.simulation import Simulation

MOST_SCENARIOS = 10_000
_OF_SIMULATION = {field.name for field in fields(Simulation)}
_OF_BUFFERS = {field.name for field in fields(JobBuffer)} - {"id"}
_OF_WORKERS = {field.name for kind in (PushWorkers, PollingWorkers) for field in fields(kind)} - {"queue"}
_SCALE = "arrivals_scale"


def grid(simulation: Simulation, over: Mapping[str, Sequence[object]]) -> dict[str, Simulation]:
    """Return a simulation for every combination of the values, by a name that says its values.

    Parameters
    ----------
    simulation : Simulation
        What is varied.
    over : mapping of str to sequence
        For each field its values: a field of the simulation (``until``, ``storage``, ``workers``), of all its buffers
        (``policy``, ``drain``, ``capacity``), of all its workers that have it (``concurrency``, ``service``), or
        ``arrivals_scale``.

    Raises
    ------
    InvalidValueError
        If a field is unknown, has no values or the same value twice, or there are too many combinations.

    Examples
    --------
    >>> from bufsim import FlushEvery, Poisson, Producer
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(100.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     until="1min",
    ... )
    >>> list(grid(simulation, {"policy": [FlushEvery(2.0)], "arrivals_scale": [1, 2]}))
    ['FlushEvery(2.0) · arrivals ×1', 'FlushEvery(2.0) · arrivals ×2']
    """
    values = {name: _values(name, given) for name, given in over.items()}
    sizes = [f"{len(given):,} values of {name}" for name, given in values.items()]
    if (count := math.prod(map(len, values.values()))) > MOST_SCENARIOS:
        raise InvalidValueError(
            f"a grid must have at most {MOST_SCENARIOS:,} combinations, got {count:,} ({' × '.join(sizes)}); "  # noqa: RUF001  # times
            "leave out values, or split it"
        )
    # each variation is made once: scenarios that meet the same jobs and draws share what these follow from
    order = sorted(values, key=_place)
    made: dict[tuple[str, ...], Simulation] = {(): simulation}
    scenarios: dict[str, Simulation] = {}
    for combination in itertools.product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        path: tuple[str, ...] = ()
        for name in order:
            before, path = made[path], (*path, repr(chosen[name]))
            if path not in made:
                made[path] = _with(before, name, chosen[name])
        scenarios[_label(chosen)] = made[path]
    return scenarios


def policy_grid(
    *,
    size: Sequence[int] = (),
    age: Sequence[float | str] = (),
    idle: Sequence[float | str] = (),
    every: Sequence[float | str] = (),
) -> list[FlushPolicy]:
    """Return the flush policies for every combination of the values given, joined by ``|``.

    Examples
    --------
    >>> policy_grid(size=[100, 200], age=["5s"])
    [FlushAtSize(100) | FlushAfterAge(5.0), FlushAtSize(200) | FlushAfterAge(5.0)]
    """
    kinds: list[tuple[Callable[..., FlushPolicy], Sequence[object]]] = [
        (FlushAtSize, size),
        (FlushAfterAge, age),
        (FlushWhenIdle, idle),
        (FlushEvery, every),
    ]
    leaves = [[kind(value) for value in values] for kind, values in kinds if len(values)]
    if not leaves:
        raise InvalidValueError("policy_grid needs values for size, age, idle or every, got none")
    policies = []
    for combination in itertools.product(*leaves):
        policy = combination[0]
        for leaf in combination[1:]:
            policy = policy | leaf
        policies.append(policy)
    return policies


def _values(name: str, given: object) -> Sequence[object]:
    known = sorted(_OF_SIMULATION | _OF_BUFFERS | _OF_WORKERS | {_SCALE})
    checks.one_of("a grid's field", name, known)
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidTypeError(f"{name} must be a list of values to try, got {given!r}; write {name}=[{given!r}]")
    if not given:
        raise InvalidValueError(
            f"{name} must have at least one value to try, got none; leave it out to keep the one there"
        )
    twice = [text for text, count in Counter(map(repr, given)).items() if count > 1]
    if twice:
        raise InvalidValueError(
            f"{name} must have values that are written differently, got {twice[0]} more than once; "
            "leave one out, or give named scenarios: {'a': simulation, 'b': another}"
        )
    return given


def _place(name: str) -> int:
    """Return when a field is varied: a whole before its parts, and what draws follow from before the rest."""
    if name in ("producers", "workers", "until"):
        return 0
    if name == _SCALE or name in _OF_WORKERS:
        return 1
    return 2 if name in _OF_SIMULATION else 3


def _with(simulation: Simulation, name: str, value: object) -> Simulation:
    """Return the simulation with another value for a field, wherever the field stands."""
    if name == _SCALE:
        return simulation.scaled(arrivals=checks.positive(_SCALE, value))
    changes = {name: value}
    if name in _OF_SIMULATION:
        return replace(simulation, **changes)  # type: ignore[arg-type]  # the field checks its value
    if name in _OF_BUFFERS:
        buffers = tuple(replace(buffer, **changes) for buffer in simulation.buffers)  # type: ignore[arg-type]  # likewise
        return replace(simulation, buffers=buffers)
    if not any(hasattr(pool, name) for pool in simulation.workers):
        listed = ", ".join(map(repr, simulation.workers)) or "none"
        raise InvalidValueError(
            f"{name} is a field of workers, and no workers of the simulation have it, which has {listed}; "
            "give it such workers"
        )
    workers = tuple(replace(pool, **changes) if hasattr(pool, name) else pool for pool in simulation.workers)  # type: ignore[arg-type]  # likewise
    return replace(simulation, workers=workers)


def _label(chosen: Mapping[str, object]) -> str:
    """Return the name of a combination: policies as they are, other values with their field's name."""
    parts = []
    for name, value in chosen.items():
        if name == _SCALE:
            parts.append(f"arrivals ×{value:g}")  # noqa: RUF001  # times, as books write it
        else:
            parts.append(repr(value) if isinstance(value, FlushPolicy) else f"{name} {value!r}")
    return " · ".join(parts)
