"""What output feedback is worth on four sets of real sequences, and what it costs.

For each set, scores on its test split and seconds of `fit` and `predict`, all on the same inputs:
no feedback (the same network on steps that are sequences of their own), hidden feedback, output
feedback with each training and decoding, and a conditional random field (python-crfsuite). The
data are not part of the project: --data is a folder with a `load.py` whose ``load(name)`` gives
the arrays and word lists of a set.

    pip install ".[bench]" && python benchmarks/output_feedback.py --data DIR
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_rnn import OutputFeedbackTagger, SequenceTagger

TEST = 2  # of load's ``split``

# alpha comes of cross-validation, or of the development part, of the training sequences
WORDS = {"hidden_layer_sizes": 100, "alpha": 1, "tol": 1e-4}


class Task(NamedTuple):
    """Steps with their labels, which sequences they are of, and how labels are scored."""

    X: np.ndarray | sparse.csr_array  # (N, D), float32
    y: np.ndarray  # (N,)
    lengths: np.ndarray  # (S,)
    is_train: np.ndarray  # (S,)
    is_test: np.ndarray  # (S,)
    parameters: dict  # of all networks
    score: callable


def one_hot(ids, n):
    """A CSR matrix (N, n)."""
    shape = (len(ids), n)
    return sparse.csr_array((np.ones(len(ids), np.float32), ids, range(len(ids) + 1)), shape=shape)


def window(X, lengths, width):
    """Each step with its neighbours to `width` either side, zeros beyond the ends: CSR."""
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    ends = starts + np.repeat(lengths, lengths)
    nothing = sparse.csr_array((1, X.shape[1]), dtype=X.dtype)
    padded = sparse.csr_array(sparse.vstack([X, nothing], format="csr"))
    parts = []
    for shift in range(-width, width + 1):
        rows = np.arange(X.shape[0]) + shift
        inside = (rows >= starts) & (rows < ends)
        parts.append(padded[np.where(inside, rows, X.shape[0])])
    return sparse.csr_array(sparse.hstack(parts, format="csr"))


def seen(X, lengths, is_train):
    """Without the columns that are zero at all steps of training."""
    rows = np.flatnonzero(np.repeat(is_train, lengths))
    return X[:, np.flatnonzero(X[rows].sum(axis=0))]


def words(data, width, with_pos=False):
    X = one_hot(data["tokens"], len(data["vocab"]))
    if with_pos:
        X = sparse.hstack([X, one_hot(data["pos"], len(data["pos_classes"]))], format="csr")
    lengths, is_train = data["lengths"], data["split"] != TEST
    return seen(window(sparse.csr_array(X), lengths, width), lengths, is_train)


def labels(data):
    return np.array(data["classes"])[data["y"]]


def ocr(data, is_train):
    X = data["X"].astype(np.float32)
    parameters = {"hidden_layer_sizes": 128, "alpha": 10, "tol": 1e-4, "max_iter": 400}
    return Task(X, labels(data), data["lengths"], is_train, ~is_train, parameters, accuracy)


def ocr_fold_1(load):
    data = load("ocr_letters")
    return ocr(data, data["folds"] == 1)


def ocr_9_folds(load):
    data = load("ocr_letters")
    return ocr(data, data["folds"] != 0)


def atis(load):
    data = load("atis")
    is_test = data["split"] == TEST
    X = words(data, 2)
    return Task(X, labels(data), data["lengths"], ~is_test, is_test, WORDS, span_f1)


def conll2000(load):
    data = load("conll2000")
    is_test = data["split"] == TEST
    X = words(data, 2, with_pos=True)
    return Task(X, labels(data), data["lengths"], ~is_test, is_test, WORDS, span_f1)


def protein_ss(load):
    data = load("protein_ss")
    is_test = data["split"] == TEST
    X = words(data, 6)
    parameters = {"hidden_layer_sizes": 32, "alpha": 200}
    return Task(X.toarray(), labels(data), data["lengths"], ~is_test, is_test, parameters, accuracy)


SETS = {
    "ocr_letters, fold 1": ocr_fold_1,
    "ocr_letters, 9 folds": ocr_9_folds,
    "atis": atis,
    "conll2000": conll2000,
    "protein_ss": protein_ss,
}


def accuracy(y, predicted, lengths):
    return np.mean(y == predicted)


def spans(tags):
    """Chunks (start, stop, kind) of one sequence of B-, I- and O tags."""
    found, start, kind = set(), 0, None
    for t, tag in enumerate([*tags, "O"]):
        prefix, _, tag_kind = tag.partition("-")
        if kind is not None and (prefix != "I" or tag_kind != kind):
            found.add((start, t, kind))
            kind = None
        if prefix == "B" or (prefix == "I" and kind is None):
            start, kind = t, tag_kind
    return found


def span_f1(y, predicted, lengths):
    """The harmonic mean of precision and recall of whole chunks, as in CoNLL's evaluation."""
    ends = np.cumsum(lengths)[:-1]
    pairs = [
        (spans(tags), spans(guesses))
        for tags, guesses in zip(np.split(y, ends), np.split(predicted, ends))
    ]
    n_right = sum(len(true & guessed) for true, guessed in pairs)
    return 2 * n_right / sum(len(true) + len(guessed) for true, guessed in pairs)


def table(X, lengths):
    """Rows of steps with the number of their sequence as column 0."""
    ids = np.repeat(np.arange(len(lengths), dtype=np.float32), lengths)[:, None]
    if sparse.issparse(X):
        return sparse.csr_array(sparse.hstack([sparse.csr_array(ids), X], format="csr"))
    return np.hstack([ids, X])


def timed(function, *arguments):
    start = perf_counter()
    value = function(*arguments)
    return value, perf_counter() - start


class Crf:
    """python-crfsuite with a first-order chain and its own defaults, on the same inputs."""

    def fit(self, X, y, lengths):
        import pycrfsuite

        trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        trainer.set_params({"feature.possible_transitions": True, "max_iterations": 100})
        for items, tags in zip(self._items(X, lengths), np.split(y, np.cumsum(lengths)[:-1])):
            trainer.append(items, tags.astype(str).tolist())
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "model")
            trainer.train(path)
            # the tagger reads from these bytes as long as it lives
            self.model = Path(path).read_bytes()
        self.tagger = pycrfsuite.Tagger()
        self.tagger.open_inmemory(self.model)

    def predict(self, X, lengths):
        return np.concatenate([self.tagger.tag(items) for items in self._items(X, lengths)])

    def _items(self, X, lengths):
        """For each sequence, a list of dicts of attributes: what is not zero at each step."""
        X = sparse.csr_array(X)
        names = [str(column) for column in range(X.shape[1])]
        steps = [
            {names[X.indices[i]]: float(X.data[i]) for i in range(start, stop)}
            for start, stop in zip(X.indptr, X.indptr[1:])
        ]
        ends = np.cumsum(lengths)
        return [steps[end - length : end] for end, length in zip(ends, lengths)]


def estimators(parameters):
    """Name and estimator, whether it sees steps alone, and the decodings to try."""
    shared = parameters | {"sequence_id": 0}
    decodings = ["marginal", "viterbi", "greedy"]
    yield "no feedback", OutputFeedbackTagger(**shared), True, ["marginal"]
    yield "hidden feedback", SequenceTagger(**shared), False, [None]
    yield "hidden feedback, both ways", SequenceTagger(bidirectional=True, **shared), False, [None]
    yield "output feedback, teacher forcing", OutputFeedbackTagger(**shared), False, decodings
    free = OutputFeedbackTagger(teacher_forcing=False, **shared)
    yield "output feedback, free running", free, False, ["marginal"]


def run(task, n_seeds, with_crf):
    """Yield the name of each row, its score, and the seconds of fit and predict."""
    train, test = (
        np.flatnonzero(np.repeat(part, task.lengths)) for part in (task.is_train, task.is_test)
    )
    L, L_test = task.lengths[task.is_train], task.lengths[task.is_test]
    X, y, X_test, y_test = task.X[train], task.y[train], task.X[test], task.y[test]
    for name, estimator, alone, decodings in estimators(task.parameters):
        inputs = table(X, np.ones(len(y), int) if alone else L)
        test_inputs = table(X_test, np.ones(len(y_test), int) if alone else L_test)
        figures = {}
        for seed in range(n_seeds):
            _, fit_time = timed(estimator.set_params(random_state=seed).fit, inputs, y)
            for decoding in decodings:
                if decoding is not None:
                    estimator.set_params(decoding=decoding)
                predicted, time = timed(estimator.predict, test_inputs)
                row = name if len(decodings) == 1 else f"{name}, {decoding}"
                score = task.score(y_test, predicted, L_test)
                figures.setdefault(row, []).append([score, fit_time, time])
        for row, of_seeds in figures.items():
            yield row, *np.mean(of_seeds, axis=0)
    if with_crf:
        # its training is convex: one run is all
        crf = Crf()
        _, fit_time = timed(crf.fit, X, y, L)
        predicted, time = timed(crf.predict, X_test, L_test)
        yield "python-crfsuite", task.score(y_test, predicted, L_test), fit_time, time


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder with load.py and the sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--seeds", type=int, default=1, help="how many starts to average over")
    parser.add_argument("--no-crf", action="store_true", help="leave python-crfsuite out")
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.data)
    from load import load

    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in arguments.sets:
        task = SETS[name](load)
        print(f"\n{name}\n\n| | {task.score.__name__} | fit, s | predict, s |\n|---|---|---|---|")
        for row, score, fit_time, time in run(task, arguments.seeds, not arguments.no_crf):
            print(f"| {row} | {score:.3f} | {fit_time:.1f} | {time:.2f} |", flush=True)


if __name__ == "__main__":
    main()
