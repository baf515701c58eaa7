"""What the commands put into README.md: each its own part, between marks."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).with_name("README.md")


def put(part: str, text: str) -> None:
    """Put a text into the part of README.md that has this name, in place of what stands there."""
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->\n"
    before, rest = README.read_text().split(begin)
    README.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.split(end)[1]}")
