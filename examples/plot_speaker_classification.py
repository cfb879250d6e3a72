"""
Which of nine speakers said it?
===============================

The Japanese vowels are utterances of nine speakers: 7 to 29 time steps of 12 features each.
:class:`~sklearn_rnn.SequenceClassifier`, with its default parameters, reads an utterance of any
length and names the speaker. The data ship with the package.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from sklearn_rnn import SequenceClassifier
from sklearn_rnn.datasets import load_japanese_vowels

# %%
# Fit and score
# -------------
#
# The standard split has 270 utterances to train on and 370 to test. They come as arrays of
# different lengths, and go in as they are: no padding, no scaling. Of so few only the output layer
# is fitted, in closed form, on 600 units that stay as they are drawn.

X_train, y_train = load_japanese_vowels(subset="train", return_X_y=True)
X_test, y_test = load_japanese_vowels(subset="test", return_X_y=True)
classifier = SequenceClassifier(random_state=0).fit(X_train, y_train)

print(f"Test accuracy: {classifier.score(X_test, y_test):.3f}")
print(f"Parameters: {classifier.n_parameters_}")

# %%
# Who is taken for whom
# ---------------------

fig, ax = plt.subplots(figsize=(5.4, 4.8), layout="constrained")
display = ConfusionMatrixDisplay.from_estimator(
    classifier, X_test, y_test, cmap="Blues", colorbar=False, ax=ax
)
for text, count in zip(display.text_.flat, display.confusion_matrix.flat):
    text.set_visible(count > 0)
ax.set(title="Test utterances", xlabel="Predicted speaker", ylabel="True speaker")
plt.show()

# %%
# How soon the speaker is known
# -----------------------------
#
# The beginning of an utterance is an utterance too, only shorter. The classifier was trained on
# whole utterances and makes little of the first few steps; after ten, most speakers are known for
# good.


def beginnings(utterance):
    """The utterance cut off after one step, after two, and so on."""
    return [utterance[:t] for t in range(1, len(utterance) + 1)]


settled_after = []
for utterance, speaker in zip(X_test, y_test):
    wrong = np.flatnonzero(classifier.predict(beginnings(utterance)) != speaker)
    # right from the first step on, or after the last wrong one, or never
    n_steps = wrong[-1] + 2 if len(wrong) else 1
    settled_after.append(n_steps if n_steps <= len(utterance) else np.inf)
settled_after = np.array(settled_after)
for n_steps in (2, 5, 10, 15):
    share = np.mean(settled_after <= n_steps)
    print(f"Known for good after at most {n_steps:2} steps: {share:.3f} of the utterances")

# %%
# The plot shows a typical utterance: one known for good after the median number of steps.

median = np.percentile(settled_after, 50, method="nearest")
typical = np.flatnonzero(settled_after == median)[0]
utterance, speaker = X_test[typical], y_test[typical]
probabilities = classifier.predict_proba(beginnings(utterance))
steps_read = np.arange(1, len(utterance) + 1)

fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for label, probability in zip(classifier.classes_, probabilities.T):
    if label == speaker:
        ax.plot(steps_read, probability, color="tab:blue", linewidth=2.5, label=f"{label} (true)")
    elif probability.max() > 0.2:
        ax.plot(steps_read, probability, linewidth=1.5, label=label, color=f"C{label}")
    else:
        ax.plot(steps_read, probability, color="0.8", linewidth=1, zorder=1)
ax.set(xlabel="Steps read", ylabel="Probability")
ax.legend(title="Speaker", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
