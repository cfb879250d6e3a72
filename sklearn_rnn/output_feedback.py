"""Pattern 3: the output feeds back into the hidden units, an output at every time step."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ._base import RecurrentEstimator, TaggerMixin
from ._cells import CELLS
from ._networks import FreeRunning, TeacherForced


class OutputFeedbackTagger(TaggerMixin, RecurrentEstimator):
    r"""Label every step of a sequence by a network whose output feeds back.

    The output, not the hidden unit, is what the network remembers (Jordan 1986 [1]_); there is an
    output, a target and a loss at every step t:

    .. math::

        h_t = f(x_t W_{in} + o_{t-1} W_{fb} + b), \qquad
        o_t = \operatorname{softmax}(h_t W_{out} + c),

    and a learnt vector stands for the feedback o_0 W_fb of the first step.

    With teacher forcing the previous label is fed back, one-hot, so that the network is a model
    p(y_t | x_t, y_{t-1}): a locally normalised first-order chain with a hidden layer, a neural
    maximum-entropy Markov model (McCallum et al. 2000 [2]_). Training then needs no loop over time,
    and inference is exact: `predict_proba` gives the causal marginals p(y_t | x_1, ..., x_t),
    summed over all previous labels, and `predict` their maximum, in time of order N K^2 H.

    Output feedback is less powerful than hidden feedback (Goodfellow et al. 2016 [3]_): what the
    output does not tell is forgotten. It suits sequences whose labels depend on their neighbours.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(32,)
        Hidden units of each layer; a tuple stacks layers, of which the first gets the feedback.
    activation : {"tanh", "logistic", "relu", "identity"}, default="tanh"
        What f is. tanh and logistic are bounded, so that long sequences cannot overflow.
    teacher_forcing : bool, default=True
        If True, o_{t-1} is the true previous label, one-hot, in training, and all that it may have
        been, exactly summed over, in prediction. If False, the unit's own softmax output feeds back
        in training and prediction alike, with gradients by backpropagation through time.
    sequence_id : str or int, default=None
        In a 2-D X, the column (name or position), or the name of the pandas index level, that tells
        sequences apart; the rows of a sequence must be contiguous. Without it, a 2-D X is one
        sequence.
    solver : {"auto", "lbfgs", "adam", "trust-ncg"}, default="auto"
        Method of :func:`scipy.optimize.minimize`. "auto" is "adam" from 2,000 distinct sequences
        on, else "lbfgs".

        - "lbfgs" is a quasi-Newton method, which looks at all sequences for every step.
        - "adam" (Kingma & Ba 2015) goes through minibatches of 16 whole sequences. There is no
          learning rate to choose: the step size is the same for all data and falls linearly to zero
          over `max_iter` epochs. The loss that it reports is the mean over an epoch.
        - "trust-ncg" is a Newton method with Gauss-Newton products: dearer iterations, for hard
          optimisation such as long lags.
    alpha : float, default=0.1
        L2 penalty of the weights (not the biases), divided by the sum of the sample weights of the
        sequences (of a sequence: their mean over its steps), or with teacher forcing of the steps.
        It pulls the output layer to zero and, 30 times as strongly, the hidden weights to where
        training starts (Li et al. 2018); the input weights of sparse features no more strongly than
        the output layer.
    max_iter : int, default=None
        Iterations of the solver at most, each of which sees all sequences about once ("trust-ncg":
        several times). None is 500, and for "adam" as many epochs as make about 64,000 sequences,
        at least 5.
    tol : float, default=1e-4
        Training has converged when the loss (or the validation score) has not improved by `tol` for
        `n_iter_no_change` iterations in a row.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class. "balanced" gives all classes the same weight in all.
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
        The penalty goes on pulling to where that fit had started.
    n_jobs : int, default=None
        Threads, as joblib counts them. They change the time only, never the result.
    random_state : int, RandomState instance or None, default=None
        Determines the starting weights, the minibatches and what early stopping holds out.
    verbose : int, default=0
        Whether to print the loss of each iteration.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        Class labels, sorted.
    input_weights_ : list of ndarray of shape (D, H)
        W_in of each layer.
    feedback_weights_ : ndarray of shape (K, H)
        W_fb.
    initial_feedback_ : ndarray of shape (H,)
        What stands for o_0 W_fb.
    hidden_biases_ : list of ndarray of shape (H,)
        b of each layer.
    output_weights_ : ndarray of shape (H, K)
        W_out.
    output_biases_ : ndarray of shape (K,)
        c.
    loss_ : float
        Penalised training loss at the end.
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
    feature_names_in_ : ndarray of str
        Column names of a table that has them.

    See Also
    --------
    SequenceTagger : The hidden units feed back.

    References
    ----------
    .. [1] M. I. Jordan (1986). Serial order: a parallel distributed processing approach. ICS Report
       8604, University of California, San Diego.
    .. [2] A. McCallum, D. Freitag, F. Pereira (2000). Maximum entropy Markov models for information
       extraction and segmentation. ICML.
    .. [3] I. Goodfellow, Y. Bengio, A. Courville (2016). Deep Learning, section 10.2.1. MIT Press.

    Examples
    --------
    >>> from sklearn_rnn import OutputFeedbackTagger
    >>> from sklearn_rnn.datasets import make_conversations
    >>> X, y = make_conversations(40, subset="train", random_state=0)
    >>> tagger = OutputFeedbackTagger(random_state=0).fit(X[:30], y[:30])
    >>> tagger.predict_proba(X[30:])[0].shape[1]
    9
    >>> tagger.score(X[30:], y[30:]) > 0.8
    True
    """

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        "teacher_forcing": ["boolean"],
        "sequence_id": [str, Integral, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        activation="tanh",
        *,
        teacher_forcing=True,
        sequence_id=None,
        solver="auto",
        alpha=0.1,
        max_iter=None,
        tol=1e-4,
        class_weight=None,
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
        self.teacher_forcing = teacher_forcing
        self.sequence_id = sequence_id
        self.solver = solver
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.n_init = n_init
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _network(self, n_features, n_outputs):
        pattern = TeacherForced if self.teacher_forcing else FreeRunning
        return pattern(n_features, self._layer_sizes(), n_outputs, CELLS[self.activation])

    def _get_parameters(self, dtype):
        p = {
            "W_fb": np.vstack([self.feedback_weights_, self.initial_feedback_]),
            "W_out": self.output_weights_,
            "c": self.output_biases_,
        }
        for i, (W_in, b) in enumerate(zip(self.input_weights_, self.hidden_biases_)):
            p |= {f"W_in{i}": W_in, f"b{i}": b}
        return {name: value.astype(dtype) for name, value in p.items()}

    def _set_parameters(self, p):
        layers = range(len(self._layer_sizes()))
        self.input_weights_ = [p[f"W_in{i}"] for i in layers]
        self.hidden_biases_ = [p[f"b{i}"] for i in layers]
        self.feedback_weights_, self.initial_feedback_ = p["W_fb"][:-1], p["W_fb"][-1]
        self.output_weights_, self.output_biases_ = p["W_out"], p["c"]
