"""
Label words from feature functions
==================================

Libraries for conditional random fields, such as sklearn-crfsuite, take a sentence as a list of
dicts, one for each word, that a feature function has made, and its labels as a list of strings.
:class:`~sklearn_rnn.preprocessing.PerStepTransformer` takes the same lists, and applies
:class:`~sklearn.feature_extraction.DictVectorizer` to the words of all sentences at once. The
sparse matrices that come out go to a tagger, and all of it goes into a search.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_rnn import SequenceTagger
from sklearn_rnn.metrics import span_f1_score
from sklearn_rnn.model_selection import sequence_scorer
from sklearn_rnn.preprocessing import ContextWindow, PerStepTransformer

# %%
# Sentences
# ---------
#
# A small grammar writes sentences and marks their chunks in the manner of CoNLL 2000: B- begins a
# noun phrase (NP), verb phrase (VP) or prepositional phrase (PP), I- continues it, O is outside.
# Some words may be noun or verb: in "the farmer watches a fish" and "the farmer watches broke" only
# the next word tells which.

BOTH = ["watches", "ships", "walks", "plants", "drinks", "guards"]
NOUNS = ["farmer", "sailor", "garden", "bottle", "harbour", "teacher", *BOTH]
VERBS = ["broke", "sold", "found", "carried", "likes", "needs", *BOTH]
ADJECTIVES = ["old", "green", "narrow", "famous"]


def phrase(kind, words):
    return [(word, f"{'I' if i else 'B'}-{kind}") for i, word in enumerate(words)]


def noun_phrase(rng):
    if rng.random() < 0.15:
        return phrase("NP", [rng.choice(["he", "she", "it"])])
    words = [rng.choice(["the", "a", "every"])]
    words += [rng.choice(ADJECTIVES)] if rng.random() < 0.3 else []
    words += list(rng.choice(NOUNS, size=1 + (rng.random() < 0.4)))
    return phrase("NP", words)


def sentence(rng):
    verbs = [rng.choice(["will", "must"])] if rng.random() < 0.2 else []
    chunks = noun_phrase(rng) + phrase("VP", [*verbs, rng.choice(VERBS)])
    chunks += noun_phrase(rng) if rng.random() < 0.7 else []
    if rng.random() < 0.4:
        chunks += phrase("PP", [rng.choice(["in", "near", "with"])]) + noun_phrase(rng)
    words, labels = zip(*chunks, (".", "O"))
    return [str(word) for word in words], list(labels)


rng = np.random.default_rng(0)
sentences, y = zip(*[sentence(rng) for _ in range(600)])
y = list(y)
for word, label in zip(sentences[3], y[3]):
    print(f"{word:10}{label}")

# %%
# A feature function
# ------------------
#
# It looks at one word only. What the words around it tell, the network finds.


def word_features(word):
    return {"word": word, "suffix": word[-2:], "is_punctuation": not word.isalpha()}


X = [[word_features(word) for word in words] for words in sentences]
X_train, y_train, X_test, y_test = X[:200], y[:200], X[200:], y[200:]

# %%
# The search
# ----------
#
# The network reads from left to right, so its memory holds the words before.
# :class:`~sklearn_rnn.preprocessing.ContextWindow` with ``after=1`` shows it the next word as well.
# With ``output="crf"`` the labels of a sentence are decided together, so that later ones may revise
# earlier ones.

pipeline = make_pipeline(
    PerStepTransformer(DictVectorizer()),
    ContextWindow(before=0, after=0),
    SequenceTagger(16, alpha=0.01, random_state=0),
)
grid = {"contextwindow__after": [0, 1], "sequencetagger__output": ["softmax", "crf"]}
search = GridSearchCV(pipeline, grid, scoring=sequence_scorer("f1_macro"), cv=3)
search.fit(X_train, y_train)
print(f"Best parameters: {search.best_params_}")
print(f"Cross-validation F1 over all steps: {search.best_score_:.3f}")
print(f"F1 over all steps of new sentences: {search.score(X_test, y_test):.3f}")
print(f"F1 of their chunks: {span_f1_score(y_test, search.predict(X_test)):.3f}")

# %%
# One word ahead
# --------------
#
# The bars are the standard deviation over the three folds.

results = search.cv_results_
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for shift, output in zip((-0.05, 0.05), grid["sequencetagger__output"]):
    chosen = results["param_sequencetagger__output"] == output
    ax.errorbar(
        np.arange(2) + shift,
        results["mean_test_score"][chosen],
        results["std_test_score"][chosen],
        marker="o",
        linestyle="none",
        capsize=3,
        label=output,
    )
ax.set(xlim=(-0.5, 1.5), ylabel="Cross-validated F1 over all steps")
ax.set_xticks([0, 1], labels=["this word", "this word and the next"])
ax.legend(title="output", frameon=False, loc="upper left")
plt.show()
