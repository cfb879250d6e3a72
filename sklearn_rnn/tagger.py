"""Pattern 1: hidden units recurrent, an output at every time step."""

from functools import partial

from ._compat import StrOptions
from ._estimators.base import RecurrentEstimator, read_fitted
from ._estimators.cells import CELL_CONSTRAINTS, cell_structure
from ._estimators.lazy import by_partition
from ._estimators.model import binary_margin
from ._estimators.tagging import TaggerMixin
from ._input.constraints import COUNT, layer_sizes
from ._input.weights import check_equal_in_sequences
from ._networks.crf import CRF, DECODINGS
from ._networks.direct import StepDirect
from ._networks.hidden_feedback import recurrent_network
from ._networks.network import IGNORE_OVERFLOW, infer_log, infer_logits
from ._networks.outputs import Softmax
from ._networks.transitions import Transitions


class SequenceTagger(TaggerMixin, RecurrentEstimator):
    r"""Label every step of a sequence by a recurrent network.

    The hidden units are recurrent, and there is an output, a target and a loss at every step t
    (Elman 1990 [1]_):

    .. math::

        h_t = f(x_t W_{in} + h_{t-1} W_{rec} + b), \qquad
        o_t = \operatorname{softmax}(h_t W_{out} + x_t W_{dir} + c), \qquad h_0 = 0.

    The direct term x_t W_dir, left out for sparse features, is a linear model of the step itself,
    to which the hidden units add (Mikolov 2012 [6]_). Training minimises the mean cross-entropy
    over all steps plus an L2 penalty, by L-BFGS or, with many sequences, by Adam [3]_: there is no
    learning rate to choose. It starts near zero, where features are learnt rather than drawn [4]_,
    and the penalty pulls the hidden weights back to there [5]_. Dense features are standardised
    within, so they need not be scaled. Long sequences are trained in pieces, side by side [7]_.

    With ``output="crf"`` the labels of a sequence are predicted together, by a conditional random
    field on the states (Lafferty et al. 2001 [8]_), whose probabilities are normalised over all
    label sequences:

    .. math::

        p(y \mid x) \propto \exp\Bigl( s_{y_1} + e_{y_T} + \sum_{t > 1} A_{y_{t-1}, y_t}
            + \sum_t (h_t W_{out} + x_t W_{dir} + c)_{y_t} \Bigr).

    So what comes later can revise what came before. Likelihood, marginals, the most probable
    sequence and samples are exact, by forward and backward recursions (Rabiner 1989 [9]_) in time
    of order N K^2. Its sequences are not cut into pieces.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(32,)
        Hidden units of each layer; a tuple stacks layers.
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
        Whether each layer has as many units again that read the sequence from its end [2]_.
    output : {"softmax", "crf"}, default="softmax"
        What stands on the states: "softmax" labels each step by itself, "crf" the whole sequence.
        A CRF takes one weight for each sequence: weights that differ between the steps of a
        sequence, also by `class_weight`, are refused.
    decoding : {"marginal", "viterbi"}, default="marginal"
        What `predict` of a CRF, and so `score` and early stopping, go by. "marginal" is the most
        probable label of each step, "viterbi" the most probable sequence of labels, both given the
        whole sequence. It changes nothing of `predict_proba`, nor, without early stopping, of what
        is learnt, so it can be set after `fit`. Without a CRF both are the same.
    allowed_transitions : {"IOB2", "BIOES"}, list of pairs or None, default=None
        Which labels may follow each other; None is all. Needs ``output="crf"``. What is not
        allowed has probability zero, in training and in all predictions, and must not occur in y.
        Either a scheme, for labels such as "B-name", "I-name" and "O"; or pairs (label before,
        label after), such as ``[("a", "b"), (None, "a")]``, where None before stands for the start
        of a sequence, None after for its end. Without a pair of the start (of the end), all labels
        may start (end) a sequence. Labels that y does not have are ignored.
    unlabeled : str, int, float or None, default=None
        What stands in y for a step without a label, as -1 does in :mod:`sklearn.semi_supervised`;
        NaN stands for all that is missing, also for None and pandas' NA. None is nothing: all steps
        must have a label. With ``output="crf"`` they are summed out, exactly: training maximises
        the probability of the labels that there are. With ``output="softmax"`` they have weight 0.
        `score` leaves them out.
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
    solver : {"auto", "lbfgs", "adam", "trust-ncg"}, default="auto"
        Method of :func:`scipy.optimize.minimize`. "auto" is "adam" from 2,000 distinct sequences
        on (pieces of long ones count), with sparse X and 100,000 weights from 100 on, else "lbfgs".

        - "lbfgs" is a quasi-Newton method, which looks at all sequences for every step.
        - "adam" (Kingma & Ba 2015) goes through minibatches of 16 whole sequences. There is no
          learning rate to choose: the step size is the same for all data and falls linearly to zero
          over `max_iter` epochs. The loss that it reports is the mean over an epoch.
        - "trust-ncg" is a Newton method with Gauss-Newton products: more expensive iterations;
          useful for long time lags.
    alpha : float, default=0.1
        L2 penalty of the weights (not the biases), divided by the number of observations. A
        sequence counts as one observation, and a long one as T / 75, as the labels of neighbouring
        steps are alike; sample weights count as repetitions. The output weights and the direct term
        are shrunk towards zero, the hidden weights (of Elman units 100 times as strongly) towards
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
    transition_weights_ : ndarray of shape (K, K)
        A of a CRF: the row is the label before. It has no penalty, like the biases.
    start_scores_, end_scores_ : ndarray of shape (K,)
        s and e of a CRF.
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
    features_with_gaps_ : ndarray of int, shape (G,)
        Features with missing values (NaN) in `fit`. Each has an indicator, whose weights are in G
        further rows of those of the features.
    feature_names_in_ : ndarray of str
        Column names of a table that has them.

    See Also
    --------
    OutputFeedbackTagger : The output feeds back, with exact inference.
    SequenceClassifier : One label for the whole sequence.

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
    .. [8] J. Lafferty, A. McCallum, F. Pereira (2001). Conditional random fields: probabilistic
       models for segmenting and labeling sequence data. ICML.
    .. [9] L. R. Rabiner (1989). A tutorial on hidden Markov models and selected applications in
       speech recognition. Proceedings of the IEEE 77(2).

    Examples
    --------
    >>> from sklearn_rnn import SequenceTagger
    >>> from sklearn_rnn.datasets import make_conversations
    >>> X, y = make_conversations(100, subset="train", random_state=0)
    >>> tagger = SequenceTagger(bidirectional=True, random_state=0).fit(X[:80], y[:80])
    >>> tagger.predict(X[80:])[0].shape == y[80].shape
    True
    >>> tagger.score(X[80:], y[80:]) > 0.9
    True
    """

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        **TaggerMixin._parameter_constraints,
        **CELL_CONSTRAINTS,
        "truncated_bptt_steps": [StrOptions({"auto"}), COUNT, None],
        "output": [StrOptions({"softmax", "crf"})],
        "decoding": [StrOptions(set(DECODINGS))],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        activation="tanh",
        *,
        cell="elman",
        bidirectional=False,
        output="softmax",
        decoding="marginal",
        allowed_transitions=None,
        unlabeled=None,
        sequence_id=None,
        truncated_bptt_steps="auto",
        solver="auto",
        alpha=0.1,
        max_iter=None,
        tol=3e-4,
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
        self.output = output
        self.decoding = decoding
        self.allowed_transitions = allowed_transitions
        self.unlabeled = unlabeled
        self.sequence_id = sequence_id
        self.truncated_bptt_steps = truncated_bptt_steps
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

    def _structure(self):
        if self.allowed_transitions is not None and self.output == "softmax":
            raise ValueError(
                "allowed_transitions needs output='crf': with output='softmax' no label depends on "
                "the label before."
            )
        return {
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes),
            **cell_structure(self),
            "direct": None,  # the data decide
            "output": self.output,
        }

    def _build_network(self, structure, n_features, n_outputs):
        return recurrent_network(
            n_features,
            structure["hidden_layer_sizes"],
            n_outputs,
            self._build_output(structure, n_outputs),
            structure["activation"],
            n_directions=1 + structure["bidirectional"],
            direct=StepDirect(n_features, n_outputs) if structure["direct"] else None,
            cell=structure["cell"],
        )

    def _build_output(self, structure, n_outputs):
        if structure["output"] == "softmax":
            return Softmax()
        return CRF(n_outputs, Transitions.of(structure["allowed_transitions"]))

    def _sums_labels_out(self):
        return self.output == "crf"

    def _check_weight(self, sequences, y, weight):
        if self.output == "crf":
            check_equal_in_sequences(weight, sequences)

    def _predictor(self):
        self._validate_params()  # decoding may have been set after `fit`
        return partial(_labels, self.decoding, super()._predictor())

    @by_partition
    def decision_function(self, X):
        """Logits at each step.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            In the layout of `predict_proba`, of which it is the logarithm up to a number for each
            step: the softmax of both is the same. A CRF gives the logarithm itself. With two
            classes, as scikit-learn has it, one value a step instead of two: the logit of
            ``classes_[1]`` less that of ``classes_[0]``.
        """
        model, sequences = read_fitted(self, X)
        function = infer_log if model.network.output.couples_steps else infer_logits
        return sequences.give_back(binary_margin(model.infer(sequences, self.n_jobs, function)))


@IGNORE_OVERFLOW
def _labels(decoding, predictor, network, p, shard):
    """Codes of labels, those of a CRF by its decoding, of other outputs by the predictor."""
    if not network.output.couples_steps:
        return predictor(network, p, shard)
    return network.output.decode(p, infer_logits(network, p, shard), shard.packing, decoding)
