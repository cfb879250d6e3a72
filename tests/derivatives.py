"""Small random problems, and the oracle that every derivative is compared with.

A complex step, imag(g(w + i s v)) / s, is exact to rounding, since there is no difference to
cancel. It requires that g is analytic; `central_difference` does not.
"""

from functools import partial

import numpy as np
from numpy.testing import assert_allclose
from scipy import sparse

from sklearn_rnn._execution.shards import Data, Shards, pack, partition_into_shards
from sklearn_rnn._networks.direct import PositionDirect, StepDirect
from sklearn_rnn._networks.hidden_feedback import recurrent_network
from sklearn_rnn._networks.number_feedback import OneStepAhead, Simulation
from sklearn_rnn._networks.output_feedback import FreeRunning, TeacherForced
from sklearn_rnn._networks.outputs import Softmax, Squares
from sklearn_rnn._networks.parameters import ravel, size, views
from sklearn_rnn._networks.quantiles import Quantiles
from sklearn_rnn._training.minibatches import MinibatchObjective
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.penalty import Penalty
from sklearn_rnn._training.recipe import RESERVOIR
from sklearn_rnn._training.training_set import TrainingSet

OUTPUTS = {
    "softmax": Softmax(),
    "squared": Squares(),
    "quantile": Quantiles((0.1, 0.5, 0.9)),
}
OUTPUT_FEEDBACK = {"teacher": TeacherForced, "free": FreeRunning}
NUMBER_FEEDBACK = {"one_step": OneStepAhead, "simulation": Simulation}

# of one step, of equal length, and far apart
LENGTHS = np.array([7, 30, 1, 12, 1, 7])
SHORT = np.array([2, 1, 4])

# all different, so that no transposed product passes
D, H, K = 4, 2, 3


def hidden_feedback(
    activation="tanh",
    depth=1,
    n_directions=1,
    pooling=(),
    output="softmax",
    direct=False,
    cell="elman",
):
    """Patterns 1 and 2."""
    direct = (PositionDirect(4, D, K) if pooling else StepDirect(D, K)) if direct else None
    return recurrent_network(
        D,
        [H] * depth,
        K,
        OUTPUTS[output],
        activation,
        pooling,
        n_directions,
        direct,
        cell=cell,
    )


def output_feedback(kind, activation="tanh", depth=1):
    """Pattern 3."""
    return OUTPUT_FEEDBACK[kind](D, [H] * depth, K, activation)


def number_feedback(kind, activation="tanh", depth=1, n_lags=3, output="squared"):
    """Pattern 3 for numbers."""
    return NUMBER_FEEDBACK[kind](D, [H] * depth, K, activation, n_lags)


# one network of each kind, and the outputs that it can have
NETWORKS = {
    "tagger": partial(hidden_feedback, depth=2),
    "classifier": partial(hidden_feedback, n_directions=2, pooling=("last", "mean", "max")),
    "gru": partial(hidden_feedback, cell="gru", depth=2, pooling=("last", "mean")),
    "lstm": partial(hidden_feedback, cell="lstm", n_directions=2),
    "diagonal": partial(hidden_feedback, cell="diagonal"),
    "teacher": partial(output_feedback, "teacher", depth=2),
    "free": partial(output_feedback, "free"),
    "one_step": partial(number_feedback, "one_step"),
    "simulation": partial(number_feedback, "simulation", depth=2),
}
NUMBERS = ("tagger", "classifier", *NUMBER_FEEDBACK)
CASES = [(name, "softmax") for name in NETWORKS if name not in NUMBER_FEEDBACK] + [
    (name, "squared") for name in NUMBERS
]
CASES += [(name, "quantile") for name in ("tagger", "classifier")]


def build(name, output, networks=NETWORKS):
    """Return a network of the list with this output."""
    return networks[name]() if output == "softmax" else networks[name](output=output)


def is_per_step(network):
    return not getattr(network, "pooling", ())


def output_of(network):
    """Return the name of the network's output."""
    return "squared" if network.output.standardises_targets else "softmax"


def random_parameters(network, rng):
    """Where training starts, but with an output layer; as one flat vector."""
    p = network.initial(rng, RESERVOIR)
    for name in (*network.output_terms, "c"):
        p[name] = rng.standard_normal(network.shapes[name])
    if "W_ar" in p:
        p["o_0"] = rng.standard_normal(K)
        p["W_ar"] /= 10  # or else what is fed back would explode
    return ravel(p, network.shapes)


def penalty_of(network, alpha, sparse_input=False):
    """A penalty around a start that is always the same, and not the one of `random_parameters`."""
    start = network.initial(np.random.RandomState(0), RESERVOIR)
    return Penalty.around_start(network, start, alpha, RESERVOIR.stiffness, sparse_input)


def random_data(network, rng, lengths=LENGTHS):
    """X, y and weight, one sequence after the other; some entries and weights are zero."""
    n_targets = lengths.sum() if is_per_step(network) else len(lengths)
    X = rng.standard_normal((lengths.sum(), D))
    X[rng.random(X.shape) < 0.3] = 0.0
    if output_of(network) == "softmax":
        y = rng.integers(K, size=n_targets)
    else:
        y = rng.standard_normal((n_targets, K))
    weight = rng.random(n_targets)
    weight[1::4] = 0.0
    return X, y, weight


def make_shards(network, X, y, weight, lengths=LENGTHS, dtype=np.float64, csr=False):
    """The shards that training would see."""
    X = sparse.csr_array(X.astype(dtype)) if csr else X.astype(dtype)
    return cut(Data(X, lengths, y, weight / weight.sum(), is_per_step(network)))


def cut(data, sequences=None):
    """All shards of the sequences, or of some."""
    return [pack(data, part) for part in partition_into_shards(data.lengths, sequences)]


def training_set(network, X, y, weight, lengths, members=None):
    """What networks are trained on; X may be CSR."""
    members = np.arange(len(lengths)) if members is None else members
    data = Data(X, lengths, y, weight, is_per_step(network))
    return TrainingSet(data, members, network.output.standardises_targets)


def minibatch_objective(network, X, y, weight, lengths, alpha=0.1, members=None, seed=0):
    """What the solver "adam" sees; X may be CSR."""
    data = training_set(network, X, y, weight, lengths, members)
    penalty = penalty_of(network, alpha, sparse.issparse(X))
    return MinibatchObjective(network, data, penalty, seed)


def whole_objective(objective):
    """The objective on all data of a `MinibatchObjective`."""
    return Objective(objective.network, Shards(objective.data.shards), objective.penalty)


def random_shard(network, rng, lengths=LENGTHS):
    (shard,) = make_shards(network, *random_data(network, rng, lengths), lengths)
    return shard


def flat_derivatives(network, shard, w):
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
