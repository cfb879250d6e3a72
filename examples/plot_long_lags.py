"""
Remember two numbers for a hundred steps
========================================

In the adding problem (Hochreiter and Schmidhuber 1997) two of the values of a sequence are marked,
one near the start, and their sum is asked for at the end. Between lie dozens of steps of noise.
Always answering 1 gives a mean squared error of 0.167; plain gradient descent on recurrent networks
stays there from about 20 steps on (Pascanu, Mikolov and Bengio 2013).

:class:`~sklearn_rnn.SequenceRegressor` solves it with its default start and pooling: the output
layer sees the mean and the maximum of each unit over all steps, so that what is told early need not
be carried to the end.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import SequenceRegressor
from sklearn_rnn.datasets import make_adding

CLOSE = 0.04  # a sequence is right if the error is below


def make(n_sequences, length, random_state):
    X, y = make_adding(n_sequences, length, random_state=random_state)
    return X.astype(np.float32), y


# %%
# One sequence
# ------------

X, y = make(5000, 100, random_state=0)
values, marks = X[0].T

fig, ax = plt.subplots(figsize=(7.5, 2.4), layout="constrained")
ax.bar(np.arange(100), values, color=np.where(marks > 0, "C3", "0.8"))
ax.set(title=f"The red values add up to {y[0]:.3f}", xlabel="Step", ylabel="Value", ylim=(0, 1))
plt.show()

# %%
# Learn to add
# ------------
#
# With this many sequences ``solver="auto"`` is Adam on minibatches; there is no learning rate to
# choose, and longer sequences need no other settings. With ``pooling="last"`` the network itself
# would have to keep the numbers to the end, which it does not learn in this time.

LENGTHS = [25, 100]


def errors(length, **parameters):
    """Errors on fresh sequences."""
    X, y = make(3000, length, random_state=0)
    X_test, y_test = make(5000, length, random_state=1)
    regressor = SequenceRegressor(max_iter=30, random_state=0, **parameters).fit(X, y)
    return regressor.predict(X_test) - y_test


runs = {f"{length} steps": errors(length) for length in LENGTHS}
runs["100 steps, last state alone"] = errors(100, pooling="last")
for name, error in runs.items():
    print(f"{name}: {np.mean(abs(error) < CLOSE):.2%} right")

# %%
# How far off it is
# -----------------

fig, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
bins = np.geomspace(1e-4, 1, 60)
for colour, (name, error) in zip(("C0", "C1", "0.6"), runs.items()):
    ax.hist(abs(error), bins, histtype="step", color=colour, label=name)
ax.axvline(CLOSE, color="k", linestyle="--", linewidth=0.8)
ax.text(CLOSE, 1, "right ", transform=ax.get_xaxis_transform(), ha="right", va="top")
ax.set(xscale="log", xlabel="Error of the sum", ylabel="Fresh sequences")
fig.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()
