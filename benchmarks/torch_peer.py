"""The same networks in PyTorch, trained by Adam: what `quality.py` compares with.

The peer is the quickest that PyTorch was found to be on a CPU at the very same function, so that
the comparison is fair. Measured side by side, at batches of 16 and 64 sequences:

- Minibatches are packed, time-major, by one gather; nothing is padded for the recurrence.
- x W_in is computed for all steps at once: of dense input by `nn.Linear`, of sparse input by an
  `nn.EmbeddingBag` that sums rows of W_in, the product without its zeros.
- The recurrence is a loop over the steps of the packed layout. It gives what `nn.RNN` gives (with
  one bias instead of two that are added), in 0.5 to 1 of the time. `nn.RNN` also cannot do
  without an input matrix of its own after an `nn.EmbeddingBag`.
- Of a large W_in the gradient is sparse and the optimiser `SparseAdam`, which updates the rows that
  a minibatch sees: up to 6 times quicker than the dense gradient, with scores as good. Of a small
  one it is dense, which takes the same time.
- Adam is the fused one, 3 to 6 times quicker than the default.
- Weights start as those of `nn.RNN` do.
"""

from time import perf_counter

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


class Sequences:
    """Sequences of a list of (T_i, D) arrays or CSR arrays, from which minibatches are packed."""

    def __init__(self, X):
        self.lengths = np.array([x.shape[0] for x in X])
        self.starts = np.cumsum(self.lengths) - self.lengths
        if sparse.issparse(X[0]):
            self.rows = sparse.vstack(X, format="csr")
            self.binary = bool(np.all(self.rows.data == 1))
        else:
            self.rows = torch.from_numpy(np.concatenate(X))

    def __len__(self):
        return len(self.lengths)

    def pack(self, sequences):
        """Input of the network, the sequences by falling length, and where their rows stand."""
        sequences = sequences[np.argsort(-self.lengths[sequences], kind="stable")]
        starts, lengths = self.starts[sequences], self.lengths[sequences]
        running = np.searchsorted(-lengths, -np.arange(lengths[0]))
        rows = np.concatenate([starts[:n] + t for t, n in enumerate(running)])
        return (self._gather(rows), running.tolist()), sequences, rows

    def _gather(self, rows):
        """Arguments of `Network.read`."""
        X = self.rows[rows]
        if isinstance(X, torch.Tensor):
            return (X,)
        indices, starts = torch.from_numpy(X.indices), torch.from_numpy(X.indptr[:-1])
        if self.binary:
            return indices, starts
        return indices, starts, torch.from_numpy(X.data)


class Network(nn.Module):
    """tanh units, recurrent, with a linear readout of each step, or of the pools of a sequence.

    Parameters
    ----------
    n_features, n_hidden, n_outputs : int
    bidirectional : bool
    pools : tuple of {"last", "mean", "max"}
        Empty for an output at each step.
    sparse_input : bool
    """

    LARGE = 1_000_000  # weights: from here on a sparse gradient is quicker

    def __init__(self, n_features, n_hidden, n_outputs, bidirectional, pools, sparse_input):
        super().__init__()
        n_directions = 1 + bidirectional
        n_units = n_hidden * n_directions
        if sparse_input:
            large = n_features * n_units >= self.LARGE
            self.read = nn.EmbeddingBag(n_features, n_units, mode="sum", sparse=large)
        else:
            self.read = nn.Linear(n_features, n_units, bias=False)
        self.W_rec = nn.Parameter(torch.empty(n_directions, n_hidden, n_hidden))
        self.b = nn.Parameter(torch.empty(n_units))
        for weights in (self.read.weight, self.W_rec, self.b):
            nn.init.uniform_(weights, -(n_hidden**-0.5), n_hidden**-0.5)
        self.readout = nn.Linear(n_units * max(1, len(pools)), n_outputs)
        self.pools = pools

    def forward(self, inputs, running):
        """Logits (n, K), from what `Sequences.pack` gives."""
        A = (self.read(*inputs) + self.b).split(running)
        n_hidden = self.W_rec.shape[1]
        states = [ahead([a[:, :n_hidden] for a in A], self.W_rec[0])]
        if len(self.W_rec) == 2:
            states.append(back([a[:, n_hidden:] for a in A], self.W_rec[1]))
        H = torch.cat(states, dim=1)
        return self.readout(self._pool(H, running) if self.pools else H)

    def _pool(self, H, running):
        packed = PackedSequence(H, torch.tensor(running))
        padded, lengths = pad_packed_sequence(packed)
        pooled = []
        for name in self.pools:
            if name == "last":
                last = padded[lengths - 1, torch.arange(len(lengths))]
                if len(self.W_rec) == 2:
                    n_hidden = self.W_rec.shape[1]
                    last = torch.cat([last[:, :n_hidden], padded[0, :, n_hidden:]], dim=1)
                pooled.append(last)
            elif name == "mean":
                pooled.append(padded.sum(dim=0) / lengths[:, None])
            elif lengths[-1] == lengths[0]:
                pooled.append(padded.amax(dim=0))
            else:
                pooled.append(pad_packed_sequence(packed, padding_value=-torch.inf)[0].amax(dim=0))
        return torch.cat(pooled, dim=1)


def ahead(A, W_rec):
    """h_t = tanh(a_t + h_{t-1} W_rec) for A, a tensor a step; all steps in one tensor."""
    H = [torch.tanh(A[0])]
    for a in A[1:]:
        H.append(torch.tanh(torch.addmm(a, H[-1][: len(a)], W_rec)))
    return torch.cat(H)


def back(A, W_rec):
    """h_t = tanh(a_t + h_{t+1} W_rec): to the sequences that go on, shorter ones are added."""
    H = [torch.tanh(A[-1])]
    for a in reversed(A[:-1]):
        h = H[-1]
        if len(h) == len(a):
            a = torch.addmm(a, h, W_rec)
        else:
            a = a + nn.functional.pad(h @ W_rec, (0, 0, 0, len(a) - len(h)))
        H.append(torch.tanh(a))
    return torch.cat(H[::-1])


class Adam:
    """Adam, lazy for parameters with sparse gradients; the gradient as a whole is clipped."""

    def __init__(self, parameters, sparse, learning_rate, clip):
        self.parameters, self.clip = [*parameters], clip
        dense = [p for p in self.parameters if not any(p is q for q in sparse)]
        self.optimisers = [torch.optim.Adam(dense, lr=learning_rate, fused=True)]
        if sparse:
            self.optimisers.append(torch.optim.SparseAdam(sparse, lr=learning_rate))

    def step(self, loss):
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()
        gradients = []
        for p in self.parameters:
            if p.grad.is_sparse:
                p.grad = p.grad.coalesce()
            gradients.append(p.grad.values() if p.grad.is_sparse else p.grad)
        scale = self.clip / (nn.utils.get_total_norm(gradients) + 1e-6)
        for gradient in gradients:
            gradient *= scale.clamp(max=1)
        for optimiser in self.optimisers:
            optimiser.step()


class Peer:
    """A PyTorch network for the same benchmark as an estimator of ours, and how well it learns.

    Parameters
    ----------
    benchmark : sets.Benchmark
    n_hidden : int
    bidirectional : bool
    pools : tuple of str
        Empty for a label at each step.
    """

    EVALUATION_SIZE = 256  # sequences
    MANY = 4000  # sequences: from here on there are several tests an epoch

    def __init__(self, benchmark, n_hidden, bidirectional, pools):
        self.benchmark = benchmark
        self.per_step = not pools
        X_train, X_test = standardise(benchmark.X_train, benchmark.X_test)
        self.train, self.test = Sequences(X_train), Sequences(X_test)
        y = np.concatenate(benchmark.y_train) if self.per_step else benchmark.y_train
        self.classes, codes = np.unique(y, return_inverse=True)
        self.y = torch.from_numpy(codes)
        self.shape = (X_train[0].shape[1], n_hidden, len(self.classes), bidirectional, pools)
        self.sparse = sparse.issparse(X_train[0])
        everything = np.arange(len(self.test))
        cuts = range(self.EVALUATION_SIZE, len(everything), self.EVALUATION_SIZE)
        self.packed_test = [self.test.pack(part) for part in np.split(everything, cuts)]

    def learn(self, learning_rate, batch_size, epochs, seed):
        """Train by Adam; a list of (seconds of training, test score), several for a long epoch.

        Testing takes no part in the seconds.
        """
        torch.manual_seed(seed)
        network = Network(*self.shape, self.sparse)
        lazy = [network.read.weight] if getattr(network.read, "sparse", False) else []
        adam = Adam(network.parameters(), lazy, learning_rate, clip=1.0)
        rng = np.random.default_rng(seed)
        curve, seconds = [], 0.0
        for _ in range(epochs):
            order = rng.permutation(len(self.train))
            batches = np.array_split(order, -(-len(order) // batch_size))
            n_checks = 4 if len(order) >= self.MANY else 1
            for part in np.array_split(np.arange(len(batches)), n_checks):
                start = perf_counter()
                for j in part:
                    self._update(network, adam, batches[j])
                seconds += perf_counter() - start
                curve.append((seconds, self.score(network)))
        return curve

    def _update(self, network, adam, sequences):
        inputs, sequences, rows = self.train.pack(sequences)
        y = self.y[rows if self.per_step else sequences]
        adam.step(nn.functional.cross_entropy(network(*inputs), y))

    @torch.inference_mode()
    def score(self, network):
        """The benchmark's metric on its test part."""
        n = self.test.lengths.sum() if self.per_step else len(self.test)
        codes = np.empty(n, dtype=int)
        for inputs, sequences, rows in self.packed_test:
            codes[rows if self.per_step else sequences] = network(*inputs).argmax(dim=1).numpy()
        predicted = self.classes[codes]
        if self.per_step:
            predicted = np.split(predicted, self.test.starts[1:])
        return self.benchmark.metric(self.benchmark.y_test, predicted)


def standardise(X_train, X_test):
    """Dense features by the mean and deviation in training; sparse ones as they are."""
    if sparse.issparse(X_train[0]):
        return X_train, X_test
    rows = np.concatenate(X_train)
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale == 0] = 1
    return [(x - mean) / scale for x in X_train], [(x - mean) / scale for x in X_test]
