from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bufsim

ROOT = Path(bufsim.__file__).parent
WINGS = (
    "statistics",
    "vendure",
    "model",
    "vendure_trace",
    "theory",
    "engines",
    "results",
    "simulation",
    "backtest",
    "spelling",
    "studies",
    "plots",
    "report",
    "scenario_files",
    "verification",
    "cli",
)
OPEN_TO_ALL = ("errors", "checks", "files", "formats", "memory", "declared")
# the arrows that point down: results and studies reach their plots late, and what Vendure's plugins are in
# a model is said in the model's values
LATE = {
    ("bufsim.results.result", "bufsim.plots"),
    ("bufsim.studies.study_result", "bufsim.plots"),
    ("bufsim.vendure.plugins", "bufsim.model.buffers"),
    ("bufsim.vendure.plugins", "bufsim.model.workers"),
}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(("bufsim", *(parts[:-1] if parts[-1] == "__init__" else parts)))
        found[name] = path
    return found


MODULES = modules()


@functools.cache
def imports(name: str, *, with_types: bool) -> set[str]:
    """The modules of the package that a module imports, wherever in its text; those for type checkers if asked."""
    tree = ast.parse(MODULES[name].read_text("utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in block.body
        for node in ast.walk(statement)
    }
    of_package = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_package(node.value)]
    found: set[str] = set()
    for node in ast.walk(tree):
        if not with_types and id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            # the version stands in the package itself: to read it is to import no module
            found -= {"bufsim"} if set(of_package) == {"__version__"} else set()
        elif isinstance(node, ast.ImportFrom):
            found |= named(name, node)
    return {target for target in found if target == "bufsim" or target.startswith("bufsim.")} - {name}


def is_package(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "bufsim"


def named(name: str, node: ast.ImportFrom) -> set[str]:
    """What a from-import imports: the modules among its names, else the module that it takes them from."""
    source = node.module or ""
    if node.level:
        package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
        base = package.split(".")[: len(package.split(".")) - node.level + 1]
        source = ".".join([*base, source] if source else base)
    members = {f"{source}.{alias.name}" for alias in node.names} - {"bufsim.__version__"}
    inside = members & set(MODULES)
    return inside | ({source} if members - inside else set())


def wing(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


ORDERED = [name for name in MODULES if wing(name) in WINGS]


@pytest.mark.parametrize("name", ORDERED)
def test_a_module_imports_only_from_its_wing_and_those_above(name: str) -> None:
    above = (*OPEN_TO_ALL, *WINGS[: WINGS.index(wing(name)) + 1])
    for target in imports(name, with_types=True):
        if (name, target) in LATE:
            continue
        assert wing(target) in above, f"{name} imports {target}"


@pytest.mark.parametrize("name", OPEN_TO_ALL)
def test_what_is_open_to_all_imports_none_of_the_wings(name: str) -> None:
    assert {wing(target) for target in imports(f"bufsim.{name}", with_types=True)} <= set(OPEN_TO_ALL)


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        name: {target for target in imports(name, with_types=False) if (name, target) not in LATE}
        for name in MODULES
        if name != "bufsim"
    }
    assert cycle(graph) is None


def cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """A way from a module back to itself, or None."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for target in sorted(graph.get(name, ())):
                if (found := visit(target, [*path, name])) is not None:
                    return found
            done.add(name)
        return None

    return next((found for name in graph if (found := visit(name, [])) is not None), None)


def test_a_cycle_would_be_found() -> None:
    # negative control
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_imports_are_read_in_all_their_forms() -> None:
    # negative control: what the tests above look at is there to be seen
    assert "bufsim.checks" in imports("bufsim.model.policies", with_types=True)
    assert "bufsim.model.flush_policy" in imports("bufsim.model.policies", with_types=True)
    assert "bufsim.engines.simpy_engine" in imports("bufsim.engines.simpy_buffers", with_types=True)
    assert "bufsim.engines.simpy_engine" not in imports("bufsim.engines.simpy_buffers", with_types=False)


def test_the_package_itself_is_imported_by_no_wing_but_for_its_version() -> None:
    assert [name for name in ORDERED if "bufsim" in imports(name, with_types=True)] == []


def test_import_bufsim_loads_nothing_heavy() -> None:
    heavy = ("scipy", "matplotlib", "numba", "statsmodels", "pyarrow", "cronsim", "distributed", "loky")
    heavy += ("sqlalchemy", "psycopg", "redis")
    # pandas may load pyarrow on its own account
    code = (
        "import sys, pandas; before = set(sys.modules); import bufsim; "
        f"print(sorted(set({heavy!r}) & (set(sys.modules) - before)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_the_help_of_the_command_line_needs_none_of_what_commands_need() -> None:
    code = (
        "import sys; from bufsim.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(sorted({'numpy', 'pandas', 'matplotlib', 'bufsim.cli.run'} & set(sys.modules)))"
    )

    def loaded(*words: str) -> str:
        told = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
        assert told.startswith("usage: bufsim")
        return told.splitlines()[-1]

    assert loaded("--help") == "[]"
    # negative control: the help of a command has that command's options
    assert loaded("run", "--help") == "['bufsim.cli.run', 'numpy', 'pandas']"


def test_every_module_has_a_place() -> None:
    assert {wing(name) for name in MODULES} - {*WINGS, *OPEN_TO_ALL} == {"", "__main__"}


def test_the_page_on_the_architecture_names_every_wing_in_order() -> None:
    page = (ROOT.parent / "docs" / "architecture.md").read_text("utf-8")
    rows = [row.split("|")[1] for row in page.partition("## The way")[0].splitlines() if row.startswith("| `")]
    assert tuple(name.strip(" `") for row in rows for name in row.split(",")) == (*OPEN_TO_ALL, *WINGS)


def test_the_page_on_the_architecture_names_files_that_there_are() -> None:
    page = (ROOT.parent / "docs" / "architecture.md").read_text("utf-8")
    drawn = page.partition("```text")[2].partition("```")[0]
    modules = {path.stem for path in MODULES.values()} | {name.rpartition(".")[2] for name in MODULES}
    named = re.findall(
        r"\b(?:simpy_\w+|lowering|workload|records|tallying|estimates|comparisons|limit_checks)\b", drawn
    )
    assert len(named) > 8
    assert set(named) <= modules
