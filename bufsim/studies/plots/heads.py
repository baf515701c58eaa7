"""The head of a picture whose labels take much room beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from bufsim.results.plots import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def head(ax: Axes, title: str, *, subtitle: str, key: Sequence[Artist] = ()) -> None:
    """Write title, subtitle and key as `style.head` does, in lines over the plot and all that is at its right.

    In a figure of several panels they end where the plot ends.
    """
    figure = cast("Figure", ax.get_figure(root=True))
    engine = figure.get_layout_engine()
    # where the plot begins follows from its labels: they must be laid out before lines are broken
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    place = ax.get_position()
    is_alone = all(one is ax or one.get_label() == "<colorbar>" for one in figure.axes)
    style.head(ax, title, subtitle=subtitle, key=key, share=1.0 - place.x0 if is_alone else place.width)
    figure.set_layout_engine(engine)
