"""Pages of docs/ are executed, and what they link to is there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_is_shown(page: Path) -> None:
    found = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert found.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_linked_or_named_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not (DOCS / link).exists()] == []
    named = re.findall(r"(?:bufsim|tests|benchmarks)/[\w/]+\.(?:py|md)", text)
    assert [name for name in named if not (DOCS.parent / name).exists()] == []
    commands = re.findall(r"python -m ([\w.]+)", text)
    modules = [DOCS.parent / command.replace(".", "/") for command in commands]
    assert [module for module in modules if not (module.is_dir() or module.with_suffix(".py").exists())] == []


def test_there_is_a_page_with_examples() -> None:
    assert any(">>> " in page.read_text(encoding="utf-8") for page in PAGES)
