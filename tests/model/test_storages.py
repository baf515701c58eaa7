from __future__ import annotations

import math
import pickle
from collections.abc import Callable

import pytest

import bufsim
from bufsim import InvalidTypeError, InvalidValueError, Storage
from bufsim.vendure import InMemoryJobBufferStorageStrategy, TestingJobBufferStorageStrategy


def test_the_default_is_vendures_in_memory_and_loses_at_a_stop() -> None:
    storage = Storage()
    assert (storage.durable, storage.read_delete_window) == (False, 0.0)
    assert isinstance(storage.strategy(), InMemoryJobBufferStorageStrategy)
    assert storage.strategy() is not storage.strategy()


def test_storages_are_values() -> None:
    storage = Storage(durable=True, read_delete_window="30ms")
    assert storage == Storage(durable=True, read_delete_window=0.03)
    assert eval(repr(storage), vars(bufsim)) == storage
    for value in (storage, Storage(strategy=TestingJobBufferStorageStrategy)):
        again = pickle.loads(pickle.dumps(value))
        assert again == value
        assert hash(again) == hash(value)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Storage(read_delete_window=-1), InvalidValueError, "read_delete_window must be >= 0, got -1.0"),
        (lambda: Storage(read_delete_window=math.nan), InvalidValueError, "read_delete_window must be finite, got nan"),
        (lambda: Storage(durable=1), InvalidTypeError, "durable must be True or False, got 1"),
        (
            lambda: Storage(strategy=InMemoryJobBufferStorageStrategy()),
            InvalidTypeError,
            "strategy must make a storage strategy when called, got <bufsim.vendure.storage.InMemory",
        ),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(message)
