"""
Reading a word of handwriting
=============================

A letter that cannot be told by itself can often be told from the one before it.
:class:`~sklearn_rnn.OutputFeedbackTagger` feeds the label of the last step back, and what is
probable then can be calculated exactly: how probable each label is at each step, how probable a
whole word is, and which word is the most probable of all.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_rnn import OutputFeedbackTagger

# %%
# Words
# -----
#
# The letters are scikit-learn's handwritten digits. A word is what the last digit of a gas meter
# showed on ten visits: from one visit to the next it has gone on by none, one or two. The pictures
# are poor: all are noisy, and of one in four only the upper half can be seen.

N_STEPS = 10
digits = load_digits()
# different writers in training and test
WRITERS = {"train": slice(0, 1200), "test": slice(1200, None)}


def read_meters(n_words, subset, rng):
    images, labels = digits.data[WRITERS[subset]], digits.target[WRITERS[subset]]
    start = rng.integers(10, size=(n_words, 1))
    gone_on = rng.choice(3, p=[0.1, 0.8, 0.1], size=(n_words, N_STEPS - 1))
    words = np.cumsum(np.hstack([start, gone_on]), axis=1) % 10
    X = np.empty((n_words, N_STEPS, 64))
    for digit in range(10):
        of_digit = words == digit
        X[of_digit] = rng.choice(images[labels == digit], size=of_digit.sum())
    X[..., 32:][rng.random((n_words, N_STEPS)) < 0.25] = 0
    return np.clip(X + rng.normal(0, 4, X.shape), 0, 16), words


rng = np.random.default_rng(0)
X, y = read_meters(150, "train", rng)
X_test, y_test = read_meters(200, "test", rng)

# %%
# With and without feedback
# -------------------------
#
# The same network serves for both: if every letter is a word of its own, nothing is fed back.

reader = OutputFeedbackTagger(alpha=10, random_state=0).fit(X, y)
letter_reader = OutputFeedbackTagger(alpha=10, random_state=0)
letter_reader.fit(X.reshape(-1, 1, 64), y.reshape(-1, 1))


def probabilities_of_letters(X):
    return letter_reader.predict_proba(X.reshape(-1, 1, 64)).reshape(*X.shape[:2], 10)


letters = probabilities_of_letters(X_test).argmax(axis=2)
predicted = {"no feedback": letters}
for decoding in ("greedy", "marginal", "viterbi"):
    predicted[decoding] = reader.set_params(decoding=decoding).predict(X_test)
print(f"{'':12}{'letters right':>15}{'words right':>15}")
for name, labels in predicted.items():
    right = labels == y_test
    print(f"{name:12}{right.mean():15.3f}{right.all(axis=1).mean():15.3f}")

# %%
# Greedy decoding feeds the label back that it has decided on, right or wrong. The marginals weigh
# all that it may have been, and give the most probable letter at each step. The Viterbi path is the
# most probable word as a whole.
#
# One word
# --------
#
# Below is the test word with most letters misread when each is read by itself, of those that the
# Viterbi path gets right. Words drawn from the model tell what else it may have been:

n_wrong = (letters != y_test).sum(axis=1) * (predicted["viterbi"] == y_test).all(axis=1)
word = int(n_wrong.argmax())
x, truth, path = X_test[word], y_test[word], predicted["viterbi"][word]
samples = reader.sample(x[None], 500, random_state=0)[:, 0]
candidates = np.unique(samples, axis=0)
log_proba = reader.sequence_log_proba([x] * len(candidates), candidates)
print("\np(word | pictures)")
for best in np.argsort(-log_proba)[:5]:
    print("".join(map(str, candidates[best])), f"{np.exp(log_proba[best]):9.3f}")

# %%
# Each column is a step, and the darker a cell, the more probable the digit. Rings are what was
# written.

fig, axes = plt.subplots(
    3, 1, figsize=(6.4, 8), layout="constrained", sharex=True, height_ratios=[1, 4, 4]
)
for t, image in enumerate(x):
    axes[0].imshow(image.reshape(8, 8), cmap="gray_r", extent=(t - 0.45, t + 0.45, 0, 0.9))
axes[0].set(xlim=(-0.5, N_STEPS - 0.5), ylim=(0, 0.9), yticks=[], title="What is seen")
heat_maps = [
    ("Without feedback: p($y_t$ | $x_t$)", probabilities_of_letters(x[None])[0]),
    ("With feedback: p($y_t$ | $x_1, ..., x_t$)", reader.predict_proba(x[None])[0]),
]
ring = {"s": 170, "facecolor": "none", "edgecolor": "limegreen", "linewidth": 2}
for ax, (title, P) in zip(axes[1:], heat_maps):
    heat = ax.imshow(P.T, cmap="Blues", vmin=0, vmax=1, origin="lower", aspect="auto")
    rings = ax.scatter(range(N_STEPS), truth, **ring)
    ax.set(title=title, ylabel="digit", yticks=range(10))
(dots,) = axes[1].plot(letters[word], "o", color="tab:red", markersize=6)
(line,) = axes[2].plot(path, "o-", color="tab:orange", markersize=6)
axes[2].set(xlabel="step t", xticks=range(N_STEPS), xticklabels=range(1, N_STEPS + 1))
fig.colorbar(heat, ax=axes[1:], label="probability", shrink=0.5)
names = ["written", "read, each by itself", "read, Viterbi path"]
fig.legend([rings, dots, line], names, loc="outside lower center", ncols=3, frameon=False)
plt.show()
