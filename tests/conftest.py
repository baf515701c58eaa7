"""What all tests share: Hypothesis draws the same examples on every run, and never judges by the clock."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from bufsim_tests import servers
from hypothesis import settings

matplotlib.use("Agg")
# processes that a test starts find what tests share too
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))

settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("fixed")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the kernel before the workers start, where all tests are run: each would compile it by itself."""
    is_worker = hasattr(config, "workerinput")
    all_tests = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.collectonly
    if not is_worker and all_tests and importlib.util.find_spec("numba") is not None:
        from bufsim.engines import compilation, compiled_engine

        with compilation.telling(compilation.silent):
            compiled_engine.prepare()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where CI is set and a test was left out: what is missing there, such as a browser, is to be installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if "CI" in os.environ and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def interrupts_are_heard() -> Iterator[None]:
    """Processes that a test starts hear an interrupt, also where the tests run in the background, which does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that runs as long as the tests do."""
    yield from servers.started(servers.redis_server())


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of a PostgreSQL that runs as long as the tests do."""
    yield from servers.started(servers.postgresql_server())
