"""Figures as SVG to stand in a page: always the same bytes for the same figure, and nothing from outside."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bufsim.results.plots.style import need_matplotlib
from bufsim.studies.report.markup import Markup, tag

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOTHING = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_BEFORE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_NAMESPACES = re.compile(r'\sxmlns(:\w+)?="[^"]*"')
_ID = re.compile(r'\bid="([^"]*)"')
_REFERENCE = re.compile(r'(xlink:href="#|url\(#)([^")]*)')
_OPENING = re.compile(r"<svg[^>]*>", re.DOTALL)
_PATH = re.compile(r'\bd="([^"]*)"')
_DECIMALS = re.compile(r"(\.\d{2})\d+")
_SIZE = re.compile(r'\s(?:width|height)="[^"]*"')


@contextmanager
def settings() -> Iterator[None]:
    """Let figures be drawn as matplotlib draws by default, whatever the user has set, and with ids that do not vary."""
    need_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "bufsim"
        # letters as shapes: the page looks the same where the font is missing
        mpl.rcParams["svg.fonttype"] = "path"
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as an SVG element.

    Parameters
    ----------
    figure : Figure
        The figure.
    name : str
        A word that no other figure of the page has: it keeps their ids apart.
    description : str
        What is to be seen, for who cannot see it.
    """
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata=_NOTHING)
    text = _METADATA.sub("", _BEFORE.sub("", written.getvalue()))
    text = _ID.sub(rf'id="{name}-\1"', _NAMESPACES.sub("", text))
    text = _PATH.sub(_shortened, _REFERENCE.sub(rf"\g<1>{name}-\2", text)).strip()
    opening = _OPENING.match(text)
    assert opening is not None
    head = _SIZE.sub("", opening.group()).replace("<svg", f'<svg role="img" aria-labelledby="{name}-title"', 1)
    return Markup(head + tag("title", description, id=f"{name}-title") + text[opening.end() :])


def _shortened(path: re.Match[str]) -> str:
    """Return a path's coordinates in hundredths of a point: a long step function has many thousands."""
    return f'd="{_DECIMALS.sub(lambda number: number.group(1), path.group(1))}"'
