"""BLAS held to one thread while threads of ours are at work."""

import threading
import weakref
from functools import cache

from threadpoolctl import ThreadpoolController

_lock = threading.RLock()  # one context may be closed, as it goes, while another is opened
_open = set()
_before = []  # libraries, and how many threads they had when nothing was open


class OneBlasThread:
    """A context in which BLAS has one thread; any number may be open, in any threads.

    The first one that is opened notes how many threads there were, and the last one that is closed
    gives them back. (Each for itself, as `threadpoolctl.threadpool_limits` does it, one that is
    opened within another's time would note one thread, and give that back for good.) An interrupt
    may cut the closing short; then it is done when the object goes.
    """

    def __enter__(self):
        self._key = object()
        self._at_last = weakref.finalize(self, _close, self._key)
        with _lock:
            if not _open:
                _before[:] = [(blas, blas.num_threads) for blas in _libraries()]
            _open.add(self._key)
            for blas, _ in _before:
                _set(blas, 1)

    def __exit__(self, *_):
        _close(self._key)
        self._at_last.detach()


def _close(key):
    """Whatever is done of this when an interrupt comes, it can be done again."""
    with _lock:
        if _open == {key}:
            for blas, n_threads in _before:
                _set(blas, n_threads)
        _open.discard(key)


def _set(blas, n_threads):
    """Set the threads of a library, whatever thread did so before.

    From threadpoolctl 3.8 on a thread that did keeps control, and others set nothing, without a
    word; here the last context to be closed need not be of the thread that opened the first.
    """
    give_up_control = getattr(blas, "clear_controlling_thread", lambda force: None)
    give_up_control(force=True)
    blas.set_num_threads(n_threads)
    give_up_control(force=True)


@cache
def _libraries():
    """All there are, once: to look for them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas").lib_controllers
