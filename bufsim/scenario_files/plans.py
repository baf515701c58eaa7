"""Plan files: a scenario file with a [plan] table, which asks what to do about it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bufsim import checks, spelling, vendure_trace
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.files import as_path
from bufsim.model.flush_policy import FlushPolicy
from bufsim.scenario_files.scenario import document, scenario
from bufsim.spelling import build, naming
from bufsim.spelling.words import Role, Word
from bufsim.studies.expressions import Expression, cost
from bufsim.studies.formulas import expression
from bufsim.studies.plan import Plan
from bufsim.studies.scenarios import policy_grid
from bufsim.studies.varied import choices, read


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a plan was made from.

    Parameters
    ----------
    name : str
        As the plan file calls it, or the plan file itself.
    sha256 : str
        Of its bytes, in hexadecimal.
    rows : int
        Its lines.
    """

    name: str
    sha256: str
    rows: int

    @classmethod
    def of(cls, name: str, path: Path) -> InputFile:
        """The digest and the number of rows of a file."""
        content = path.read_bytes()
        return cls(name, hashlib.sha256(content).hexdigest(), content.count(b"\n"))


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan, and the file that it stands in.

    Parameters
    ----------
    plan : Plan
        The question.
    path : Path
        The file.
    text : str
        What stands in it.
    inputs : tuple of InputFile
        It, and the files that it names.
    """

    plan: Plan
    path: Path
    text: str
    inputs: tuple[InputFile, ...]

    def text_in(self, folder: Path) -> str:
        """Return the text for a copy in another folder: the paths in it lead from there to the same files."""
        return _replaced(self.text, self._moved(folder))

    def text_from(self, folder: Path, text: str) -> str:
        """The text as it is in this folder, of a copy that was made for another."""
        return _replaced(text, {moved: name for name, moved in self._moved(folder).items()})

    def _moved(self, folder: Path) -> dict[str, str]:
        """Return the paths in the plan as they are from another folder."""
        names = [file.name for file in self.inputs[1:] if not Path(file.name).is_absolute()]
        return {name: _path_from(folder, self.path.parent / name) for name in names}


def read_plan(
    path: str | Path, *, replications: int | None = None, seed: int | None = None, vary: Sequence[str] = ()
) -> PlanFile:
    """Return the plan in a TOML file.

    Parameters
    ----------
    path : str or Path
        A scenario file with a ``[plan]`` table. Its keys: ``minimise`` or ``maximise`` (an expression of metrics), or
        ``cost`` (a table of prices); ``policies`` (a list of words) or ``grid`` (a table of sizes, ages, idle times and
        periods), or both; ``vary`` (a table of fields with their values, see `bufsim.studies.varied`); and ``today``,
        ``limits``, ``loads``, ``load``, ``headroom``, ``allow_loss``, ``assumptions``, ``replications``, ``seed`` and
        ``confidence``, as `bufsim.studies.plan.Plan` takes them.
    replications, seed : int, optional
        In place of what the file says.
    vary : sequence of str
        Such as ``"capacity=2048,6144"``, each in place of what the file says of that field.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        If it cannot be read, has an unknown key, or asks nothing that can be answered; the message says where.
    """
    path = as_path(path)
    declared, name = document(path), str(path)
    requested = declared.get("plan")
    if not isinstance(requested, Mapping):
        raise InvalidValueError(f"{name} needs the table [plan], with the policies to choose from and what to minimise")
    model = scenario(declared, name=name, base=path.parent)
    of_file = {key: value for key, value in requested.items() if key != "vary"}
    arguments = build(ROLE, of_file, name=f"{name}: [plan]")
    assert isinstance(arguments, dict)
    arguments["vary"] = _varied(requested.get("vary", {}), f"{name}: [plan], vary", path.parent)
    arguments["vary"] |= {field: [choice.value for choice in values] for field, values in map(read, vary)}
    chosen = {"replications": replications, "seed": seed}
    arguments |= {key: value for key, value in chosen.items() if value is not None}
    with naming(f"{name}: [plan]"):
        plan = Plan(model.simulation, title=model.title, **arguments)
    return PlanFile(plan, path, path.read_text(encoding="utf-8"), tuple(_inputs(path, declared)))


def _plan(
    policies: Any = None,
    vary: Any = None,
    grid: list[FlushPolicy] | None = None,
    minimise: Any = None,
    maximise: Any = None,
    cost: Expression | None = None,
    today: FlushPolicy | None = None,
    limits: Any = (),
    loads: Any = (1.0,),
    load: Any = None,
    headroom: Any = (),
    allow_loss: Any = False,
    assumptions: Any = (),
    replications: Any = 30,
    seed: Any = None,
    confidence: Any = 0.95,
) -> dict[str, Any]:
    """The arguments of a plan that a [plan] table gives, but for `vary`, whose values are read by themselves."""
    assert vary is None
    given = [
        key for key, value in (("minimise", minimise), ("maximise", maximise), ("cost", cost)) if value is not None
    ]
    if len(given) != 1:
        raise InvalidValueError(f"it must have one of minimise, maximise and cost, got {' and '.join(given) or 'none'}")
    return {
        "policies": [*_policies(policies), *(grid or [])],
        "minimise": cost if minimise is None else expression(minimise),
        "maximise": None if maximise is None else expression(maximise),
        "today": today,
        "limits": limits,
        "loads": loads,
        "load": load,
        "headroom": headroom,
        "allow_loss": allow_loss,
        "assumptions": assumptions,
        "replications": replications,
        "seed": seed,
        "confidence": confidence,
    }


def _varied(table: object, name: str, base: Path) -> dict[str, list[object]]:
    """The values of each field in a table such as ``vary = { capacity = [2048, 6144] }``."""
    if not isinstance(table, Mapping):
        raise InvalidTypeError(f"{name} must be a table such as {{ capacity = [2048, 6144] }}, got {quoted(table)}")
    return {
        field: [choice.value for choice in choices(field, values, name=name, base=base)]
        for field, values in table.items()
    }


def _policies(words: Any) -> Iterator[FlushPolicy]:
    if words is not None and not isinstance(words, list):
        raise InvalidTypeError(f"policies must be a list of words such as 'size(200) | age(30s)', got {quoted(words)}")
    for number, text in enumerate(words or (), 1):
        yield spelling.policy(checks.text(f"policy number {number}", text), name=f"policy number {number}")


_GRID = Role("grid", {"grid": Word(policy_grid)}, table="grid")
_COST = Role("cost", {"cost": Word(cost)}, table="cost")
ROLE = Role("plan", {"plan": Word(_plan, {"grid": _GRID, "cost": _COST, "today": "policy"})}, table="plan")
"""The [plan] table."""


def _path_from(folder: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return path.resolve().as_posix()


def _replaced(text: str, names: Mapping[str, str]) -> str:
    """Return a TOML text with other strings in place of some."""
    for name, other in names.items():
        for quote in "\"'":
            text = text.replace(f"{quote}{name}{quote}", f"{quote}{other}{quote}")
    return text


def _inputs(path: Path, declared: Mapping[str, Any]) -> Iterator[InputFile]:
    yield InputFile.of(path.name, path)
    for text in dict.fromkeys(_texts(declared)):
        named = path.parent / text
        if named.is_dir():
            named = named / vendure_trace.ADDS
        if named.is_file():
            yield InputFile.of(text, named)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a document that may name a file."""
    if isinstance(value, str) and value and len(value) < 250 and "\n" not in value:
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
