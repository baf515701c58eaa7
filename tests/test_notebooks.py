from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbclient.exceptions import CellTimeoutError
from nbformat import NotebookNode

from bufsim.plots import StudyPlots

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def the_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_tool", ROOT / ".ci" / "notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = the_tool()


def of(source: str, *outputs: NotebookNode, prose: str = "") -> NotebookNode:
    """Return a notebook of a cell of code with its outputs, after a cell of prose."""
    cells = [nbformat.v4.new_markdown_cell(prose, id="text"), nbformat.v4.new_code_cell(source, id="code")]
    cells[1].outputs = list(outputs)
    return nbformat.v4.new_notebook(cells=cells, metadata=tool.METADATA)


def printed(text: str, name: str = "stdout") -> NotebookNode:
    return nbformat.v4.new_output("stream", name=name, text=text)


def shown(**data: str) -> NotebookNode:
    kinds = {kind.replace("_", "/"): content for kind, content in data.items()}
    return nbformat.v4.new_output("display_data", data=kinds)


# the notebooks


def test_there_are_notebooks() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06"]


def test_the_list_of_notebooks_names_each() -> None:
    listed = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in NOTEBOOKS if f"| [{path.stem}]({path.name}) |" not in listed] == []


def test_each_picture_of_a_study_is_in_a_notebook() -> None:
    code = "".join(cell.source for path in NOTEBOOKS for cell in tool.read(path).cells if cell.cell_type == "code")
    assert len(StudyPlots.names()) == 8
    assert [name for name in StudyPlots.names() if f".plot.{name}(" not in code] == []


# these two run for a minute
LONG = ("05", "06")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.name.startswith(LONG) else [])
        for path in NOTEBOOKS
    ],
)
def test_a_committed_notebook_says_what_its_cells_say_in_a_fresh_kernel(path: Path) -> None:
    assert tool.findings(tool.read(path), tool.executed(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_with_a_title_and_links_to_files_that_are_there(path: Path) -> None:
    notebook = tool.read(path)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    for target in tool.links(notebook):
        assert (path.parent / target).exists(), target


# the tool: what it must find


def test_a_notebook_that_holds_has_no_findings() -> None:
    notebook = of("print(1 + 1)", printed("2\n"), prose="The sum is 2.")
    assert tool.findings(notebook, copy.deepcopy(notebook)) == []


def test_a_notebook_without_outputs_is_found() -> None:
    assert tool.wrong_as_stored(of("1 + 1")) == ["has no outputs; commit it executed"]


def test_an_error_among_the_outputs_is_found() -> None:
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    assert tool.wrong_as_stored(of("1", error)) == ["cell code: error ValueError: no"]


def test_a_warning_is_found() -> None:
    (found,) = tool.wrong_as_stored(of("1", printed("DeprecationWarning\n", name="stderr")))
    assert found == "cell code: text on stderr: DeprecationWarning"


def test_metadata_that_can_vary_are_found() -> None:
    notebook = of("1", printed("1"))
    notebook.metadata = {"language_info": {"version": "3.13"}}
    assert tool.wrong_as_stored(notebook) == ["has metadata that can vary; save it with this tool"]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("saved to /home/someone/out.csv", "/home/someone/out.csv"),
        ("saved to C:\\Users", "C:\\Users"),
        ("<Axes at 0x7fd0315a7c90>", "at 0x7fd0315a7c90"),
    ],
)
def test_what_varies_between_machines_is_found(text: str, held: str) -> None:
    assert tool.wrong_as_stored(of("1", printed(text))) == [f"holds {held}, which varies"]


@pytest.mark.parametrize(
    "text", ["mean / p99, jobs/s", "../data/vendure-catalogue/adds.csv", "https://github.com/vendurehq/vendure/issues"]
)
def test_what_only_looks_like_a_path_of_a_machine_is_not_found(text: str) -> None:
    assert tool.wrong_as_stored(of("1", printed(text))) == []


def test_a_large_notebook_is_found() -> None:
    (found,) = tool.wrong_as_stored(of("1", printed("x" * 1_000_000)))
    assert found.endswith("bytes, and may have 1,000,000 at most")


def test_a_number_in_the_prose_that_no_cell_says_is_found() -> None:
    table = shown(text_html="<table><tr><td>1,643</td><td>6.8</td></tr></table>")
    notebook = of("limit = 30.0", table, prose="`size(7)` gives 1,643 jobs in 30 s, 6.8 or 6.9, [8](x).\n> 9 once")
    assert tool.unsaid_numbers(notebook) == ["6.9"]


def test_another_number_in_an_output_is_found() -> None:
    (found,) = tool.differences(of("x", printed("a\n6.8\n")), of("x", printed("a\n6.9\n")))
    assert found.splitlines()[0] == "cell code gives another output when executed:"
    assert found.splitlines()[-2:] == ["-6.8", "+6.9"]


def test_other_bytes_of_a_picture_are_not_found_but_a_missing_picture_is() -> None:
    picture = of("x", shown(image_png="AAAA", text_plain="<Figure>"))
    assert tool.differences(picture, of("x", shown(image_png="BBBB", text_plain="<Figure>"))) == []
    assert len(tool.differences(picture, of("x", shown(text_plain="<Figure>")))) == 1


def test_a_saved_notebook_holds_nothing_that_varies(tmp_path: Path) -> None:
    path = tmp_path / "small.ipynb"
    notebook = of("import ipywidgets\nfrom IPython.display import display\ndisplay(ipywidgets.IntSlider())\nprint(17)")
    notebook.cells[1].metadata = {"execution": {"iopub.status.busy": "2026-01-01"}}
    nbformat.write(notebook, path)
    tool.main([str(tmp_path), "--save"])
    saved = tool.read(path)
    assert saved.cells[1].outputs == [printed("17\n")]
    assert not saved.cells[1].metadata
    first = path.read_bytes()
    tool.main([str(tmp_path), "--save"])
    assert path.read_bytes() == first


def test_the_tool_ends_with_what_it_found(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no notebook in"):
        tool.main([str(tmp_path)])
    nbformat.write(of("1 / 0"), tmp_path / "broken.ipynb")
    with pytest.raises(SystemExit, match=r"(?s)broken.*ZeroDivisionError"):
        tool.main([str(tmp_path)])
    (tmp_path / "broken.ipynb").unlink()
    nbformat.write(of("print(2)", printed("1\n")), tmp_path / "stale.ipynb")
    with pytest.raises(SystemExit, match=r"stale\.ipynb: cell code gives another output"):
        tool.main([str(tmp_path)])


class Silent:
    """A client whose kernel answers only from a given try on."""

    tries = 0

    def __init__(self, answers_at: int) -> None:
        self.answers_at = answers_at

    def __call__(self, notebook: NotebookNode, **options: object) -> Silent:
        return self

    def execute(self) -> None:
        self.tries += 1
        if self.tries < self.answers_at:
            raise CellTimeoutError("no answer")


def test_a_kernel_that_never_answers_is_started_once_more_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "NotebookClient", client := Silent(answers_at=2))
    assert tool.executed(NOTEBOOKS[0]).cells
    assert client.tries == 2
    monkeypatch.setattr(tool, "NotebookClient", Silent(answers_at=3))
    with pytest.raises(CellTimeoutError):
        tool.executed(NOTEBOOKS[0])
