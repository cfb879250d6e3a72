"""ONNX models in onnxruntime beside the estimators: the largest differences, and the time.

Of differences all products of the options are tried, for whole sequences of 1 to 40 steps and,
where there is one, the step form; a number is the largest over the options that its row and column
leave open. The pool "positive" jumps where a state is zero: where that makes our own predictions in
both precisions differ, the sequence is left out of float32 and counted. Times are medians of calls
that alternate, on one thread each.
"""

import argparse
import warnings
from itertools import product
from time import perf_counter

import numpy as np
import onnx
import onnxruntime
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sklearn_rnn import (
    OutputFeedbackRegressor,
    OutputFeedbackTagger,
    PerStepRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn.export import to_onnx
from sklearn_rnn.preprocessing import pad

POOLS = ("last", "mean", "max", "min", "std", "positive")
CELLS = {
    **{f"elman, {f}": {"cell": "elman", "activation": f} for f in ("tanh", "logistic", "relu")},
    "elman, identity": {"cell": "elman", "activation": "identity"},
    "gru": {"cell": "gru"},
    "lstm": {"cell": "lstm"},
    "diagonal, tanh": {"cell": "diagonal"},
    "diagonal, relu": {"cell": "diagonal", "activation": "relu"},
}
ABOVE = {
    "softmax": (SequenceTagger, {}),
    "crf": (SequenceTagger, {"output": "crf"}),
    "numbers": (PerStepRegressor, {}),
    **{pool: (SequenceClassifier, {"pooling": pool}) for pool in POOLS},
    "all pools": (SequenceRegressor, {"pooling": POOLS}),
}
SHAPES = [(16, 1), (16, 2), ((16, 8), 1), ((16, 8), 2)]  # units, and directions
FEEDBACK = {
    "OutputFeedbackTagger": (OutputFeedbackTagger, [{}]),
    "OutputFeedbackRegressor": (OutputFeedbackRegressor, [{"n_lags": 1}, {"n_lags": 4}]),
}
FIT = {"max_iter": 30, "random_state": 0}
D, K, S = 6, 4, 40
JUMP = 1e-3  # far from any rounding
jumps = []  # of each sequence that may have one, whether it has


def make_data(rng):
    lengths = rng.integers(1, 41, S)
    X = [rng.normal(size=(n, D)).astype(np.float32) for n in lengths]
    return X, [np.abs(np.cumsum(x[:, 0])).astype(int) % K for x in X]


def targets(kind, X, y):
    if kind is SequenceClassifier:
        return np.array([labels[-1] for labels in y])
    if kind is SequenceRegressor:
        return np.array([x[:, 0].mean() for x in X])
    if kind in (PerStepRegressor, OutputFeedbackRegressor):
        return [np.cumsum(x[:, :2], axis=0) / 6 for x in X]
    return y


def session_of(model):
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def flat(values, lengths):
    """Return (N, ...) of padded predictions, or of a list of them; those of sequences unchanged."""
    return np.concatenate([value[:n] for value, n in zip(values, lengths)])


def batch_difference(estimator, X, dtype):
    lengths = np.array([len(x) for x in X])
    inputs = {"X": pad(X).astype(dtype), "lengths": lengths}
    if isinstance(estimator, OutputFeedbackRegressor):
        inputs["y_past"] = np.full((len(X), estimator.n_lags, 2), np.nan, dtype)
    *_, values = session_of(to_onnx(estimator, dtype=dtype)).run(None, inputs)
    predict = estimator.predict_proba if hasattr(estimator, "classes_") else estimator.predict
    expected = predict([x.astype(dtype) for x in X])
    if not isinstance(estimator, SequenceClassifier | SequenceRegressor):
        return np.abs(flat(values, lengths) - flat(expected, lengths)).max()
    difference = np.abs(values - expected).reshape(len(X), -1).max(axis=1)
    is_jump = np.zeros(len(X), bool)
    if dtype == "float32" and "positive" in np.ravel(estimator.pooling):
        both = [predict([x.astype(precision) for x in X]) for precision in (np.float32, float)]
        is_jump = np.abs(both[0] - both[1]).reshape(len(X), -1).max(axis=1) > JUMP
        jumps.extend(is_jump)
    return difference[~is_jump].max()


def step_difference(estimator, X, dtype):
    session = session_of(to_onnx(estimator, form="step", dtype=dtype))
    state = np.zeros((1, session.get_inputs()[1].shape[1]), dtype)
    stepper, largest = estimator.start(), 0.0
    for x in max(X, key=len).astype(dtype)[:, None]:
        *_, values, state = session.run(None, {"x": x, "state": state})
        largest = max(largest, np.abs(values - stepper.step(x)).max())
    return largest


def largest_difference(kind, options, X, y, dtype):
    """Return the largest difference over the options, some of which allow no steps."""
    differences = []
    for parameters in options:
        estimator = kind(**parameters, **FIT).fit(X, targets(kind, X, y))
        differences.append(batch_difference(estimator, X, dtype))
        if not parameters.get("bidirectional") and parameters.get("output") != "crf":
            differences.append(step_difference(estimator, X, dtype))
    return max(differences)


def print_differences(dtype):
    X, y = make_data(np.random.default_rng(0))
    print(f"\nLargest differences, {dtype}, over one and two layers and directions.\n")
    print(f"| cell, activation | {' | '.join(ABOVE)} |")
    print("|---" * (1 + len(ABOVE)) + "|")
    for name, of_cell in CELLS.items():
        row = []
        for kind, more in ABOVE.values():
            options = [
                {"hidden_layer_sizes": sizes, "bidirectional": n_directions == 2, **of_cell, **more}
                for sizes, n_directions in SHAPES
            ]
            row.append(f"{largest_difference(kind, options, X, y, dtype):.0e}")
        print(f"| {name} | {' | '.join(row)} |", flush=True)
    print(f"\nOutput feedback, {dtype}, over one and two layers and all activations.\n")
    print("| estimator | teacher forcing | its own outputs |\n|---|---|---|")
    for name, (kind, lags) in FEEDBACK.items():
        row = []
        for teacher_forcing in (True, False):
            activations = ("tanh", "logistic", "relu", "identity")
            options = [
                {"hidden_layer_sizes": sizes, "activation": f, **more}
                | {"teacher_forcing": teacher_forcing}
                for sizes, f, more in product([16, (16, 8)], activations, lags)
            ]
            row.append(f"{largest_difference(kind, options, X, y, dtype):.0e}")
        print(f"| {name} | {' | '.join(row)} |", flush=True)
    classifier = SequenceClassifier(random_state=0)
    X = [x[:20] for x in X if len(x) >= 20]  # of one length, so that it has a direct term
    classifier.fit(X, np.arange(len(X)) % K)
    wide = batch_difference(classifier, X, dtype), step_difference(classifier, X, dtype)
    print(f"\n`SequenceClassifier()`, a reservoir, {dtype}: {max(wide):.0e}")
    print(f"Jumps left out: {sum(jumps)} of {len(jumps)} sequences with the pool 'positive'")
    jumps.clear()


def median_times(calls, n):
    """Return the median seconds of each call; they alternate."""
    seconds = np.empty((n, len(calls)))
    for i, (j, call) in product(range(-2, n), enumerate(calls)):
        start = perf_counter()
        call()
        seconds[i, j] = perf_counter() - start  # the first two rounds are overwritten
    return np.median(seconds, axis=0)


def print_times(n):
    rng = np.random.default_rng(0)
    cells = ("elman", "gru", "lstm", "diagonal")
    print("\nTime of onnxruntime / ours, float32, one thread.\n")
    print(f"| | {' | '.join(cells)} | elman, crf |\n|---|---|---|---|---|---|")
    for size in [(1, 5, 8, 16), (32, 50, 8, 16), (300, 30, 8, 32), (300, 100, 32, 128)]:
        S, T, D, H = size
        X = rng.normal(size=(S, T, D)).astype(np.float32)
        y, row = rng.integers(0, 5, size=(max(S, 5), T)), []
        for options in [*({"cell": cell} for cell in cells), {"output": "crf"}]:
            tagger = SequenceTagger(H, **options, max_iter=2, random_state=0)
            tagger.fit(rng.normal(size=(max(S, 5), T, D)), y)
            session = session_of(to_onnx(tagger))
            inputs = {"X": X, "lengths": np.full(S, T)}
            calls = (
                lambda session=session, inputs=inputs: session.run(["probabilities"], inputs),
                lambda tagger=tagger, X=X: tagger.predict_proba(X),
            )
            theirs, ours = median_times(calls, n)
            row.append(f"{theirs / ours:.2f}")
        shape = " × ".join(map(str, size))
        print(f"| S × T × D × H = {shape} | {' | '.join(row)} |", flush=True)
    print("\nTime of a step of onnxruntime / ours, float32, one thread, D = 8, H = 32.\n")
    print(f"| | {' | '.join(cells)} |\n|---|---|---|---|---|")
    for S in (1, 100):
        row, x = [], rng.normal(size=(S, 8)).astype(np.float32)
        for cell in cells:
            tagger = SequenceTagger(32, cell=cell, max_iter=2, random_state=0)
            tagger.fit(rng.normal(size=(20, 10, 8)), rng.integers(0, 5, (20, 10)))
            session, stepper = session_of(to_onnx(tagger, form="step")), tagger.start()
            state = np.zeros((S, session.get_inputs()[1].shape[1]), np.float32)
            inputs = {"x": x, "state": state}
            calls = (
                lambda session=session, inputs=inputs: session.run(None, inputs),
                lambda stepper=stepper, x=x: stepper.step(x),
            )
            theirs, ours = median_times(calls, 20 * n)
            row.append(f"{theirs / ours:.2f}")
        print(f"| {S} sequence{'s' * (S > 1)} | {' | '.join(row)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50, help="of each timed call")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    with threadpool_limits(1):
        print_times(arguments.repeats)
        for dtype in ("float32", "float64"):
            print_differences(dtype)


if __name__ == "__main__":
    main()
