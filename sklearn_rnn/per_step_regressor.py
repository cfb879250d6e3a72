"""Pattern 1 with squared loss: numbers at each step."""

from ._compat import StrOptions
from ._estimators.base import RecurrentEstimator
from ._estimators.cells import CELL_CONSTRAINTS, cell_structure
from ._estimators.least_squares import LeastSquaresMixin, with_lm
from ._estimators.quantiles import (
    LOSS_CONSTRAINTS,
    QuantileMixin,
    number_output,
    quantile_structure,
)
from ._estimators.step_numbers import StepNumbersMixin
from ._estimators.targets import STEP
from ._input.constraints import COUNT, layer_sizes
from ._networks.direct import StepDirect
from ._networks.hidden_feedback import recurrent_network


class PerStepRegressor(LeastSquaresMixin, QuantileMixin, StepNumbersMixin, RecurrentEstimator):
    r"""Predict one or several numbers at every step of a sequence by a recurrent network.

    The hidden units are recurrent, and there is an output, a target and a loss at every step t
    (Elman 1990 [1]_):

    .. math::

        h_t = f(x_t W_{in} + h_{t-1} W_{rec} + b), \qquad
        z_t = h_t W_{out} + x_t W_{dir} + c, \qquad h_0 = 0.

    The direct term x_t W_dir, left out for sparse features, is a linear model of the step itself,
    to which the hidden units add (Mikolov 2012 [6]_). Training minimises half the mean squared
    error over all steps, summed over the targets, plus an L2 penalty, by L-BFGS or, with many
    sequences, by Adam [3]_: there is no learning rate to choose. It starts from weak units that
    forget slowly, nearly a linear system (with sparse features near zero [4]_), and the penalty
    pulls the hidden weights back to there [5]_. Dense features and the targets are standardised
    within, so they need not be scaled, and all targets weigh the same. Long sequences are trained
    in pieces, side by side [7]_.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(32,)
        Hidden units of each layer; a tuple stacks layers.
    activation : {"tanh", "logistic", "relu", "identity"}, default="tanh"
        What f is. tanh and logistic are bounded, so that long sequences cannot overflow. With
        cell="diagonal" it acts on the inputs, before the recurrence. "gru" and "lstm" have tanh.
    loss : {"squared_error", "quantile"}, default="squared_error"
        What training minimises: the squared error, so that means are predicted, or the pinball loss
        [8]_, so that quantiles are; its edge is rounded, over a two-hundredth of the standard
        deviation of the targets.
    quantile : float or tuple of float, default=None
        With loss="quantile", the level between 0 and 1, or several that rise: (0.1, 0.5, 0.9) are
        the median and a band that holds four of five targets. All levels share the hidden units,
        and never cross, since they are put in order [9]_.
    cell : {"elman", "gru", "lstm", "diagonal"}, default="elman"
        What the hidden units are; their equations are in the user guide. "elman" are those above.
        "gru" (Cho et al. 2014) and "lstm" (Hochreiter & Schmidhuber 1997) have gates that learn
        what to keep. A "diagonal" unit sees no other unit and forgets at a learnt rate, h_t =
        exp(-exp(nu)) h_{t-1} + ... (Orvieto et al. 2023): it remembers longest, and reads long
        sequences fastest.
    bidirectional : bool, default=False
        Whether each layer has as many units again that read the sequence from its end [2]_.
    sequence_id : str or int, default=None
        In a 2-D X, the column (name or position), or the name of the pandas index level, that tells
        sequences apart; the rows of a sequence must be contiguous. Without it, a 2-D X is one
        sequence.
    truncated_bptt_steps : "auto", int or None, default="auto"
        Truncated backpropagation through time [7]_: in training, sequences that are half as long
        again are cut into pieces of about so many steps, each of which runs through the 25 steps
        before it first (with two directions, also those after it), without their targets. "auto" is
        200, with cell="diagonal" None. None keeps sequences whole, which lets gradients reach back
        further, and takes longer. Predictions always read whole sequences.
    solver : {"auto", "lbfgs", "adam", "trust-ncg", "lm"}, default="auto"
        Method of :func:`scipy.optimize.minimize`. "auto" is "adam" from 2,000 distinct sequences
        on (pieces of long ones count), with sparse X and 100,000 weights from 100 on, else "lbfgs".

        - "lbfgs" is a quasi-Newton method, which looks at all sequences for every step.
        - "adam" (Kingma & Ba 2015) goes through minibatches of 16 whole sequences. There is no
          learning rate to choose: the step size is the same for all data and falls linearly to zero
          over `max_iter` epochs. The loss that it reports is the mean over an epoch.
        - "trust-ncg" is a Newton method with Gauss-Newton products: more expensive iterations;
          useful for long time lags.
        - "lm" is the Levenberg-Marquardt method [10]_, on exact Jacobians: for squared loss, Elman
          units, dense X and up to 2,000 parameters. Few but expensive iterations; where units are
          few (4 to 16) and sequences long, it is there in a fraction of the time of "lbfgs".
    alpha : float, default=0.03
        L2 penalty of the weights (not the biases), divided by the number of observations. A
        sequence counts as one observation, and a long one as T / 75, as neighbouring steps are
        alike; sample weights count as repetitions. The output weights and the direct term
        are shrunk towards zero, the hidden weights (of Elman units 30 times as strongly) towards
        their initial values (Li et al. 2018 [5]_); the input weights of sparse features no more
        strongly than the output weights. Where much of the past has to be remembered, try less.
    max_iter : int, default=None
        Iterations of the solver at most, each of which sees all sequences about once ("trust-ncg":
        several times). None is 1,000, and for "adam" as many epochs as make about 64,000 sequences,
        at least 5 (16,000, at least 12, with sparse X and fewer than 2,000 sequences).
    tol : float, default=3e-4
        Training has converged when for `n_iter_no_change` iterations in a row the loss has not
        fallen by the share `tol` of itself, or the validation score not risen by `tol`. "adam"
        without early stopping goes through all its epochs.
    early_stopping : bool, default=False
        Hold out sequences, stop when the score on them improves no more, and keep the weights that
        scored best.
    validation_fraction : float, default=0.1
        Share of the sequences that early stopping holds out.
    n_iter_no_change : int, default=10
        Iterations without an improvement by `tol` before training stops.
    n_init : int, default=1
        How often to train, each time from other starting weights. What is kept is the best by
        validation score or, without early stopping, by penalised loss.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the last fit, in one run whatever `n_init` is.
        The penalty goes on pulling to where that fit had started, and `loss_curve_` and `n_iter_`
        run on.
    n_jobs : int, default=None
        Threads, as joblib counts them. They change the time only, never the result. In a worker of
        a parallel search there is one.
    random_state : int, RandomState instance or None, default=None
        Determines the starting weights, the minibatches and what early stopping holds out.
    verbose : int, default=0
        Whether to print the loss of each iteration.

    Attributes
    ----------
    input_weights_ : list of ndarray of shape (D, H)
        W_in of each layer; with two directions (D, 2 H), those of the units that read back last.
        A "gru" has 3 H instead of H columns, for its gates r, z and n side by side, an "lstm" 4 H,
        for i, f, g and o; so have the next two.
    recurrent_weights_ : list of ndarray of shape (H, H)
        W_rec of each layer; with two directions (2, H, H).
    hidden_biases_ : list of ndarray of shape (H,)
        b of each layer; with two directions (2 H,).
    recurrent_biases_ : list of ndarray of shape (H,)
        d of each layer, with cell="gru": what its gate r multiplies with the last state.
    log_decay_rates_ : list of ndarray of shape (H,)
        nu of each layer, with cell="diagonal": a unit forgets in about exp(-nu) steps.
    output_weights_ : ndarray of shape (H, K)
        W_out.
    output_biases_ : ndarray of shape (K,)
        c.
    direct_weights_ : ndarray of shape (D, K)
        W_dir; only with dense features.
    loss_ : float
        Penalised training loss at the end, for targets of unit variance.
    loss_curve_ : list of float
        Loss after each iteration.
    validation_scores_ : list of float or None
        Score on the held-out sequences after each iteration, with early stopping.
    n_iter_ : int
        Iterations of the solver.
    n_parameters_ : int
        Number of weights and biases.
    n_features_in_ : int
        Features of a step; of a table, its columns.
    features_with_gaps_ : ndarray of int, shape (G,)
        Features with missing values (NaN) in `fit`. Each has an indicator, whose weights are in G
        further rows of those of the features.
    feature_names_in_ : ndarray of str
        Column names of a table that has them.

    See Also
    --------
    SequenceRegressor : Numbers for the whole sequence.
    SequenceTagger : A label at each step.

    References
    ----------
    .. [1] J. L. Elman (1990). Finding structure in time. Cognitive Science 14(2).
    .. [2] M. Schuster, K. K. Paliwal (1997). Bidirectional recurrent neural networks. IEEE
       Transactions on Signal Processing 45(11).
    .. [3] D. P. Kingma, J. Ba (2015). Adam: a method for stochastic optimization. ICLR.
    .. [4] L. Chizat, E. Oyallon, F. Bach (2019). On lazy training in differentiable programming.
       NeurIPS.
    .. [5] X. Li, Y. Grandvalet, F. Davoine (2018). Explicit inductive bias for transfer learning
       with convolutional networks. ICML.
    .. [6] T. Mikolov (2012). Statistical language models based on neural networks. PhD thesis, Brno
       University of Technology.
    .. [7] R. J. Williams, J. Peng (1990). An efficient gradient-based algorithm for on-line
       training of recurrent network trajectories. Neural Computation 2(4).
    .. [8] R. Koenker, G. Bassett (1978). Regression quantiles. Econometrica 46(1).
    .. [9] V. Chernozhukov, I. Fernandez-Val, A. Galichon (2010). Quantile and probability curves
       without crossing. Econometrica 78(3).
    .. [10] D. W. Marquardt (1963). An algorithm for least-squares estimation of nonlinear
       parameters. Journal of the Society for Industrial and Applied Mathematics 11(2).

    Examples
    --------
    The level of a tank that leaks, from what flows in:

    >>> import numpy as np
    >>> from sklearn_rnn import PerStepRegressor
    >>> inflow = np.random.default_rng(0).random((60, 50, 1))
    >>> level = np.zeros((60, 50))
    >>> for t in range(50):
    ...     level[:, t] = 0.8 * level[:, t - 1] * (t > 0) + inflow[:, t, 0]
    >>> regressor = PerStepRegressor(random_state=0).fit(inflow[:40], level[:40])
    >>> regressor.predict(inflow[40:]).shape
    (20, 50)
    >>> regressor.score(inflow[40:], level[40:]) > 0.95
    True
    """

    _parameter_constraints = {
        **with_lm(RecurrentEstimator._parameter_constraints),
        **StepNumbersMixin._parameter_constraints,
        **CELL_CONSTRAINTS,
        **LOSS_CONSTRAINTS,
        "truncated_bptt_steps": [StrOptions({"auto"}), COUNT, None],
    }
    _unit = STEP

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        activation="tanh",
        *,
        loss="squared_error",
        quantile=None,
        cell="elman",
        bidirectional=False,
        sequence_id=None,
        truncated_bptt_steps="auto",
        solver="auto",
        alpha=0.03,
        max_iter=None,
        tol=3e-4,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        n_init=1,
        warm_start=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.quantile = quantile
        self.cell = cell
        self.bidirectional = bidirectional
        self.sequence_id = sequence_id
        self.truncated_bptt_steps = truncated_bptt_steps
        self.solver = solver
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.n_init = n_init
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _structure(self):
        return {
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes),
            **cell_structure(self),
            **quantile_structure(self),
            "direct": None,  # the data decide
        }

    def _build_network(self, structure, n_features, n_outputs):
        return recurrent_network(
            n_features,
            structure["hidden_layer_sizes"],
            n_outputs,
            number_output(structure["quantile"]),
            structure["activation"],
            n_directions=1 + structure["bidirectional"],
            direct=StepDirect(n_features, n_outputs) if structure["direct"] else None,
            cell=structure["cell"],
        )
