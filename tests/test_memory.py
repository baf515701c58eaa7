"""Arrays on loan are as free as NumPy's own, and go back when nobody holds them."""

from __future__ import annotations

import mmap
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bufsim import memory

MANY = 3 * 2**20
CAN_LEND = pytest.mark.skipif(
    not (hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")), reason="this system has no words for it"
)


@pytest.mark.parametrize("shape", [0, 7, MANY, (5, MANY // 5)])
@pytest.mark.parametrize("dtype", [np.float64, np.int16, np.bool_, np.dtype([("a", "i8"), ("b", "f8")])])
def test_an_array_has_the_shape_and_the_type_that_were_asked_for(shape: int | tuple[int, int], dtype: type) -> None:
    array = memory.empty(shape, dtype)
    array[...] = np.zeros(1, dtype)
    expected = np.zeros(shape, dtype)
    assert array.shape == expected.shape
    assert array.dtype == expected.dtype
    assert array.flags.writeable
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, expected)


@CAN_LEND
def test_a_system_that_has_the_words_for_it_takes_memory_back() -> None:
    # else all of the tests below would have nothing to look at
    assert memory.can_lend()


@CAN_LEND
def test_a_large_array_begins_at_a_huge_page() -> None:
    assert memory.empty(MANY).ctypes.data % 2**21 == 0


@CAN_LEND
def test_memory_is_lent_again_only_when_no_array_lies_in_it() -> None:
    array = memory.empty(MANY)
    address = array.ctypes.data
    view = array.view(np.int64)[10:20]
    del array
    other = memory.empty(MANY)
    assert other.ctypes.data != address
    view[:] = 7
    other[:] = 0.0
    assert (view == 7).all()
    del view
    assert memory.empty(MANY).ctypes.data == address


@CAN_LEND
def test_arrays_that_live_together_share_no_memory() -> None:
    for _ in range(2):  # new pieces, then lent ones
        arrays = [memory.empty(MANY, np.int64) for _ in range(4)]
        for number, array in enumerate(arrays):
            array[:] = number
        assert [int(array.sum()) for array in arrays] == [number * MANY for number in range(4)]
        del arrays, array


@CAN_LEND
def test_small_arrays_are_numpys_own() -> None:
    assert memory.empty(100).flags.owndata
    # negative control: a large one is on loan
    assert not memory.empty(MANY).flags.owndata


@CAN_LEND
def test_what_was_kept_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_KEPT", 3 * MANY)  # two pieces
    arrays = [memory.empty(MANY, np.int8) for _ in range(4)]
    addresses = [array.ctypes.data for array in arrays]
    while arrays:
        arrays.pop(0)
    again = [memory.empty(MANY, np.int8) for _ in range(2)]
    # the one kept last is lent first
    assert [array.ctypes.data for array in again] == addresses[:1:-1]


@CAN_LEND
def test_threads_never_share_a_piece() -> None:
    def write_and_read(number: int) -> bool:
        for _ in range(40):
            array = memory.empty(MANY // 8, np.int64)
            array[:] = number
            if (array != number).any():
                return False
        return True

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(write_and_read, range(16)))


def test_where_the_system_cannot_take_memory_back_it_is_numpys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "can_lend", lambda: False)
    array = memory.empty((2, MANY), np.int16)
    assert array.shape == (2, MANY)
    assert array.flags.owndata


@CAN_LEND
def test_a_system_that_refuses_the_advice_lends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(mmap.mmap):
        def madvise(self, option: int, *where: int) -> None:
            if option == mmap.MADV_FREE:
                raise OSError(22, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Refusing)
    assert not memory.can_lend.__wrapped__()


def test_arrays_that_live_when_the_program_ends_harm_nobody() -> None:
    code = "from bufsim import memory; kept = memory.empty(10**6); lent = memory.empty(10**6); del lent; kept[:] = 1.0"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("n", [0, 1, 8191, 8192, 100_000, 2**20, 2**20 + 1, 2**21 + 12_345])
def test_numbers_are_counted_from_0(n: int) -> None:
    np.testing.assert_array_equal(memory.counted(n), np.arange(n), strict=True)
