"""Execute notebooks in fresh kernels: fail if one is not what it says, or save them as they should be committed.

``python .ci/notebooks.py notebooks`` checks; with ``--save`` it writes. A notebook runs in its folder, as in Jupyter.
What is saved holds nothing that varies: no times, no versions, no widgets (they show nothing without a kernel).
"""

from __future__ import annotations

import argparse
import difflib
import html
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from bufsim.engines import compiled_engine

MOST_BYTES = 1_000_000
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_WIDGET = "application/vnd.jupyter.widget-view+json"
# a folder and what is in it, from the root or a drive (not a part of a word or of a link), or an address in memory
_VARIES = re.compile(r"(?<![\w.:/])/(?:[\w.+-]+/)+[\w.+-]+|\b[A-Z]:\\\w+|\bat 0x\w+")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_LINK = re.compile(r"\[[^]]*\]\(([^)]*)\)")
# code, links and quotations say what others have written
_NOT_OURS = re.compile(r"`[^`]*`|!?\[[^]]*\]\([^)]*\)|^>.*$", re.MULTILINE)


def read(path: Path) -> NotebookNode:
    """Return a notebook as it is stored."""
    return nbformat.read(path, as_version=4)


def executed(path: Path) -> NotebookNode:
    """Return a notebook as it should be stored: executed in a fresh kernel, without what varies."""
    # else the first cell to need it would say that it compiles
    compiled_engine.prepare()
    try:
        notebook = _run(path, 240)
    except CellTimeoutError:
        # at times an answer is lost on the way, and the kernel and who asked wait for each other for ever
        notebook = _run(path, 900)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _WIDGET not in output.get("data", {})]
    return notebook


def _run(path: Path, timeout: int) -> NotebookNode:
    """Return a notebook whose cells were run in a fresh kernel, each in at most so many seconds."""
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        # where a cell takes long, what it prints comes in several pieces
        coalesce_streams=True,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    return notebook


def findings(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Return what is wrong with a committed notebook, given what its cells give when executed: a sentence each."""
    return [*wrong_as_stored(committed), *differences(committed, fresh)]


def wrong_as_stored(notebook: NotebookNode) -> list[str]:
    """Return what is wrong with a notebook by itself."""
    found = []
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not any(cell.outputs for cell in cells):
        found.append("has no outputs; commit it executed")
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {cell.id}: error {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"cell {cell.id}: text on stderr: {output.text.strip()}")
    if dict(notebook.metadata) != METADATA or any(cell.metadata for cell in notebook.cells):
        found.append("has metadata that can vary; save it with this tool")
    found += [f"holds {text}, which varies" for text in _VARIES.findall(_all_text(notebook.cells))]
    size = len(nbformat.writes(notebook).encode())
    if size >= MOST_BYTES:
        found.append(f"has {size:,} bytes, and may have {MOST_BYTES:,} at most")
    return found + [f"its prose says {number}, which no cell says" for number in unsaid_numbers(notebook)]


def differences(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Return where the outputs of two runs differ, except in the bytes of pictures."""
    found = []
    for cell, again in zip(committed.cells, fresh.cells, strict=True):
        before, now = _shown(cell).splitlines(), _shown(again).splitlines()
        if before != now:
            changes = difflib.unified_diff(before, now, "committed", "executed", n=0, lineterm="")
            found.append(f"cell {cell.id} gives another output when executed:\n" + "\n".join(changes))
    return found


def links(notebook: NotebookNode) -> list[str]:
    """Return the files that the prose links to."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return [target for target in _LINK.findall(prose) if "://" not in target]


def unsaid_numbers(notebook: NotebookNode) -> list[str]:
    """Return the numbers in the prose that stand neither in the code nor in an output."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = [_NOT_OURS.sub("", cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    said = set(_numbers(_all_text(code)).values())
    return [text for text, number in _numbers("\n".join(prose)).items() if number not in said]


def _numbers(text: str) -> dict[str, float]:
    return {number: float(number.replace(",", "")) for number in _NUMBER.findall(text)}


def _all_text(cells: list[NotebookNode]) -> str:
    return "\n".join(f"{cell.source}\n{_shown(cell)}" for cell in cells)


def _shown(cell: NotebookNode) -> str:
    """Return the outputs of a cell as text; a picture is its kind."""
    parts = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            parts.append(output.text)
        for kind, content in sorted(output.get("data", {}).items()):
            parts.append(f"<{kind}>" if kind.startswith("image/") else _plain(content) if "html" in kind else content)
    return "\n".join(parts)


def _plain(page: str) -> str:
    """Return the text of HTML, one row of a table a line."""
    rows = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL).split("</tr>")
    return "\n".join(" ".join(html.unescape(re.sub(r"<[^>]*>", " ", row)).split()) for row in rows)


def main(arguments: list[str]) -> None:
    """Check every notebook of a folder, or save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--save", action="store_true", help="write the outputs into the notebooks")
    options = parser.parse_args(arguments)
    notebooks = sorted(options.folder.glob("*.ipynb"))
    if not notebooks:
        sys.exit(f"there is no notebook in {options.folder}")
    for path in notebooks:
        try:
            fresh = executed(path)
        except (CellExecutionError, CellTimeoutError) as error:
            sys.exit(f"{path}: {error}")
        if options.save:
            nbformat.write(fresh, path)
        found = findings(read(path), fresh)
        if found:
            sys.exit("\n".join(f"{path}: {finding}" for finding in found))
        print(path, "saved" if options.save else "holds")


if __name__ == "__main__":
    main(sys.argv[1:])
