"""The picture of a calibration whose calls take 10 ms and 1 ms a job, as is seen on the fingers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bufsim.plots.calibration import CalibrationLines
from bufsim.statistics.lines import Line
from bufsim.vendure.calibration import Calibration, Measurement

SIZES = (1, 10, 100)


def line(fixed: float, per_job: float) -> Line:
    return Line(fixed, per_job, (fixed, fixed), (per_job, per_job))


def calls(operation: str, fixed: float, per_job: float) -> list[Measurement]:
    return [Measurement(operation, size, fixed + per_job * size) for size in SIZES]


FLUSH, WINDOW = line(0.010, 0.001), line(0.004, 0.001)
SHIPPED = Calibration(
    store="the SQLite file '$^$.db'",
    atomic=False,
    acknowledged=False,
    measurements=(
        *calls("add", 0.002, 0.0),
        *calls("buffer_size", 0.001, 0.0),
        *calls("flush", 0.010, 0.001),
        *calls("window", 0.004, 0.001),
        *calls("rest", 0.006, 0.0),
    ),
    add=line(0.002, 0.0),
    buffer_size=line(0.001, 0.0),
    flush=FLUSH,
    rest=line(0.006, 0.0),
    window=WINDOW,
)
ATOMIC = replace(
    SHIPPED,
    atomic=True,
    measurements=tuple(one for one in SHIPPED.measurements if one.operation not in ("window", "rest")),
    rest=FLUSH,
    window=None,
)


def test_the_frame_has_every_call_beside_its_line() -> None:
    frame = CalibrationLines(SHIPPED).frame()
    assert len(frame) == 5 * len(SIZES)
    assert frame["line"].tolist() == pytest.approx(frame["seconds"].tolist())


@pytest.mark.parametrize(("found", "labels"), [(SHIPPED, 4), (ATOMIC, 3)])
def test_every_call_and_every_line_is_drawn_and_named(found: Calibration, labels: int) -> None:
    ax = CalibrationLines(found).draw()
    key = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(key) == labels
    assert key[0] == "flush: 10 ms + 1 ms a job"
    assert ("of it, from read to delete: 4 ms + 1 ms a job" in key) == (found is SHIPPED)
    marks, lines = ax.lines[::2], ax.lines[1::2]
    assert [len(drawn.get_xdata()) for drawn in marks] == [len(SIZES)] * labels
    assert list(marks[0].get_ydata()) == pytest.approx([11.0, 20.0, 110.0])
    assert (lines[0].get_xdata()[-1], lines[0].get_ydata()[-1]) == pytest.approx((100.0, 110.0))
    # the marks of no two operations cover each other
    assert len({mark.get_xdata()[0] for mark in marks}) == labels


def test_the_head_says_what_a_flush_takes_of_which_store_and_how_it_flushes() -> None:
    ax = CalibrationLines(SHIPPED).draw()
    assert ax.get_title(loc="left") == "A flush takes 10 ms + 1 ms a job"
    (subtitle,) = (text.get_text() for text in ax.texts)
    assert subtitle == r"the SQLite file '\$^\$.db', as shipped: it reads, then deletes"
    assert CalibrationLines(ATOMIC).draw().texts[0].get_text().endswith("atomic")
