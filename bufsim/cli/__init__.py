"""The command line: words in, tables and pictures out."""

from __future__ import annotations

from bufsim.cli.main import main

__all__ = ["main"]
