"""Options: what can be chosen. Scenarios that differ in their load only are one option, which must do at every load."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.simulation import Simulation

SCALE = "arrivals_scale"
Coordinates = Mapping[str, Mapping[str, object]]
"""Of each scenario of a grid, the value of each field that is varied."""
_JOINT = " · "


@dataclass(frozen=True, slots=True)
class Option:
    """Something that can be chosen, such as a flush policy, with its scenario at each load.

    Parameters
    ----------
    name : str
        What the scenarios have in common.
    scenarios : tuple of (float, str)
        The scale of the arrivals and the scenario's name, the lowest load first.
    missing : tuple of str
        Those of the scenarios that did not finish.
    load : float, optional
        The load at which the option's value counts; None: today's.
    """

    name: str
    scenarios: tuple[tuple[float, str], ...]
    missing: tuple[str, ...] = ()
    load: float | None = None

    def base(self) -> str:
        """Return the scenario at the load that counts: by default today's, scale 1, or without it the lowest."""
        by_scale = dict(self.scenarios)
        return by_scale.get(1.0 if self.load is None else self.load, self.scenarios[0][1])

    def base_scale(self) -> float:
        """Return the scale of that load."""
        return next(scale for scale, name in self.scenarios if name == self.base())

    @property
    def is_complete(self) -> bool:
        """Whether all of its scenarios finished."""
        return not self.missing


def options(
    scenarios: Mapping[str, Simulation],
    coordinates: Coordinates,
    finished: Collection[str],
    *,
    up_to: float | None = None,
    load: float | None = None,
) -> tuple[Option, ...]:
    """Return the options of a study, in its order.

    Parameters
    ----------
    scenarios : mapping of str to Simulation
        All scenarios.
    coordinates : mapping
        Of those of a grid, what was varied.
    finished : collection of str
        Which finished.
    up_to : float, optional
        The highest scale of the arrivals that counts; None: all.
    load : float, optional
        The scale at which an option's value counts; None: today's.
    """
    groups: dict[str, list[tuple[float, str]]] = {}
    for name, simulation in scenarios.items():
        scale = _scale(coordinates.get(name, {}))
        if up_to is None or scale <= up_to:
            groups.setdefault(option_name(name, simulation, coordinates), []).append((scale, name))
    if not groups:
        raise InvalidValueError(f"up_to must reach the lowest load of the study, got {up_to}; leave it out")
    for found in groups.values():
        _check_load(load, sorted(scale for scale, _ in found))
    return tuple(
        Option(name, tuple(sorted(found)), tuple(one for _, one in found if one not in finished), load)
        for name, found in groups.items()
    )


def _check_load(load: float | None, scales: list[float]) -> None:
    if load is not None and load not in scales:
        listed = ", ".join(f"{scale:g}" for scale in scales)
        raise InvalidValueError(f"load must be one of the study's loads that count, {listed}, got {load!r}")


def option_name(name: str, simulation: Simulation, coordinates: Coordinates) -> str:
    """Return a scenario's name without its load; the policy where nothing else was varied."""
    if SCALE not in coordinates.get(name, {}):
        return name
    parts = [part for part in name.split(_JOINT) if not part.startswith("arrivals ")]
    return _JOINT.join(parts) or ", ".join(repr(buffer.policy) for buffer in simulation.buffers)


def find_scenario(what: object, scenarios: Mapping[str, Simulation], coordinates: Coordinates) -> str:
    """Return the scenario that is meant by its name, by its option's name, or by the policy that was varied."""
    text = what if isinstance(what, str) else repr(what)
    if text in scenarios:
        return text
    found = {one.name: one.base() for one in options(scenarios, coordinates, scenarios)}
    return found[text] if text in found else checks.one_of("baseline", text, scenarios)


def _scale(coordinates: Mapping[str, object]) -> float:
    value = coordinates.get(SCALE, 1.0)
    return checks.positive(SCALE, value)
