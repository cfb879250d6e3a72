"""The same random_state gives the same weights, to the last bit, in whatever process.

That n_jobs, layouts and saving change nothing is in test_estimators.py, common_checks.py and
test_persistence.py.
"""

import subprocess
import sys

import pytest
from tasks import TASKS, environment, fitted, state

IN_ANOTHER_PROCESS = "import test_determinism; print(*test_determinism.states())"


def states():
    solvers = ["lbfgs", "adam", "trust-ncg"]
    return [state(fitted(name, solver=s, max_iter=2)) for name in TASKS for s in solvers]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_processes_agree():
    """Whatever strings hash to there, and however many threads BLAS may have."""
    others = []
    for n_threads in ("1", "2"):
        threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], n_threads)
        variables = environment(PYTHONHASHSEED="1", PYTHONWARNINGS="ignore", **threads)
        command = [sys.executable, "-c", IN_ANOTHER_PROCESS]
        others.append(subprocess.Popen(command, env=variables, stdout=subprocess.PIPE))
    here = states()
    for other in others:
        printed, _ = other.communicate()
        assert printed.decode().split() == here
