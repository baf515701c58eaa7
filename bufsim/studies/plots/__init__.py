"""The plots of studies: each function draws one study result and returns matplotlib Axes.

Every plot takes ``ax=None``, never shows itself, and has a sibling ``<plot>_frame`` that returns the numbers that it
draws as a tidy DataFrame. ``study_result.plot.<plot>()`` draws one study result. The same policy has the same colour in
every plot. In a figure of your own, ``layout="constrained"`` makes room for titles and keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bufsim.studies.study_result import StudyResult

__all__ = ["StudyPlots"]


@dataclass(frozen=True, slots=True, eq=False)
class StudyPlots:
    """The pictures of one study result: ``study_result.plot.pareto()`` and its siblings.

    Each method draws what the function of the same name draws; see there.

    Parameters
    ----------
    study_result : StudyResult
        What is drawn.
    """

    study_result: StudyResult
