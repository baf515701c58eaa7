"""A report as PDF, printed by a Chromium that is on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bufsim.errors import InvalidValueError, MissingExtraError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 120.0
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-pdf-header-footer",
)


def browser() -> str:
    """Return the path of a Chromium; a MissingExtraError says what to install where there is none."""
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise MissingExtraError(
        f"a PDF needs a Chromium, and none of {', '.join(BROWSERS)} is on this machine; install one (apt-get install "
        "chromium), or print the HTML from a browser"
    )


def write_pdf(html: str | Path, pdf: str | Path) -> Path:
    """Print an HTML file as PDF.

    Parameters
    ----------
    html, pdf : str or Path
        What is printed, and into which file.

    Raises
    ------
    MissingExtraError
        If there is no Chromium.
    InvalidValueError
        If it prints nothing; the message has its last words.
    """
    source, target = Path(html).resolve(), Path(pdf).resolve()
    program = browser()
    # root may not use Chromium's sandbox, and the page has no script to lock in
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        printed = Path(folder) / "report.pdf"
        command = [program, *_FLAGS, *sandbox, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}"]
        try:
            done = subprocess.run(
                [*command, source.as_uri()], capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise InvalidValueError(
                f"{program} did not print within {_PATIENCE:g} s; print the HTML from a browser"
            ) from None
        if not printed.is_file():
            last = done.stderr.strip().splitlines()[-1:] or ["nothing"]
            raise InvalidValueError(f"{program} printed no PDF, and said: {last[0]}; print the HTML from a browser")
        temporary = target.with_name(f".{os.getpid()}-{target.name}")
        shutil.copyfile(printed, temporary)
        temporary.replace(target)
    return target
