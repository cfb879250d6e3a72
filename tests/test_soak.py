"""Nothing piles up over many fits; `benchmarks/soak.py` says the same of ten minutes."""

import threading
import tracemalloc

from benchmarks.soak import growth, soak

ROUNDS = 24


def test_memory_stays_flat_and_no_thread_is_left():
    n_threads = threading.active_count()
    tracemalloc.start()
    try:
        samples = soak(lambda number: number == ROUNDS)
    finally:
        tracemalloc.stop()
    # what is kept of each round would be kept twelve times from the second quarter to the last
    assert growth(samples).traced < 0.1
    assert samples[-1].threads == n_threads
