"""Patterns 1 and 2 against torch.nn.RNN, GRU and LSTM, and Adam against torch.optim."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from derivatives import (
    LENGTHS,
    NETWORKS,
    D,
    H,
    assert_close,
    hidden_feedback,
    make_shards,
    minibatch_objective,
    penalty_of,
    random_data,
    random_parameters,
)
from scipy import sparse

from sklearn_rnn._execution.shards import Shards
from sklearn_rnn._networks.parameters import views
from sklearn_rnn._training import adam
from sklearn_rnn._training.adam import Adam
from sklearn_rnn._training.objective import Objective
from sklearn_rnn._training.recipe import (
    ADAM_BETA_1,
    ADAM_BETA_2,
    ADAM_EPSILON,
    ADAM_STEP_SIZE,
)

torch = pytest.importorskip("torch")

CASES = list(product(["tanh", "relu", "gru", "lstm"], [1, 2], [1, 2], [(), ("last",)]))
ELMAN = [case for case in CASES if case[0] in ("tanh", "relu")]
MODULES = {
    "tanh": torch.nn.RNN,
    "relu": partial(torch.nn.RNN, nonlinearity="relu"),
    "gru": torch.nn.GRU,
    "lstm": torch.nn.LSTM,
}


def our_network(kind, depth, n_directions, pooling):
    if kind in ("gru", "lstm"):
        return hidden_feedback("tanh", depth, n_directions, pooling, cell=kind)
    return hidden_feedback(kind, depth, n_directions, pooling)


def torch_network(network, p, kind):
    """A recurrent module and a linear layer with the weights of p.

    Of PyTorch's two biases of Elman's and LSTM's units one is zero.
    """
    depth, both = len(network.layers), network.n_directions == 2
    rnn = MODULES[kind](D, H, depth, bidirectional=both).double()
    readout = torch.nn.Linear(network.n_directions * H, len(p["c"])).double()
    with torch.no_grad():
        for name, tensor in rnn.named_parameters():
            if name.startswith("bias_hh"):
                tensor.zero_()
        for name, tensor in torch_weights(rnn, readout, network).items():
            ours = weight_of(network, p, name).T
            tensor[-len(ours) :] = torch.from_numpy(ours.copy())
    return rnn, readout


def torch_weights(rnn, readout, network):
    """PyTorch's tensors by (name of ours, direction); gates are in the same order."""
    tensors = {("W_out", None): readout.weight, ("c", None): readout.bias}
    for i, d in product(range(len(network.layers)), range(network.n_directions)):
        suffix = f"_l{i}" + ("_reverse" if d else "")
        for ours, theirs in [("W_in", "weight_ih"), ("W_rec", "weight_hh"), ("b", "bias_ih")]:
            tensors[f"{ours}{i}", d] = getattr(rnn, theirs + suffix)
        if network.cell == "gru":  # at its end, the bias that the reset gate multiplies
            tensors[f"d{i}", d] = getattr(rnn, "bias_hh" + suffix)
    return tensors


def weight_of(network, p, key):
    name, d = key
    if d is None:
        return p[name]
    if name.startswith("W_rec"):
        return p[name][d]
    return np.split(p[name], network.n_directions, axis=-1)[d]


def torch_logits(rnn, readout, x, pooled):
    """Logits of every sequence through one packed batch, one after the other."""
    batch = torch.nn.utils.rnn.pack_sequence([torch.from_numpy(a) for a in x], enforce_sorted=False)
    states, last = rnn(batch)
    if isinstance(rnn, torch.nn.LSTM):
        last, _ = last
    if pooled:
        n_directions = 1 + rnn.bidirectional
        return readout(torch.cat(list(last[-n_directions:]), dim=1))
    padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    return readout(torch.cat([a[:n] for a, n in zip(padded, lengths)]))


@pytest.mark.parametrize(("kind", "depth", "n_directions", "pooling"), CASES)
def test_outputs_and_gradients(kind, depth, n_directions, pooling, rng):
    network = our_network(kind, depth, n_directions, pooling)
    X, y, weight = random_data(network, rng)
    w = random_parameters(network, rng)
    p = views(w, network.shapes)
    (shard,) = make_shards(network, X, y, weight)
    objective = Objective(network, Shards([shard]), penalty_of(network, 0.0))
    gradients = views(objective.loss_gradient(w)[1], network.shapes)

    rnn, readout = torch_network(network, p, kind)
    x = np.split(X, np.cumsum(LENGTHS)[:-1])
    Z = torch_logits(rnn, readout, x, bool(pooling))
    losses = torch.nn.functional.cross_entropy(Z, torch.from_numpy(y), reduction="none")
    (losses @ torch.from_numpy(weight / weight.sum())).backward()

    assert_close(network.forward(p, shard)[0], Z.detach().numpy()[shard.targets], 1e-9)
    for key, tensor in torch_weights(rnn, readout, network).items():
        ours = weight_of(network, gradients, key).T
        assert_close(ours, tensor.grad.numpy()[-len(ours) :], 1e-9)


# Adam

MANY = np.tile(LENGTHS, 7)
N_EPOCHS = 3


def steps(objective):
    """Every minibatch of all epochs with its step size."""
    n_steps = N_EPOCHS * objective.n_minibatches
    minibatches = (m for epoch in range(N_EPOCHS) for m in objective.minibatches(epoch))
    for i, minibatch in enumerate(minibatches):
        yield minibatch, ADAM_STEP_SIZE * (1 - i / n_steps)


def torch_loss(rnn, readout, minibatch, network):
    """The penalised loss on a minibatch, by PyTorch alone."""
    shard, penalty = minibatch.shard, minibatch.penalty
    # from packed rows to one sequence after the other
    order = np.argsort(shard.packing.sequence, kind="stable")
    x = np.split(shard.X[order], np.cumsum(shard.packing.lengths)[:-1])
    targets = slice(None) if network.pooling else order
    Z = torch_logits(rnn, readout, x, bool(network.pooling))
    y, weight = (torch.from_numpy(a[targets]) for a in (shard.y, shard.weight))
    loss = torch.nn.functional.cross_entropy(Z, y, reduction="none") @ weight
    for (name, d), tensor in torch_weights(rnn, readout, network).items():
        if name in penalty.strength:
            centre = torch.from_numpy(weight_of(network, penalty.centre, (name, d)).T.copy())
            loss = loss + penalty.strength[name] / 2 * ((tensor - centre) ** 2).sum()
    return loss


@pytest.mark.parametrize(("kind", "depth", "n_directions", "pooling"), ELMAN)
def test_adam_and_its_gradients(kind, depth, n_directions, pooling, rng):
    network = our_network(kind, depth, n_directions, pooling)
    objective = minibatch_objective(network, *random_data(network, rng, MANY), MANY)
    w0 = random_parameters(network, rng)
    p = views(w0.copy(), network.shapes)
    rnn, readout = torch_network(network, p, kind)
    tensors = torch_weights(rnn, readout, network)
    theirs = torch.optim.Adam(tensors.values(), betas=(ADAM_BETA_1, ADAM_BETA_2), eps=ADAM_EPSILON)
    ours = Adam(p)
    for minibatch, step_size in steps(objective):
        theirs.param_groups[0]["lr"] = step_size
        theirs.zero_grad()
        torch_loss(rnn, readout, minibatch, network).backward()
        theirs.step()
        ours.step(minibatch.loss_gradient(p)[1], minibatch.rows, step_size)
        for key, tensor in tensors.items():
            assert_close(weight_of(network, p, key), tensor.detach().numpy().T, 1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NETWORKS)
def test_adam(name, dtype, rng):
    network = NETWORKS[name]()
    X, y, weight = random_data(network, rng, MANY)
    objective = minibatch_objective(network, X.astype(dtype), y, weight, MANY)
    p = views(random_parameters(network, rng).astype(dtype), network.shapes)
    tensors = {key: torch.from_numpy(value.copy()) for key, value in p.items()}
    theirs = torch.optim.Adam(tensors.values(), betas=(ADAM_BETA_1, ADAM_BETA_2), eps=ADAM_EPSILON)
    ours = Adam(p)
    for minibatch, step_size in steps(objective):
        gradients = minibatch.loss_gradient(p)[1]
        theirs.param_groups[0]["lr"] = step_size
        for key, tensor in tensors.items():
            tensor.grad = torch.from_numpy(gradients[key].copy())
        theirs.step()
        ours.step(gradients, minibatch.rows, step_size)
        for key, tensor in tensors.items():
            assert_close(p[key], tensor.numpy(), 1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_adam_on_the_rows_used(name, rng, monkeypatch):
    # SparseAdam adds it before the correction of the bias, so they agree where it vanishes
    monkeypatch.setattr(adam, "ADAM_EPSILON", 1e-30)
    network = NETWORKS[name]()
    X, y, weight = random_data(network, rng, MANY)
    # one feature occurs in two sequences, hence in two of three minibatches at most; one in none
    X[:, 1:3] = 0.0
    X[(np.cumsum(MANY) - MANY)[[3, 20]], 2] = 1.0
    objective = minibatch_objective(network, sparse.csr_array(X), y, weight, MANY)
    p = views(random_parameters(network, rng), network.shapes)
    tensor = torch.from_numpy(p["W_in0"].copy())
    theirs = torch.optim.SparseAdam([tensor], betas=(ADAM_BETA_1, ADAM_BETA_2), eps=1e-30)
    ours = Adam(p)
    n_seen = []
    for minibatch, step_size in steps(objective):
        gradients, rows = minibatch.loss_gradient(p)[1], minibatch.rows["W_in0"]
        n_seen.append(len(rows))
        theirs.param_groups[0]["lr"] = step_size
        tensor.grad = torch.sparse_coo_tensor(
            torch.from_numpy(rows[None].astype(np.int64)),
            torch.from_numpy(gradients["W_in0"].copy()),
            tensor.shape,
            check_invariants=True,
        )
        theirs.step()
        ours.step(gradients, minibatch.rows, step_size)
        assert_close(p["W_in0"], tensor.numpy(), 1e-12)
    assert set(n_seen) == {D - 2, D - 1}
