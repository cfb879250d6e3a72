"""A search over settings: seconds in all and the best score, beside MLPClassifier and skorch.

    python benchmarks/search.py --data DIR

GridSearchCV over 3 x 3 settings in 5 folds (45 fits and a refit) on the training part of each set,
all on one thread and in turn. Prints a Markdown table: the median seconds over the repetitions, the
cross-validated score of the best settings, and the score of the refit on the test part.

- ours, ridge: the units of each block of the reservoir, and the penalty;
- ours, trained: the hidden units and the penalty, all weights being trained;
- MLPClassifier on the flattened, standardised sequences (mean and deviation of each feature where
  lengths are unequal): the hidden units and the penalty;
- skorch: nn.RNN on padded, standardised sequences, the state after the last step read out, and Adam
  with skorch's early stopping, 100 epochs at most: the hidden units and the step size. Left out
  where skorch is not installed.
"""

import argparse
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from quality import flat, mean_and_deviation
from sets import load
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_rnn import SequenceClassifier

try:
    import torch
    from skorch import NeuralNetClassifier
    from skorch.callbacks import EarlyStopping
except ImportError:
    torch = None

SETS = ["gun_point", "italy_power", "japanese_vowels", "digits8x8"]
ALPHAS = [0.001, 0.1, 10]


def ridge(X):
    grid = {"hidden_layer_sizes": [50, 100, 200], "alpha": ALPHAS}
    return SequenceClassifier(solver="ridge", random_state=0, n_jobs=1), grid, list


def trained(X):
    grid = {"hidden_layer_sizes": [16, 32, 64], "alpha": [0.01, 0.1, 1]}
    return SequenceClassifier(random_state=0, n_jobs=1), grid, list


def mlp(X):
    model = make_pipeline(StandardScaler(), MLPClassifier(random_state=0))
    name = "mlpclassifier__"
    grid = {f"{name}hidden_layer_sizes": [50, 100, 200], f"{name}alpha": [1e-4, 1e-2, 1]}
    return model, grid, flat if len({len(x) for x in X}) == 1 else mean_and_deviation


def skorch(X):
    rows = np.concatenate(X)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    longest = max(map(len, X))

    def padded(X):
        """Standardised values and, as a last feature of each step, whether the sequence goes on."""
        result = np.zeros((len(X), longest, rows.shape[1] + 1), np.float32)
        for i, x in enumerate(X):
            x = x[:longest]
            result[i, : len(x), :-1] = (x - mean) / np.where(deviation > 0, deviation, 1)
            result[i, : len(x), -1] = 1
        return result

    torch.manual_seed(0)
    network = NeuralNetClassifier(
        RNN,
        module__n_features=rows.shape[1],
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        max_epochs=100,
        callbacks=[EarlyStopping()],
        verbose=0,
    )
    return network, {"module__n_units": [16, 32, 64], "lr": [0.001, 0.003, 0.01]}, padded


if torch is not None:

    class RNN(torch.nn.Module):
        """Logits from the state after the last step of a padded sequence."""

        def __init__(self, n_features, n_units=32, n_classes=10):
            super().__init__()
            self.recurrence = torch.nn.RNN(n_features, n_units, batch_first=True)
            self.output = torch.nn.Linear(n_units, n_classes)

        def forward(self, X):
            H, _ = self.recurrence(X[..., :-1])
            last = X[..., -1].sum(dim=1).long() - 1
            return self.output(H[torch.arange(len(H)), last])


PEERS = {"ours, ridge": ridge, "ours, trained": trained, "MLPClassifier": mlp, "skorch": skorch}


def run(peer, benchmark):
    """Return the seconds of a search, its best score and the test score."""
    model, grid, see = PEERS[peer](benchmark.X_train)
    labels = LabelEncoder().fit(benchmark.y_train)
    y_train, y_test = (labels.transform(y) for y in (benchmark.y_train, benchmark.y_test))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, cv=folds)
    X_train, X_test = see(benchmark.X_train), see(benchmark.X_test)
    start = perf_counter()
    search.fit(X_train, y_train)
    return perf_counter() - start, search.best_score_, search.score(X_test, y_test)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="SET")
    parser.add_argument("--repeat", type=int, default=3, help="how often to time each search")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    peers = [peer for peer in PEERS if torch is not None or peer != "skorch"]
    if torch is not None:
        torch.set_num_threads(1)

    print("| set | who | seconds | best cross-validated score | test score |")
    print("|---|---|---|---|---|")
    with threadpool_limits(1):
        for name in arguments.sets:
            benchmark = load(name, arguments.data)
            rounds = [
                {peer: run(peer, benchmark) for peer in peers} for _ in range(arguments.repeat)
            ]
            for peer in peers:
                seconds = np.median([results[peer][0] for results in rounds])
                _, best, test = rounds[0][peer]
                print(f"| {name} | {peer} | {seconds:.1f} | {best:.3f} | {test:.3f} |", flush=True)


if __name__ == "__main__":
    main()
