"""Patterns 1 and 2 against torch.nn.RNN."""

from itertools import product

import numpy as np
import pytest
from derivatives import (
    LENGTHS,
    LOSSES,
    D,
    H,
    assert_close,
    hidden_feedback,
    make_shards,
    penalty_of,
    random_data,
    random_parameters,
)

from sklearn_rnn._objective import Objective
from sklearn_rnn._parameters import views

torch = pytest.importorskip("torch")

CASES = list(product(["tanh", "relu"], [1, 2], [False, True], [(), ("last",)]))


def torch_network(network, p, activation):
    """An RNN and a linear layer with the weights of p; of PyTorch's two biases one is zero."""
    depth, n_directions = len(network.layers), 1 + network.bidirectional
    rnn = torch.nn.RNN(D, H, depth, activation, bidirectional=network.bidirectional).double()
    readout = torch.nn.Linear(n_directions * H, len(p["c"])).double()
    with torch.no_grad():
        for name, tensor in torch_weights(rnn, readout, network).items():
            tensor.copy_(torch.from_numpy(weight_of(p, name).T.copy()))
        for name, tensor in rnn.named_parameters():
            if name.startswith("bias_hh"):
                tensor.zero_()
    return rnn, readout


def torch_weights(rnn, readout, network):
    """PyTorch's tensors by (name of ours, direction)."""
    tensors = {("W_out", None): readout.weight, ("c", None): readout.bias}
    for i, d in product(range(len(network.layers)), range(1 + network.bidirectional)):
        suffix = f"_l{i}" + ("_reverse" if d else "")
        for ours, theirs in [("W_in", "weight_ih"), ("W_rec", "weight_hh"), ("b", "bias_ih")]:
            tensors[f"{ours}{i}", d] = getattr(rnn, theirs + suffix)
    return tensors


def weight_of(p, key):
    name, d = key
    if d is None:
        return p[name]
    return p[name][d] if name.startswith("W_rec") else p[name][..., d * H : (d + 1) * H]


def torch_logits(rnn, readout, x, pooled):
    """Logits of every sequence through one packed batch, one after the other."""
    batch = torch.nn.utils.rnn.pack_sequence([torch.from_numpy(a) for a in x], enforce_sorted=False)
    states, last = rnn(batch)
    if pooled:
        n_directions = 1 + rnn.bidirectional
        return readout(torch.cat(list(last[-n_directions:]), dim=1))
    padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    return readout(torch.cat([a[:n] for a, n in zip(padded, lengths)]))


@pytest.mark.parametrize(("activation", "depth", "bidirectional", "pooling"), CASES)
def test_outputs_and_gradients(activation, depth, bidirectional, pooling, rng):
    network = hidden_feedback(activation, depth, bidirectional, pooling)
    X, y, weight = random_data(network, rng)
    w = random_parameters(network, rng)
    p = views(w, network.shapes)
    (shard,) = make_shards(network, X, y, weight)
    objective = Objective(network, LOSSES["softmax"], [shard], penalty_of(network, 0.0))
    gradients = views(objective.loss_gradient(w)[1], network.shapes)

    rnn, readout = torch_network(network, p, activation)
    x = np.split(X, np.cumsum(LENGTHS)[:-1])
    Z = torch_logits(rnn, readout, x, bool(pooling))
    losses = torch.nn.functional.cross_entropy(Z, torch.from_numpy(y), reduction="none")
    (losses @ torch.from_numpy(weight / weight.sum())).backward()

    assert_close(network.forward(p, shard)[0], Z.detach().numpy()[shard.targets], 1e-9)
    for key, tensor in torch_weights(rnn, readout, network).items():
        assert_close(weight_of(gradients, key), tensor.grad.numpy().T, 1e-9)
