"""All pairs of named samples, compared and judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

from numpy.typing import ArrayLike

from bufsim.statistics import Comparison, judge, paired_difference


def compare(
    samples: Mapping[str, ArrayLike], pairs: Iterable[tuple[str, str]] | None = None, **options: Any
) -> tuple[Comparison, ...]:
    """Verdicts on these pairs of samples, or on all, as one family."""
    chosen = combinations(samples, 2) if pairs is None else pairs
    return judge([paired_difference(samples[a], samples[b], names=(a, b)) for a, b in chosen], **options)
