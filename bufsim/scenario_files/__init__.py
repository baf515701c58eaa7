"""Scenario files: a whole model in TOML. Data only: nothing in a file is ever executed."""

from __future__ import annotations

from pathlib import Path

from bufsim.scenario_files.scenario import Scenario, document, read_scenario, scenario, scenario_text
from bufsim.simulation import Simulation

__all__ = ["Scenario", "document", "load_scenario", "read_scenario", "scenario", "scenario_text"]


def load_scenario(path: str | Path) -> Simulation:
    r"""Return the simulation that a scenario file declares.

    Parameters
    ----------
    path : str or Path
        A TOML file. Its tables are ``[simulation]`` (until, warm_up, durable_queue), ``[[producer]]``, ``[[buffer]]``,
        ``[[workers]]``, ``[storage]`` (of the buffers without their own), ``[stops]``, ``[backtest]`` and ``[plan]``,
        with the arguments of the classes of these names as keys. Paths in it count from its own directory.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        If it cannot be read, has an unknown key, or declares no valid model; the message says the file, the table and
        the key.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> text = (
    ...     '[simulation]\nuntil = "1min"\n[[producer]]\nname = "edits"\narrivals = "poisson(80)"\n'
    ...     '[[buffer]]\nid = "search"\npolicy = "size(200) | age(30s)"\n'
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "shop.toml")
    ...     _ = path.write_text(text, encoding="utf-8")
    ...     load_scenario(path).buffers[0].policy
    FlushAtSize(200) | FlushAfterAge(30.0)
    """
    return read_scenario(path).simulation
