"""Threads for the shards, and BLAS limited to one thread meanwhile."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import pytest
import threadpoolctl
from tasks import blas_threads, environment
from threadpoolctl import threadpool_limits

from sklearn_rnn._execution import threads
from sklearn_rnn._execution.threads import count_threads, shard_map

TELLS_LIMITS = hasattr(threadpoolctl.OpenBLASController, "_SHARED_STATE")
needs_two_cores = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="threads cannot be pinned to cores, or there is one core",
)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


@pytest.fixture
def two_blas_threads():
    """BLAS with two threads, that no `threadpool_limits` holds."""
    before = blas_threads()
    set_blas_threads(2)
    if set(blas_threads()) != {2}:
        pytest.skip("the number of threads of this BLAS cannot be set")
    yield
    for library, n_threads in zip(threads._blas_libraries(), before):
        threads._set_num_threads(library, n_threads)


def set_blas_threads(n_threads):
    for library in threads._blas_libraries():
        threads._set_num_threads(library, n_threads)


class InAnotherThread:
    """A context manager that is entered and left in a thread of its own."""

    def __init__(self, context):
        self._pool = ThreadPoolExecutor(1)
        self._context = context

    def __enter__(self):
        self._pool.submit(self._enter).result()
        return self

    def _enter(self):
        self._entered = self._context()
        self._entered.__enter__()

    def __exit__(self, *_):
        self._pool.submit(self._entered.__exit__, None, None, None).result()
        self._pool.shutdown()


def limit_in_another_thread(n_threads=1):
    return InAnotherThread(lambda: threadpool_limits(n_threads, user_api="blas"))


def call_in_another_thread(n_jobs=None):
    return InAnotherThread(lambda: shard_map(n_jobs))


def n_threads_used(map_):
    """Number of threads that work at the same time on eight parts."""
    n_running, most, lock = 0, 0, threading.Lock()

    def work(_):
        nonlocal n_running, most
        with lock:
            n_running += 1
            most = max(most, n_running)
        time.sleep(0.01)
        with lock:
            n_running -= 1

    list(map_(work, range(8)))
    return most


def interrupt(*_):
    raise KeyboardInterrupt


# --- the map


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 3, -1])
def test_results_are_in_order_and_blas_has_one_thread(n_jobs, two_blas_threads):
    with shard_map(n_jobs) as map_:
        assert set(blas_threads()) == {1}
        assert list(map_(lambda a, b: a - b, range(9), range(9))) == [0] * 9
        assert list(map_(str, range(50))) == [str(i) for i in range(50)]
        assert list(map_(str, range(1))) == ["0"]
        assert list(map_(str, [])) == []
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("window", [1, 2, 5, 50])
def test_window(window):
    waiting, lock, most = 0, threading.Lock(), 0

    def work(i):
        nonlocal waiting, most
        with lock:
            waiting += 1
            most = max(most, waiting)
        time.sleep(0.001)
        with lock:
            waiting -= 1
        return i

    with ThreadPoolExecutor(4) as pool:
        assert list(threads._map_in_window(pool, window, work, [range(20)])) == list(range(20))
    assert most <= window


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_an_exception_passes_through(n_jobs, two_blas_threads):
    with pytest.raises(ZeroDivisionError), shard_map(n_jobs) as map_:
        list(map_(lambda i: 1 / i, range(3)))
    assert set(blas_threads()) == {2}


def test_after_an_error_no_further_shard_is_started():
    started = []

    def work(i):
        started.append(i)
        time.sleep(0.02)
        if i == 0:
            raise ValueError

    with pytest.raises(ValueError), shard_map(2) as map_:
        for _ in map_(work, range(100)):
            pass
    assert len(started) < 10


# --- the number of threads


def test_count_threads():
    n_cores = joblib.cpu_count()
    assert [count_threads(n) for n in (None, 1, 2, 20)] == [1, 1, 2, 20]
    assert [count_threads(n) for n in (-1, -n_cores, -99)] == [n_cores, 1, 1]
    with pytest.raises(ValueError, match="n_jobs must not be 0"):
        count_threads(0)
    for backend in ("loky", "threading", "multiprocessing"):
        with joblib.parallel_config(backend, n_jobs=3):
            assert [count_threads(n) for n in (None, 1, 2)] == [3, 1, 2]
    with joblib.parallel_config("sequential"):
        assert count_threads(2) == 1


@pytest.mark.filterwarnings("ignore")  # of the cluster
def test_dask_does_not_change_the_number_of_threads():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 20, "dashboard_address": None}
    with distributed.LocalCluster(processes=False, **options) as cluster:
        with distributed.Client(cluster), joblib.parallel_config("dask"):
            assert [count_threads(n) for n in (None, 1, 2)] == [1, 1, 2]
            assert count_threads(-1) == joblib.cpu_count()
            in_workers = joblib.Parallel(2)(joblib.delayed(count_threads)(n) for n in (None, 2))
    assert in_workers == [1, 1]


def test_a_single_call_gets_the_threads_that_it_asks_for():
    for n_jobs in (1, 2, 3):
        with shard_map(n_jobs) as map_:
            assert n_threads_used(map_) == n_jobs


@pytest.mark.parametrize(
    ("n_jobs", "others", "expected"),
    [
        (2, [], 2),
        (16, [], 16),
        (8, [1], 7),
        (8, [8], 4),
        (2, [2], 2),
        (8, [2, 1], 5),
        (8, [8, 8, 8], 2),
        (2, [2] * 7, 1),
        (1, [8], 1),
    ],
)
def test_calls_side_by_side_share_the_cores(n_jobs, others, expected, monkeypatch):
    monkeypatch.setattr(threads, "_n_cores", lambda: 8)
    with threads._Call(n_jobs) as call:
        running = [threads._Call(n) for n in others]
        for other in running:
            other.__enter__()
        # 8 cores; 2 * 8 threads asked for are 1 each
        assert call.share_of_cores() == (expected if len(others) < 7 else 1)
        for other in running:
            other.__exit__()
        assert call.share_of_cores() == n_jobs


def test_a_call_uses_fewer_threads_while_others_run(monkeypatch):
    monkeypatch.setattr(threads, "_n_cores", lambda: 4)
    with shard_map(3) as map_:
        with call_in_another_thread(4):
            assert n_threads_used(map_) == 2
        assert n_threads_used(map_) == 3
        with call_in_another_thread(), call_in_another_thread(), call_in_another_thread():
            assert n_threads_used(map_) == 1
            assert list(map_(str, range(9))) == [str(i) for i in range(9)]
        assert n_threads_used(map_) == 3


@needs_two_cores
def test_threads_are_pinned_to_different_cores():
    cores = os.sched_getaffinity(0)
    barrier = threading.Barrier(2)
    with shard_map(2) as map_:
        one, other = map_(lambda _: barrier.wait() * 0 or os.sched_getaffinity(0), range(2))
    assert one and other and not one & other
    assert one | other == cores == os.sched_getaffinity(0)


# --- BLAS


def test_the_last_call_restores_blas(two_blas_threads):
    with shard_map(None):
        other = call_in_another_thread()
        other.__enter__()
    assert set(blas_threads()) == {1}
    other.__exit__()
    assert set(blas_threads()) == {2}


def test_an_interrupted_exit_is_repeated(two_blas_threads, monkeypatch):
    call = threads._Call(1)
    call.__enter__()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threads, "_set_num_threads", interrupt)
        call.__exit__()
    assert set(blas_threads()) == {1}
    del call
    gc.collect()
    assert set(blas_threads()) == {2}
    assert not threads._open


def test_an_interrupted_start_is_undone(two_blas_threads, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threads._Call, "limit_blas", interrupt)
        with shard_map(2):
            pass
    gc.collect()
    assert set(blas_threads()) == {2}
    assert not threads._open


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_limit_around_a_call_is_respected(n_threads, two_blas_threads):
    with threadpool_limits(n_threads, user_api="blas"):
        with shard_map(2):
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {n_threads}
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_limit_within_a_call_is_respected(n_threads, two_blas_threads):
    with shard_map(None) as map_:
        with limit_in_another_thread(n_threads):
            list(map_(str, range(2)))
            assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


@pytest.mark.skipif(not TELLS_LIMITS, reason="threadpoolctl < 3.8 does not tell of open limits")
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("maps", [False, True])
def test_a_limit_that_outlives_a_call_is_respected(n_threads, maps, two_blas_threads):
    limit = limit_in_another_thread(n_threads)
    with shard_map(None) as map_:
        limit.__enter__()
        if maps:
            list(map_(str, range(2)))
    assert all(n <= n_threads for n in blas_threads())
    # a call within the limit
    with shard_map(None):
        assert set(blas_threads()) == {1}
    assert all(n <= n_threads for n in blas_threads())
    limit.__exit__()
    # threadpoolctl has set what it found; the next call restores what there was before
    with shard_map(None):
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_limit_that_ends_within_a_call(n_threads, two_blas_threads):
    set_blas_threads(3)
    limit = limit_in_another_thread(n_threads)
    limit.__enter__()
    with shard_map(None) as map_:
        limit.__exit__()
        list(map_(str, range(2)))
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {3}


def test_a_limit_set_for_good_stays(two_blas_threads):
    for n_threads in (1, 2):
        set_blas_threads(n_threads)
        with shard_map(None):
            pass
        assert set(blas_threads()) == {n_threads}


def test_a_small_call_costs_some_microseconds():
    def seconds():
        start = time.perf_counter()
        for _ in range(100):
            with shard_map(None) as map_:
                list(map_(abs, [1]))
        return (time.perf_counter() - start) / 100

    assert min(seconds() for _ in range(20)) < 1e-4


# --- fork


FORK = """
import faulthandler, os, signal, sys, threading, time, warnings
from tasks import X, blas_threads, sign_so_far
from threadpoolctl import threadpool_limits
from sklearn_rnn import SequenceTagger
from sklearn_rnn._execution import threads

warnings.simplefilter("ignore")
for library in threads._blas_libraries():
    library.set_num_threads(2)
before = blas_threads()
tagger = SequenceTagger(4, max_iter=2, n_jobs=2, random_state=0).fit(X, sign_so_far(X))
expected = tagger.predict(X)
stop = threading.Event()

def load(estimator, n_jobs):
    while not stop.is_set():
        estimator.set_params(n_jobs=n_jobs).fit(X, sign_so_far(X))
        for _ in range(20):
            estimator.predict(X)

from sklearn.base import clone
running = [
    threading.Thread(target=load, args=(clone(tagger), n_jobs)) for n_jobs in (None, 2, None)
]
for thread in running:
    thread.start()
hung, wrong = 0, 0
for i in range(int(sys.argv[1])):
    time.sleep(0.003)
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(20)  # where it hangs
        ok = blas_threads() == before
        ok &= (tagger.predict(X) == expected).all()
        if i % 4 == 0:
            clone(tagger).fit(X, sign_so_far(X))
        ok &= blas_threads() == before
        os._exit(0 if ok else 1)
    deadline = time.monotonic() + 30
    while (done := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            hung += 1
            os.waitpid(pid, 0)
            break
        time.sleep(0.002)
    else:
        wrong += done[1] != 0
    if hung > 1:
        break
stop.set()
for thread in running:
    thread.join()
print("hung", hung, "wrong", wrong, "restored", blas_threads() == before)
"""


@needs_fork
def test_children_forked_under_load_do_not_hang():
    """Threads fit and predict while the process forks; each child predicts, some fit."""
    command = [sys.executable, "-W", "ignore", "-c", FORK, "40"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == "hung 0 wrong 0 restored True".split(), done.stderr


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_child_forked_within_a_call_works(two_blas_threads):
    with shard_map(2) as map_:
        list(map_(str, range(4)))
        pid = os.fork()
        if pid == 0:
            os._exit(check_child(map_))
        assert exit_code(pid) == 0
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


def check_child(map_):
    """Return 0 if a forked child can work on its own, and go on with the parent's call."""
    signal.alarm(20)
    ok = set(blas_threads()) == {2} and not threads._open
    ok &= list(map_(str, range(4))) == ["0", "1", "2", "3"]
    with shard_map(2) as own:
        ok &= list(own(str, range(4))) == ["0", "1", "2", "3"]
    return 0 if ok and set(blas_threads()) == {2} else 1


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_waits_for_the_lock(two_blas_threads):
    taken, released = threading.Event(), threading.Event()

    def take_lock():
        with threads._lock:
            taken.set()
            time.sleep(0.1)
            released.set()

    thread = threading.Thread(target=take_lock)
    with shard_map(2) as map_:
        thread.start()
        taken.wait()
        pid = os.fork()
        if pid == 0:
            os._exit(check_child(map_) or not released.is_set())
        assert exit_code(pid) == 0
    thread.join()


def exit_code(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
