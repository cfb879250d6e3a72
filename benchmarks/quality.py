"""Quality and time on real sets, beside PyTorch's Adam on the same network and a simple baseline.

    python benchmarks/quality.py --data DIR --settings settings.json --output quality.jsonl

DIR holds the sets (see `sets.py`). For each set there is one row:

- ours: mean and standard deviation of the test score over seeds, and the median seconds of `fit`,
  with default parameters but for what `models.py` names;
- PyTorch: the same network and input (`torch_peer.py`), trained by Adam. Learning rate and batch
  size are the best of a grid by the test score of one seed, and an oracle stops each run at its
  best test score: both flatter it. Mean and deviation of the score there, the median seconds to get
  there, and the median seconds until the test score first reaches the mean of ours, with the number
  of seeds that do ("-" if most never do);
- a logistic regression of scikit-learn's on the same rows, or on a whole sequence as one vector.

`OutputFeedbackTagger` has no peer: beside it PyTorch trains hidden units that feed back.
Runs of ours and PyTorch's alternate, seed by seed, within one process. Seconds are of training
alone: neither reading, nor input pipelines, nor tests.
"""

import argparse
import itertools
import json
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from models import MODELS
from scipy import sparse
from sets import load
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch_peer import Peer

# Within these PyTorch has clearly passed its best.
EPOCHS = {
    "atis": 30,
    "conll2000": 8,
    "ud_en_ewt": 6,
    "protein_ss": 60,
    "ocr_letters": 40,
    "japanese_vowels": 100,
    "pendigits": 60,
    "gun_point": 200,
    "basic_motions": 100,
    "italy_power": 300,
    "digits8x8": 100,
    "names18": 10,
}

LEARNING_RATES = [5e-4, 2e-3, 5e-3, 1e-2]
BATCH_SIZES = [16, 64]
UNTUNED = [2e-3, 16]


# Runs


def run_ours(estimator, benchmark, seed, n_jobs):
    """Test score and seconds of `fit`."""
    model = clone(estimator).set_params(random_state=seed, n_jobs=n_jobs)
    start = perf_counter()
    model.fit(benchmark.X_train, benchmark.y_train)
    seconds = perf_counter() - start
    return benchmark.metric(benchmark.y_test, model.predict(benchmark.X_test)), seconds


def make_peer(estimator, benchmark):
    """PyTorch's network of the same size, direction and pooling."""
    pools = getattr(estimator, "pooling", ())
    return Peer(
        benchmark,
        n_hidden=estimator.hidden_layer_sizes[0],
        bidirectional=getattr(estimator, "bidirectional", False),
        pools=(pools,) if isinstance(pools, str) else tuple(pools),
    )


def tune(peer, epochs):
    """The learning rate and batch size that score best with one seed, of equal ones the quicker."""
    scores = {}
    for setting in itertools.product(LEARNING_RATES, BATCH_SIZES):
        seconds, score = best(peer.learn(*setting, epochs, seed=0))
        scores[setting] = score, -seconds
        print(f"  {setting}: {score:.4f} after {seconds:.1f} s", flush=True)
    return list(max(scores, key=scores.get))


def best(curve):
    """Seconds and score at the best test score of a curve, the earliest of equal ones."""
    return max(curve, key=lambda point: (point[1], -point[0]))


def reaches(curve, score):
    """Seconds until a curve first reaches a score; infinite if it never does."""
    return next((seconds for seconds, reached in curve if reached >= score), np.inf)


def run_baseline(benchmark):
    """Test score of a logistic regression, and what it sees."""
    per_step = isinstance(benchmark.y_train, list)
    view = rows if per_step else whole_sequences(benchmark.X_train + benchmark.X_test)
    model = LogisticRegression(max_iter=300, tol=1e-3)
    if not sparse.issparse(benchmark.X_train[0]):
        model = make_pipeline(StandardScaler(), model)
    y = np.concatenate(benchmark.y_train) if per_step else benchmark.y_train
    model.fit(view(benchmark.X_train), y)
    predicted = model.predict(view(benchmark.X_test))
    if per_step:
        ends = np.cumsum([x.shape[0] for x in benchmark.X_test])
        predicted = np.split(predicted, ends[:-1])
    return benchmark.metric(benchmark.y_test, predicted), view.__name__.replace("_", " ")


def rows(X):
    return sparse.vstack(X, format="csr") if sparse.issparse(X[0]) else np.concatenate(X)


def whole_sequences(X):
    """The way to see a sequence as one vector that suits these."""
    if sparse.issparse(X[0]):
        return feature_counts
    return flat if len({len(x) for x in X}) == 1 else mean_and_deviation


def feature_counts(X):
    return sparse.vstack([sparse.csr_array(x.sum(axis=0)[None]) for x in X], format="csr")


def flat(X):
    return np.stack(X).reshape(len(X), -1)


def mean_and_deviation(X):
    return np.stack([np.r_[x.mean(axis=0), x.std(axis=0)] for x in X])


# What was found, kept in files


class Settings:
    """Learning rate and batch size of each set, as tuned for its estimator; in a JSON file."""

    def __init__(self, path):
        self.path = path
        self.known = json.loads(path.read_text()) if path and path.exists() else {}

    def get(self, name, estimator):
        setting = self.known.get(name, {})
        if setting.get("estimator") == repr(estimator):
            return setting["learning_rate"], setting["batch_size"]
        return None

    def put(self, name, estimator, learning_rate, batch_size):
        self.known[name] = {
            "estimator": repr(estimator),
            "learning_rate": learning_rate,
            "batch_size": batch_size,
        }
        if self.path:
            self.path.write_text(json.dumps(self.known, indent=2) + "\n")


class Results:
    """A record for each set and seed, and one for its baseline; in a JSON-lines file."""

    def __init__(self, path):
        self.path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.records = [json.loads(line) for line in lines]

    def get(self, **key):
        """The records that agree with the key."""
        return [r for r in self.records if all(r.get(k) == v for k, v in key.items())]

    def put(self, **record):
        self.records.append(record)
        if self.path:
            with self.path.open("a") as file:
                file.write(json.dumps(record) + "\n")


def measure(name, results, settings, arguments):
    """Make the records of a set that there are none of yet."""
    estimator, epochs = MODELS[name], EPOCHS[name]
    key = {"set": name, "estimator": repr(estimator)}
    seeds = [s for s in range(arguments.seeds) if not results.get(**key, seed=s)]
    if not seeds and results.get(**key, seed=None):
        return
    print(f"{name}: {estimator}", flush=True)
    benchmark = load(name, arguments.data)
    if not results.get(**key, seed=None):
        score, view = run_baseline(benchmark)
        results.put(**key, seed=None, score=score, view=view)
    if not seeds:
        return
    peer = make_peer(estimator, benchmark)
    setting = settings.get(name, estimator)
    if setting is None and arguments.tune:
        setting = tune(peer, epochs)
        settings.put(name, estimator, *setting)
    learning_rate, batch_size = setting or UNTUNED
    for seed in seeds:
        score, seconds = run_ours(estimator, benchmark, seed, arguments.threads)
        curve = peer.learn(learning_rate, batch_size, epochs, seed)
        results.put(
            **key, seed=seed, score=score, seconds=seconds, curve=curve,
            learning_rate=learning_rate, batch_size=batch_size,
        )  # fmt: skip
        print(
            f"  seed {seed}: {score:.4f} in {seconds:.1f} s; "
            "PyTorch {1:.4f} in {0:.1f} s".format(*best(curve)),
            flush=True,
        )


# The table


HEADER = """\
| set | ours | fit, s | PyTorch, Adam | s to its best | s to our score | ours / theirs | logistic \
regression | Adam's step size, batch |
|---|---|---|---|---|---|---|---|---|"""


def row(name, results, n_seeds):
    key = {"set": name, "estimator": repr(MODELS[name])}
    runs = [r for seed in range(n_seeds) for r in results.get(**key, seed=seed)]
    baseline = results.get(**key, seed=None)[0]
    scores = np.array([run["score"] for run in runs])
    seconds = np.median([run["seconds"] for run in runs])
    best_seconds, best_scores = np.transpose([best(run["curve"]) for run in runs])
    reached = np.array([reaches(run["curve"], scores.mean()) for run in runs])
    equal = np.median(reached)
    settings = {f"{run['learning_rate']:g}, {run['batch_size']}" for run in runs}
    cells = [
        name,
        f"{scores.mean():.3f} ± {scores.std():.3f}",
        f"{seconds:.2g}",
        f"{best_scores.mean():.3f} ± {best_scores.std():.3f}",
        f"{np.median(best_seconds):.2g}",
        f"{equal:.2g} ({np.isfinite(reached).sum()} of {len(runs)})" if equal < np.inf else "-",
        f"{seconds / equal:.2g}" if equal < np.inf else "-",
        f"{baseline['score']:.3f} ({baseline['view']})",
        "; ".join(sorted(settings)),
    ]
    return "| " + " | ".join(cells) + " |"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=EPOCHS, default=list(EPOCHS), metavar="SET")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument(
        "--settings", type=Path, help="JSON file of tuned settings; sets not in it are added"
    )
    parser.add_argument(
        "--tune",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether to tune PyTorch on the sets that --settings does not know",
    )
    parser.add_argument(
        "--output", type=Path, help="JSON-lines file of finished runs, which are not repeated"
    )
    parser.add_argument("--threads", type=int, default=2, help="of our estimators")
    parser.add_argument(
        "--torch-threads",
        type=int,
        default=1,
        help="of PyTorch, which a second thread makes slower at these sizes",
    )
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    torch.set_num_threads(arguments.torch_threads)
    results, settings = Results(arguments.output), Settings(arguments.settings)
    for name in arguments.sets:
        measure(name, results, settings, arguments)
    print(HEADER)
    for name in arguments.sets:
        print(row(name, results, arguments.seeds))


if __name__ == "__main__":
    main()
