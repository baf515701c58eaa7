"""The recorded closed forms and decision problems; the README next to each file says where it comes from."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"


@cache
def closed_forms() -> list[dict[str, Any]]:
    return list(json.loads((DATA / "theory" / "closed_forms.json").read_text()))


@cache
def problems() -> dict[str, dict[str, Any]]:
    known = json.loads((DATA / "decisions" / "problems.json").read_text())
    return {problem["name"]: problem for problem in known["problems"]}
