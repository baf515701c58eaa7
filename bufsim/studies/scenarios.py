"""Scenarios: what a study varies, and what each is called."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from bufsim import checks, spelling
from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, quoted
from bufsim.model.buffers import JobBuffer
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.policies import LEAVES, FlushAfterAge, FlushAtSize, FlushEvery, FlushWhenIdle
from bufsim.model.workers import PollingWorkers, PushWorkers
from bufsim.results.causes import short
from bufsim.simulation import Simulation
from bufsim.studies.fingerprints import is_library

# policies in a text, as Python spells them: leaves with at most one bracket inside theirs, and grids
_INSIDE = r"\((?:[^()]|\([^()]*\))*\)"
_LEAF = re.compile(rf"\b(?:{'|'.join(leaf.__name__ for leaf in LEAVES)}){_INSIDE}")
_GRID = re.compile(rf"\.checked_every{_INSIDE}")
# what else is varied: the field, and its value as Python spells it
_VALUE = re.compile(
    r"\b(capacity|drain|storage|flush_time) "
    rf"((?:Capacity|DrainAll|DrainAtMost|DrainUntil|Storage|FlushTime){_INSIDE}|None)"
)
_JOINTS = re.compile(r"( [|&·] )")
_MOST = 40


def in_words(text: str) -> str:
    """A text with the flush policies that stand in it, as code, in few words.

    Examples
    --------
    >>> in_words("FlushAtSize(400) | FlushAfterAge(15.0) costs less than today's FlushEvery(2.0)")
    "size 400 | age 15 s costs less than today's every 2 s"
    """
    with_leaves = _LEAF.sub(lambda leaf: _label_of(leaf[0]), _VALUE.sub(_value_label, text))
    return _GRID.sub(lambda grid: _label_of(f"never{grid[0]}").removeprefix("never"), with_leaves)


def _value_label(found: re.Match[str]) -> str:
    """What was varied in few words: "capacity 2,048 jobs"."""
    field, text = found.groups()
    if text == "None":
        return f"no {field}"
    try:
        value = spelling.build(field, text, name=field)
    except BufsimError:
        return found[0]
    return f"{field.replace('_', ' ')} {getattr(value, 'label', text)}"


@functools.lru_cache(maxsize=4096)
def _label_of(text: str) -> str:
    """Return the label of the policy that is spelled; the text itself where it is none, or has no other label."""
    try:
        made = spelling.policy(text)
    except BufsimError:
        return text
    return text if made.label == repr(made) else made.label


def label(name: str) -> str:
    """A scenario's name with its flush policies in few words, cut where it is long.

    Examples
    --------
    >>> label("FlushAtSize(256) | FlushAfterAge(1.0) · arrivals ×2")
    'size 256 | age 1 s · ×2'
    >>> label("FlushAtSize(100).checked_every(0.5)")
    'size 100 checked every 500 ms'
    """
    return short(in_words(name).replace(" · arrivals ", " · "), _MOST)


def labels(names: Sequence[str]) -> list[str]:
    """A label for each name; names that would look the same are kept whole."""
    made = [label(name) for name in names]
    return [name if made.count(text) > 1 else text for name, text in zip(names, made, strict=True)]


def without_common(texts: Sequence[str]) -> tuple[list[str], str]:
    """The labels without the words that all of them begin their parts with, and what was left out.

    Examples
    --------
    >>> without_common(["size 256 | age 1 s", "size 64 | age 500 ms"])
    (['256 | 1 s', '64 | 500 ms'], 'size | age')
    >>> without_common(["size 256", "age 1 s"])
    (['size 256', 'age 1 s'], '')
    """
    # every other piece is a joint
    pieces = [_JOINTS.split(text) for text in texts]
    heads = {"".join(_each(text, lambda part: part.partition(" ")[0])) for text in pieces}
    if len(texts) < 2 or len(heads) > 1 or any(" " not in part for text in pieces for part in text[::2]):
        return list(texts), ""
    return ["".join(_each(text, lambda part: part.partition(" ")[2])) for text in pieces], heads.pop()


def _each(pieces: Sequence[str], change: Callable[[str], str]) -> list[str]:
    return [piece if index % 2 else change(piece) for index, piece in enumerate(pieces)]


def differ_in_one(texts: Sequence[str]) -> bool:
    """Whether labels are the same but for one number with its unit.

    Examples
    --------
    >>> differ_in_one(["size 256 | age 1 s", "size 64 | age 1 s"]), differ_in_one(["size 256", "age 1 s"])
    (True, False)
    """
    shorter, template = without_common(texts)
    pieces = [_JOINTS.split(text) for text in shorter]
    return bool(template) and sum(len(set(part)) > 1 for part in zip(*pieces, strict=True)) == 1


SCALE = "arrivals_scale"
Coordinates = Mapping[str, Mapping[str, object]]
"""Of each scenario of a grid, the value of each field that is varied."""
_JOINT = " · "


@dataclass(frozen=True, slots=True)
class Option:
    """An option: something that can be chosen, such as a flush policy, with its scenario at each load.

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
        """The scenario at the load that counts: by default today's, scale 1, or without it the lowest."""
        by_scale = dict(self.scenarios)
        return by_scale.get(1.0 if self.load is None else self.load, self.scenarios[0][1])

    def base_scale(self) -> float:
        """The scale of that load."""
        return next(scale for scale, name in self.scenarios if name == self.base())

    @property
    def names(self) -> list[str]:
        """The scenarios' names, the lowest load first."""
        return [name for _, name in self.scenarios]


def options(
    scenarios: Mapping[str, Simulation],
    coordinates: Coordinates,
    finished: Collection[str],
    *,
    up_to: float | None = None,
    load: float | None = None,
) -> tuple[Option, ...]:
    """The options of a study, in its order.

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
        scale = checks.positive(SCALE, coordinates.get(name, {}).get(SCALE, 1.0))
        if up_to is None or scale <= up_to:
            groups.setdefault(option_name(name, simulation, coordinates), []).append((scale, name))
    if not groups:
        raise InvalidValueError(f"up_to must reach the lowest load of the study, got {up_to}; leave it out")
    made = []
    for name, loads in groups.items():
        scales = sorted(scale for scale, _ in loads)
        if load is not None and load not in scales:
            listed = ", ".join(f"{scale:g}" for scale in scales)
            raise InvalidValueError(f"load must be one of the study's loads that count, {listed}, got {quoted(load)}")
        missing = tuple(scenario for _, scenario in loads if scenario not in finished)
        made.append(Option(name, tuple(sorted(loads)), missing, load))
    return tuple(made)


def option_name(name: str, simulation: Simulation, coordinates: Coordinates) -> str:
    """A scenario's name without its load; the policy where nothing else was varied."""
    if SCALE not in coordinates.get(name, {}):
        return name
    parts = [part for part in name.split(_JOINT) if not part.startswith("arrivals ")]
    return _JOINT.join(parts) or ", ".join(repr(buffer.policy) for buffer in simulation.buffers)


def find_scenario(baseline: object, scenarios: Mapping[str, Simulation], coordinates: Coordinates) -> str:
    """The scenario that is meant by its name, by its option's name, or by the policy that was varied."""
    text = baseline if isinstance(baseline, str) else repr(baseline)
    if text in scenarios:
        return text
    bases = {option.name: option.base() for option in options(scenarios, coordinates, scenarios)}
    return bases[text] if text in bases else checks.one_of("baseline", text, scenarios)


MOST_SCENARIOS = 10_000
_OF_SIMULATION = {field.name for field in fields(Simulation)}
_OF_BUFFERS = {field.name for field in fields(JobBuffer)} - {"id"}
_OF_WORKERS = {field.name for kind in (PushWorkers, PollingWorkers) for field in fields(kind)} - {"queue"}
FIELDS = tuple(sorted(_OF_SIMULATION | _OF_BUFFERS | _OF_WORKERS | {SCALE}))
"""What a study can vary."""


def grid(simulation: Simulation, over: Mapping[str, Sequence[object]]) -> dict[str, Simulation]:
    """A simulation for every combination of the values, by a name that says its values.

    Parameters
    ----------
    simulation : Simulation
        What is varied.
    over : mapping of str to sequence
        For each field its values: a field of the simulation (``until``, ``stops``, ``workers``), of all its buffers
        (``policy``, ``drain``, ``capacity``, ``storage``), of all its workers that have it (``concurrency``,
        ``service``), or ``arrivals_scale``.

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
    order = sorted(values, key=_rank)
    made: dict[tuple[str, ...], Simulation] = {(): simulation}
    scenarios: dict[str, Simulation] = {}
    for combination in itertools.product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        path: tuple[str, ...] = ()
        for name in order:
            before, path = made[path], (*path, repr(chosen[name]))
            if path not in made:
                made[path] = _with(before, name, chosen[name])
        scenarios[combination_name(chosen)] = made[path]
    return scenarios


def policy_grid(
    *,
    size: Sequence[int] = (),
    age: Sequence[float | str] = (),
    idle: Sequence[float | str] = (),
    every: Sequence[float | str] = (),
) -> list[FlushPolicy]:
    """The flush policies for every combination of the values given, joined by ``|``.

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
    checks.one_of("a grid's field", name, FIELDS)
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise InvalidTypeError(
            f"{name} must be a list of values to try, got {quoted(given)}; write {name}=[{quoted(given)}]"
        )
    if not given:
        raise InvalidValueError(
            f"{name} must have at least one value to try, got none; leave it out to keep the one there"
        )
    twice = [text for text, count in Counter(map(repr, given)).items() if count > 1]
    if twice:
        way_out = _way_out(next(value for value in given if repr(value) == twice[0]))
        raise InvalidValueError(
            f"{name} must have values that are written differently, got {twice[0]} more than once; {way_out}, or give "
            "named scenarios: {'a': simulation, 'b': another}"
        )
    return given


def _way_out(repeated: object) -> str:
    kind = type(repeated)
    if is_library(kind.__module__) or any("__repr__" in vars(c) for c in kind.__mro__ if not is_library(c.__module__)):
        return "leave one out"
    return f"give the class {kind.__qualname__} a __repr__ that says what its values are, leave one out"


def _rank(name: str) -> int:
    """The rank in which a field is varied: a whole before its parts, and what draws follow from before the rest."""
    if name in ("producers", "workers", "until"):
        return 0
    if name == SCALE or name in _OF_WORKERS:
        return 1
    return 2 if name in _OF_SIMULATION - _OF_BUFFERS else 3


def _with(simulation: Simulation, name: str, value: object) -> Simulation:
    """The simulation with another value for a field, wherever the field stands."""
    if name == SCALE:
        return simulation.scaled(arrivals=checks.positive(SCALE, value))
    changes = {name: value}
    if name == "storage":
        # of all buffers: what one of them had of its own would be left without effect
        changes["buffers"] = [replace(buffer, storage=None) for buffer in simulation.buffers]
    if name in _OF_SIMULATION:
        return replace(simulation, **changes)  # type: ignore[arg-type]  # the field checks its value
    if name in _OF_BUFFERS:
        buffers = tuple(replace(buffer, **changes) for buffer in simulation.buffers)  # type: ignore[arg-type]  # likewise
        return replace(simulation, buffers=buffers)
    if not simulation.workers:
        raise InvalidValueError(
            f"{name} is a field of workers, and the simulation has none; give it workers, or vary workers themselves"
        )
    if not any(hasattr(pool, name) for pool in simulation.workers):
        listed = ", ".join(map(repr, simulation.workers))
        raise InvalidValueError(f"{name} is a field of other workers than the simulation has: {listed}")
    workers = tuple(replace(pool, **changes) if hasattr(pool, name) else pool for pool in simulation.workers)  # type: ignore[arg-type]  # likewise
    return replace(simulation, workers=workers)


def values_of(simulation: Simulation, name: str) -> list[object]:
    """The values that a field has in a simulation, wherever it stands, each once."""
    values: Iterable[object]
    if name == "storage":
        values = map(simulation.storage_of, simulation.buffers)
    elif name in _OF_SIMULATION:
        values = [getattr(simulation, name)]
    else:
        parts = simulation.buffers if name in _OF_BUFFERS else [w for w in simulation.workers if hasattr(w, name)]
        values = (getattr(part, name) for part in parts)
    return list({repr(value): value for value in values}.values())


def combination_name(chosen: Mapping[str, object]) -> str:
    """The name of a combination: policies as they are, other values with their field's name."""
    parts = []
    for name, value in chosen.items():
        if name == SCALE:
            parts.append(f"arrivals ×{value:g}")  # noqa: RUF001  # times, as books write it
        else:
            parts.append(repr(value) if isinstance(value, FlushPolicy) else f"{name} {value!r}")
    return _JOINT.join(parts)
