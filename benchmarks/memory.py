"""Peak memory of training and prediction on a large set, beside the memory of X.

    python benchmarks/memory.py

100,000 sequences of 100 steps with 8 features in single precision (320 MB), 64 hidden units, one
epoch or a few iterations: what follows needs no more. Each case runs in a process of its own, which
makes X, notes what the process takes by then, and what it takes at its peak.
"""

import argparse
import resource
import subprocess
import sys
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_rnn import SequenceClassifier, SequenceTagger

CASES = {
    "SequenceClassifier, Adam": (SequenceClassifier(64, max_iter=1, solver="adam"), False),
    "SequenceClassifier, L-BFGS": (SequenceClassifier(64, max_iter=2, solver="lbfgs"), False),
    "SequenceTagger, Adam": (SequenceTagger(64, max_iter=1, solver="adam"), True),
    "SequenceTagger, L-BFGS": (SequenceTagger(64, max_iter=2, solver="lbfgs"), True),
}


def peak():
    """Megabytes that this process has taken at its most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(case, n_sequences):
    model, per_step = CASES[case]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_sequences, 100, 8), dtype=np.float32)
    y = rng.integers(5, size=X.shape[:2] if per_step else n_sequences, dtype=np.int8)
    before = peak()
    warnings.simplefilter("ignore", ConvergenceWarning)
    model.fit(X, y)
    fitted = peak()
    model.predict_proba(X)
    figures = X.nbytes / 1e6, before, fitted, peak()
    print(f"| {case} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--case", choices=CASES, help="only this one, in this process")
    arguments = parser.parse_args()
    if arguments.case:
        run(arguments.case, arguments.sequences)
        return
    print("| case | X, MB | process with X, MB | peak of fit, MB | peak with predict_proba, MB |")
    print("|---|---|---|---|---|", flush=True)
    for case in CASES:
        subprocess.run([sys.executable, *sys.argv, "--case", case], check=True)


if __name__ == "__main__":
    main()
