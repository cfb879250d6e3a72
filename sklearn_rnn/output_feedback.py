"""Pattern 3: the output feeds back into the hidden units, an output at every time step."""

from functools import partial

from ._compat import StrOptions
from ._estimators.base import RecurrentEstimator
from ._estimators.tagging import TaggerMixin
from ._input.constraints import layer_sizes
from ._networks.chains import DECODERS
from ._networks.network import IGNORE_OVERFLOW
from ._networks.output_feedback import FreeRunning, TeacherForced
from ._networks.transitions import Transitions


class OutputFeedbackTagger(TaggerMixin, RecurrentEstimator):
    r"""Label every step of a sequence by a network whose output feeds back.

    The output, not the hidden unit, is what the network remembers (Jordan 1986 [1]_); there is an
    output, a target and a loss at every step t:

    .. math::

        h_t = f(x_t W_{in} + o_{t-1} W_{fb} + b), \qquad
        o_t = \operatorname{softmax}(h_t W_{out} + c),

    and a vector of its own, learnt as they are, stands for the feedback o_0 W_fb of the first step.

    **Teacher forcing.** In training, the true previous label is fed back, one-hot, so that there is
    no loop over time, and the network is a model p(y_t | x_t, y_{t-1}): a locally normalised chain
    with a hidden layer, a neural maximum-entropy Markov model (McCallum et al. 2000 [2]_). With
    p(k | x_t, j) the output at label j fed back, all that one may ask of it is exact:

    .. math::

        \log p(y \mid x) &= \sum_t \log p(y_t \mid x_t, y_{t-1})
            && \text{`sequence_log_proba`, `sample`} \\
        \alpha_t(k) = p(y_t = k \mid x_1, \ldots, x_t)
            &= \sum_j \alpha_{t-1}(j)\, p(k \mid x_t, j)
            && \text{`predict_proba`} \\
        \delta_t(k) &= \max_j\, \delta_{t-1}(j) + \log p(k \mid x_t, j)
            && \text{`decoding="viterbi"`}

    in time of order N K^2 H for the last two, N H K for the others.

    **Free running.** The softmax output itself feeds back, in training and prediction alike, with
    gradients by backpropagation through time. Given x, the labels are then independent: o_t is
    their probability, and all decodings agree.

    **What it can and cannot do.** Output feedback is strictly less powerful than hidden feedback
    (Goodfellow et al. 2016 [3]_, section 10.2.1): what the label does not tell is forgotten. Jordan
    [1]_ fed back a decaying sum of outputs, c_t = mu c_{t-1} + o_{t-1}, which remembers more than
    the last; here mu is 0, without which inference would not be exact. Two biases are known:

    - *Label bias* (Bottou 1991 [4]_; Lafferty et al. 2001 [5]_). Since each step is normalised by
      itself, x_t cannot revise how probable y_{t-1} was: p(y_t | x_1, ..., x_T) is the causal
      marginal, and where few labels can follow, the input is hardly heard. A conditional random
      field, normalised over the sequence, has no such bias. Features of the steps ahead, in x_t,
      help.
    - *Exposure bias* (Bengio et al. 2015 [6]_; Ranzato et al. 2016 [7]_). In training the previous
      label is never wrong, in prediction it may be, and where labels mostly repeat, an error is
      repeated. Greedy decoding and the Viterbi path suffer from it: on the secondary structure of
      proteins, with the `alpha` that suits these (100), they lose 5 points of accuracy to the same
      network without feedback. The marginals never decide on a previous label and lose nothing
      there: hence they are the default. To feed
      back labels drawn from the network in training (scheduled sampling [6]_) would help there, but
      where the labels are a Markov chain it teaches the network to ignore them.

    **When to prefer it.** Where labels depend on their neighbours by themselves (letters of words,
    slots, chunks), where probabilities of whole sequences are wanted, and for speed.
    `SequenceTagger` where more of the past than the last label matters. A conditional random field
    where what comes later must be able to revise what came before.

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
    decoding : {"marginal", "viterbi", "greedy"}, default="marginal"
        What `predict`, and so `score` and early stopping, go by. "marginal" is the most probable
        label of each step, given the input so far; "viterbi" the most probable sequence of labels,
        given all of the input; "greedy" the most probable label given the one chosen before, for
        one evaluation a step instead of K. It changes nothing of `predict_proba`, nor, without
        early stopping, of what is learnt, so it can be set after `fit`.
    allowed_transitions : {"IOB2", "BIOES"}, list of pairs or None, default=None
        Which labels may follow each other; None is all. Needs ``teacher_forcing=True``. What is not
        allowed has probability zero, in training and in all predictions, and must not occur in y.
        Either a scheme, for labels such as "B-name", "I-name" and "O"; or pairs (label before,
        label after), such as ``[("a", "b"), (None, "a")]``, where None before stands for the start
        of a sequence, None after for its end. Without a pair of the start (of the end), all labels
        may start (end) a sequence. Labels that y does not have are ignored.
        After each label, and at the start, one must be allowed that may end the sequence, since
        each step is normalised by itself.
    unlabeled : str, int, float or None, default=None
        What stands in y for a step without a label, as -1 does in :mod:`sklearn.semi_supervised`;
        NaN stands for all that is missing, also for None and pandas' NA. None is nothing: all steps
        must have a label. With teacher forcing they are summed out, exactly: training maximises
        the probability of the labels that there are, and the steps of such a sequence must have
        equal weights. Without it they have weight 0. `score` leaves them out.
    sequence_id : str or int, default=None
        In a 2-D X, the column (name or position), or the name of the pandas index level, that tells
        sequences apart; the rows of a sequence must be contiguous. Without it, a 2-D X is one
        sequence.
    solver : {"auto", "lbfgs", "adam", "trust-ncg"}, default="auto"
        Method of :func:`scipy.optimize.minimize`. "auto" is "adam" from 2,000 distinct sequences
        on (pieces of long ones count), with sparse X and 100,000 weights from 100 on, else "lbfgs".

        - "lbfgs" is a quasi-Newton method, which looks at all sequences for every step.
        - "adam" (Kingma & Ba 2015) goes through minibatches of 16 whole sequences. There is no
          learning rate to choose: the step size is the same for all data and falls linearly to zero
          over `max_iter` epochs. The loss that it reports is the mean over an epoch.
        - "trust-ncg" is a Newton method with Gauss-Newton products: more expensive iterations;
          useful for long time lags.
    alpha : float, default=3.0
        L2 penalty of the weights (not the biases), divided by the sum of the sample weights of all
        steps. It pulls the output layer to zero and, 3 times as strongly, the hidden weights to
        where training starts (Li et al. 2018); the input weights of sparse features no more
        strongly than the output layer. More than in `SequenceTagger`, since there the sum is over
        sequences.
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
    features_with_gaps_ : ndarray of int, shape (G,)
        Features with missing values (NaN) in `fit`. Each has an indicator, whose weights are in G
        further rows of those of the features.
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
    .. [3] I. Goodfellow, Y. Bengio, A. Courville (2016). Deep Learning. MIT Press.
    .. [4] L. Bottou (1991). Une approche théorique de l'apprentissage connexionniste: applications
       à la reconnaissance de la parole. Thesis, Université de Paris XI.
    .. [5] J. Lafferty, A. McCallum, F. Pereira (2001). Conditional random fields: probabilistic
       models for segmenting and labeling sequence data. ICML.
    .. [6] S. Bengio, O. Vinyals, N. Jaitly, N. Shazeer (2015). Scheduled sampling for sequence
       prediction with recurrent neural networks. NeurIPS.
    .. [7] M. Ranzato, S. Chopra, M. Auli, W. Zaremba (2016). Sequence level training with recurrent
       neural networks. ICLR.

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
    >>> tagger.set_params(decoding="viterbi").score(X[30:], y[30:]) > 0.8
    True
    >>> tagger.sequence_log_proba(X[30:], tagger.predict(X[30:])).shape
    (10,)
    """

    _parameter_constraints = {
        **RecurrentEstimator._parameter_constraints,
        **TaggerMixin._parameter_constraints,
        "teacher_forcing": ["boolean"],
        "decoding": [StrOptions({"marginal", *DECODERS})],
    }

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        activation="tanh",
        *,
        teacher_forcing=True,
        decoding="marginal",
        allowed_transitions=None,
        unlabeled=None,
        sequence_id=None,
        solver="auto",
        alpha=3.0,
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
        self.teacher_forcing = teacher_forcing
        self.decoding = decoding
        self.allowed_transitions = allowed_transitions
        self.unlabeled = unlabeled
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

    def predict(self, X):
        """Labels of all steps, by the method that `decoding` names.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray
            (S, T) for a 3-D array, (N,) for a table, else an object array of S arrays (T_i,).
        """
        return super().predict(X)

    _normalises_steps = True

    def _structure(self):
        if self.allowed_transitions is not None and not self.teacher_forcing:
            raise ValueError(
                "allowed_transitions needs teacher_forcing=True: without it no label depends on "
                "the label before."
            )
        return {
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes),
            "activation": self.activation,
            "teacher_forcing": bool(self.teacher_forcing),
        }

    def _build_network(self, structure, n_features, n_outputs):
        sizes, activation = structure["hidden_layer_sizes"], structure["activation"]
        if not structure["teacher_forcing"]:
            return FreeRunning(n_features, sizes, n_outputs, activation)
        transitions = Transitions.of(structure["allowed_transitions"])
        return TeacherForced(n_features, sizes, n_outputs, activation, transitions)

    def _feeds_labels_back(self):
        return bool(self.teacher_forcing)

    _sums_labels_out = _feeds_labels_back

    def _predictor(self):
        self._validate_params()  # decoding may have been set after `fit`
        if self.decoding == "marginal":
            return super()._predictor()
        return partial(_decode, self.decoding)


@IGNORE_OVERFLOW
def _decode(decoding, network, p, shard):
    return network.decode(p, shard, decoding)
