"""Which solver, how many iterations, and where training starts."""

import pytest

from sklearn_rnn._training.recipe import (
    FEEDBACK,
    MANY_SEQUENCES,
    RESERVOIR,
    SMALL,
    choose_iterations,
    choose_solver,
    choose_start,
)


@pytest.mark.parametrize(
    ("solver", "n_sequences", "chosen"),
    [
        ("auto", 1, "lbfgs"),
        ("auto", 1999, "lbfgs"),
        ("auto", 2000, "adam"),
        ("auto", 10**6, "adam"),
        *((solver, n, solver) for solver in ("lbfgs", "adam", "trust-ncg") for n in (1, 10**6)),
    ],
)
def test_choose_solver(solver, n_sequences, chosen):
    assert choose_solver(solver, n_sequences) == chosen


@pytest.mark.parametrize(
    ("max_iter", "solver", "n_sequences", "chosen"),
    [
        (None, "lbfgs", 10, 1000),
        (None, "trust-ncg", 10**6, 1000),
        # as many epochs as make 64,000 sequences, but five at least
        (None, "adam", 100, 640),
        (None, "adam", MANY_SEQUENCES, 32),
        (None, "adam", 10_000, 6),
        (None, "adam", 10**6, 5),
        *((7, solver, n, 7) for solver in ("lbfgs", "adam") for n in (10, 10**6)),
    ],
)
def test_choose_iterations(max_iter, solver, n_sequences, chosen):
    assert choose_iterations(max_iter, solver, n_sequences) == chosen


@pytest.mark.parametrize(
    ("per_step", "independent_steps", "sparse_input", "start"),
    [
        (False, False, False, RESERVOIR),
        (True, False, False, SMALL),
        (True, True, False, FEEDBACK),
        (True, True, True, FEEDBACK),
        (True, False, True, SMALL),
        (False, False, True, SMALL),
    ],
)
def test_choose_start(per_step, independent_steps, sparse_input, start):
    assert choose_start(per_step, independent_steps, sparse_input) == start
