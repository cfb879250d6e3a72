"""The tuned numbers of training, each with what chose it, and the choices that follow from them.

Numbers that are tuned to the machine instead (sizes of shards, pieces of products and of decoding)
stand where they are used: `_execution.shards`, `_networks.products`, `_networks.chains`.
"""

from typing import NamedTuple

import numpy as np


class Start(NamedTuple):
    """How large the initial weights are, and how firmly the penalty holds the weights to them.

    Attributes
    ----------
    gain : float
        Standard deviation of the first layer's preactivations, for features of unit variance.
    radius : float
        Spectral radius of W_rec, and standard deviation of W_fb.
    stiffness : float
        Penalty of the hidden weights (towards the start) over that of the output weights (towards
        zero).
    weakest : float
        Input weights of the leaky unit that sees its inputs least, as a share of the gain.
    """

    gain: float
    radius: float
    stiffness: float
    weakest: float = 1.0


# Chosen by cross-validation on the training parts of ten sets; within a factor of three of each
# number little changes (benchmarks/README.md, ablation).
# Rich dynamics that forget slowly, for which an output layer is fitted first (Jaeger 2001;
# Lukosevicius 2012).
RESERVOIR = Start(gain=1.0, radius=0.9, stiffness=30.0)
# A reservoir that stays as it is: some units see their inputs weakly and are nearly linear, others
# saturate.
WIDE = RESERVOIR._replace(weakest=0.2)
# Near zero, where features are learnt instead of drawn (Chizat, Oyallon, Bach 2019).
SMALL = Start(gain=0.1, radius=0.1, stiffness=100.0)
# Weak units that forget slowly, so nearly linear ones: numbers at each step mostly are smooth
# functions of a long past. By held-out parts of nine series (benchmarks/README.md, "Numbers at each
# step").
SLOW = Start(gain=0.1, radius=0.9, stiffness=30.0)
# Near zero and free to go far: what a diagonal cell remembers stands in its decays, which have no
# penalty.
LOOSE = SMALL._replace(stiffness=3.0)
# Near zero, for output feedback.
FEEDBACK = SMALL._replace(stiffness=3.0)
# The same with a weaker pull where the outputs fed back are numbers: on three generated systems and
# parts of the tanks some simulations diverged from larger starts, and stronger pulls left too much
# to the linear model (benchmarks/README.md, "Numbers fed back").
FEEDBACK_OF_NUMBERS = SMALL._replace(stiffness=0.3)


class Starts(NamedTuple):
    """Where a cell starts from for labels of steps, of sequences, and for numbers at each step."""

    of_steps: Start
    of_sequences: Start
    of_numbers: Start


# By held-out parts of the training parts of eleven sets (benchmarks/README.md, "Cells").
CELL_STARTS = {
    "elman": Starts(SMALL, RESERVOIR, SLOW),
    "gru": Starts(SMALL, RESERVOIR, RESERVOIR._replace(stiffness=3.0)),
    "lstm": Starts(SMALL, Start(0.3, 0.5, 30.0), RESERVOIR._replace(stiffness=10.0)),
    "diagonal": Starts(LOOSE, LOOSE, LOOSE),
}

# Units of each block of the wide reservoir, and the leaks of the blocks; fewer units from so many
# steps in all on, where more cost time and win nothing. The penalties that leave-one-out chooses
# from: the features have a mean squared norm of one. All by cross-validation on the training parts
# of ten sets (benchmarks/README.md, "Small sets of series").
WIDE_UNITS, WIDE_UNITS_LONG, WIDE_LONG = 200, 100, 50_000
LEAKS = (1.0, 0.3, 0.1)
WIDE_POOLS = ("mean", "std", "max", "min", "positive", "last")
RIDGE_ALPHAS = tuple(np.logspace(-4, 2, 13).tolist())
# Where all weights are trained.
TRAINED_SIZES = (32,)
TRAINED_POOLS = ("last", "mean", "max")
DEFAULT_ALPHA = 0.1
# Of quantiles of whole sequences: outer ones overfit first. Two generated sets of 60 to 3,000
# series are best at 3 to 10.
QUANTILE_ALPHA = 5.0

# The penalty counts a sequence as one observation, and a long one as one for so many steps, since
# labels of neighbouring steps are alike. By held-out parts of training sets (benchmarks/README.md)
# 50 to 100 are best; at 50 and 60 some starts on protein_ss overfit for 1,000 iterations, at 75
# none does.
STEPS_PER_OBSERVATION = 75
# Steps of a piece of a long sequence, and steps that warm up its state. By held-out parts of four
# sets all pieces of 50 to 400 steps score as exact gradients do; these take the least time.
PIECE_STEPS, WARM_UP_STEPS = 200, 25

# Standard deviation of the indicators of missing values beside that of other features: what they
# tell is less than what they disturb, most so where units are drawn at random
# (benchmarks/README.md, "Missing values").
INDICATOR_SCALE = 0.1

# From this many sequences on, Adam takes less time than methods that read all of them for one step
# (benchmarks/sets.py, times to equal scores).
MANY_SEQUENCES = 2000
# Iterations of the other solvers at most: no set of benchmarks/quality.py reaches it.
MAX_ITERATIONS = 1000
# Adam needs as many minibatches for a large set as for a small one, but should see every sequence
# at least a few times (benchmarks/epochs.py).
ADAM_SEQUENCES, ADAM_MIN_EPOCHS = 64_000, 5
# Adam also takes fewer sequences where X is sparse and parameters are many, in fewer epochs: L-BFGS
# takes ten times as long there (1,000 sentences: .901 in 19 s, Adam .965 in 5 s).
SPARSE_SEQUENCES, SPARSE_PARAMETERS = 100, 100_000
SPARSE_ADAM_SEQUENCES, SPARSE_ADAM_MIN_EPOCHS = 16_000, 12
# Sequences of a minibatch. By cross-validation 32 do as well at the same cost, 64 worse.
MINIBATCH_SEQUENCES = 16
# Adam, chosen once by cross-validation on the training parts of five sets (benchmarks/README.md). A
# short memory of the squares (0.95 instead of 0.999) suits rare features, whose gradients change.
ADAM_STEP_SIZE, ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON = 0.01, 0.9, 0.95, 1e-8
# Levenberg-Marquardt: the damping of its first step, and the least scale of a parameter in it, as a
# share of the largest. On three tasks, 8 and 16 units, 3 seeds, least scales of 1e-5 to 1e-2 differ
# by a fifth of the Jacobians, .1 takes twice as many. The parameters that it is for: a Jacobian and
# its product take some P^2 operations a step.
LM_DAMPING, LM_LEAST_SCALE = 1e-3, 1e-3
LM_PARAMETERS = 2000
# Pairs of steps and gradients that L-BFGS keeps; 8 to 50 differ by noise.
LBFGS_PAIRS = 20
# `partial_fit`: iterations on a batch, and how strongly each sequence seen before (with output
# feedback: each step) holds all weights to their present values. By 3 folds of the Japanese vowels'
# training part, in batches of 30: .951 to .955 for a memory of .03 to .1, .941 at .3.
BATCH_ITERATIONS = 20
BATCH_MEMORY = 0.1


def choose_wide(solver, is_chosen, n_sequences, needs_iterations):
    """Return whether the units are a wide reservoir, and not trained themselves.

    Not if the user has chosen their size or cell, or if early stopping or batches need iterations.
    """
    if solver != "auto":
        return solver == "ridge"
    return n_sequences < MANY_SEQUENCES and not is_chosen and not needs_iterations


def choose_solver(
    solver, n_sequences, n_parameters, sparse_input, output_only=False, in_memory=True
):
    """Return what "auto" stands for."""
    if solver != "auto":
        return solver
    if not in_memory:
        return "lbfgs"
    if output_only and n_sequences < MANY_SEQUENCES:
        return "ridge"
    many_weights = sparse_input and n_parameters >= SPARSE_PARAMETERS
    least = SPARSE_SEQUENCES if many_weights else MANY_SEQUENCES
    return "adam" if n_sequences >= least else "lbfgs"


def choose_iterations(max_iter, solver, n_sequences, sparse_input):
    """Return what max_iter=None stands for."""
    if solver == "ridge":
        return 1
    if max_iter is not None:
        return max_iter
    if solver != "adam":
        return MAX_ITERATIONS
    if sparse_input and n_sequences < MANY_SEQUENCES:
        return max(SPARSE_ADAM_MIN_EPOCHS, round(SPARSE_ADAM_SEQUENCES / n_sequences))
    return max(ADAM_MIN_EPOCHS, round(ADAM_SEQUENCES / n_sequences))


def choose_piece_steps(n_steps, cell):
    """Return what truncated_bptt_steps="auto" stands for.

    A diagonal cell remembers more steps than warm up a piece, and is quick to read a long sequence.
    """
    if n_steps != "auto":
        return n_steps
    return None if cell == "diagonal" else PIECE_STEPS


def choose_wide_units(n_steps):
    """Return the units of each block of the wide reservoir, for so many steps of all sequences."""
    return WIDE_UNITS if n_steps <= WIDE_LONG else WIDE_UNITS_LONG


def choose_direct(sparse_input):
    """Return whether a tagger has a direct term.

    Dense features: it keeps what is learnt from few or noisy data as good as a linear model. Words:
    it brings nothing, costs conll2000 .007 and a third of the time, and input weights learn them.
    """
    return not sparse_input


def choose_start(
    per_step, hidden_feedback, sparse_input, output_only=False, of_numbers=False, cell="elman"
):
    """Return where training starts.

    A label of a whole sequence depends on what the dynamics make of dense input: there a reservoir
    is a good start. Labels of steps, and rare features, are better learnt from near zero; numbers
    at each step of dense input from units that forget slowly.
    """
    if not hidden_feedback:
        return FEEDBACK_OF_NUMBERS if of_numbers else FEEDBACK
    if output_only:
        return WIDE
    starts = CELL_STARTS[cell]
    if sparse_input:
        return starts.of_steps
    if per_step:
        return starts.of_numbers if of_numbers else starts.of_steps
    return starts.of_sequences
