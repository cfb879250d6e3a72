"""Pattern 2: hidden units recurrent, one output after the whole sequence is read."""

from sklearn.base import ClassifierMixin

from ._compat import StrOptions
from ._estimators.base import read_fitted
from ._estimators.lazy import by_partition
from ._estimators.model import binary_margin
from ._estimators.pooled import PooledEstimator
from ._estimators.scores import score_labels
from ._estimators.targets import SEQUENCE, LabelTargets
from ._networks.network import infer, infer_log, infer_logits
from ._networks.outputs import Softmax

_FUNCTIONS = {
    "predict_proba": infer,
    "predict_log_proba": infer_log,
    "decision_function": infer_logits,
}


class SequenceClassifier(ClassifierMixin, PooledEstimator):
    r"""Classify whole sequences by a recurrent network.

    The hidden units are recurrent; one output, with one target and one loss, follows after the
    whole sequence of T steps is read:

    .. math::

        h_t = f(x_t W_{in} + h_{t-1} W_{rec} + b), \qquad
        o = \operatorname{softmax}(\operatorname{pool}(h_1, \ldots, h_T) W_{out} + c), \qquad
        h_0 = 0.

    Of few sequences only the output layer is fitted, in closed form, on the states of many units as
    they are drawn, a reservoir [1]_ [2]_. With many sequences, or where `hidden_layer_sizes` or a
    `cell` is chosen, all weights are trained by Adam [3]_ or L-BFGS, without a learning rate, to
    the least mean cross-entropy plus an L2 penalty, which pulls the hidden weights back to the
    start [4]_. That is a reservoir, too, whose output layer L-BFGS fits first; with sparse features
    it is near zero, where features are learnt rather than drawn [5]_. Dense features are
    standardised within, so they need not be scaled.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=None
        Hidden units of each layer; a tuple stacks layers. None is (32,), and where the solver is
        "ridge" three blocks of 200 units side by side (of 100 for more than 50,000 steps in all).
        If given, with solver="ridge", the units of each block; with "auto" all weights are trained.
    activation : {"tanh", "logistic", "relu", "identity"}, default="tanh"
        What f is. tanh and logistic are bounded, so that long sequences cannot overflow. With
        cell="diagonal" it acts on the inputs, before the recurrence. "gru" and "lstm" have tanh.
    cell : {"elman", "gru", "lstm", "diagonal"}, default="elman"
        What the hidden units are; their equations are in the user guide. "elman" are those above.
        "gru" (Cho et al. 2014) and "lstm" (Hochreiter & Schmidhuber 1997) have gates that learn
        what to keep. A "diagonal" unit sees no other unit and forgets at a learnt rate, h_t =
        exp(-exp(nu)) h_{t-1} + ... (Orvieto et al. 2023): it remembers longest, and reads long
        sequences fastest.
    bidirectional : bool, default=False
        Whether each layer has as many units again that read the sequence from its end.
    pooling : str or tuple of str, default=None
        What the output layer sees of the states of all steps: "last", the state after the last step
        (of units that read back: after the first); their "mean", "max", "min", standard deviation
        ("std"), or the share of steps at which they are "positive" (Dempster et al. 2020, ROCKET).
        Several are concatenated. None is ("last", "mean", "max"); with "ridge" all six.
    features_per_step : int, default=1
        In a 2-D X, where a row is a sequence: how many columns make one step. The columns hold all
        features of the first step, then all of the second, and so on.
    sequence_id : str or int, default=None
        In a 2-D X, where a row is a step: the column (name or position), or the name of the pandas
        index level, that tells sequences apart; the rows of a sequence must be contiguous. Without
        it, a row of a 2-D X is a sequence.
    solver : {"auto", "lbfgs", "adam", "trust-ncg", "ridge"}, default="auto"
        Method of :func:`scipy.optimize.minimize`, or "ridge". "auto" is "ridge" below 2,000
        distinct sequences, and "adam" from there on. Where hidden_layer_sizes, cell, early_stopping
        or `partial_fit` ask for weights that are trained, it is "lbfgs" below 2,000 (with sparse X
        and 100,000 weights below 100).

        - "lbfgs" is a quasi-Newton method, which looks at all sequences for every step.
        - "adam" (Kingma & Ba 2015) goes through minibatches of 16 whole sequences. There is no
          learning rate to choose: the step size is the same for all data and falls linearly to zero
          over `max_iter` epochs. The loss that it reports is the mean over an epoch.
        - "trust-ncg" is a Newton method with Gauss-Newton products: more expensive iterations;
          useful for long time lags.
        - "ridge" is for few sequences, where trained weights overfit: the hidden units stay as they
          are drawn, and the output layer is a ridge regression in closed form, whose penalty has
          the least leave-one-out loss. The units are in blocks that change
          their states at different speeds, h_t = (1 - l) h_{t-1} + l f(...) with l = 1, 0.3 and
          0.1 (Jaeger et al. 2007). Where all sequences have the same length, and leave-one-out
          prefers it, the output is a linear model of the inputs at each position instead. Takes
          time that grows with the cube of the number of sequences.
    alpha : float, default=None
        L2 penalty of the weights (not the biases), divided by the sum of the sample weights. It
        pulls the output layer to zero and, 30 times as strongly (Elman units), the hidden weights
        to where training starts (Li et al. 2018); the input weights of sparse features no more
        strongly than the output layer. None is 0.1; with "ridge" it is chosen from 1e-4 to 100 by
        leave-one-out, for pooled states that are scaled to a mean squared norm of one.
    max_iter : int, default=None
        Iterations of the solver at most, each of which sees all sequences about once ("trust-ncg":
        several times). None is 1,000, and for "adam" as many epochs as make about 64,000 sequences,
        at least 5 (16,000, at least 12, with sparse X and fewer than 2,000 sequences).
    tol : float, default=3e-3
        Training has converged when for `n_iter_no_change` iterations in a row the loss has not
        fallen by the share `tol` of itself, or the validation score not risen by `tol`. "adam"
        without early stopping goes through all its epochs.
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
    classes_ : ndarray of shape (K,)
        Class labels, sorted.
    input_weights_ : list of ndarray of shape (D, H)
        W_in of each layer; with two directions (D, 2 H), those of the units that read back last.
        A "gru" has 3 H instead of H columns, for its gates r, z and n side by side, an "lstm" 4 H,
        for i, f, g and o; so have the next two.
    recurrent_weights_ : list of ndarray of shape (H, H)
        W_rec of each layer; with two directions (2, H, H). With "ridge" of each block, (3, H, H),
        of two directions (6, H, H); the other weights have the blocks side by side.
    hidden_biases_ : list of ndarray of shape (H,)
        b of each layer; with two directions (2 H,).
    recurrent_biases_ : list of ndarray of shape (H,)
        d of each layer, with cell="gru": what its gate r multiplies with the last state.
    log_decay_rates_ : list of ndarray of shape (H,)
        nu of each layer, with cell="diagonal": a unit forgets in about exp(-nu) steps.
    output_weights_ : ndarray of shape (H * number of pools, K)
        W_out.
    output_biases_ : ndarray of shape (K,)
        c.
    direct_weights_ : ndarray of shape (T, D, K)
        With "ridge" and sequences of equal lengths: what the logits have of the inputs at
        each position, zero where the pooled states predict better (`output_weights_` otherwise).
    direct_biases_ : ndarray of shape (T, K)
        The bias that is added with each step's inputs; later steps count for nothing.
    loss_ : float
        Penalised training loss at the end (with "ridge" the leave-one-out loss).
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
    SequenceRegressor : Numbers instead of a label.
    SequenceTagger : A label for every step.

    References
    ----------
    .. [1] H. Jaeger (2001). The "echo state" approach to analysing and training recurrent neural
       networks. GMD Report 148.
    .. [2] M. Lukosevicius (2012). A practical guide to applying echo state networks. Neural
       Networks: Tricks of the Trade.
    .. [3] D. P. Kingma, J. Ba (2015). Adam: a method for stochastic optimization. ICLR.
    .. [4] X. Li, Y. Grandvalet, F. Davoine (2018). Explicit inductive bias for transfer learning
       with convolutional networks. ICML.
    .. [5] L. Chizat, E. Oyallon, F. Bach (2019). On lazy training in differentiable programming.
       NeurIPS.

    Examples
    --------
    >>> from sklearn_rnn import SequenceClassifier
    >>> from sklearn_rnn.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(subset="train", return_X_y=True)
    >>> X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
    >>> classifier = SequenceClassifier(random_state=0).fit(X, y)
    >>> classifier.predict_proba(X_test).shape
    (370, 9)
    >>> classifier.score(X_test, y_test) > 0.95
    True
    """

    _parameter_constraints = {
        **PooledEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _targets = LabelTargets(SEQUENCE)
    _METHODS = ("predict", *_FUNCTIONS)

    def __init__(
        self,
        hidden_layer_sizes=None,
        activation="tanh",
        *,
        cell="elman",
        bidirectional=False,
        pooling=None,
        features_per_step=1,
        sequence_id=None,
        solver="auto",
        alpha=None,
        max_iter=None,
        tol=3e-3,
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
        self.cell = cell
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.features_per_step = features_per_step
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

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train on sequences with a label each.

        Parameters
        ----------
        X : array-like
            S sequences, N steps in all, D features. One of

            - a 3-D array (S, T, D);
            - a list or object array of S arrays or CSR matrices (T_i, D);
            - a table (S, T * `features_per_step`), a row a sequence;
            - with `sequence_id`, a table (N, D), a row a step;
            - a Dask collection of these, see the user guide.
        y : array-like of shape (S,)
            A label for each sequence. With `sequence_id`, of a table: (N,), the same in all rows of
            a sequence; or a dict or pandas Series by sequence id.
        sample_weight : array-like of shape (S,), optional
            A weight for each sequence; with `sequence_id` laid out as y.
        X_val, y_val, sample_weight_val : array-like, optional
            A validation set of your own, in the layouts of X, y and sample_weight. Training stops
            early by the score on it, as `early_stopping` says, but holds out nothing of X.

        Returns
        -------
        self : object
            The fitted estimator. If `fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed; the message names the sequence and the step.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go on from the present weights with a batch of labelled sequences.

        For data that come in batches, or do not fit into memory. At most 20 iterations of L-BFGS
        (of "trust-ncg", if `solver` is that) minimise the mean loss over the batch plus a pull to
        the present weights, which grows with the weight of all that was seen before, as that of a
        Gaussian prior does. So a batch counts for its share of the data, and it is better to pass
        batches of some dozens of sequences than single ones. The batches should be drawn at random:
        one class after the other is not learnt, each makes the network forget the last.

        The first call starts as `fit` does; calls after `fit` go on from there. `n_init`,
        `max_iter` and `warm_start` do not matter; callbacks are not called. `loss_curve_` and
        `n_iter_` run on over all calls.

        Parameters
        ----------
        X : array-like
            A batch of sequences, in any of the layouts of `fit`.
        y : array-like
            Labels, as in `fit`.
        classes : array-like of shape (K,), optional
            All labels there will be, for the first call; without it those of its y.
        sample_weight : array-like, optional
            Weights, as in `fit`.

        Returns
        -------
        self : object
            The fitted estimator. If `partial_fit` fails, the estimator is as it was before.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed or holds a label that is not among the classes, or if
            `early_stopping` is True or `class_weight` "balanced".
        """
        return self._partial_fit(X, y, sample_weight, classes)

    @by_partition
    def predict(self, X):
        """Most probable label of each sequence.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray of shape (S,)
            Labels; with `sequence_id`, of a table (N,), one for each row.
        """
        return self._predict_rows(X, "predict")

    @by_partition
    def predict_proba(self, X):
        """Probability of each class for each sequence.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray of shape (S, K)
            Classes in the order of `classes_`; with `sequence_id`, of a table (N, K).
        """
        return self._predict_rows(X, "predict_proba")

    @by_partition
    def predict_log_proba(self, X):
        """Logarithm of the probability of each class for each sequence.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray of shape (S, K)
            Classes in the order of `classes_`; with `sequence_id`, of a table (N, K).
        """
        return self._predict_rows(X, "predict_log_proba")

    @by_partition
    def decision_function(self, X):
        """Logits of each sequence.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray of shape (S, K) or (S,)
            With two classes, as scikit-learn has it, the logit of ``classes_[1]`` less that of
            ``classes_[0]``. With `sequence_id`, of a table (N, K) or (N,).
        """
        return self._predict_rows(X, "decision_function")

    def _output(self, structure):
        return Softmax()

    def _infer(self, model, sequences, method):
        if method == "predict":
            return model.labels(sequences, self.n_jobs, self._predictor())
        values = model.infer(sequences, self.n_jobs, _FUNCTIONS[method])
        return binary_margin(values) if method == "decision_function" else values

    def score(self, X, y, sample_weight=None):
        """Accuracy.

        Parameters
        ----------
        X, y, sample_weight : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        float
            Weighted share of the sequences whose predicted label is the true one. It counts
            sequences, also those of a table with `sequence_id`, of which "accuracy" as a `scoring`
            of scikit-learn counts rows.

        Raises
        ------
        ValueError
            If y holds a label that was not seen in `fit`.
        """
        return score_labels(self, X, y, sample_weight)

    def _outcomes(self, X, y, sample_weight):
        """Return true and predicted labels, and their weights."""
        model, sequences = read_fitted(self, X)
        _, labels, weight = self._targets.read_known(sequences, y, sample_weight, model.classes)
        return labels, model.labels(sequences, self.n_jobs, self._predictor()), weight
