"""The kernel is compiled once, says so, and is kept where that can be; what cannot be kept or read does no harm.

Most tests compile a small kernel in place of the real one, which takes long.
"""

from __future__ import annotations

import errno
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numba
import pytest
from bufsim_tests.models import drawn, study_of
from numba.core import caching

import bufsim
from bufsim import FlushAtSize, FlushEvery, JobBuffer, Poisson, Producer, PushWorkers, Simulation, UniqueByKey, Zipf
from bufsim.cli import main
from bufsim.engines import compilation, compiled_engine
from bufsim.engines.compilation import COMPILES, COMPILES_ALWAYS, compiled, silent, telling
from bufsim.studies.tasks import Task, run, run_for_a_while

RUN = """
MORE = 1

def following(state):
    return state + MORE

def run(state):
    return following(state)
"""
Start = Callable[..., list[str]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return what acts as a new process: it calls a small kernel once, and returns what it gave and what was told."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(compilation, "APART", set())
    begin = compilation.kernel_entry.__wrapped__

    def called(source: str = RUN) -> list[str]:
        module = loaded(tmp_path / "loop.py", source)
        monkeypatch.setattr(compilation, "loop", module)
        monkeypatch.setattr(compilation, "MODULES", (module,))
        monkeypatch.setattr(compilation, "kernel_entry", functools.cache(begin))
        told: list[str] = []
        with telling(told.append):
            answer = compiled()(1)  # type: ignore[arg-type]  # a small kernel has a small state
            assert compiled()(1) == answer  # type: ignore[arg-type]
        return [str(answer), *told]

    return called


def loaded(path: Path, source: str) -> ModuleType:
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("loop", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(source, str(path), "exec"), module.__dict__)  # not from the bytecode of another source
    return module


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("kept/*/*.nb?"))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("kept/*/*") if path.is_file())


# what is told, and to whom


def test_the_first_process_compiles_and_says_so_and_the_next_reads_from_disk_in_silence(start: Start) -> None:
    assert start() == ["2", COMPILES]
    assert start() == ["2"]


def test_a_line_on_the_error_stream_says_it_where_nobody_else_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    compilation.tell(COMPILES)
    with telling(silent):
        compilation.tell("nobody")
        with telling(print):
            compilation.tell("inner")
        compilation.tell("nobody")
    assert capfd.readouterr() == ("inner\n", f"{COMPILES}\n")


def cannot_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "can_be_kept", lambda: False)


@pytest.mark.parametrize("progress", [None, True])
def test_a_study_tells_it_once_before_its_processes_start(
    progress: bool | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cannot_keep(monkeypatch)
    with ThreadPoolExecutor(2) as executor:
        study_of().run(4, executor=executor, progress=progress)
    assert capfd.readouterr().err.count(COMPILES_ALWAYS) == 1


@pytest.mark.parametrize("progress", [False, lambda done, total: None])
def test_a_study_that_is_told_to_be_quiet_does_not(
    progress: object, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cannot_keep(monkeypatch)
    with ThreadPoolExecutor(2) as executor:
        study_of().run(4, executor=executor, progress=progress)  # type: ignore[arg-type]
    assert capfd.readouterr() == ("", "")


def test_a_study_on_the_other_engine_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_engine, "prepare", None)  # would fail
    with ThreadPoolExecutor(2) as executor:
        study_of().run(2, executor=executor, engine="simpy", progress=False)


def test_a_worker_tells_nobody(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(compiled_engine, "compiled", lambda: compilation.tell(COMPILES) or compiled())
    tasks = [Task("one", drawn(), 7, 0, "compiled")]
    assert run_for_a_while(tasks)[0].error is None
    assert capfd.readouterr() == ("", "")
    # negative control
    assert next(run(tasks)).error is None
    assert capfd.readouterr() == ("", f"{COMPILES}\n")


def test_quiet_keeps_the_command_line_from_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled_engine, "compiled", lambda: compilation.tell(COMPILES) or compiled())
    words = ["run", "--arrivals", "poisson:5", "--policy", "size(3)", "--until", "9s", "--engine", "compiled"]
    words += ["--seed", "1", "--no-pictures", "--out", str(tmp_path)]
    assert main([*words, "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")
    assert main(words) == 0
    assert capfd.readouterr().err == f"{COMPILES}\n"


def test_preparing_compiles_what_every_run_calls() -> None:
    compiled_engine.prepare()
    before = list(compiled().overloads)  # type: ignore[attr-defined]  # numba's own
    assert len(before) == 1
    for simulation in unlike():
        for record in ("all", "flushes", "summary"):
            simulation.run(1, engine="compiled", record=record)
    assert list(compiled().overloads) == before  # type: ignore[attr-defined]


def unlike() -> list[Simulation]:
    """Models that the kernel is given with other arrays: with and without keys, sizes, workers and flushes."""
    one = [Producer("p", Poisson(5.0))]
    plain = Simulation(producers=one, buffers=[JobBuffer("a", policy=FlushAtSize(3))], until=9.0)
    keyed = Simulation(
        producers=[Producer("p", Poisson(5.0), keys=Zipf(9, 1.0), nbytes=3), Producer("q", Poisson(5.0), queue="x")],
        buffers=[JobBuffer("a", policy=FlushEvery(2.0), reduce=UniqueByKey()), JobBuffer("b", policy=FlushAtSize(2))],
        workers=[PushWorkers(2, service=[0.1] * 90)],
        until=9.0,
    )
    return [plain, drawn(), keyed]


# what is kept: of this kernel, and of no other


CHANGES = {
    "a rule that the kernel calls": ("state + MORE", "state + MORE + 5", "7"),
    "a constant": ("MORE = 1", "MORE = 5", "6"),
    "a constant of another module": ("MORE = 1", "from errno import EIO as MORE", str(1 + errno.EIO)),
    "the kernel": ("following(state)\n", "following(state) * 5\n", "10"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_compiles_anew(change: str, start: Start) -> None:
    assert start() == ["2", COMPILES]
    before, after, answer = CHANGES[change]
    assert start(RUN.replace(before, after)) == [answer, COMPILES]


def test_another_way_to_compile_compiles_anew(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    assert start() == ["2", COMPILES]
    monkeypatch.setattr(compilation, "OPTIONS", {**compilation.OPTIONS, "error_model": "python"})
    assert start() == ["2", COMPILES]


def test_a_change_of_the_files_alone_compiles_nothing_since_what_runs_is_in_memory(
    start: Start, tmp_path: Path
) -> None:
    assert start() == ["2", COMPILES]
    names = [path.name for path in kept(tmp_path)]
    assert start(RUN.replace("return state", "return  state")) == ["2", COMPILES]  # numba itself looks at this file
    # but by its name, which holds the digest, it is the same kernel
    assert [path.name for path in kept(tmp_path)] == names
    # negative control
    assert start(RUN.replace("MORE = 1", "MORE = 2")) == ["3", COMPILES]
    assert [path.name for path in kept(tmp_path)] != names


def test_what_was_kept_of_another_version_is_removed_and_nothing_else(start: Start, tmp_path: Path) -> None:
    start()
    (folder,) = (tmp_path / "kept").iterdir()
    first = kept(tmp_path)
    others = [folder / name for name in ("loop.run_0123-1.py39.nbi", "other.run_0123-1.py311.1.nbc", "loop.py")]
    for path in others:
        path.write_text("")
    assert start(RUN.replace("MORE = 1", "MORE = 2")) == ["3", COMPILES]
    assert all(path.exists() for path in others)
    assert not any(path.exists() for path in first)
    assert len(set(kept(tmp_path)) - set(others)) == len(first) == 2
    # what is read from disk removes nothing
    first[0].write_text("")
    assert start(RUN.replace("MORE = 1", "MORE = 2")) == ["3"]
    assert first[0].exists()


def test_every_constant_that_a_function_of_the_kernel_reads_is_in_the_digest() -> None:
    in_digest = {line.partition(" = ")[0] for line in compilation.constants()}
    functions = list(compilation.functions())
    missing = []
    for function in functions:
        for name in function.__code__.co_names:
            value = function.__globals__.get(name)
            if isinstance(value, ModuleType) and value.__name__.startswith("bufsim."):
                known = value in compilation.MODULES
            elif isinstance(value, FunctionType):
                known = value in functions
            else:
                known = value is None or isinstance(value, type | ModuleType)
            if not known and f"{function.__module__}.{name}" not in in_digest:
                missing.append(f"{function.__module__}.{name}")
    assert missing == []
    assert len(functions) > 50
    assert "bufsim.engines.kernel.queues.COMPLETED" in in_digest


# where nothing can be kept, or what is kept cannot be read


def test_without_a_folder_to_write_to_it_is_compiled_in_every_process(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refused)
    for _ in range(2):
        assert start() == ["2", COMPILES_ALWAYS]
        assert not compilation.can_be_kept()


def test_a_full_disk_does_no_harm(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, key: object, data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(caching.IndexDataCacheFile, "save", full)
        assert start() == ["2", COMPILES]
    assert kept(tmp_path) == []
    assert start() == ["2", COMPILES]
    assert start() == ["2"]


def test_what_is_kept_names_no_docstring_since_python_without_them_compiles_the_same(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python`` and ``python -OO`` share what is kept: a docstring changes nothing, another constant does."""
    text = 'def following(state):\n    """Say {}."""\n'
    documented = [RUN.replace("def following(state):\n", text.format(word)) for word in ("this", "that")]
    stripped = {}
    for level in (0, 2):
        for source in documented:
            names: dict[str, Any] = {}
            exec(compile(source, "loop.py", "exec", optimize=level), names)
            stripped[level, source] = list(compilation._code(names["following"].__code__))
    assert len({tuple(code) for code in stripped.values()}) == 1
    # negative control
    others = set()
    for term in ("state + 2", "2 + state", "state + 3", "state + MORE"):
        exec(compile(RUN.replace("state + MORE", term), "loop.py", "exec"), names)
        others.add(tuple(compilation._code(names["following"].__code__)))
    assert len(others) == 4


def damages() -> dict[str, Callable[[bytes], bytes]]:
    return {
        "empty": lambda content: b"",
        "cut": lambda content: content[: len(content) // 2],
        "one byte changed": lambda content: content[:-200] + bytes([content[-200] ^ 1]) + content[-199:],
        "other bytes": lambda content: bytes(len(content)),
        "text": lambda content: b"not what was kept",
    }


@pytest.mark.parametrize("damage", damages())
@pytest.mark.parametrize("kind", ["nbi", "nbc", "sums"])
def test_what_was_damaged_is_compiled_anew_and_kept(kind: str, damage: str, start: Start, tmp_path: Path) -> None:
    assert start() == ["2", COMPILES]
    (path,) = (path for path in files(tmp_path) if path.suffix == f".{kind}")
    content = path.read_bytes()
    path.write_bytes(damages()[damage](content + b" " * 200 if kind == "sums" else content))
    assert start() == ["2", COMPILES]
    assert start() == ["2"]


@pytest.mark.parametrize("kind", ["nbi", "nbc", "sums"])
def test_what_is_missing_is_compiled_anew_and_kept(kind: str, start: Start, tmp_path: Path) -> None:
    assert start() == ["2", COMPILES]
    for path in files(tmp_path):
        if path.suffix == f".{kind}":
            path.unlink()
    assert start() == ["2", COMPILES]
    assert start() == ["2"]


def test_what_is_damaged_and_cannot_be_removed_is_not_read(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    assert start() == ["2", COMPILES]
    for path in files(tmp_path):
        path.write_bytes(b"not what was kept")
    monkeypatch.setattr(Path, "unlink", refused)
    assert start() == ["2", COMPILES]
    assert start() == ["2", COMPILES]


@pytest.mark.parametrize("where", ["a file", "below a file", "relative", "with a space and ä"])
def test_an_odd_folder_is_taken_or_passed_over(
    where: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").write_text("")
    folder = {"below a file": "a file/below", "relative": "./here"}.get(where, where)
    monkeypatch.setattr(numba.config, "CACHE_DIR", folder)
    assert start() == ["2", COMPILES]
    assert start() == ["2"]


@pytest.mark.slow
def test_two_processes_at_once_give_the_same_and_leave_what_a_third_can_use(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(RUN)
    code = f"""
import importlib.util, sys
import numba
from bufsim.engines import compilation
spec = importlib.util.spec_from_file_location("loop", {str(tmp_path / "loop.py")!r})
module = sys.modules["loop"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
compilation.loop, compilation.MODULES, compilation.APART = module, (module,), set()
print(compilation.compiled()(1))
"""
    command = [sys.executable, "-W", "error", "-c", code]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    where = Path(bufsim.__file__).parents[1]

    def begin() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    both = [process.communicate() for process in [begin(), begin()]]
    assert [printed for printed, _ in both] == ["2\n", "2\n"]
    assert {errors.strip() for _, errors in both} <= {"", COMPILES}
    begin().communicate()  # who came last may have found the other's half
    assert begin().communicate() == ("2\n", "")


def test_an_error_of_the_kernel_itself_comes_through(start: Start) -> None:
    with pytest.raises(numba.TypingError):
        start(RUN.replace("state + MORE", "state + 'text'"))


# whole processes


def said(code: str, *, folder: Path | None = None, **variables: str) -> tuple[str, str]:
    """Run code in a new process, with the package of a folder; return what it printed, and its errors."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, "-W", "error", "-c", code]
    # what is run by -c looks for packages where it is first
    where = folder or Path(bufsim.__file__).parents[1]
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, check=True, text=True)
    return done.stdout.strip(), done.stderr.strip()


def copied(folder: Path) -> Path:
    """Return a folder with a copy of the package, without what is kept."""
    shutil.copytree(Path(bufsim.__file__).parent, folder / "bufsim", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def not_a_folder(folder: Path) -> dict[str, str]:
    """Let nothing be kept beside the package, nor in the user's folder: a file stands where it would be."""
    (folder / "bufsim" / "engines" / "kernel" / "__pycache__").write_text("a file, which binds every user")
    below = str(folder / "bufsim" / "errors.py" / "below")
    return dict.fromkeys(("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA", "NUMBA_CACHE_DIR"), below)


SIMULATION = """
import sys
from bufsim import *
simulation = Simulation(
    producers=[Producer("p", Poisson(9.0))], buffers=[JobBuffer("a", policy=FlushAtSize(3))], until=99.0
)
"""


@pytest.mark.slow
def test_a_package_that_cannot_be_written_to_does_no_harm(tmp_path: Path) -> None:
    code = f"""{SIMULATION}
from bufsim.engines import compilation, compiled_engine
print(compiled_engine.can_run(simulation), compilation.can_be_kept())
compiled_engine.prepare()
"""
    folder = copied(tmp_path / "one")
    assert said(code, folder=folder, **not_a_folder(folder)) == ("True False", COMPILES_ALWAYS)
    # negative control: as it is, it can
    can = code.partition("compiled_engine.prepare()")[0]
    assert said(can, folder=copied(tmp_path / "two")) == ("True True", "")


def test_where_numba_is_told_to_compile_nothing_the_kernel_runs_as_it_is() -> None:
    code = f"""{SIMULATION}
one, other = (simulation.run(1, engine=engine) for engine in ("simpy", "compiled"))
print(other.engine, one.jobs.equals(other.jobs), len(other.flushes) > 200)
"""
    assert said(code, NUMBA_DISABLE_JIT="1") == ("compiled True True", "")


def test_without_numba_everything_works_but_the_compiled_engine() -> None:
    code = f"""{SIMULATION}
sys.modules["numba"] = None
from bufsim.studies.study import Study
print(simulation.run(1, engine="auto").engine)
print(set(Study({{"one": simulation}}, seed=1).run(2, progress=False).failures["error"]))
try:
    simulation.run(1, engine="compiled")
except MissingExtraError as error:
    print(error)
"""
    printed, errors = said(code)
    assert errors == ""
    assert printed.splitlines() == [
        "simpy",
        "set()",
        'engine="compiled" needs numba: install it with pip install "bufsim[compiled]", or use engine="simpy"',
    ]


@pytest.mark.slow
def test_the_real_kernel_is_compiled_once_and_then_read(tmp_path: Path) -> None:
    code = f"{SIMULATION}\nprint(simulation.run(1, engine='compiled', record='summary').engine)"
    folder = copied(tmp_path)
    assert said(code, folder=folder) == ("compiled", COMPILES)
    assert said(code, folder=folder) == ("compiled", "")
