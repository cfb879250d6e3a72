"""Which solver, how many iterations, and where training starts."""

import pytest

from sklearn_rnn._training.recipe import (
    FEEDBACK,
    FEEDBACK_OF_NUMBERS,
    MANY_SEQUENCES,
    RESERVOIR,
    SLOW,
    SMALL,
    choose_iterations,
    choose_solver,
    choose_start,
    choose_wide,
)


@pytest.mark.parametrize(
    ("solver", "n_sequences", "n_parameters", "sparse_input", "chosen"),
    [
        ("auto", 1, 10**7, False, "lbfgs"),
        ("auto", 1999, 10**7, False, "lbfgs"),
        ("auto", 2000, 10, False, "adam"),
        ("auto", 10**6, 10, True, "adam"),
        # many weights of words, for which L-BFGS is slow
        ("auto", 99, 100_000, True, "lbfgs"),
        ("auto", 100, 99_999, True, "lbfgs"),
        ("auto", 100, 100_000, True, "adam"),
        *((s, n, 10**6, True, s) for s in ("lbfgs", "adam", "trust-ncg") for n in (1, 10**6)),
    ],
)
def test_choose_solver(solver, n_sequences, n_parameters, sparse_input, chosen):
    assert choose_solver(solver, n_sequences, n_parameters, sparse_input) == chosen


@pytest.mark.parametrize("sparse_input", [True, False])
def test_choose_solver_where_only_the_output_is_fitted(sparse_input):
    # a kernel of many sequences would not fit into memory
    few, many = ("auto", MANY_SEQUENCES - 1), ("auto", MANY_SEQUENCES)
    assert choose_solver(*few, 10**6, sparse_input, output_only=True) == "ridge"
    assert choose_solver(*many, 10**6, sparse_input, output_only=True) == "adam"
    assert choose_solver("lbfgs", 5, 10, sparse_input, output_only=True) == "lbfgs"


@pytest.mark.parametrize(
    ("solver", "is_sized", "n_sequences", "needs_iterations", "wide"),
    [
        ("auto", False, MANY_SEQUENCES - 1, False, True),
        ("auto", False, MANY_SEQUENCES, False, False),
        ("auto", True, 10, False, False),
        ("auto", False, 10, True, False),
        ("lbfgs", False, 10, False, False),
        ("ridge", True, 10**5, True, True),
    ],
)
def test_choose_wide(solver, is_sized, n_sequences, needs_iterations, wide):
    assert choose_wide(solver, is_sized, n_sequences, needs_iterations) == wide


@pytest.mark.parametrize(
    ("max_iter", "solver", "n_sequences", "sparse_input", "chosen"),
    [
        (None, "lbfgs", 10, False, 1000),
        (None, "trust-ncg", 10**6, True, 1000),
        # as many epochs as make 64,000 sequences, but five at least
        (None, "adam", 100, False, 640),
        (None, "adam", MANY_SEQUENCES, True, 32),
        (None, "adam", 10_000, True, 6),
        (None, "adam", 10**6, False, 5),
        # fewer for few sequences of sparse features
        (None, "adam", 200, True, 80),
        (None, "adam", MANY_SEQUENCES - 1, True, 12),
        *((7, solver, n, False, 7) for solver in ("lbfgs", "adam") for n in (10, 10**6)),
    ],
)
def test_choose_iterations(max_iter, solver, n_sequences, sparse_input, chosen):
    assert choose_iterations(max_iter, solver, n_sequences, sparse_input) == chosen


@pytest.mark.parametrize(
    ("per_step", "hidden_feedback", "sparse_input", "start"),
    [
        (False, True, False, RESERVOIR),
        (True, True, False, SMALL),
        (True, False, False, FEEDBACK),
        (True, False, True, FEEDBACK),
        (True, True, True, SMALL),
        (False, True, True, SMALL),
    ],
)
def test_choose_start(per_step, hidden_feedback, sparse_input, start):
    assert choose_start(per_step, hidden_feedback, sparse_input) == start


def test_choose_start_of_numbers():
    assert choose_start(True, True, False, of_numbers=True) == SLOW
    assert choose_start(True, True, True, of_numbers=True) == SMALL
    assert choose_start(False, True, False, of_numbers=True) == RESERVOIR
    for sparse_input in (False, True):
        start = choose_start(True, False, sparse_input, of_numbers=True)
        assert start == FEEDBACK_OF_NUMBERS
