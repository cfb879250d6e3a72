"""Default parameters beside the best simple alternative: all tagging sets, all classification sets.

    python benchmarks/defaults.py --data DIR --output defaults.jsonl

Prints two Markdown tables. Our estimators have default parameters but for `random_state`. Where
`models.py` has an `OutputFeedbackTagger` or both directions for a set, a second row has that class
or direction, with default parameters otherwise. Cells have the mean test score over seeds and the
median seconds of `fit`. "best" is the alternative of the highest mean test score, and the
difference is our mean less its mean.

Alternatives for tagging, each on standardised rows (sparse rows as they are):

- LR: logistic regression on the row that our estimator sees;
- LR, MLP and HGB window: on the row and the 2 rows on either side. Sets whose pipeline makes a
  window take it from there, with a width of at least 2 (6 for protein_ss); LR window is left out
  where that is the row itself. HGB takes dense sets only;
- reservoir: logistic regression on 200 fixed random tanh units of spectral radius 0.9.

Alternatives for classification:

- LR and MLP: on the sequence as one vector, of the values of all steps; of the sums of sparse rows;
  of mean and deviation of each feature where lengths are unequal;
- LR and MLP padded, resampled: where lengths are unequal, on all values, padded by zeros to the
  longest, or resampled to the median length;
- DTW (1-NN) and MiniRocket of aeon: dense sets only, left out where aeon is not installed. 1-NN
  learns nothing in `fit`, so its seconds are those of `predict`. MiniRocket takes sequences of at
  least 9 steps, and those of unequal lengths resampled.

Finished runs are kept in `--output` and not repeated. After a change of the library start a new
file. Everything runs on one thread. The sets of `sets.GENERATED` need no `--data`.
"""

import argparse
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from models import MODELS
from quality import Results, feature_counts, flat, mean_and_deviation, rows
from scipy import sparse
from sets import GENERATED, SETS, load, window
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_rnn import SequenceClassifier, SequenceTagger

try:
    from aeon.classification.convolution_based import MiniRocketClassifier
    from aeon.classification.distance_based import KNeighborsTimeSeriesClassifier
except ImportError:
    MiniRocketClassifier = KNeighborsTimeSeriesClassifier = None

WINDOW = 2
N_UNITS, RADIUS = 200, 0.9
MINIROCKET_LEAST = 9  # steps

TAGGING = ["LR", "LR window", "MLP window", "HGB window", "reservoir"]
CLASSIFICATION = ["LR", "LR padded", "LR resampled", "MLP", "MLP padded", "MLP resampled"]
AEON = ["DTW", "MiniRocket"]
DETERMINISTIC = {"LR", "LR window", "LR padded", "LR resampled", "DTW"}


def is_classification(name):
    return isinstance(MODELS[name], SequenceClassifier)


def peers_of(name):
    return CLASSIFICATION + AEON if is_classification(name) else TAGGING


# Our estimators


def ours(name):
    """Return the estimators of a set: all defaults, then with the class and direction of MODELS."""
    default = SequenceClassifier() if is_classification(name) else SequenceTagger()
    special = type(MODELS[name])()
    if getattr(MODELS[name], "bidirectional", False):
        special.set_params(bidirectional=True)
    return [default] if repr(special) == repr(default) else [default, special]


def run_ours(estimator, benchmark, seed):
    """Return test score, seconds of `fit` and, for a classifier, log loss."""
    model = clone(estimator).set_params(random_state=seed, n_jobs=1)
    start = perf_counter()
    model.fit(benchmark.X_train, benchmark.y_train)
    record = {"seconds": perf_counter() - start}
    record["score"] = benchmark.metric(benchmark.y_test, model.predict(benchmark.X_test))
    if isinstance(model, SequenceClassifier):
        probabilities = model.predict_proba(benchmark.X_test)
        record["log_loss"] = log_loss(benchmark.y_test, probabilities, labels=model.classes_)
    return record


# Alternatives


def run_peer(peer, name, benchmark, folder, seed):
    """Return test score and seconds of an alternative, or None if it does not suit the set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if is_classification(name):
            return run_classification(peer, benchmark, seed)
        return run_tagging(peer, name, benchmark, folder, seed)


def make_model(kind, seed, is_sparse=False):
    if kind == "MLP":
        return MLPClassifier(random_state=seed)
    if kind == "HGB":
        return HistGradientBoostingClassifier(random_state=seed)
    # On many sparse columns it stops sooner, as in quality.py.
    if is_sparse:
        return LogisticRegression(max_iter=300, tol=1e-3)
    return LogisticRegression(max_iter=1000)


def fit_and_score(model, X_train, y_train, X_test, score):
    start = perf_counter()
    model.fit(X_train, y_train)
    return {"seconds": perf_counter() - start, "score": score(model.predict(X_test))}


def standardised(benchmark):
    """Training and test sequences with columns of mean 0 and deviation 1; sparse ones unchanged."""
    if sparse.issparse(benchmark.X_train[0]):
        return benchmark.X_train, benchmark.X_test
    scaler = StandardScaler().fit(rows(benchmark.X_train))
    return [[scaler.transform(x) for x in X] for X in (benchmark.X_train, benchmark.X_test)]


# Alternatives for tagging


def run_tagging(peer, name, benchmark, folder, seed):
    kind, _, windowed = peer.partition(" ")
    if kind == "HGB" and sparse.issparse(benchmark.X_train[0]):
        return None
    if windowed:
        width = SETS[name][1].get("width") if name in SETS else None
        if peer == "LR window" and width is not None and width >= WINDOW:
            return None
        if width is not None and width < WINDOW:
            benchmark = load(name, folder, width=WINDOW)
    X_train, X_test = standardised(benchmark)
    if windowed and width is None:
        X_train, X_test = windows(X_train), windows(X_test)
    else:
        X_train, X_test = rows(X_train), rows(X_test)
    ends = np.cumsum([len(y) for y in benchmark.y_test])[:-1]

    def score(predicted):
        return benchmark.metric(benchmark.y_test, np.split(predicted, ends))

    y_train = np.concatenate(benchmark.y_train)
    if peer != "reservoir":
        model = make_model(kind, seed, sparse.issparse(X_train))
        return fit_and_score(model, X_train, y_train, X_test, score)
    start = perf_counter()
    states = reservoir(X_train, seed)
    H_train = states(X_train, benchmark.y_train)
    seconds = perf_counter() - start
    H_test = states(X_test, benchmark.y_test)
    record = fit_and_score(make_model("LR", seed), H_train, y_train, H_test, score)
    return record | {"seconds": seconds + record["seconds"]}


def windows(X):
    """All rows side by side with their neighbours, zeros beyond the ends of a sequence."""
    neighbours = window(sparse.csr_array(rows(X)), np.array([x.shape[0] for x in X]), WINDOW)
    return neighbours if sparse.issparse(X[0]) else neighbours.toarray()


def reservoir(X, seed):
    """Return the function from rows and sequences of labels, which have the lengths, to states.

    Inputs are scaled so that the mean square of what they add to a unit is 1.
    """
    rng = np.random.default_rng(seed)
    W_in = rng.standard_normal((X.shape[1], N_UNITS))
    square = X.multiply(X).sum() if sparse.issparse(X) else np.sum(X * X)
    W_in = (W_in / np.sqrt(square / X.shape[0])).astype(np.float32)
    W_rec = rng.standard_normal((N_UNITS, N_UNITS))
    W_rec *= RADIUS / np.abs(np.linalg.eigvals(W_rec)).max()
    W_rec = W_rec.astype(np.float32)

    def states(X, sequences):
        H = np.asarray(X @ W_in, dtype=np.float32)
        t = 0
        for sequence in sequences:
            h = np.zeros(N_UNITS, np.float32)
            for _ in range(len(sequence)):
                h = H[t] = np.tanh(H[t] + h @ W_rec)
                t += 1
        return H

    return states


# Alternatives for classification


def run_classification(peer, benchmark, seed):
    is_sparse = sparse.issparse(benchmark.X_train[0])
    X_train, X_test = standardised(benchmark)
    equal = len({x.shape[0] for x in X_train + X_test}) == 1
    length = int(np.median([x.shape[0] for x in X_train]))

    def score(predicted):
        return benchmark.metric(benchmark.y_test, predicted)

    if peer in AEON:
        if is_sparse:
            return None
        return run_aeon(peer, X_train, benchmark.y_train, X_test, score, length, equal, seed)
    kind, _, view = peer.partition(" ")
    if view and (equal or is_sparse):
        return None
    if view == "padded":
        longest = max(map(len, X_train))
        X_train, X_test = (flat([pad(x, longest) for x in X]) for X in (X_train, X_test))
    elif view == "resampled":
        X_train, X_test = (flat([resample(x, length) for x in X]) for X in (X_train, X_test))
    else:
        see = feature_counts if is_sparse else flat if equal else mean_and_deviation
        X_train, X_test = see(X_train), see(X_test)
    model = make_model(kind, seed, is_sparse)
    if not is_sparse:
        model = make_pipeline(StandardScaler(), model)
    return fit_and_score(model, X_train, benchmark.y_train, X_test, score)


def run_aeon(peer, X_train, y_train, X_test, score, length, equal, seed):
    """Run 1-NN DTW, timing `predict`, or MiniRocket, timing `fit`."""
    if peer == "MiniRocket":
        if length < MINIROCKET_LEAST:
            return None
        if not equal:
            X_train, X_test = ([resample(x, length) for x in X] for X in (X_train, X_test))
        model = MiniRocketClassifier(random_state=seed, n_jobs=1)
        X_train, X_test = (np.stack([x.T for x in X]).astype(np.float32) for X in (X_train, X_test))
        # The first call compiles.
        MiniRocketClassifier(random_state=seed, n_jobs=1).fit(X_train, y_train).predict(X_test[:1])
        return fit_and_score(model, X_train, y_train, X_test, score)
    X_train, X_test = ([np.ascontiguousarray(x.T, float) for x in X] for X in (X_train, X_test))
    if equal:
        X_train, X_test = np.stack(X_train), np.stack(X_test)
    model = KNeighborsTimeSeriesClassifier(n_neighbors=1, distance="dtw", n_jobs=1)
    model.fit(X_train, y_train)
    model.predict(X_test[:1])  # compiles
    start = perf_counter()
    predicted = model.predict(X_test)
    return {"seconds": perf_counter() - start, "score": score(predicted)}


def pad(x, length):
    """The first steps of a sequence, as many as given, with zeros where it has fewer."""
    return np.pad(x[:length], ((0, max(0, length - len(x))), (0, 0)))


def resample(x, length):
    """A sequence at evenly spaced times, as many as given, by linear interpolation."""
    times = np.linspace(0, len(x) - 1, length)
    return np.stack([np.interp(times, np.arange(len(x)), column) for column in x.T], axis=1)


# Measuring


def measure(name, results, arguments):
    """Make the records of a set that there are none of yet."""
    peers = [p for p in peers_of(name) if p in arguments.peers]
    if MiniRocketClassifier is None:
        peers = [p for p in peers if p not in AEON]
    todo = []
    for seed in range(arguments.seeds):
        todo += [(repr(model), model, seed) for model in ours(name)]
        for peer in peers:
            fixed = peer in DETERMINISTIC
            if not (fixed and seed):
                todo.append((peer, None, None if fixed else seed))
    todo = [job for job in todo if not results.get(set=name, model=job[0], seed=job[2])]
    if not todo:
        return
    print(name, flush=True)
    benchmark = load(name, arguments.data)
    for label, model, seed in todo:
        if model is not None:
            record = run_ours(model, benchmark, seed)
        else:
            record = run_peer(label, name, benchmark, arguments.data, seed)
        if record is None:  # kept, so that the set is not read again for it
            results.put(set=name, model=label, seed=seed, score=None)
            continue
        results.put(set=name, model=label, seed=seed, **record)
        print(f"  {label}, {seed}: {record['score']:.4f}, {record['seconds']:.2g} s", flush=True)


# The tables


def print_table(names, peers, results, n_seeds, with_loss):
    """Print a row for each set and estimator of ours, a column for each alternative."""
    header = ["set", "ours", "score", "fit, s"] + ["log loss"] * with_loss
    header += [*peers, "best", "ours - best"]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for name in names:
        for model in ours(name):
            print("| " + " | ".join(row(name, model, peers, results, n_seeds, with_loss)) + " |")


def row(name, model, peers, results, n_seeds, with_loss):
    runs = runs_of(name, repr(model), results, n_seeds)
    scores = [run["score"] for run in runs]
    cells = [name, f"`{model!r}`", f"{np.mean(scores):.3f} ± {np.std(scores):.3f}", seconds(runs)]
    if with_loss:
        cells.append(f"{np.mean([run['log_loss'] for run in runs]):.3f}")
    means = {}
    for peer in peers:
        runs = runs_of(name, peer, results, n_seeds)
        if runs:
            means[peer] = np.mean([run["score"] for run in runs])
        cells.append(f"{means[peer]:.3f} ({seconds(runs)})" if runs else "-")
    if not means:
        return [*cells, "-", "-"]
    best = max(means, key=means.get)
    return [*cells, f"{best} {means[best]:.3f}", f"{np.mean(scores) - means[best]:+.3f}"]


def runs_of(name, label, results, n_seeds):
    """The finished runs; none of an alternative that does not suit the set."""
    seeds = (None, *range(n_seeds))
    runs = [r for seed in seeds for r in results.get(set=name, model=label, seed=seed)]
    return [run for run in runs if run["score"] is not None]


def seconds(runs):
    return f"{np.median([run['seconds'] for run in runs]):.2g}"


def parse_arguments():
    peers = list(dict.fromkeys(TAGGING + CLASSIFICATION + AEON))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=MODELS, default=list(MODELS), metavar="SET")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--peers", nargs="*", choices=peers, default=peers, metavar="PEER")
    parser.add_argument(
        "--output", type=Path, help="JSON-lines file of finished runs, which are not repeated"
    )
    arguments = parser.parse_args()
    if arguments.data is None and not set(arguments.sets) <= set(GENERATED):
        parser.error("these sets need --data")
    return arguments


def main():
    arguments = parse_arguments()
    results = Results(arguments.output)
    with threadpool_limits(1):
        for name in arguments.sets:
            measure(name, results, arguments)
    for classification in False, True:
        names = [n for n in arguments.sets if is_classification(n) == classification]
        if names:
            peers = [p for p in peers_of(names[0]) if p in arguments.peers]
            print_table(names, peers, results, arguments.seeds, with_loss=classification)
            print()


if __name__ == "__main__":
    main()
