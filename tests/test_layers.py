"""Recurrent layers by themselves: derivatives, also in X, and step by step."""

import numpy as np
import pytest
from derivatives import LENGTHS, D, H, along, assert_close
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit

from sklearn_rnn._execution.workspace import Workspace
from sklearn_rnn._networks import diagonal as diagonal_module
from sklearn_rnn._networks.activations import ACTIVATIONS
from sklearn_rnn._networks.cells import Walk
from sklearn_rnn._networks.diagonal import accumulate
from sklearn_rnn._networks.hidden_feedback import CELLS
from sklearn_rnn._networks.layers import ElmanLayer, LeakyLayer
from sklearn_rnn._networks.packing import Packing
from sklearn_rnn._networks.parameters import ravel, size, views
from sklearn_rnn._training.recipe import RESERVOIR

LAYERS = {
    f"{activation}-{n_directions}": ElmanLayer(D, H, ACTIVATIONS[activation], n_directions)
    for activation in ACTIVATIONS
    for n_directions in (1, 2)
}
LAYERS |= {
    f"leaky-{activation}-{n_directions}": LeakyLayer(
        D, H, ACTIVATIONS[activation], (1.0, 0.3, 0.1), n_directions
    )
    for activation in ACTIVATIONS
    for n_directions in (1, 2)
}
LAYERS |= {
    f"{cell}-{activation}-{n_directions}": CELLS[cell](D, H, ACTIVATIONS[activation], n_directions)
    for cell, activations in [("gru", ["tanh"]), ("lstm", ["tanh"]), ("diagonal", ACTIVATIONS)]
    for activation in activations
    for n_directions in (1, 2)
}
PACKING = Packing(np.sort(LENGTHS)[::-1])

parametrize_layers = pytest.mark.parametrize("name", LAYERS)


def problem(name, rng, csr=False):
    """A layer, parameters and packed rows."""
    layer = LAYERS[name]
    w = ravel(layer.initial(np.random.RandomState(0), RESERVOIR), layer.shapes)
    w += 0.3 * rng.standard_normal(len(w))
    X = rng.standard_normal((PACKING.n_rows, D))
    X[rng.random(X.shape) < 0.3] = 0.0
    return layer, w, sparse.csr_array(X) if csr else X


def check_derivatives(layer, forward, w, X, dX, rng):
    """Compare jvp with a complex step, and vjp with jvp."""
    p, shapes = views(w, layer.shapes), layer.shapes
    _, cache = layer.forward(p, X, PACKING)
    for v in rng.standard_normal((3, len(w))):
        dH = layer.jvp(p, cache, views(v, shapes), dX)
        assert_close(dH, forward(v))
        R = rng.standard_normal(dH.shape)
        gradients, gradient_X = layer.vjp(p, cache, R.copy(), dX is not None)
        product = ravel(gradients, shapes) @ v
        if dX is None:
            assert gradient_X is None
        else:
            product += np.vdot(gradient_X, dX)
        assert product == pytest.approx(np.vdot(R, dH), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("csr", [False, True])
@parametrize_layers
def test_derivatives_in_the_parameters(name, csr, rng):
    layer, w, X = problem(name, rng, csr)

    def states(w):
        return layer.forward(views(w, layer.shapes), X, PACKING)[0]

    check_derivatives(layer, lambda v: along(states, w, v), w, X, None, rng)


@parametrize_layers
def test_derivatives_in_the_inputs(name, rng):
    layer, w, X = problem(name, rng)
    dX, step = rng.standard_normal(X.shape), 1e-30

    def tangent(v):
        p = views(w + 1j * step * v, layer.shapes)
        return layer.forward(p, X + 1j * step * dX, PACKING)[0].imag / step

    check_derivatives(layer, tangent, w, X, dX, rng)


@parametrize_layers
def test_gradient_in_the_inputs(name, rng):
    """Entry by entry: ``needs_dX`` gives the gradient in X, and changes no other result."""
    layer, w, X = problem(name, rng)
    p = views(w, layer.shapes)
    H, cache = layer.forward(p, X, PACKING)
    R = rng.standard_normal(H.shape)
    gradients, dX = layer.vjp(p, cache, R.copy(), True)
    expected = np.empty_like(X)
    for i in np.ndindex(X.shape):
        shifted = X.astype(complex)
        shifted[i] += 1e-30j
        expected[i] = np.vdot(R, layer.forward(p, shifted, PACKING)[0].imag) / 1e-30
    assert_close(dX, expected)
    others, nothing = layer.vjp(p, cache, R.copy(), False)
    assert nothing is None
    for key, gradient in others.items():
        assert_array_equal(gradients[key], gradient)


@pytest.mark.parametrize("n_directions", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_leak_of_one_is_an_elman_layer(activation, n_directions, rng):
    elman, w, X = problem(f"{activation}-{n_directions}", rng)
    leaky = LeakyLayer(D, H, ACTIVATIONS[activation], (1.0,), n_directions)
    assert leaky.shapes == elman.shapes
    p = views(w, elman.shapes)
    v = views(rng.standard_normal(len(w)), elman.shapes)
    dX = rng.standard_normal(X.shape)
    results = []
    for layer in (elman, leaky):
        states, cache = layer.forward(p, X, PACKING)
        gradients, gradient_X = layer.vjp(p, cache, np.ones_like(states), True)
        tangent = layer.jvp(p, cache, v, dX)
        results.append([states, gradient_X, tangent, *gradients.values()])
    for of_elman, of_leaky in zip(*results):
        assert_array_equal(of_leaky, of_elman)


def test_recurrence_of_leaky_units(rng):
    layer, w, X = problem("leaky-tanh-1", rng)
    p = views(w, layer.shapes)
    states, _ = layer.forward(p, X, PACKING)
    x, h = X[PACKING.sequence == 0], np.zeros(3 * H)
    for t, x_t in enumerate(x):
        recurrent = np.concatenate([part @ W for part, W in zip(np.split(h, 3), p["W_rec"])])
        leak = np.repeat([1.0, 0.3, 0.1], H)
        h = (1 - leak) * h + leak * np.tanh(x_t @ p["W_in"] + recurrent + p["b"])
        assert_close(states[PACKING.sequence == 0][t], h)


def lstm(p, x_t, state):
    h, c = state
    i, f, g, o = np.split(x_t @ p["W_in"] + h @ p["W_rec"][0] + p["b"], 4)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def gru(p, x_t, state):
    h, _ = state
    (a_r, a_z, a_n), (u_r, u_z, u_n) = (
        np.split(a, 3) for a in (x_t @ p["W_in"] + p["b"], h @ p["W_rec"][0])
    )
    z = expit(a_z + u_z)
    n = np.tanh(a_n + expit(a_r + u_r) * (u_n + p["d"]))
    return (1 - z) * n + z * h, None


def diagonal(p, x_t, state):
    h, _ = state
    decay = np.exp(-np.exp(p["nu"]))
    return decay * h + np.sqrt(1 - decay**2) * np.tanh(x_t @ p["W_in"] + p["b"]), None


@pytest.mark.parametrize(
    "name, cell", {"lstm-tanh-1": lstm, "gru-tanh-1": gru, "diagonal-tanh-1": diagonal}.items()
)
def test_recurrence_of_cells(name, cell, rng):
    layer, w, X = problem(name, rng)
    p = views(w, layer.shapes)
    states, _ = layer.forward(p, X, PACKING)
    for sequence in range(PACKING.n_sequences):
        rows = PACKING.sequence == sequence
        state = np.zeros(H), np.zeros(H)
        for x_t, h_t in zip(X[rows], states[rows]):
            state = cell(p, x_t, state)
            assert_close(h_t, state[0])


@pytest.mark.parametrize("from_end", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, complex])
def test_both_ways_to_accumulate(dtype, from_end, rng, monkeypatch):
    decay = rng.random(H)
    walk = Walk(PACKING, from_end)
    A = rng.standard_normal((PACKING.n_rows, H)).astype(dtype)
    by_filter, by_step = A.copy(), A.copy()
    accumulate(by_filter, decay.astype(dtype), walk)
    monkeypatch.setattr(diagonal_module, "FEW", 0)
    accumulate(by_step, decay.astype(dtype), walk)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert_close(by_filter, by_step, tolerance)
    for sequence in range(PACKING.n_sequences):
        rows = PACKING.sequence == sequence
        order = slice(None, None, -1 if from_end else 1)
        a, expected = np.zeros(H), []
        for a_t in A[rows][order]:
            a = a_t + decay * a
            expected.append(a)
        assert_close(by_step[rows][order], np.array(expected), tolerance)


def test_a_unit_that_forgets_at_once_or_never(rng):
    layer, w, X = problem("diagonal-tanh-1", rng)
    p = views(w, layer.shapes) | {"nu": np.array([-60.0, 60.0])}
    states, cache = layer.forward(p, X, PACKING)
    gradients, _ = layer.vjp(p, cache, np.ones_like(states), False)
    features = np.tanh(X @ p["W_in"] + p["b"])
    assert_close(states[:, 1], features[:, 1])
    assert_allclose(states[:, 0], 0.0, atol=1e-10)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [name for name in LAYERS if not name.endswith("-2")])
def test_steps_against_whole_sequences(name, dtype, rng):
    layer, w, X = problem(name, rng)
    p, X = views(w.astype(dtype), layer.shapes), X.astype(dtype)
    H, _ = layer.forward(p, X, PACKING)
    assert H.shape == (len(X), layer.n_outputs) and H.dtype == dtype
    state = layer.begin(p, PACKING.n_sequences)
    for now, _, _ in PACKING.steps:
        n = now.stop - now.start  # sequences that still run are the first
        given, before = X[now].copy(), state[:n].copy()
        outputs, after = layer.step(p, state[:n], X[now])
        assert_array_equal(X[now], given)
        assert_array_equal(state[:n], before)
        state = after
        assert outputs.dtype == dtype
        assert_close(outputs, H[now], 1e-12 if dtype == np.float64 else 1e-5)


@parametrize_layers
def test_workspace_changes_no_result(name, rng):
    layer, w, X = problem(name, rng)
    p = views(w, layer.shapes)
    workspace = Workspace()
    packing = Packing(PACKING.lengths, workspace.empty)
    H, cache = layer.forward(p, X, PACKING)
    gradients, dX = layer.vjp(p, cache, np.ones_like(H), True)
    for _ in range(3):
        with workspace:
            H_there, cache_there = layer.forward(p, X, packing)
            assert_array_equal(H_there, H)
            gradients_there, dX_there = layer.vjp(p, cache_there, np.ones_like(H), True)
            assert_array_equal(dX_there, dX)
            for key, gradient in gradients.items():
                assert_array_equal(gradients_there[key], gradient)


@parametrize_layers
def test_description_of_the_parameters(name, seed):
    layer = LAYERS[name]
    p, again = (layer.initial(np.random.RandomState(seed), RESERVOIR) for _ in range(2))
    assert {key: value.shape for key, value in p.items()} == layer.shapes
    assert_array_equal(ravel(p, layer.shapes), ravel(again, layer.shapes))
    assert size(layer.shapes) == sum(value.size for value in p.values())
    assert {*layer.input_biases, *layer.input_biases.values(), *layer.biases} <= p.keys()
    assert layer.n_inputs == D
