"""Pattern 3 with squared loss: numbers at each step, from the outputs of the steps before."""

from functools import partial

import numpy as np

from ._compat import StrOptions
from ._estimators.base import RecurrentEstimator, read_fitted
from ._estimators.lazy import by_partition
from ._estimators.step_numbers import StepNumbersMixin
from ._input.constraints import COUNT, layer_sizes
from ._input.labels import require_y
from ._input.targets import read_past_targets
from ._networks.network import IGNORE_OVERFLOW
from ._networks.number_feedback import OneStepAhead, Simulation


class OutputFeedbackRegressor(StepNumbersMixin, RecurrentEstimator):
    r"""Predict numbers at every step of a sequence by a network whose outputs feed back.

    What the network remembers are its last outputs (Narendra & Parthasarathy 1990 [1]_). With
    v_t = (o_{t-1}, ..., o_{t-L}), the outputs of the last L = `n_lags` steps:

    .. math::

        h_t = f(x_t W_{in} + v_t W_{fb} + b), \qquad
        o_t = h_t W_{out} + x_t W_{dir} + v_t W_{ar} + c.

    The last three terms alone are a linear model with exogenous inputs (ARX), to which the hidden
    units add. What stands for the outputs before the first step, o_0, is learnt, too, and shrunk
    towards the mean.

    **Teacher forcing** (NARX, or series-parallel). In training the true outputs are fed back, so
    that there is no loop over time: it learns to predict one step ahead, and is quick.

    **Free running** (NOE, or parallel). With ``teacher_forcing=False`` its own outputs are fed back
    in training, too, with gradients by backpropagation through time: it learns to simulate. Only
    at the first L steps of a sequence, or of a piece of one [2]_, are the true outputs fed back, so
    that it may start anywhere.

    Either kind can do both: `predict` simulates, from nothing or from what is known of the past,
    which is a forecast; `predict_one_step` takes the true outputs. Choose by what you need: over
    many steps the small errors of a model of one step add up, and it may diverge. x_t is the only
    input of a step: let :class:`~sklearn_rnn.preprocessing.ContextWindow` add those before it.

    Training minimises half the mean squared error over all steps, summed over the targets, plus an
    L2 penalty. Dense features and the targets are standardised within, so they need not be scaled.
    Outputs are fed back also from steps whose weight is 0.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(32,)
        Hidden units of each layer; a tuple stacks layers, of which the first gets the feedback.
    activation : {"tanh", "logistic", "relu", "identity"}, default="tanh"
        What f is. tanh and logistic are bounded, so that long sequences cannot overflow.
    n_lags : int, default=1
        How many past outputs are fed back. A system of order n, of which one output is measured,
        needs n at least; noise of the measurement needs more.
    teacher_forcing : bool, default=True
        Whether training feeds back the true outputs, or those of the network.
    sequence_id : str or int, default=None
        In a 2-D X, the column (name or position), or the name of the pandas index level, that tells
        sequences apart; the rows of a sequence must be contiguous. Without it, a 2-D X is one
        sequence.
    truncated_bptt_steps : "auto", int or None, default="auto"
        Truncated backpropagation through time: in free running, sequences that are half as long
        again are cut into pieces of about so many steps [2]_, each of which runs through the 25
        steps before it (or `n_lags`, if that is more) first, without their targets. "auto" is 200.
        None keeps sequences whole. Predictions always read whole sequences.
    solver : {"auto", "lbfgs", "adam", "trust-ncg"}, default="auto"
        Method of :func:`scipy.optimize.minimize`. "auto" is "adam" from 2,000 distinct sequences
        on (pieces of long ones count), with sparse X and 100,000 weights from 100 on, else "lbfgs".
        See :class:`PerStepRegressor`.
    alpha : float, default=0.1
        L2 penalty of the weights (not the biases), divided by the number of steps; sample weights
        count as repetitions. The output weights, the linear model and the initial outputs are
        shrunk towards zero, the hidden weights (0.3 times as strongly) towards their initial
        values; the input weights of sparse features no more strongly than the output weights.
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
        W_in of each layer.
    feedback_weights_ : ndarray of shape (L K, H)
        W_fb: first the rows of the K outputs of the step before, then of the one before that.
    hidden_biases_ : list of ndarray of shape (H,)
        b of each layer.
    output_weights_ : ndarray of shape (H, K)
        W_out.
    output_biases_ : ndarray of shape (K,)
        c.
    direct_weights_ : ndarray of shape (D, K)
        W_dir.
    autoregressive_weights_ : ndarray of shape (L K, K)
        W_ar, its rows as those of W_fb.
    initial_outputs_ : ndarray of shape (K,)
        o_0.
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
    PerStepRegressor : The hidden units feed back.
    OutputFeedbackTagger : A label at each step.

    References
    ----------
    .. [1] K. S. Narendra, K. Parthasarathy (1990). Identification and control of dynamical systems
       using neural networks. IEEE Transactions on Neural Networks 1(1).
    .. [2] A. H. Ribeiro, K. Tiels, J. Umenberger, T. B. Schön, L. A. Aguirre (2020). On the
       smoothness of nonlinear system identification. Automatica 121.

    Examples
    --------
    The level of a tank that leaks, from what flows in. Each record starts at another level:

    >>> import numpy as np
    >>> from sklearn_rnn import OutputFeedbackRegressor
    >>> rng = np.random.default_rng(0)
    >>> inflow = rng.random((60, 50, 1))
    >>> now, level = rng.uniform(0, 5, 60), np.zeros((60, 50))
    >>> for t in range(50):
    ...     now = level[:, t] = 0.9 * now - 0.02 * now**2 + inflow[:, t, 0]
    >>> regressor = OutputFeedbackRegressor(8, random_state=0).fit(inflow[:40], level[:40])
    >>> forecast = regressor.predict(inflow[40:, 10:], y_past=level[40:, :10])
    >>> forecast.shape
    (20, 40)
    >>> bool(abs(forecast - level[40:, 10:]).max() < 0.1)
    True
    """

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        **StepNumbersMixin._parameter_constraints,
        "n_lags": [COUNT],
        "teacher_forcing": ["boolean"],
        "truncated_bptt_steps": [StrOptions({"auto"}), COUNT, None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        activation="tanh",
        *,
        n_lags=1,
        teacher_forcing=True,
        sequence_id=None,
        truncated_bptt_steps="auto",
        solver="auto",
        alpha=0.1,
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
        self.n_lags = n_lags
        self.teacher_forcing = teacher_forcing
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
            "activation": self.activation,
            "n_lags": int(self.n_lags),
            "teacher_forcing": bool(self.teacher_forcing),
        }

    def _build_network(self, structure, n_features, n_outputs):
        pattern = OneStepAhead if structure["teacher_forcing"] else Simulation
        return pattern(
            n_features,
            structure["hidden_layer_sizes"],
            n_outputs,
            structure["activation"],
            structure["n_lags"],
        )

    def _feeds_labels_back(self):
        return True

    @by_partition
    def predict(self, X, y_past=None):
        """Numbers at each step, simulated: the network's own outputs are fed back.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.
        y_past : array-like, optional
            True outputs before the first step of each sequence, the last of them right before it:
            one array (m,), or (m, K) for K targets, for each sequence, of which the last `n_lags`
            are used; for a table without `sequence_id` the array. Without them, the outputs before
            the first step are `initial_outputs_`. With X from now on, and what is known so far, it
            is a forecast for all steps of X.

        Returns
        -------
        ndarray
            As y was in `fit`: (S, T) or (S, T, K) for a 3-D array, (N,) or (N, K) for a table, else
            an object array of S arrays (T_i,) or (T_i, K).

        Raises
        ------
        ValueError
            If `y_past` has fewer than `n_lags` outputs of a sequence, or not one array for each.
        """
        model, sequences = read_fitted(self, X)
        if y_past is None:
            return self._give_back(model, sequences, model.infer(sequences, self.n_jobs))
        n_lags = model.network.n_lags
        past = read_past_targets(y_past, sequences, n_lags, model.network.n_outputs)
        longer, is_step = sequences.after(n_lags)
        y = np.zeros((len(is_step), past.shape[2]))
        y[~is_step] = past.reshape(-1, past.shape[2])
        # the first steps are only there for their outputs
        function = partial(_simulate, n_given=n_lags)
        Z = model.map_sequences(longer, self.n_jobs, function, y)[is_step]
        return self._give_back(model, sequences, Z)

    def predict_one_step(self, X, y):
        """Numbers at each step from the true outputs of the steps before it.

        Parameters
        ----------
        X, y : array-like
            In any of the layouts of `fit`. The number of a step is not used for the step itself.

        Returns
        -------
        ndarray
            In the layout of `predict`.

        Raises
        ------
        ValueError
            If y does not fit X, or holds other numbers of targets than in `fit`.
        """
        model, sequences = read_fitted(self, X)
        require_y(self, y)
        targets = self._read_targets(model, sequences, y).y
        Z = model.map_sequences(sequences, self.n_jobs, _one_step, targets)
        return self._give_back(model, sequences, Z)


@IGNORE_OVERFLOW
def _simulate(network, p, shard, n_given):
    Z, _ = network.simulate(p, shard, n_given)
    return Z


@IGNORE_OVERFLOW
def _one_step(network, p, shard):
    Z, _ = network.one_step(p, shard)
    return Z
