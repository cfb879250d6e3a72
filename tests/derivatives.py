"""Small random problems, and the oracle that every derivative is held against.

A complex step, imag(g(w + i s v)) / s, is exact to rounding, since there is no difference to
cancel. What it needs is that g is analytic; `central_difference` shares no such assumption.
"""

from functools import partial

import numpy as np
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_rnn._cells import CELLS
from sklearn_rnn._losses import SoftmaxCrossEntropy, SquaredError
from sklearn_rnn._minibatches import MinibatchObjective
from sklearn_rnn._networks import HiddenFeedback
from sklearn_rnn._output_feedback import FreeRunning, TeacherForced
from sklearn_rnn._parameters import ravel, size, views
from sklearn_rnn._penalty import around
from sklearn_rnn._sharding import pack, share_out
from sklearn_rnn._start import RESERVOIR
from sklearn_rnn._training_set import TrainingSet

LOSSES = {"softmax": SoftmaxCrossEntropy(), "squared": SquaredError()}
OUTPUT_FEEDBACK = {"teacher": TeacherForced, "free": FreeRunning}

# of one step, of equal length, and far apart
LENGTHS = np.array([7, 30, 1, 12, 1, 7])
SHORT = np.array([2, 1, 4])

# all different, so that no transposed product passes
D, H, K = 4, 2, 3


def hidden_feedback(activation="tanh", depth=1, bidirectional=False, pooling=()):
    """Patterns 1 and 2."""
    return HiddenFeedback(D, [H] * depth, K, CELLS[activation], bidirectional, pooling)


def output_feedback(kind, activation="tanh", depth=1):
    """Pattern 3."""
    return OUTPUT_FEEDBACK[kind](D, [H] * depth, K, CELLS[activation])


# one network of each kind, and the losses that go with it
NETWORKS = {
    "tagger": partial(hidden_feedback, depth=2),
    "classifier": partial(hidden_feedback, bidirectional=True, pooling=("last", "mean", "max")),
    "teacher": partial(output_feedback, "teacher", depth=2),
    "free": partial(output_feedback, "free"),
}
CASES = [(name, "softmax") for name in NETWORKS] + [
    ("tagger", "squared"),
    ("classifier", "squared"),
]


def is_per_step(network):
    return not getattr(network, "pooling", ())


def random_parameters(network, rng):
    """Where training starts, but with an output layer; as one flat vector."""
    p = network.initial(rng, RESERVOIR)
    for name in ("W_out", "c"):
        p[name] = rng.standard_normal(network.shapes[name])
    return ravel(p, network.shapes)


def penalty_of(network, alpha, sparse_input=False):
    """A penalty around a start that is always the same, and not the one of `random_parameters`."""
    start = network.initial(np.random.RandomState(0), RESERVOIR)
    return around(start, network.shapes, alpha, RESERVOIR.stiffness, sparse_input)


def random_data(network, rng, lengths=LENGTHS, loss="softmax"):
    """X, y and weight, one sequence after the other; some entries and weights are zero."""
    n_targets = lengths.sum() if is_per_step(network) else len(lengths)
    X = rng.standard_normal((lengths.sum(), D))
    X[rng.random(X.shape) < 0.3] = 0.0
    y = (
        rng.integers(K, size=n_targets)
        if loss == "softmax"
        else rng.standard_normal((n_targets, K))
    )
    weight = rng.random(n_targets)
    weight[1::4] = 0.0
    return X, y, weight


def make_shards(network, X, y, weight, lengths=LENGTHS, dtype=np.float64, csr=False):
    """The shards that training would see."""
    X = sparse.csr_array(X.astype(dtype)) if csr else X.astype(dtype)
    return cut(X, lengths, is_per_step(network), y, weight / weight.sum())


def cut(X, lengths, per_step, y=None, weight=None, among=None):
    """All shards of the sequences, or of some."""
    starts = np.cumsum(lengths) - lengths
    return [
        pack(X, starts, lengths, per_step, y, weight, part) for part in share_out(lengths, among)
    ]


def minibatch_objective(
    network, X, y, weight, lengths, loss="softmax", alpha=0.1, members=None, seed=0
):
    """What the solver "adam" sees; X may be CSR."""
    members = np.arange(len(lengths)) if members is None else members
    data = TrainingSet(X, lengths, y, weight, is_per_step(network), K, members)
    penalty = penalty_of(network, alpha, sparse.issparse(X))
    return MinibatchObjective(network, LOSSES[loss], data, penalty, map, seed)


def random_shard(network, rng, lengths=LENGTHS, loss="softmax"):
    (shard,) = make_shards(network, *random_data(network, rng, lengths, loss), lengths)
    return shard


def flat_verbs(network, shard, w):
    """Forward, jvp and vjp of one shard at w, as functions of flat vectors."""
    shapes = network.shapes
    p = views(w, shapes)
    _, cache = network.forward(p, shard)
    return (
        lambda w: network.forward(views(w, shapes), shard)[0],
        lambda v: network.jvp(p, cache, views(v, shapes)),
        # a vjp may overwrite what it is given
        lambda R: ravel(network.vjp(p, cache, R.copy()), shapes),
    )


def n_parameters(network):
    return size(network.shapes)


def along(g, w, v, step=1e-30):
    """Derivative of g at w in the direction v, by a complex step."""
    return np.imag(g(w + 1j * step * v)) / step


def central_difference(g, w, v, step=1e-5):
    """The same without complex numbers, to about ten digits at best."""
    return (g(w + step * v) - g(w - step * v)) / (2 * step)


def jacobian(g, w):
    """Every derivative of g at w, shape (size of g, P)."""
    return np.stack([np.ravel(along(g, w, unit)) for unit in np.eye(len(w))], axis=1)


def dense(product, n):
    """The matrix of a linear function."""
    return np.stack([np.ravel(product(unit)) for unit in np.eye(n)], axis=1)


def assert_close(actual, desired, tolerance=1e-10):
    """Equal, relative to the largest entry."""
    assert_allclose(actual, desired, rtol=tolerance, atol=tolerance * np.abs(desired).max())


def assert_gradient(loss_gradient, w, rng, derivative=along, tolerance=1e-10):
    """The gradient's product with random directions is the loss's derivative along them."""
    gradient = loss_gradient(w)[1]
    for v in rng.standard_normal((3, len(w))):
        scale = np.linalg.norm(gradient) * np.linalg.norm(v)
        expected = derivative(lambda w: loss_gradient(w)[0], w, v)
        assert_allclose(gradient @ v, expected, rtol=0, atol=tolerance * scale)


def assert_linearised(forward, jvp, vjp, w, rng):
    """The jvp is the derivative of forward, and the vjp is the jvp's adjoint."""
    for v in rng.standard_normal((3, len(w))):
        dZ = jvp(v)
        assert_close(dZ, along(forward, w, v))
        R = rng.standard_normal(dZ.shape)
        scale = np.linalg.norm(R) * np.linalg.norm(dZ)
        assert_allclose(vjp(R) @ v, np.vdot(R, dZ), rtol=0, atol=1e-10 * scale)


def assert_gauss_newton(product, forward, dl, w, penalty=0.0):
    """The product is J' H J + penalty, entry by entry, and positive semidefinite.

    ``dl(Z)`` is the gradient of the loss with respect to the logits.
    """
    G = dense(product, len(w))
    J, Z = jacobian(forward, w), forward(w)
    HJ = [along(dl, Z, column.reshape(Z.shape)).ravel() for column in J.T]
    assert_close(G, J.T @ np.stack(HJ, axis=1) + np.diag(np.broadcast_to(penalty, len(w))))
    eigenvalues = np.linalg.eigvalsh((G + G.T) / 2)
    assert eigenvalues[0] >= -1e-10 * eigenvalues[-1]
