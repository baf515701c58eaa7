from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import loky
import pytest
from bufsim_tests.models import POLICIES, OwnSize, bits, study_of

from bufsim import BufsimError
from bufsim.studies import processes as own
from bufsim.studies.processes import end_processes, processes


@pytest.fixture(autouse=True)
def _ended():
    yield
    end_processes()


def test_the_next_study_finds_the_processes_of_the_last():
    first = processes(2)
    pids = set()
    while len(pids) < 2:
        pids.add(first.submit(os.getpid).result())
    assert processes(2) is first
    assert {processes(2).submit(os.getpid).result() for _ in range(10)} <= pids
    assert os.getpid() not in pids


def test_another_number_of_processes_are_others():
    first = processes(1)
    first.submit(os.getpid).result()
    second = processes(2)
    assert second is not first
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        first.submit(os.getpid)


def test_each_thread_has_its_own():
    found = []
    thread = threading.Thread(target=lambda: (found.append(processes(1)), end_processes()))
    thread.start()
    thread.join()
    assert found[0] is not processes(1)


def test_ended_processes_are_followed_by_new_ones():
    first = processes(1)
    pid = first.submit(os.getpid).result()
    end_processes()
    end_processes()  # there is nothing left to end
    second = processes(1)
    assert second is not first
    assert second.submit(os.getpid).result() != pid


def test_after_a_fork_the_parents_processes_are_left_alone(monkeypatch):
    first = processes(1)
    first.submit(os.getpid).result()
    with monkeypatch.context() as forked:
        forked.setattr(own.os, "getpid", lambda: -1)
        assert processes(1) is not first
        end_processes()
    assert first.submit(abs, -3).result() == 3
    first.shutdown()


def test_the_callers_reusable_executor_is_left_alone():
    callers = loky.get_reusable_executor(max_workers=1)
    study_of().run(2, executor=2, progress=False)
    assert callers.submit(abs, -3).result() == 3
    assert len({callers.submit(os.getpid).result() for _ in range(10)}) == 1
    # and it can be given, like any other
    assert bits(study_of().run(2, executor=callers, progress=False)) == bits(study_of().run(2, progress=False))
    callers.shutdown()


class Fatal(OwnSize):
    """A policy whose process does not outlive it."""

    def due(self, view):
        os._exit(7)

    def __repr__(self):
        return "Fatal()"


def test_a_worker_that_dies_is_told_of_and_the_next_study_has_new_ones():
    with pytest.raises(
        BufsimError, match=r"failed: TerminatedWorkerError: .*or a worker died, perhaps for want of mem"
    ):
        study_of(POLICIES[0], Fatal(3)).run(2, executor=2, progress=False)
    assert study_of().run(2, executor=2, progress=False).complete


def test_an_interrupted_study_lets_its_processes_work_no_longer():
    def stop(done, total):
        raise KeyboardInterrupt

    pool = processes(2)
    pids = {pool.submit(os.getpid).result() for _ in range(10)}
    # its first replications take a moment, the others would take minutes
    part = study_of(until=2000.0).run(2000, executor=2, progress=stop, engine="simpy")
    assert not part.complete
    gone(pids)


SCRIPT = """
    import os, sys
    from bufsim.studies.processes import processes
    from bufsim_tests.models import study_of
    pool = processes(2)
    pids = set()
    while len(pids) < 2:
        pids.add(pool.submit(os.getpid).result())
    print(*pids, flush=True)
    study_of(until=2000.0).run(2000, executor=2, progress=False, engine="simpy")
"""


INTERRUPTED = """
    import os, signal, sys, threading
    from bufsim_tests.models import study_of

    send = {"process": os.kill, "group": os.killpg}[sys.argv[1]]
    for pause in (0.0, 0.2):
        begun = []

        def tell(done, total):
            if not begun:
                begun.append(done)
                threading.Timer(pause, send, (os.getpid(), signal.SIGINT)).start()

        part = study_of(until=500.0).run(5000, executor=2, progress=tell, engine="simpy")
        print(part.complete, sum(map(len, part.tallies.values())) > 0, flush=True)
"""


@pytest.mark.usefixtures("interrupts_are_heard")
@pytest.mark.parametrize("whom", ["process", "group"])
def test_an_interrupt_prints_no_traceback_of_loky_or_of_a_worker(whom):
    """From a terminal all processes get it, from `kill` one does."""
    command = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), whom]
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True, timeout=120)
    assert done.stdout.splitlines() == 2 * ["False True"]
    assert done.stderr == ""


def hears_interrupts():
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_processes_do_not_hear_an_interrupt_from_their_start_on_and_their_parent_does():
    # in a new process, where all that loky needs is started with them
    code = (
        "from studies.test_processes import hears_interrupts; from bufsim.studies.processes import processes; "
        "print(processes(1).submit(hears_interrupts).result(), hears_interrupts())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]


def test_processes_end_with_their_parent_though_it_is_killed():
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        pids = set(map(int, process.stdout.readline().split()))
        assert len(pids) == 2
        process.send_signal(signal.SIGKILL)
    gone(pids)


def gone(pids):
    """Wait until processes are no more."""
    for _ in range(600):
        if not any(map(is_there, pids)):
            return
        time.sleep(0.05)
    raise AssertionError(f"still there: {[pid for pid in pids if is_there(pid)]}")


def is_there(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    # one that has ended may wait for somebody to take note of it
    return bool(state.strip()) and not state.startswith("Z")
