"""Execute notebooks with this interpreter's kernel; fail if a cell fails, or is committed without its output."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(folder: str) -> None:
    """Execute every notebook in `folder`."""
    notebooks = sorted(Path(folder).glob("*.ipynb"))
    if not notebooks:
        sys.exit(f"there is no notebook in {folder}")
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        check(path, notebook)
        NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
        check(path, notebook)
        print(path, "ran")


def check(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Exit if an output is an error, or if there are none at all."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    if not outputs:
        sys.exit(f"{path} has no outputs; commit it executed")
    for output in outputs:
        if output.output_type == "error":
            sys.exit(f"{path} has an error among its outputs: {output.ename}: {output.evalue}")


if __name__ == "__main__":
    main(*sys.argv[1:])
