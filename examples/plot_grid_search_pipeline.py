"""
Search parameters of a pipeline
===============================

Transformers and searches of scikit-learn work on tables, 2-D arrays with a row for each sample. A
table can hold sequences of equal length, one in each row: all features of the first step, then all
of the second, and so on. ``features_per_step`` tells :class:`~sklearn_rnn.SequenceClassifier` how
many columns make one step. The rest is as with any classifier.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from sklearn_rnn import SequenceClassifier
from sklearn_rnn.datasets import load_digit_sequences

# %%
# Images as sequences, sequences as rows
# --------------------------------------
#
# An image of a digit, 8 by 8 pixels, is read as a sequence of 8 steps, its rows, of 8 features.
# Laid out flat it is a row of 64 columns. To give the pipeline something to do, a tenth of the
# pixels is lost.

X, y = load_digit_sequences(return_X_y=True)
X = X.reshape(len(X), 64)
X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, stratify=y, random_state=0
)

# %%
# The search
# ----------
#
# A network takes no missing values; the imputer fills in the mean of the column. A transformer
# before the network must keep the number and the order of the columns.

pipeline = Pipeline(
    [
        ("impute", SimpleImputer(keep_empty_features=True)),
        ("rnn", SequenceClassifier(32, features_per_step=8, random_state=0)),
    ]
)
grid = {
    "rnn__pooling": ["last", "mean", ("last", "mean", "max")],
    "rnn__alpha": [0.01, 0.1, 1, 10],
}
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)

print(f"Best parameters: {search.best_params_}")
print(f"Cross-validation accuracy: {search.best_score_:.3f}")
print(f"Held-out accuracy: {search.score(X_test, y_test):.3f}")

# %%
# All scores of the search
# ------------------------
#
# The bars are the standard deviation over the three folds; the points are moved apart a little.

results = search.cv_results_
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
colors, shifts = ["#9ecae1", "#4292c6", "#084594"], [0.93, 1, 1.07]
for pooling, color, shift in zip(grid["rnn__pooling"], colors, shifts):
    chosen = [params["rnn__pooling"] == pooling for params in results["params"]]
    ax.errorbar(
        results["param_rnn__alpha"][chosen].astype(float) * shift,
        results["mean_test_score"][chosen],
        results["std_test_score"][chosen],
        color=color,
        marker="o",
        capsize=3,
        label=pooling if isinstance(pooling, str) else ", ".join(pooling),
    )
ax.set(xscale="log", xlabel="alpha", ylabel="Cross-validation accuracy")
ax.set_xticks(grid["rnn__alpha"], labels=grid["rnn__alpha"])
ax.legend(title="pooling", frameon=False)
plt.show()
