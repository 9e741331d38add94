"""What a start waited for, read from disks and took at most: from the files that the kernel shows, or not at all."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

from bench.host.counters import Counters
from bench.probes.disk import own_pids, read_by
from bench.probes.memory import resident_peak_bytes
from bench.probes.waits import disturbance_ns, queue_ns, queues_ns


def test_run_queue_delay_is_of_all_living_threads(tmp_path: Path) -> None:
    for pid, delays in ((5, (3, 40)), (6, (500,))):
        for number, delay in enumerate(delays):
            task = tmp_path / f"proc/{pid}/task/{pid + 10 * number}"
            task.mkdir(parents=True)
            (task / "schedstat").write_text(f"1000 {delay} 7\n")
    assert queue_ns([5, 6], root=tmp_path) == 543
    found = queues_ns({"vmm": [5], "shim": [6], "workload": []}, root=tmp_path)
    assert found == {"queue.vmm": 43, "queue.shim": 500, "queue.total": 543}
    # A program of the workload may end between two looks.
    assert queue_ns([5, 8], root=tmp_path) == 43
    # Without one part there is no total, and a kernel that does not count is no zero.
    assert queues_ns({"vmm": [5], "shim": [7]}, root=tmp_path) == {"queue.vmm": 43}
    (tmp_path / "proc/6/task/6/schedstat").unlink()
    assert queue_ns([6], root=tmp_path) is None


def test_threads_that_have_to_wait_for_a_cpu_are_seen() -> None:
    """Three busy threads on one CPU: each waits while the others run."""
    before = queue_ns([os.getpid()])
    assert before is not None
    cpu = {min(os.sched_getaffinity(0))}
    read, begun, ended = threading.Event(), threading.Barrier(3), threading.Barrier(4)

    def burn() -> None:
        os.sched_setaffinity(0, cpu)
        # All want the CPU at once: one that is started late would wait for nobody.
        begun.wait()
        until = time.thread_time_ns() + 30_000_000
        while time.thread_time_ns() < until:
            # The interpreter's lock is not held meanwhile, so that all three are ready to run.
            hashlib.sha256(bytes(2**20)).digest()
        ended.wait()
        # The time of threads that have ended is lost.
        read.wait()

    threads = [threading.Thread(target=burn) for _ in range(3)]
    for thread in threads:
        thread.start()
    ended.wait()
    after = queue_ns([os.getpid()])
    read.set()
    for thread in threads:
        thread.join()
    assert after is not None
    assert after - before >= 20_000_000


def test_disturbances_are_numbers() -> None:
    before = Counters(steal_ns=5, pressure_ns={"cpu": 10, "io": 1})
    after = Counters(steal_ns=25, pressure_ns={"cpu": 40, "io": 1, "memory": 9})
    found = disturbance_ns(before, after, window_ns=100)
    assert found == {"trial.pressure.cpu": 30, "trial.pressure.io": 0, "trial.steal": 20, "trial.window": 100}
    assert disturbance_ns(Counters(), after, window_ns=100) == {"trial.window": 100}


def test_bytes_read_from_disks_and_the_peak_are_of_processes(tmp_path: Path) -> None:
    for pid, read in ((5, 4096), (6, 1000)):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/io").write_text(f"rchar: 9\nread_bytes: {read}\nwrite_bytes: 0\n")
        (tmp_path / f"proc/{pid}/status").write_text(f"Name:\tx\nVmHWM:\t {pid} kB\n")
    assert read_by([5, 6], root=tmp_path) == 5096
    # One that has ended is in its parent's counters, and one that cannot be read makes the sum unknown.
    assert read_by([5, 7], root=tmp_path) == 4096
    assert read_by([7], root=tmp_path) is None
    (tmp_path / "proc/8").mkdir()
    assert read_by([5, 8], root=tmp_path) is None
    assert own_pids({"vmm": [5], "shim": [6], "monitor": [8]}) == [5]
    assert resident_peak_bytes([5, 6], root=tmp_path / "proc") == 11 * 1024
    assert resident_peak_bytes([5, 7], root=tmp_path / "proc") is None
    assert resident_peak_bytes([], root=tmp_path / "proc") is None
