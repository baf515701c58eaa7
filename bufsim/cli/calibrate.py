"""``bufsim calibrate``: how long the user's own store takes, as a part of a scenario file, and a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bufsim import formats
from bufsim.cli.command import DONE, Command, Console
from bufsim.errors import InvalidValueError
from bufsim.files import check_replaceable, replacing
from bufsim.statistics.lines import Line
from bufsim.vendure.calibration import SCRATCH, Calibration, calibrate

_DESCRIPTION = f"""\
Measure on your own store how long it takes to add a job, to ask for the buffer size, and to flush, at buffer sizes
from 1 to 100,000, and how long a flush lies between reading and deleting. It works in a table, or under keys, named
{SCRATCH}, which it makes and removes; it refuses where there is one, and touches nothing else. The user and the
password of the URL are in nothing that it prints or writes.
"""
_EXAMPLES = """\
examples:
  bufsim calibrate --storage sqlite:///jobs.db
  bufsim calibrate --storage postgresql://user:password@host:5432/shop --most 1min --out store.toml
  bufsim calibrate --storage redis://localhost:6379/0 --atomic --picture store.png
"""
_PICTURES = (".png", ".svg", ".pdf")


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--storage", required=True, metavar="URL", help="sqlite:///..., postgresql://... or redis://..."
    )
    parser.add_argument("--most", default="30s", metavar="TIME", help="about how long it may measure (30s)")
    parser.add_argument("--atomic", action="store_true", help="the repaired flush, in one transaction or script")
    parser.add_argument("--acknowledged", action="store_true", help="the repaired flush that claims, then confirms")
    parser.add_argument("--batch", type=int, default=1_000, metavar="JOBS", help="the batch whose window counts (1000)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the part of a scenario file to it")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the calls and the lines: .png, .svg or .pdf")


def _run(options: argparse.Namespace) -> int:
    console = Console.of(options)
    if options.batch < 1:
        raise InvalidValueError(f"--batch must be at least 1, got {options.batch}")
    if options.picture is not None and options.picture.suffix not in _PICTURES:
        raise InvalidValueError(f"--picture must end in {', '.join(_PICTURES)}, got {options.picture.name!r}")
    for path in filter(None, (options.out, options.picture)):
        # before the time is spent
        check_replaceable(path)
    found = calibrate(
        options.storage,
        most=options.most,
        atomic=options.atomic,
        acknowledged=options.acknowledged,
        say=console.say,
    )
    text = fragment(found, options.batch)
    console.say(f"\n{_table(found)}\n\n{text}")
    for path, write in ((options.out, lambda to: to.write_text(text, "utf-8")), (options.picture, _drawing(found))):
        if path is not None:
            with replacing(path) as temporary:
                write(temporary)
            console.say(f"wrote {path}")
    console.give(_answer(found, options.batch))
    return DONE


def fragment(found: Calibration, batch: int) -> str:
    """The part of a scenario file that says what was measured: the storage, and the flush time of each buffer."""
    window, rest, usual = found.read_delete_window(batch), found.rest, min(batch, max(found.sizes))
    lines = [
        f"# {found.store}, {found.way}; measured at buffer sizes of {', '.join(map(str, found.sizes))}",
        "[storage]",
        "durable = true",
        *(
            [
                f"# of a batch of {formats.jobs(usual)}, and it grows with the batch; counted from sending the read to",
                "# the answer to the delete: the window is at most that long",
                f"read_delete_window = {window:.6g}",
            ]
            if window
            else []
        ),
        "",
        "# in each [[buffer]] that lies there:",
        f"# flush_time = {{ fixed = {rest.fixed:.6g}, per_job = {rest.per_job:.6g} }}",
    ]
    return "\n".join(lines) + "\n"


def _lines(found: Calibration) -> dict[str, Line]:
    lines = {"add": found.add, "buffer size": found.buffer_size, "flush": found.flush}
    return lines if found.window is None else {**lines, "its window": found.window, "its rest": found.rest}


def _table(found: Calibration) -> str:
    rows = [found.store, f"  {'':<12}{'fixed':<36}a job"]
    for name, line in _lines(found).items():
        parts = [
            f"{formats.duration(value)} ({formats.duration(low)} to {formats.duration(high)})"
            for value, (low, high) in ((line.fixed, line.fixed_interval), (line.per_job, line.per_job_interval))
        ]
        rows.append(f"  {name:<12}{parts[0]:<36}{parts[1]}")
    return "\n".join(rows)


def _drawing(found: Calibration) -> Any:
    def draw(path: Path) -> None:
        import matplotlib as mpl

        mpl.use("Agg")
        from bufsim.plots.calibration import CalibrationLines

        CalibrationLines(found).draw().get_figure(root=True).savefig(path, dpi=150)  # type: ignore[union-attr]

    return draw


def _answer(found: Calibration, batch: int) -> dict[str, Any]:
    lines = {
        name: {
            "fixed": line.fixed,
            "fixed_interval": line.fixed_interval,
            "per_job": line.per_job,
            "per_job_interval": line.per_job_interval,
        }
        for name, line in _lines(found).items()
    }
    return {
        "store": found.store,
        "atomic": found.atomic,
        "acknowledged": found.acknowledged,
        "sizes": found.sizes,
        "lines": lines,
        "batch": batch,
        "storage": {"durable": True, "read_delete_window": found.read_delete_window(batch)},
        "flush_time": {"fixed": found.rest.fixed, "per_job": found.rest.per_job},
    }


COMMAND = Command(_DESCRIPTION, _EXAMPLES, _add_options, _run, without_seed="")
