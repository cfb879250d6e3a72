"""When training stops, and which weights are kept."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_rnn._training.monitor import Monitor


def watch(monitor, losses):
    """Number of losses after which the monitor ends training, or None."""
    for n, loss in enumerate(losses, start=1):
        try:
            monitor(np.array([n]), loss)
        except StopIteration:
            return n
    return None


@pytest.mark.parametrize(
    ("losses", "stop"),
    [
        ([5, 4, 3, 2, 1, 0], None),
        ([5, 5, 5, 5, 5, 5], 4),
        ([5, 4, 4, 4, 3, 3, 3], None),
        ([5, 4, 4, 4, 4, 3], 5),
        # smaller, but not by tol
        ([5, 4.95, 4.9, 4.85, 4.8], 4),
        # each is smaller than the one before, but not than the smallest
        ([5, 9, 8, 7, 6], 4),
    ],
)
def test_monitor_stops(losses, stop):
    monitor = Monitor(tol=0.1, n_iter_no_change=3)
    assert watch(monitor, losses) == stop
    assert monitor.loss_curve == losses[:stop]
    assert monitor.validation_scores == []


def test_monitor_keeps_the_weights_of_the_best_score():
    scores = iter([0.5, 0.8, 0.6, 0.8, 0.7])
    monitor = Monitor(tol=0.0, n_iter_no_change=3, validate=lambda w: next(scores))
    # although the loss falls further
    assert watch(monitor, [5, 4, 3, 2, 1]) == 5
    assert monitor.validation_scores == [0.5, 0.8, 0.6, 0.8, 0.7]
    assert_array_equal(monitor.w, [2])


def test_monitor_has_the_merit_of_the_weights_it_keeps():
    monitor = Monitor(0.0, 5)
    assert monitor.merit == -np.inf
    watch(monitor, [5, 3, 4])
    assert monitor.merit == -3 == -monitor.loss
    scores = iter([0.5, 0.8, 0.6])
    monitor = Monitor(0.0, 5, validate=lambda w: next(scores))
    watch(monitor, [5, 4, 3])
    assert monitor.merit == 0.8
    assert monitor.loss == 4


def test_monitor_prints_if_verbose(capsys):
    watch(Monitor(0.0, 5), [1.0])
    assert capsys.readouterr().out == ""
    watch(Monitor(0.0, 5, verbose=1), [1.0, 0.5])
    watch(Monitor(0.0, 5, validate=lambda w: 0.25, verbose=1), [1.0])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["Iteration 1", "Iteration 2", "Iteration 1"]
    assert "loss = 0.50000000" in lines[1]
    assert "validation score = 0.250000" in lines[2]


def test_monitor_asks_whether_to_stop():
    best = []

    def stop(w):
        best.append(w.tolist())
        return len(best) == 4

    monitor = Monitor(0.0, np.inf, stop=stop)
    assert watch(monitor, [5, 3, 4, 2, 1]) == 4
    assert best == [[1], [2], [2], [4]]  # the best so far
    assert monitor.loss_curve == [5, 3, 4, 2]
