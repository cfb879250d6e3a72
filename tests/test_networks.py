"""The patterns of recurrence: derivatives, a plain loop as reference, and invariances."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from derivatives import (
    LENGTHS,
    NUMBER_FEEDBACK,
    OUTPUT_FEEDBACK,
    OUTPUTS,
    SHORT,
    D,
    H,
    K,
    assert_close,
    assert_gauss_newton,
    assert_gradient,
    assert_linearised,
    build,
    central_difference,
    flat_derivatives,
    hidden_feedback,
    make_shards,
    number_feedback,
    output_feedback,
    penalty_of,
    random_data,
    random_parameters,
    random_shard,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, log_softmax, softmax

from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._networks.activations import ACTIVATIONS
from sklearn_rnn._networks.hidden_feedback import HiddenFeedback, recurrent_network
from sklearn_rnn._networks.label_feedback import Contexts
from sklearn_rnn._networks.output_feedback import FreeRunning, TeacherForced, one_hot
from sklearn_rnn._networks.packing import Packing
from sklearn_rnn._networks.parameters import Role, ravel, views
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.recipe import RESERVOIR, SMALL

FUNCTIONS = {
    "tanh": np.tanh,
    "logistic": expit,
    "relu": lambda a: np.maximum(a, 0.0),
    "identity": lambda a: a,
}
POOLS = {
    "last": lambda forth, back: np.concatenate([forth[-1], back[0]]),
    "mean": lambda forth, back: np.hstack([forth, back]).mean(axis=0),
    "max": lambda forth, back: np.hstack([forth, back]).max(axis=0),
    "min": lambda forth, back: np.hstack([forth, back]).min(axis=0),
    "std": lambda forth, back: np.hstack([forth, back]).std(axis=0),
    "positive": lambda forth, back: (np.hstack([forth, back]) > 0).mean(axis=0),
}
POOLINGS = [(), *((name,) for name in POOLS), ("last", "mean", "max")]

ELMAN = {
    f"{activation}-{depth}-{directions}-{'+'.join(pooling) or 'each'}": partial(
        hidden_feedback, activation, depth, directions, pooling
    )
    for activation, depth, directions, pooling in product(ACTIVATIONS, [1, 2], [1, 2], POOLINGS)
    # every pooling with tanh, and every activation with two of them
    if activation == "tanh" or pooling in (POOLINGS[0], POOLINGS[-1])
}
CELLS = {
    f"{cell}-{depth}-{n_directions}-{'+'.join(pooling) or 'each'}": partial(
        hidden_feedback, "tanh", depth, n_directions, pooling, cell=cell
    )
    for cell, depth, n_directions, pooling in [
        *product(["gru", "lstm", "diagonal"], [1, 2], [1, 2], (POOLINGS[0], POOLINGS[-1])),
        *product(["gru", "lstm", "diagonal"], [1], [1], POOLINGS[1:-1]),
    ]
}
OUTPUT = {
    f"{activation}-{depth}-{kind}": partial(output_feedback, kind, activation, depth)
    for activation, depth, kind in product(ACTIVATIONS, [1, 2], OUTPUT_FEEDBACK)
}


def uneven(output="softmax"):
    """Layers of different sizes."""
    return recurrent_network(D, [4, 1, 2], K, OUTPUTS[output], "tanh", ("last",), 2)


DIRECT = {
    f"tanh-{depth}-{n_directions}-each-direct": partial(
        hidden_feedback, "tanh", depth, n_directions, direct=True
    )
    for depth, n_directions in product([1, 2], [1, 2])
}
NUMBERS = {
    f"{activation}-{depth}-{n_lags}-{kind}": partial(
        number_feedback, kind, activation, depth, n_lags
    )
    for activation, depth, n_lags, kind in [
        *product(ACTIVATIONS, [1], [1], NUMBER_FEEDBACK),
        *product(["tanh"], [1, 2], [2, 9], NUMBER_FEEDBACK),
    ]
}
HIDDEN = {"uneven": uneven} | ELMAN | DIRECT | CELLS
NETWORKS = HIDDEN | OUTPUT | NUMBERS
CASES = [(name, "softmax") for name in HIDDEN | OUTPUT] + [
    (name, "squared") for name in HIDDEN | NUMBERS
]


@pytest.mark.parametrize(("name", "output"), CASES)
def test_gradient(name, output, rng):
    network = build(name, output, NETWORKS)
    objective = Objective(network, Shards([random_shard(network, rng)]), penalty_of(network, 0.0))
    assert_gradient(objective.loss_gradient, random_parameters(network, rng), rng)


@pytest.mark.parametrize("name", NETWORKS)
def test_jvp_and_vjp(name, rng):
    network = NETWORKS[name]()
    shard, w = random_shard(network, rng), random_parameters(network, rng)
    assert_linearised(*flat_derivatives(network, shard, w), w, rng)


@pytest.mark.parametrize(("name", "output"), CASES)
def test_gauss_newton(name, output, rng):
    network = build(name, output, NETWORKS)
    shard, w = random_shard(network, rng, SHORT), random_parameters(network, rng)
    forward, jvp, vjp = flat_derivatives(network, shard, w)
    Z = forward(w)
    assert_gauss_newton(
        lambda v: vjp(network.output.hessp({}, Z, shard, jvp(v), {})[0]),
        forward,
        lambda Z: network.output.loss_gradient({}, Z, shard)[1],
        w,
    )


# relu and max have kinks, which a finite step may cross
@pytest.mark.parametrize("name", [n for n in NETWORKS if not ("relu" in n or "max" in n)])
def test_gradient_by_central_differences(name, rng):
    network = NETWORKS[name]()
    shards = [random_shard(network, rng, SHORT)]
    objective = Objective(network, Shards(shards), penalty_of(network, 0.0))
    w = random_parameters(network, rng)
    assert_gradient(objective.loss_gradient, w, rng, central_difference, tolerance=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_dense_and_csr_agree(name, rng):
    network = NETWORKS[name]()
    data, w = random_data(network, rng), random_parameters(network, rng)
    v = rng.standard_normal(len(w))
    results = []
    for csr in (False, True):
        (shard,) = make_shards(network, *data, csr=csr)
        forward, jvp, vjp = flat_derivatives(network, shard, w)
        Z = forward(w)
        results.append([Z, jvp(v), vjp(Z)])
    for dense, of_csr in zip(*results):
        assert type(of_csr) is np.ndarray
        assert_close(of_csr, dense, 1e-12)


@pytest.mark.parametrize("csr", [False, True], ids=["dense", "csr"])
@pytest.mark.parametrize("name", NETWORKS)
def test_float32_is_near_float64(name, csr, rng):
    network = NETWORKS[name]()
    data, w = random_data(network, rng), random_parameters(network, rng)
    v = rng.standard_normal(len(w))
    results = []
    for dtype in (np.float64, np.float32):
        (shard,) = make_shards(network, *data, dtype=dtype, csr=csr)
        forward, jvp, vjp = flat_derivatives(network, shard, w.astype(dtype))
        Z = forward(w.astype(dtype))
        infer = network.infer(views(w.astype(dtype), network.shapes), shard)
        results.append([Z, infer, jvp(v.astype(dtype)), vjp(Z)])
    for double, single in zip(*results):
        assert single.dtype == np.float32
        assert_close(single, double, 2e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_data_and_parameters_are_not_changed(name, rng):
    network = NETWORKS[name]()
    shard, w = random_shard(network, rng), random_parameters(network, rng)
    X, y, before = shard.X.copy(), shard.y.copy(), w.copy()
    forward, jvp, vjp = flat_derivatives(network, shard, w)
    vjp(forward(w))
    jvp(w)
    network.infer(views(w, network.shapes), shard)
    for array, copy in zip((shard.X, shard.y, w), (X, y, before)):
        assert_array_equal(array, copy)


@pytest.mark.parametrize("start", [RESERVOIR, SMALL])
@pytest.mark.parametrize("name", NETWORKS)
def test_initial_parameters(name, start, seed):
    network = NETWORKS[name]()
    p, again = (network.initial(np.random.RandomState(seed), start) for _ in range(2))
    assert {name: value.shape for name, value in p.items()} == network.shapes
    # the first loss is that of a constant guess
    assert not p["W_out"].any() and not p["c"].any()
    assert_array_equal(ravel(p, network.shapes), ravel(again, network.shapes))


@pytest.mark.parametrize("start", [RESERVOIR, SMALL])
def test_scale_of_initial_weights(start, seed):
    rng, n = np.random.RandomState(seed), 100
    p = recurrent_network(n, [n, n], K, OUTPUTS["softmax"], "tanh").initial(rng, start)
    X = rng.standard_normal((1000, n))
    assert_allclose((X @ p["W_in0"]).std(), start.gain, rtol=0.1)
    assert_allclose((X @ p["W_in1"]).std(), 1.0, rtol=0.1)
    for i in range(2):
        W_rec = p[f"W_rec{i}"][0]
        assert_allclose(W_rec @ W_rec.T, start.radius**2 * np.eye(n), atol=1e-12)
    for kind in (TeacherForced, FreeRunning):
        p = kind(n, [n], n, "tanh").initial(rng, start)
        assert_allclose((X @ p["W_in0"]).std(), start.gain, rtol=0.1)
        assert_allclose(p["W_fb"].std(), start.radius, rtol=0.1)


def test_roles_of_networks():
    assert HiddenFeedback.hidden_feedback
    assert not TeacherForced.hidden_feedback and not FreeRunning.hidden_feedback


@pytest.mark.parametrize("name", NETWORKS)
def test_roles_of_parameters(name):
    network = NETWORKS[name]()
    assert network.roles.keys() == network.shapes.keys()
    by_role = {role: {n for n, r in network.roles.items() if r is role} for role in Role}
    assert by_role[Role.INPUT] == network.input_biases.keys() - network.output_terms
    levels = {*network.output_levels} - {"c"}
    assert by_role[Role.OUTPUT] == {*network.output_terms} | levels
    biases = {*network.input_biases.values(), "c"}
    assert biases <= by_role[Role.BIAS] == {n for n in network.roles if n[0] in "bcdn"}
    assert by_role[Role.HIDDEN] == {n for n in network.shapes if n[0] == "W"} - (
        by_role[Role.INPUT] | by_role[Role.OUTPUT]
    )


def hidden_states(x, W_in, W_rec, b, f):
    states, h = [], np.zeros(len(W_rec))
    for x_t in x:
        h = f(x_t @ W_in + h @ W_rec + b)
        states.append(h)
    return np.array(states)


def loop_hidden(p, x, network, f):
    """Logits of one sequence, patterns 1 and 2."""
    direct = x @ p["W_dir"] if "W_dir" in p else 0.0
    for i in range(len(network.layers)):
        parts = zip(np.hsplit(p[f"W_in{i}"], len(p[f"W_rec{i}"])), p[f"W_rec{i}"])
        biases = np.split(p[f"b{i}"], len(p[f"W_rec{i}"]))
        both = [
            hidden_states(x[::way], W_in, W_rec, b, f)[::way]
            for (W_in, W_rec), b, way in zip(parts, biases, (1, -1))
        ]
        x = np.hstack(both)
    if network.pooling:
        forth, back = both if network.n_directions == 2 else (both[0], both[0][:, :0])
        x = np.concatenate([POOLS[name](forth, back) for name in network.pooling])[None]
    return x @ p["W_out"] + direct + p["c"]


def step_output(p, x_t, fed_back, network, f):
    """Logits of one step of pattern 3; fed_back (K + 1,) is o_{t-1}."""
    h = f(x_t @ p["W_in0"] + fed_back @ p["W_fb"] + p["b0"])
    for i in range(1, network.n_layers):
        h = f(h @ p[f"W_in{i}"] + p[f"b{i}"])
    return h @ p["W_out"] + p["c"]


def loop_output(p, x, y, network, f):
    """Logits of one sequence, pattern 3; without labels it feeds back its own output."""
    logits, fed_back = [], np.eye(K + 1)[K]
    for t, x_t in enumerate(x):
        logits.append(step_output(p, x_t, fed_back, network, f))
        fed_back = np.append(softmax(logits[-1]), 0.0) if y is None else np.eye(K + 1)[y[t]]
    return np.array(logits)


def sequences(array):
    return np.split(array, np.cumsum(LENGTHS)[:-1])


@pytest.mark.parametrize("name", ELMAN)
def test_hidden_feedback_against_a_loop(name, rng):
    network, f = ELMAN[name](), FUNCTIONS[name.split("-")[0]]
    X, y, weight = random_data(network, rng)
    (shard,) = make_shards(network, X, y, weight)
    p = views(random_parameters(network, rng), network.shapes)
    expected = np.concatenate([loop_hidden(p, x, network, f) for x in sequences(X)])
    Z = network.forward(p, shard)[0]
    assert_close(Z, expected[shard.targets], 1e-12)
    assert_allclose(softmax(Z, axis=1), softmax(expected[shard.targets], axis=1), atol=1e-12)
    assert_array_equal(network.infer(p, shard), Z)


@pytest.mark.parametrize("name", OUTPUT)
def test_output_feedback_against_a_loop(name, rng):
    network, f = OUTPUT[name](), FUNCTIONS[name.split("-")[0]]
    X, y, weight = random_data(network, rng)
    (shard,) = make_shards(network, X, y, weight)
    p = views(random_parameters(network, rng), network.shapes)
    labels = sequences(y) if name.endswith("teacher") else [None] * len(LENGTHS)
    pairs = zip(sequences(X), labels)
    expected = np.concatenate([loop_output(p, x, labels, network, f) for x, labels in pairs])
    Z = network.forward(p, shard)[0]
    assert_close(Z, expected[shard.targets], 1e-12)
    assert_allclose(softmax(Z, axis=1), softmax(expected[shard.targets], axis=1), atol=1e-12)


def loop_numbers(p, x, y, network, f, n_given):
    """Outputs of one sequence; those of the first steps are known, then its own are fed back."""
    outputs, z = [p["o_0"]] * network.n_lags, []
    for t, x_t in enumerate(x):
        v = np.concatenate(outputs[: -network.n_lags - 1 : -1])
        z.append(step_output(p, x_t, v, network, f) + x_t @ p["W_dir"] + v @ p["W_ar"])
        outputs.append(y[t] if t < n_given else z[-1])
    return np.array(z)


@pytest.mark.parametrize("name", NUMBERS)
def test_number_feedback_against_a_loop(name, rng):
    network, f = NUMBERS[name](), FUNCTIONS[name.split("-")[0]]
    X, y, weight = random_data(network, rng)
    (shard,) = make_shards(network, X, y, weight)
    p = views(random_parameters(network, rng), network.shapes)

    def expected(n_given):
        pairs = zip(sequences(X), sequences(y))
        return np.concatenate([loop_numbers(p, x, y, network, f, n_given) for x, y in pairs])

    known = network.n_lags if name.endswith("simulation") else len(X)
    for Z, n_given in (
        (network.forward(p, shard)[0], known),
        (network.infer(p, shard), 0),
        (network.one_step(p, shard)[0], len(X)),
    ):
        assert_close(Z, expected(n_given)[shard.targets], 1e-12)


def one_direction(networks):
    return [name for name, network in networks.items() if network().n_directions == 1]


@pytest.mark.parametrize("name", one_direction(NETWORKS))
def test_steps_against_whole_sequences(name, rng):
    """`begin` and `step` give what `infer` gives for the sequences so far."""
    network, n_steps = NETWORKS[name](), 4
    p = views(random_parameters(network, rng), network.shapes)
    X = rng.standard_normal((3, n_steps, D))
    state = network.begin(p, len(X))
    for t in range(n_steps):
        given = X[:, t].copy()
        Z, state = network.step(p, state, given)
        assert_array_equal(given, X[:, t])
        lengths = np.full(len(X), t + 1)
        n_targets = len(X) if getattr(network, "pooling", ()) else lengths.sum()
        targets = np.zeros(n_targets, int), np.ones(n_targets)
        (shard,) = make_shards(network, X[:, : t + 1].reshape(-1, D), *targets, lengths)
        # the last rows of packed sequences of equal length, or the only ones
        expected = network.infer(p, shard)[-len(X) :]
        if name.endswith("teacher"):
            Z, expected = log_softmax(Z, axis=1), log_softmax(expected, axis=1)
        assert_close(Z, expected, 1e-12)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_free_running_infers_the_logits_of_training(activation, depth, rng):
    network = output_feedback("free", activation, depth)
    shard = random_shard(network, rng)
    p = views(random_parameters(network, rng), network.shapes)
    assert_array_equal(network.infer(p, shard), network.forward(p, shard)[0])


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_teacher_forced_infers_marginals(activation, depth, rng):
    network, f = output_feedback("teacher", activation, depth), FUNCTIONS[activation]
    lengths = np.array([1, 5, 3])
    X, y, weight = random_data(network, rng, lengths)
    (shard,) = make_shards(network, X, y, weight, lengths)
    p = views(random_parameters(network, rng), network.shapes)
    expected = []
    for x in np.split(X, np.cumsum(lengths)[:-1]):
        for t in range(len(x)):
            marginal = np.zeros(K)
            for labels in product(range(K), repeat=t + 1):
                log_P = log_softmax(loop_output(p, x[: t + 1], labels, network, f), axis=1)
                marginal[labels[-1]] += np.exp(log_P[np.arange(t + 1), labels].sum())
            expected.append(np.log(marginal))
    assert_allclose(network.infer(p, shard), np.array(expected)[shard.targets], atol=1e-12)


def test_teacher_forced_infers_without_labels(rng):
    network = output_feedback("teacher")
    X, y, weight = random_data(network, rng)
    p = views(random_parameters(network, rng), network.shapes)
    with_labels, without = (
        make_shards(network, X, labels, weight)[0] for labels in (y, np.zeros_like(y))
    )
    assert_array_equal(network.infer(p, with_labels), network.infer(p, without))


@pytest.mark.parametrize("name", NETWORKS)
def test_order_of_sequences_does_not_matter(name, rng):
    network = NETWORKS[name]()
    X, y, weight = random_data(network, rng)
    p = views(random_parameters(network, rng), network.shapes)
    order = rng.permutation(len(LENGTHS))
    rows = np.concatenate([sequences(np.arange(len(X)))[s] for s in order])
    targets = rows if len(y) == len(X) else order
    there, here = (
        _outputs(network, p, *data)
        for data in [
            (X, y, weight, LENGTHS),
            (X[rows], y[targets], weight[targets], LENGTHS[order]),
        ]
    )
    assert_close(here, there[targets], 1e-12)


def _outputs(network, p, X, y, weight, lengths):
    (shard,) = make_shards(network, X, y, weight, lengths)
    Z = np.empty((len(y), K))
    Z[shard.targets] = network.forward(p, shard)[0]
    return Z


def feed_forward(p, X, f, depth):
    for i in range(depth):
        X = f(X @ p[f"W_in{i}"] + p[f"b{i}"])
    return X


@pytest.mark.parametrize("name", ELMAN)
def test_one_step_sequences_are_a_feed_forward_net(name, rng):
    network, f = ELMAN[name](), FUNCTIONS[name.split("-")[0]]
    data = random_data(network, rng, np.ones(5, int))
    p = views(random_parameters(network, rng), network.shapes)
    A = feed_forward(p, data[0], f, len(network.layers))
    of_one_step = {"std": np.zeros_like(A), "positive": A > 0}  # all other pools are A itself
    features = [of_one_step.get(pool, A) for pool in network.pooling or ["each"]]
    expected = np.hstack(features) @ p["W_out"] + p["c"]
    assert_close(_outputs(network, p, *data, np.ones(5, int)), expected, 1e-12)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_without_feedback_weights_pattern_3_has_no_memory(activation, depth, rng):
    teacher, free = (output_feedback(kind, activation, depth) for kind in ("teacher", "free"))
    (shard,) = make_shards(teacher, *(data := random_data(teacher, rng)))
    p = views(random_parameters(teacher, rng), teacher.shapes)
    p["W_fb"][...] = 0.0
    expected = feed_forward(p, data[0], FUNCTIONS[activation], depth) @ p["W_out"] + p["c"]
    for network in (teacher, free):
        assert_close(_outputs(network, p, *data, LENGTHS), expected, 1e-12)
    # a label that does not depend on the one before has its own probability as marginal
    marginals = log_softmax(expected[shard.targets], axis=1)
    assert_allclose(teacher.infer(p, shard), marginals, atol=1e-12)


@pytest.mark.parametrize("name", ["tanh-1-1-each", "tanh-1-2-each"])
def test_without_recurrent_weights_pattern_1_has_no_memory(name, rng):
    network = ELMAN[name]()
    data = random_data(network, rng)
    p = views(random_parameters(network, rng), network.shapes)
    p["W_rec0"][...] = 0.0
    expected = feed_forward(p, data[0], np.tanh, 1) @ p["W_out"] + p["c"]
    assert_close(_outputs(network, p, *data, LENGTHS), expected, 1e-12)


def test_directions_mirror_each_other(rng):
    # on reversed sequences, the units that read back do what the others do
    network = hidden_feedback(n_directions=2)
    X, y, weight = random_data(network, rng)
    p = views(random_parameters(network, rng), network.shapes)
    turned = np.concatenate([x[::-1] for x in sequences(X)])
    swapped = p | {
        "W_in0": np.roll(p["W_in0"], H, axis=1),
        "W_rec0": p["W_rec0"][::-1],
        "b0": np.roll(p["b0"], H),
        "W_out": np.roll(p["W_out"], H, axis=0),
    }
    Z, Z_turned = (
        _outputs(network, *with_data, y, weight, LENGTHS)
        for with_data in [(p, X), (swapped, turned)]
    )
    assert_close(np.concatenate([z[::-1] for z in sequences(Z_turned)]), Z, 1e-12)


def test_attributes_and_parameters_are_inverse(rng):
    for network in (
        hidden_feedback(depth=2),
        hidden_feedback(depth=2, n_directions=2, pooling=("last", "max")),
        output_feedback("teacher", depth=2),
        output_feedback("free"),
        number_feedback("simulation", depth=2),
    ):
        p = views(random_parameters(network, rng), network.shapes)
        back = network.parameters(network.attributes(p))
        assert_array_equal(ravel(back, network.shapes), ravel(p, network.shapes))


def test_previous_labels():
    packing = Packing(np.array([3, 1]))
    # packed: first steps of both, then the rest of the first
    previous = Contexts.of(np.array([2, 0, 1, 0]), packing, 3).previous
    matrix = one_hot(previous, 4, np.float32)
    assert sparse.issparse(matrix) and matrix.dtype == np.float32
    assert_array_equal(matrix.toarray(), np.eye(4)[[3, 3, 2, 1]])
    # the second label is unknown, so that all may be before the third step
    contexts = Contexts.of(np.array([2, 0, -1, 0]), packing, 3)
    assert_array_equal(contexts.row, [0, 1, 2, 3, 3, 3])
    assert_array_equal(contexts.previous, [3, 3, 2, 0, 1, 2])
