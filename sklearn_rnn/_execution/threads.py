"""Threads for the shards, with BLAS limited to one thread while they work.

BLAS would split products of a few hundred rows among threads of its own, which costs more than it
gains, competes with our threads, and makes the last bits depend on the number of cores. Most BLAS
libraries have one number of threads for the whole process, so these rules apply:

- BLAS has one thread while at least one of our calls is open, in any thread. After the last call
  it gets the number back that it had before.
- A number that somebody else sets meanwhile is noted and restored, but not used while a call is
  open.
- If `threadpool_limits` was opened elsewhere during a call and is still open after it, BLAS keeps
  one thread. `threadpool_limits` will "restore" the one thread that it found, so the next call of
  ours that starts after it restores the earlier number when it ends. Until then BLAS has one
  thread. Only threadpoolctl 3.8 and later tells whether a limit is open; with earlier versions BLAS
  gets its threads back inside this limit, and has one thread after it.
"""

import os
import sys
import threading
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import count

import joblib
from joblib.parallel import LokyBackend, MultiprocessingBackend, SequentialBackend, ThreadingBackend
from threadpoolctl import ThreadpoolController

_lock = threading.RLock()  # reentrant, since the garbage collector may close a call at any time
_open = {}  # key of each open call -> threads that it asked for
_guards = {}  # key of each open call -> weak reference that closes it when the call is deleted
_before = {}  # BLAS library -> its number of threads before the open calls
_owed = {}  # BLAS library -> number that could not be restored, because of a limit of others
_limiter_before = None  # thread that had a `threadpool_limits` open before the open calls


@contextmanager
def shard_map(n_jobs):
    """Provide a function like `map` that runs on ``n_jobs`` threads, counted as joblib counts.

    Results come in order. BLAS has one thread meanwhile.
    """
    n_threads = count_threads(n_jobs)
    with _Call(n_threads) as call:
        if n_threads == 1:
            yield partial(_map_here, call)
            return
        pool = ThreadPoolExecutor(
            n_threads, initializer=_pin_to_cores, initargs=(call, count(), n_threads)
        )
        try:
            yield partial(_map_on_threads, call, pool)
        finally:
            # after an error or Ctrl-C wait for the running shards only
            pool.shutdown(cancel_futures=True)


def count_threads(n_jobs):
    """Return the number of threads that ``n_jobs`` means here; 1 in a worker of joblib.

    The threads are local ones. So a backend that sends jobs elsewhere, like Dask, has no say in
    their number (its ``effective_n_jobs`` counts the cores of the cluster).
    """
    if n_jobs == 1:
        return 1
    backend, backend_n_jobs = joblib.parallel.get_active_backend()
    # a worker has its share of the cores already
    if backend.nesting_level or isinstance(backend, SequentialBackend):
        return 1
    if not isinstance(backend, (LokyBackend, MultiprocessingBackend, ThreadingBackend)):
        backend_n_jobs = 1
        if _is_dask_worker():  # joblib counts no nesting levels there
            return 1
    if n_jobs is None:
        n_jobs = 1 if backend_n_jobs is None else backend_n_jobs
    if n_jobs == 0:
        raise ValueError("n_jobs must not be 0.")
    return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)


def _is_dask_worker():
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _map_here(call, function, *parts):
    """Map in the calling thread."""
    call.limit_blas()
    return map(function, *parts)


def _map_on_threads(call, pool, function, *parts):
    """Map on as many threads of the pool as the call may use now."""
    n_parts = len(parts[0])
    # a single part is faster in this thread
    n_threads = 1 if n_parts == 1 else call.share_of_cores()
    if n_threads == 1:
        return _map_here(call, function, *parts)
    call.limit_blas()
    # The executor's queue is the shortest way, but would use all threads of the pool.
    window = n_parts if n_threads == call.n_threads else n_threads
    return _map_in_window(pool, window, function, parts)


def _map_in_window(pool, window, function, parts):
    """Yield the results in order, with at most ``window`` parts submitted at a time."""
    futures = deque()
    try:
        for arguments in zip(*parts):
            if len(futures) == window:
                yield futures.popleft().result()
            futures.append(pool.submit(function, *arguments))
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()


def _pin_to_cores(call, numbers, n_threads):
    """Pin the calling thread, one of ``n_threads`` of a pool, to cores of its own.

    The threads wake each other hundreds of times per shard, when they pass on Python's global
    lock. Linux places threads that wake each other on the same core, and the second core is idle:
    without this, two threads are 0.9 to 1.7 times as fast as one, with it 1.5 to 1.8 times.
    """
    number = next(numbers)
    # Calls side by side would pin their threads to the same cores.
    if call.is_alone() and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        with suppress(OSError):  # fewer cores than threads, or not permitted
            os.sched_setaffinity(0, cores[number::n_threads])


class _Call:
    """A context in which BLAS has one thread, and a share of the cores; calls may overlap.

    `threadpool_limits` cannot do this: opened while another one is open, it notes one thread as
    the number to restore, and BLAS keeps one thread if it is closed last.
    """

    def __init__(self, n_threads):
        self.n_threads = n_threads
        self._key = object()

    def __enter__(self):
        global _limiter_before
        with _lock:
            if not _open:
                _limiter_before = _limiting_thread()
                _take_back_debts()
            key = self._key
            # An interrupt may prevent `__exit__`, or stop it half-way. (A `__del__` would run after
            # every call, and would swallow an interrupt that comes while it runs.)
            _guards[key] = weakref.ref(self, lambda _: _close(key))
            _open[key] = self.n_threads
        self.limit_blas()
        return self

    def __exit__(self, *_):
        _close(self._key)

    def is_alone(self):
        with _lock:
            return list(_open) == [self._key]

    def share_of_cores(self):
        """Return the number of threads that this call may use now.

        Alone, as many as asked for. Calls side by side share the cores: each gets an equal share,
        or more if the others ask for less. Eight threads that each predict on two threads would
        otherwise spend their time on passing on Python's global lock.
        """
        with _lock:
            if self._key not in _open:  # a forked child, where the pool has no threads
                return 1
            others = sum(_open.values()) - self.n_threads
            if not others:
                return self.n_threads
            n_cores = _n_cores()
            return min(self.n_threads, max(1, n_cores - others, n_cores // len(_open)))

    def limit_blas(self):
        """Limit BLAS to one thread, also if somebody has set another number since."""
        if any(library.num_threads != 1 for library in _blas_libraries()):
            with _lock:
                for library in _blas_libraries():
                    n_threads = library.num_threads
                    if n_threads != 1:
                        # The larger one is the number before all limits: a limit that was opened
                        # during the call is lower than the number before it, and one that was
                        # closed has restored the higher number.
                        _before[library] = max(n_threads, _before.get(library, 1))
                        _set_num_threads(library, 1)


def _close(key):
    """Close a call; if an interrupt stops this half-way, it can be repeated."""
    with _lock:
        if not _open.keys() - {key}:
            limiter = _limiting_thread()
            limited_since = limiter is not None and limiter is not _limiter_before
            for library, n_threads in list(_before.items()):
                if library.num_threads != 1 or limited_since:
                    _owed[library] = n_threads
                else:
                    _set_num_threads(library, n_threads)
                del _before[library]
        _open.pop(key, None)
        _guards.pop(key, None)


def _take_back_debts():
    """Plan to restore the numbers of threads that earlier calls could not restore."""
    if _limiting_thread() is None:
        for library in list(_owed):
            if library.num_threads == 1:
                _before[library] = _owed[library]
            del _owed[library]


def _limiting_thread():
    """Return the thread that has a `threadpool_limits` open; None if unknown (threadpoolctl < 3.8).

    threadpoolctl notes it for OpenBLAS, in an attribute that is not public.
    """
    for library in _blas_libraries():
        state = getattr(library, "_SHARED_STATE", None)
        thread = getattr(state, "controlling_thread", None)
        if thread is not None and thread.is_alive():
            return thread
    return None


def _set_num_threads(library, n_threads):
    """Set the number of threads of a BLAS library, from any thread.

    From threadpoolctl 3.8 on the public method does nothing, without an error, where another
    thread has a `threadpool_limits` open. Our last call may end in another thread than the first.
    """
    getattr(library, "_real_set_num_threads", library.set_num_threads)(n_threads)


@cache
def _n_cores():
    """Return the number of cores; cached, since joblib reads files for it (50 microseconds)."""
    return joblib.cpu_count()


@cache
def _blas_libraries():
    """Return the controllers of all BLAS libraries; cached, since the search takes milliseconds."""
    return ThreadpoolController().select(user_api="blas").lib_controllers


# A process may fork while other threads are inside our calls (a prefork server, a pool of processes
# beside a fit). These threads do not exist in the child: a lock that one of them holds would stay
# locked there, and BLAS would keep one thread. OpenBLAS has a lock, too, while its number of
# threads is set. So a fork waits until no thread holds our lock, and the child starts without open
# calls.


def _before_fork():
    _lock.acquire()


def _after_fork_in_parent():
    _lock.release()


def _after_fork_in_child():
    global _lock
    _lock = threading.RLock()
    _open.clear()
    _guards.clear()
    for library, n_threads in _before.items():
        _set_num_threads(library, n_threads)
    _before.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
