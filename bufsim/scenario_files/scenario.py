"""A scenario: a simulation read from TOML, and what a file says besides."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.scenario_files import tables
from bufsim.simulation import Simulation
from bufsim.spelling import build, naming

Document = Mapping[str, Any]
_LISTS = ("producer", "buffer", "workers")
_TABLES = ("simulation", "storage", "stops", "backtest", "plan")


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """One named model, with the recording that it can be held against.

    Parameters
    ----------
    title : str
        What it is, in a line.
    simulation : Simulation
        The model.
    flushes : pandas.DataFrame, optional
        The recorded flushes of ``[backtest]``, as `bufsim.vendure_trace.read_flushes` returns them.
    """

    title: str
    simulation: Simulation
    flushes: pd.DataFrame | None = field(default=None, repr=False)


def read_scenario(path: str | Path) -> Scenario:
    """Return the scenario in a TOML file; see `bufsim.load_scenario`."""
    return scenario(document(path), name=str(path), base=Path(path).parent)


def document(path: str | Path) -> dict[str, Any]:
    """Return what a TOML file holds, not yet checked against the model."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidValueError(f"there is no scenario file {str(path)!r}") from None
    except OSError as error:
        raise InvalidValueError(f"the scenario file {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidValueError(f"{path} is not TOML: it must be text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidValueError(f"{path} is not TOML: {error}") from None


def scenario(document: Document, *, name: str, base: Path = Path()) -> Scenario:
    """Return the scenario that a document declares.

    Parameters
    ----------
    document : mapping
        What a TOML file holds.
    name : str
        What it is called in messages: the path of its file.
    base : Path
        The directory from which its paths count.

    Examples
    --------
    >>> document = {
    ...     "simulation": {"until": "1min"},
    ...     "producer": [{"name": "edits", "arrivals": "poisson(80)"}],
    ...     "buffer": [{"id": "search", "policy": "size(200) | age(30s)"}],
    ... }
    >>> scenario(document, name="search.toml").simulation.buffers
    (JobBuffer('search', policy=FlushAtSize(200) | FlushAfterAge(30.0)),)
    """
    _check_keys(document, name)
    made: dict[str, Any] = {f"{key}s": _members(document, key, name, base) for key in ("producer", "buffer")}
    made["workers"] = _members(document, "workers", name, base)
    made |= {key: _one(document, key, name, base) for key in ("storage", "stops") if key in document}
    made |= _one(document, "simulation", name, base)
    flushes = _one(document, "backtest", name, base) if "backtest" in document else None
    with naming(name):
        title = checks.text("title", document.get("title", Path(name).stem))
        return Scenario(title, Simulation(**made), flushes)


def _check_keys(document: Document, name: str) -> None:
    known = ("title", *_TABLES, *_LISTS)
    for key in document:
        if key not in known:
            raise InvalidValueError(
                f"{name} has the unknown key {key!r}; known are {', '.join(known)}{checks.did_you_mean(key, known)}"
            )
    for key in ("simulation", "producer", "buffer"):
        if key not in document:
            shown = f"[[{key}]]" if key in _LISTS else f"[{key}]"
            raise InvalidValueError(f"{name} needs the table {shown}")


def _members(document: Document, key: str, name: str, base: Path) -> list[Any]:
    """Return what an array of tables declares."""
    declared = document.get(key, [])
    if not isinstance(declared, list) or not all(isinstance(table, Mapping | str) for table in declared):
        raise InvalidTypeError(f"{name}: {key} must be tables, each under [[{key}]], got {declared!r}")
    return [
        build(tables.ROLES[key], table, name=f"{name}: {tables.called(key, table, place)}", base=base)
        for place, table in enumerate(declared, 1)
    ]


def _one(document: Document, key: str, name: str, base: Path) -> Any:
    """Return what one table declares."""
    if not isinstance(document[key], Mapping):
        raise InvalidTypeError(f"{name}: {key} must be one table, under [{key}], got {document[key]!r}")
    return build(tables.ROLES[key], document[key], name=f"{name}: [{key}]", base=base)
