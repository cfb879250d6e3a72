"""What output feedback is worth on real sequences, and what it costs.

    pip install ".[bench]" && python benchmarks/output_feedback.py --data DIR

For each set, scores on its test split and seconds of `fit` and `predict`, all on the same inputs
and with default parameters but for the hidden size: no feedback (the same network on steps that are
sequences of their own), hidden feedback, output feedback with each training and decoding, and a
conditional random field (python-crfsuite). DIR holds the sets (see `sets.py`).
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy import sparse
from sets import load

from sklearn_rnn import OutputFeedbackTagger, SequenceTagger

# The solver is what "auto" is with output feedback, so that no row has another.
SETS = {
    "ocr_letters": {"hidden_layer_sizes": 64, "solver": "lbfgs"},
    "ocr_letters, 9 folds": {"hidden_layer_sizes": 64, "solver": "adam"},
    "protein_ss": {"hidden_layer_sizes": 32, "solver": "lbfgs"},
    "atis": {"hidden_layer_sizes": 100, "solver": "adam"},
    "conll2000": {"hidden_layer_sizes": 100, "solver": "adam"},
}
DECODINGS = ["marginal", "viterbi", "greedy"]


class Crf:
    """python-crfsuite with a first-order chain and its own defaults, on the same inputs."""

    def fit(self, X, y):
        import pycrfsuite

        trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
        trainer.set_params({"feature.possible_transitions": True, "max_iterations": 100})
        for x, tags in zip(X, y):
            trainer.append(self._items(x), tags.astype(str).tolist())
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "model")
            trainer.train(path)
            # the tagger reads from these bytes as long as it lives
            self.model = Path(path).read_bytes()
        self.tagger = pycrfsuite.Tagger()
        self.tagger.open_inmemory(self.model)

    def predict(self, X):
        return [np.array(self.tagger.tag(self._items(x))) for x in X]

    def _items(self, x):
        """A dict for each step: the features that are not zero."""
        x = sparse.csr_array(x)
        return [
            {str(x.indices[i]): float(x.data[i]) for i in range(start, stop)}
            for start, stop in zip(x.indptr, x.indptr[1:])
        ]


class WithoutFeedback:
    """A tagger of steps that are sequences of their own."""

    def __init__(self, tagger):
        self.tagger = tagger.set_params(sequence_id=0)

    def fit(self, X, y):
        self.tagger.fit(self._table(X), np.concatenate(y))

    def predict(self, X):
        predicted = self.tagger.predict(self._table(X))
        return np.split(predicted, np.cumsum([x.shape[0] for x in X])[:-1])

    def _table(self, X):
        """A long table whose first column numbers the steps."""
        if not sparse.issparse(X[0]):
            rows = np.concatenate(X)
            return np.hstack([np.arange(len(rows), dtype=float)[:, None], rows])
        rows = sparse.vstack(X)
        ids = sparse.csr_array(np.arange(rows.shape[0], dtype=float)[:, None])
        return sparse.csr_array(sparse.hstack([ids, rows], format="csr"))


def timed(function, *arguments):
    start = perf_counter()
    value = function(*arguments)
    return value, perf_counter() - start


def models(parameters):
    """Name and estimator."""
    yield "no feedback", WithoutFeedback(OutputFeedbackTagger(**parameters))
    yield "hidden feedback", SequenceTagger(**parameters)
    yield "hidden feedback, both ways", SequenceTagger(bidirectional=True, **parameters)
    yield "output feedback, teacher forcing", OutputFeedbackTagger(**parameters)
    yield "output feedback, free running", OutputFeedbackTagger(teacher_forcing=False, **parameters)
    # its training is convex: one run is all
    yield "python-crfsuite", Crf()


def run(name, model, data, seed):
    """Yield the name of each row, its score, and the seconds of fit and predict."""
    if isinstance(model, OutputFeedbackTagger | SequenceTagger):
        model.set_params(random_state=seed)
    elif isinstance(model, WithoutFeedback):
        model.tagger.set_params(random_state=seed)
    _, fit_time = timed(model.fit, data.X_train, data.y_train)
    if getattr(model, "teacher_forcing", False):
        for decoding in DECODINGS:
            model.set_params(decoding=decoding)
            predicted, time = timed(model.predict, data.X_test)
            yield f"{name}, {decoding}", data.metric(data.y_test, predicted), fit_time, time
    else:
        predicted, time = timed(model.predict, data.X_test)
        yield name, data.metric(data.y_test, predicted), fit_time, time


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--seeds", type=int, default=1, help="how many starts to average over")
    arguments = parser.parse_args()

    for name in arguments.sets:
        data = load(name, arguments.data)
        print(f"\n{name}\n\n| | {data.metric.__name__} | fit, s | predict, s |\n|---|---|---|---|")
        for row, model in models(SETS[name]):
            figures = {}
            for seed in range(1 if isinstance(model, Crf) else arguments.seeds):
                for label, *values in run(row, model, data, seed):
                    figures.setdefault(label, []).append(values)
            for label, values in figures.items():
                score, fit_time, time = np.mean(values, axis=0)
                print(f"| {label} | {score:.3f} | {fit_time:.1f} | {time:.2f} |", flush=True)


if __name__ == "__main__":
    main()
