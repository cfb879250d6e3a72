"""
Who speaks when?
================

A conversation is several utterances in a row, without a pause between them.
:class:`~sklearn_rnn.SequenceTagger` says at each time step who is speaking. Reading in one
direction it knows only what was said so far; with ``bidirectional=True`` it knows the whole
conversation, as one does who works on a recording. With ``output="crf"`` it knows in addition that
a speaker mostly goes on, and decides on all steps together.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import SequenceTagger
from sklearn_rnn.datasets import make_conversations

# %%
# Three taggers
# -------------
#
# The conversations to train on and those to test are made of different utterances. Accuracy is
# counted over all steps, and over the first step of each turn, where the speaker has just changed.

X_train, y_train = make_conversations(150, subset="train", random_state=0)
X_test, y_test = make_conversations(100, subset="test", random_state=1)


def steps_since_change(y):
    """For each step, how many of its turn came before."""
    first = np.append(0, np.flatnonzero(np.diff(y)) + 1)
    turn = np.searchsorted(first, np.arange(len(y)), side="right") - 1
    return np.arange(len(y)) - first[turn]


since = np.concatenate([steps_since_change(y) for y in y_test])
truth = np.concatenate(y_test)
taggers = {
    "One direction": SequenceTagger(random_state=0),
    "Both directions": SequenceTagger(bidirectional=True, random_state=0),
    "Conditional random field": SequenceTagger(output="crf", random_state=0),
}
right = {}
for name, tagger in taggers.items():
    predicted = tagger.fit(X_train, y_train).predict(X_test)
    right[name] = np.concatenate(predicted) == truth
    print(
        f"{name}: test accuracy {right[name].mean():.3f}, "
        f"at the first step of a turn {right[name][since == 0].mean():.3f}"
    )

# %%
# What the rest of the conversation is good for
# ---------------------------------------------
#
# One step tells little of who speaks. In one direction the network needs some eight of them to be
# sure. What comes later in the turn makes its first steps as clear as the others: best, if the
# output itself says that turns are long.

n_steps = np.arange(12)
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for (name, is_right), color in zip(right.items(), ["0.5", "tab:blue", "tab:orange"]):
    accuracy = [is_right[since == n].mean() for n in n_steps]
    ax.plot(n_steps + 1, accuracy, "o-", color=color, label=name)
ax.set(xlabel="Step of the turn", ylabel="Test accuracy", xticks=n_steps + 1, ylim=(0.8, 1))
ax.legend(frameon=False, loc="lower right")
plt.show()

# %%
# One conversation
# ----------------
#
# Dashed lines mark where the speaker changes.

X, y = X_test[0], y_test[0]
speakers = taggers["One direction"].classes_
rows = {"True speaker": y[:, None] == speakers}
rows |= {name: tagger.predict_proba([X])[0] for name, tagger in taggers.items()}

fig, axes = plt.subplots(5, figsize=(7.2, 9), sharex=True, layout="constrained")
image = axes[0].imshow(X.T, aspect="auto", cmap="RdBu_r", vmin=-2, vmax=2)
axes[0].set(title="Features", ylabel="Coefficient", yticks=[0, 5, 11], yticklabels=[1, 6, 12])
fig.colorbar(image, ax=axes[0], label="Value")
for ax, (name, probabilities) in zip(axes[1:], rows.items()):
    image = ax.imshow(probabilities.T, aspect="auto", cmap="Blues", vmin=0, vmax=1)
    ax.set(title=name, ylabel="Speaker", yticks=range(len(speakers)), yticklabels=speakers)
fig.colorbar(image, ax=axes[1:], label="Probability", aspect=60)
for ax in axes:
    for change in np.flatnonzero(np.diff(y)):
        ax.axvline(change + 0.5, color="0.3", linestyle="--", linewidth=0.8)
axes[-1].set(xlabel="Time step")
plt.show()
