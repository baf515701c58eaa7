"""How values print: as the call that makes them."""

from __future__ import annotations

import dataclasses


def call(value: object) -> str:
    """Return the call that makes a dataclass `value`: arguments without a default by position, the others by name.

    Arguments that have their default are left out.
    """
    parts = []
    for field in dataclasses.fields(value):  # type: ignore[arg-type]  # only dataclasses come here
        if not field.init:
            continue
        held = getattr(value, field.name)
        if field.default is dataclasses.MISSING and not field.kw_only:
            parts.append(repr(held))
        elif held != field.default or field.default is dataclasses.MISSING:
            parts.append(f"{field.name}={held!r}")
    return f"{type(value).__name__}({', '.join(parts)})"
