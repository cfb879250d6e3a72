"""
Who speaks when?
================

A conversation is several utterances in a row, without a pause between them.
:class:`~sklearn_rnn.SequenceTagger` says at each time step who is speaking. Reading in one
direction it knows only what was said so far; with ``bidirectional=True`` it knows the whole
conversation, as one does who works on a recording.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import SequenceTagger
from sklearn_rnn.datasets import make_conversations

# %%
# Two taggers
# -----------
#
# The conversations to train on and those to test are made of different utterances. Accuracy is
# counted over all steps, and over the first step of each turn, where the speaker has just changed.

X_train, y_train = make_conversations(150, subset="train", random_state=0)
X_test, y_test = make_conversations(100, subset="test", random_state=1)
first_steps = [np.append(0, np.flatnonzero(np.diff(y)) + 1) for y in y_test]

taggers = {
    "One direction": SequenceTagger(random_state=0),
    "Both directions": SequenceTagger(bidirectional=True, random_state=0),
}
for name, tagger in taggers.items():
    tagger.fit(X_train, y_train)
    predicted = tagger.predict(X_test)
    right = [p[first] == y[first] for p, y, first in zip(predicted, y_test, first_steps)]
    print(
        f"{name}: test accuracy {tagger.score(X_test, y_test):.3f}, "
        f"at the first step of a turn {np.concatenate(right).mean():.3f}"
    )

# %%
# One conversation
# ----------------
#
# Dashed lines mark where the speaker changes.

X, y = X_test[0], y_test[0]
speakers = taggers["One direction"].classes_
rows = {"True speaker": y[:, None] == speakers}
rows |= {name: tagger.predict_proba([X])[0] for name, tagger in taggers.items()}

fig, axes = plt.subplots(4, figsize=(7.2, 8), sharex=True, layout="constrained")
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
