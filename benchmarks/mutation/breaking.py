"""The ways in which a module is broken: each changes one operator, constant or argument, and nothing else."""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

COMPARISONS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "is": "is not",
    "is not": "is",
    "in": "not in",
    "not in": "in",
}
ARITHMETIC = {
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "//": "*",
    "%": "*",
    "**": "*",
    "|": "&",
    "&": "|",
    "^": "&",
    "<<": ">>",
    ">>": "<<",
    "@": "*",
}
OPPOSITES = {
    one: other
    for pair in (
        ("min", "max"),
        ("any", "all"),
        ("minimum", "maximum"),
        ("floor", "ceil"),
        ("argmin", "argmax"),
        ("nanmin", "nanmax"),
        ("ones", "zeros"),
        ("cumsum", "cumprod"),
        ("bisect_left", "bisect_right"),
    )
    for one, other in (pair, pair[::-1])
}
SIDES = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    """The path of the module in the tree."""
    kind: str
    line: int
    lines: tuple[int, int]
    """The first and the last line of the statement in which it stands."""
    span: tuple[int, int]
    """The bytes that are replaced."""
    before: str
    after: str
    name: str
    """A digest of what is broken and how, which other changes of the module leave as it is."""

    def of(self, source: bytes) -> bytes:
        """Return the module's source with the change."""
        return source[: self.span[0]] + self.after.encode() + source[self.span[1] :]


@dataclass(frozen=True)
class Edit:
    """Some bytes in place of others."""

    kind: str
    start: int
    end: int
    after: str


class Source:
    """A module's text, with the places of its nodes in it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tree = ast.parse(data)
        self.begins = [0]
        for line in data.splitlines(keepends=True):
            self.begins.append(self.begins[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self.begins[node.lineno - 1] + node.col_offset

    def end(self, node: ast.AST) -> int:
        return self.begins[node.end_lineno - 1] + node.end_col_offset

    def text(self, start: int, end: int) -> str:
        return self.data[start:end].decode()

    def between(
        self, left: ast.AST, right: ast.AST, words: dict[str, str], kind: str, tail: str = ""
    ) -> Iterator[Edit]:
        """Yield the change of the operator between two nodes to the one that `words` has for it."""
        start, end = self.end(left), self.start(right)
        gap = re.sub(r"#[^\n]*", lambda comment: " " * len(comment[0].encode()), self.text(start, end))
        operator = gap.strip("() \t\r\n\\")
        word = re.sub(r"\s+", " ", operator).removesuffix(tail)
        if word in words:
            at = start + len(gap[: gap.index(operator)].encode())
            yield Edit(kind, at, at + len(operator.encode()), words[word] + tail)


def mutants(module: str, data: bytes) -> Iterator[Mutant]:
    """Yield all changes of a module, also those that make no program of it."""
    source, seen = Source(data), Counter[str]()
    for statement, qualified, edit in _edits(source, source.tree, None, module):
        first, last = _lines(statement)
        inside = edit.start - source.start(statement)
        text = source.text(source.start(statement), source.end(statement))
        facts = repr((qualified, text if len(text) < 2000 else text[:200], inside, edit.kind, edit.after))
        seen[facts] += 1
        yield Mutant(
            module=module,
            kind=edit.kind,
            line=data.count(b"\n", 0, edit.start) + 1,
            lines=(first, last),
            span=(edit.start, edit.end),
            before=source.text(edit.start, edit.end),
            after=edit.after,
            name=hashlib.sha256(f"{facts}{seen[facts]}".encode()).hexdigest()[:16],
        )


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """Return the lines of a statement, of one that holds others those before them."""
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) else statement.end_lineno or statement.lineno
    return statement.lineno, max(statement.lineno, last)


def is_another(mutant: Mutant, data: bytes) -> bool:
    """Return whether a change of a module makes a program, and another one."""
    try:
        return ast.dump(ast.parse(mutant.of(data))) != ast.dump(ast.parse(data))
    except (SyntaxError, ValueError):
        return False


def _edits(
    source: Source, node: ast.AST, statement: ast.stmt | None, qualified: str
) -> Iterator[tuple[ast.stmt, str, Edit]]:
    if isinstance(node, ast.stmt):
        statement = node
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        qualified = f"{qualified}.{node.name}"
    if statement is not None:
        for edit in _of_node(source, node):
            yield statement, qualified, edit
    for child in _children(node):
        yield from _edits(source, child, statement, qualified)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is run of a node: no annotations, texts of errors, or what is for the type checker alone."""
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST))


def _of_node(source: Source, node: ast.AST) -> Iterator[Edit]:
    start, end = (source.start(node), source.end(node)) if hasattr(node, "lineno") else (0, 0)
    match node:
        case ast.Compare():
            for left, right in pairwise([node.left, *node.comparators]):
                yield from source.between(left, right, COMPARISONS, "comparison")
        case ast.BinOp():
            yield from source.between(node.left, node.right, ARITHMETIC, "arithmetic")
        case ast.AugAssign():
            yield from source.between(node.target, node.value, ARITHMETIC, "arithmetic", "=")
            yield Edit("statement dropped", start, end, "pass")
        case ast.BoolOp():
            for left, right in pairwise(node.values):
                yield from source.between(left, right, {"and": "or", "or": "and"}, "boolean")
        case ast.UnaryOp(op=ast.Not()):
            yield Edit("negation dropped", start, start + 3, "")
        case ast.UnaryOp(op=ast.USub()):
            yield Edit("sign dropped", start, start + 1, "")
        case ast.Constant():
            yield from _of_constant(node.value, start, end)
        case ast.Name(id=name) if name in OPPOSITES:
            yield Edit("opposite function", start, end, OPPOSITES[name])
        case ast.Attribute(attr=name) if name in OPPOSITES:
            yield Edit("opposite function", end - len(name), end, OPPOSITES[name])
        case ast.Call():
            yield from _of_call(source, node)
        case ast.Return() if not (node.value is None or isinstance(node.value, ast.Constant)):
            yield Edit("nothing returned", source.start(node.value), source.end(node.value), "None")
        case ast.Break():
            yield Edit("break and continue", start, end, "continue")
        case ast.Continue():
            yield Edit("break and continue", start, end, "break")
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield Edit("statement dropped", start, end, "pass")
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield Edit("statement dropped", start, end, "pass")
    for test in _conditions(node):
        first, last = source.start(test), source.end(test)
        yield Edit("condition negated", first, last, f"(not ({source.text(first, last)}))")


def _conditions(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.If() | ast.While() | ast.IfExp():
            return [node.test]
        case ast.comprehension():
            return node.ifs
    return []


def _of_constant(value: object, start: int, end: int) -> Iterator[Edit]:
    match value:
        case bool():
            yield Edit("constant", start, end, repr(not value))
        case int() | float():
            yield Edit("constant", start, end, repr(value + 1))
            yield Edit("constant", start, end, repr(value - 1) if value >= 1 else f"({value - 1!r})")
        case str() if value in SIDES:
            yield Edit("constant", start, end, repr(SIDES[value]))


def _of_call(source: Source, call: ast.Call) -> Iterator[Edit]:
    """Yield the call without its last argument by place, and without each that is named."""
    given = [*call.args, *call.keywords]
    for place, argument in enumerate(given):
        named = isinstance(argument, ast.keyword) and argument.arg is not None
        if not named and (place != len(call.args) - 1 or place == 0 or isinstance(argument, ast.Starred)):
            continue
        first, last = source.start(argument), source.end(argument)
        if place > 0:
            first = source.end(given[place - 1])
        elif len(given) > 1:
            last = source.start(given[1])
        yield Edit("argument dropped", first, last, "")
