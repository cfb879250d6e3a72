"""
Draw the picture of the front page: who speaks when.

    python doc/front_picture.py

The data and the tagger are those of `examples/plot_who_speaks_when.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import SequenceTagger
from sklearn_rnn.datasets import make_conversations

COLORS = plt.get_cmap("tab10").colors
INK = "#6b7280"  # seen on white and on black


def draw(x, probabilities, truth, classes):
    """The features of a conversation, the probability of each speaker, and who spoke."""
    fig, axes = plt.subplots(
        3, figsize=(8, 3.4), sharex=True, height_ratios=[3, 4, 0.7], layout="constrained"
    )
    axes[0].imshow(x.T, aspect="auto", cmap="RdBu_r", vmin=-2, vmax=2, interpolation="nearest")
    edges = np.arange(len(x) + 1) - 0.5
    shares = np.vstack([probabilities, probabilities[-1:]]).T
    axes[1].stackplot(edges, shares, colors=COLORS[: len(classes)], step="post", edgecolor="none")
    axes[1].set(ylim=(0, 1), xlim=(-0.5, len(x) - 0.5))
    codes = np.searchsorted(classes, truth)
    axes[2].imshow(np.array(COLORS)[codes][None], aspect="auto")
    for ax, name in zip(axes, ["what is heard", "who it may be", "who it was"]):
        ax.set_ylabel(name, color=INK, rotation=0, ha="right", va="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    axes[2].set_xlabel("time", color=INK)
    return fig


def main():
    X, y = make_conversations(150, subset="train", random_state=0)
    X_test, y_test = make_conversations(100, subset="test", random_state=1)
    tagger = SequenceTagger(output="crf", random_state=0).fit(X, y)
    probabilities = tagger.predict_proba(X_test[:1])[0]
    fig = draw(X_test[0], probabilities, y_test[0], tagger.classes_)
    fig.savefig(
        Path(__file__).parent / "_static" / "who_speaks_when.png", dpi=160, transparent=True
    )


if __name__ == "__main__":
    main()
