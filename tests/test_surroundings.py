"""bufsim gives the same whatever the locale, time zone, folder, home and switches of Python are, and without a network.

Each test is a session in a process of its own, whose output is compared with that of a plain one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bufsim

PACKAGE = Path(bufsim.__file__).parent

# runs on the engines that are named, a study with processes and a store, a trace with times of day, pictures, files,
# and the command line
SESSION = """
import contextlib, io, pathlib, sys
root, out, *engines = sys.argv[1:]
sys.path.insert(0, root)

import matplotlib
matplotlib.use("Agg")
import bufsim
from bufsim import *
from bufsim.cli import main

def printed(words):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        code = main(words)
    return code, text.getvalue()

if __name__ == "__main__":
    assert pathlib.Path(bufsim.__file__).parents[1] == pathlib.Path(root)
    out = pathlib.Path(out)
    simulation = Simulation(
        producers=[Producer("p", Poisson(9.0))], buffers=[JobBuffer("größe", policy=FlushAtSize(3))], until=99.0
    )
    # where names of files are ASCII, other names can be no file's
    name = "größe" if sys.getfilesystemencoding() == "utf-8" else "size"
    for engine in engines:
        print(simulation.run(1, engine=engine).metric("mean_wait"))
    study = Study({"one": simulation, "two": simulation.scaled(arrivals=2.0)}, seed=1)
    result = study.run(4, progress=False, executor=2, store=out / f"{name}.sqlite", engine="simpy")
    print(ascii(result.compare("mean_wait").table().to_csv()))
    simulation.run(1).plot.buffer_size().figure.savefig(out / f"{name}.png")
    simulation.run(1).save(out / f"{name}.json")
    print(Result.load(out / f"{name}.json").metric("mean_wait"))
    (out / "trace.csv").write_text("time\\n2026-03-29T00:59:59+01:00\\n2026-03-29T03:00:01+02:00\\n")
    print(Trace.read(out / "trace.csv").times)
    words = "run --arrivals poisson:9 --until 1min --seed 1 --no-pictures --engine simpy --policy".split()
    print(ascii(printed([*words, "size(3)"])))
"""


def session(
    folder: Path,
    *switches: str,
    package: Path = PACKAGE,
    engines: tuple[str, ...] = ("simpy",),
    **variables: str | None,
) -> str:
    """Return what a session prints in other surroundings; None removes a variable. It writes no word on stderr."""
    folder.mkdir(exist_ok=True)
    script = folder / "session.py"
    script.write_text(SESSION, encoding="utf-8")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for name, value in variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    command = [sys.executable, *switches, str(script), str(package.parent), str(folder), *engines]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a session prints as the tests themselves are run."""
    text = session(tmp_path_factory.mktemp("plain"))
    assert "größe" not in text
    assert "mean_wait" in text
    return text


def copied(folder: Path) -> Path:
    """Return a copy of the package, without what is kept beside it."""
    shutil.copytree(PACKAGE, folder / "bufsim", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "bufsim"


SURROUNDINGS: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "LANG=C": ([], {"LC_ALL": "C", "LANG": "C"}),
    "no UTF-8 at all": ([], {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    "isolated": (["-I"], {}),
    "warnings are errors": (["-W", "error"], {}),
    "a time zone east": ([], {"TZ": "Asia/Kathmandu"}),
    "a time zone whose clock goes forward in the trace": ([], {"TZ": "Europe/Berlin"}),
    "no home": ([], dict.fromkeys(("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_session_gives_the_same(name: str, plain: str, tmp_path: Path) -> None:
    switches, variables = SURROUNDINGS[name]
    assert session(tmp_path, *switches, **variables) == plain


@pytest.mark.slow
def test_python_oo_gives_the_same_and_takes_the_kernel_that_python_has_compiled(tmp_path: Path) -> None:
    """Without assertions and docstrings; that nothing is compiled is seen from the error stream, which is empty."""
    engines = ("simpy", "compiled")
    subprocess.run([sys.executable, "-c", "from bufsim.engines import compiled_engine as c; c.prepare()"], check=True)
    text = session(tmp_path / "plain", engines=engines)
    assert session(tmp_path / "oo", "-OO", engines=engines) == text
    # and back again: neither has removed the other's
    assert session(tmp_path / "again", engines=engines) == text
    assert len(set(text.splitlines()[:2])) == 1


@pytest.mark.slow
def test_a_package_in_a_folder_with_a_space_and_letters_of_any_kind(plain: str, tmp_path: Path) -> None:
    package = copied(tmp_path / "ein Ordner, größer")
    assert session(tmp_path / "äußere Ecke", package=package) == plain


@pytest.mark.slow
def test_a_package_beside_which_nothing_can_be_written(plain: str, tmp_path: Path) -> None:
    package = copied(tmp_path / "read only")
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("a file, which binds every user, where a folder would be made")
    files = sorted(package.rglob("*"))
    assert session(tmp_path / "out", package=package) == plain
    assert sorted(package.rglob("*")) == files


@pytest.mark.slow
def test_no_network_is_looked_for(plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = (
        "import socket, sys\n"
        "def refuse(event, arguments):\n"
        "    if event == 'socket.getaddrinfo' or (\n"
        "        event in ('socket.connect', 'socket.sendto') and arguments[0].family != socket.AF_UNIX\n"
        "    ):\n"
        "        raise SystemExit(f'the network was asked for: {event} {arguments}')\n"
        "sys.addaudithook(refuse)\n"
    )
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(refusal)
    assert session(tmp_path / "out", PYTHONPATH=str(tmp_path / "hook")) == plain
    # negative control
    asks = "import socket; socket.create_connection(('127.0.0.1', 9))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "hook")}
    done = subprocess.run([sys.executable, "-c", asks], env=environment, capture_output=True, text=True, check=False)
    assert "the network was asked for" in done.stderr
