"""Our own checks: what every estimator must do with every layout.

Each is ``check(estimator, case, tmp_path)``, in the manner of scikit-learn's estimator checks.
"""

import joblib
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from tasks import flat, outputs, state

S, T, D = 24, 5, 3


class Case:
    """One layout of the same sequences: X, y, a weight for each target; and parts of them.

    `take` gives the sequences of an index array, in its order, repetitions being other sequences.
    """

    def __init__(self, layout, per_step, label):
        self.layout, self.per_step = layout, per_step
        self.sequences = np.random.default_rng(0).normal(size=(S, T, D)).round(2)
        if layout.startswith("ragged"):
            self.sequences = [x[: 2 + i % (T - 1)] for i, x in enumerate(self.sequences)]
        self.labels = [label(x) for x in self.sequences]
        self.weight = np.arange(S) % 3

    def take(self, among):
        sequences = [self.sequences[i] for i in among]
        labels = [self.labels[i] for i in among]
        return self._in_layout(sequences), self._targets(labels, sequences)

    def all(self):
        return self.take(np.arange(S))

    def weights(self):
        """The weight of every target, in the layout of y."""
        if not self.per_step:
            return self._targets(self.weight.astype(float), self.sequences)
        return self._targets([np.full(len(x), w) for x, w in zip(self.sequences, self.weight)])

    def parameters(self):
        return {"wide": {"features_per_step": D}, "long": {"sequence_id": 0}}.get(self.layout, {})

    def _targets(self, labels, sequences=None):
        if not self.per_step:
            lengths = [len(x) for x in sequences] if self.layout == "long" else 1
            return np.repeat(labels, lengths)
        return np.concatenate(labels) if self.layout == "long" else labels

    def _in_layout(self, sequences):
        return LAYOUTS[self.layout](sequences)


def _objects(parts):
    array = np.empty(len(parts), dtype=object)
    array[:] = parts
    return array


def _long(sequences):
    lengths = [len(x) for x in sequences]
    return np.column_stack([np.repeat(np.arange(len(lengths)), lengths), np.vstack(sequences)])


LAYOUTS = {
    "3-D": np.stack,
    "list of equal length": list,
    "ragged list": list,
    "ragged object array": _objects,
    "ragged CSR": lambda sequences: [sparse.csr_array(x) for x in sequences],
    "wide": lambda sequences: np.stack(sequences).reshape(len(sequences), -1),
    "long": _long,
}


def check_clone(estimator, case, tmp_path):
    estimator.fit(*case.all())
    copy = clone(estimator)
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert state(copy.fit(*case.all())) == state(estimator)


def check_refit_is_fit(estimator, case, tmp_path):
    X, y = case.all()
    first = state(estimator.fit(X, y))
    half = case.take(np.arange(S // 2))
    assert state(estimator.fit(*half)) != first
    assert state(estimator.fit(X, y)) == first


def check_set_params_round_trip(estimator, case, tmp_path):
    parameters = estimator.get_params()
    other = type(estimator)().set_params(**parameters)
    assert other.get_params() == parameters
    assert state(other.fit(*case.all())) == state(estimator.fit(*case.all()))
    assert estimator.get_params() == parameters


def check_input_is_not_modified(estimator, case, tmp_path):
    given = (*case.all(), case.weights())
    before = joblib.hash(given)
    estimator.fit(*given)
    outputs(estimator, given[0])
    estimator.score(*given)
    estimator.partial_fit(given[0], given[1], sample_weight=given[2])
    assert joblib.hash(given) == before


def check_read_only_memory_map(estimator, case, tmp_path):
    given = (*case.all(), case.weights())
    joblib.dump(given, tmp_path / "data")
    mapped = joblib.load(tmp_path / "data", mmap_mode="r")
    assert state(estimator.fit(*mapped)) == state(clone(estimator).fit(*given))
    expected = outputs(estimator, given[0])
    assert_array_equal(flat(outputs(estimator, mapped[0])), flat(expected))
    assert estimator.score(*mapped) == estimator.score(*given)
    estimator.partial_fit(mapped[0], mapped[1])


def check_order_of_sequences(estimator, case, tmp_path):
    order = np.random.default_rng(0).permutation(S)
    estimator.fit(*case.all())
    assert state(clone(estimator).fit(*case.take(order))) == state(estimator)


def check_weight_zero_is_absent_and_two_is_twice(estimator, case, tmp_path):
    weighted = clone(estimator).fit(*case.all(), case.weights())
    repeated = estimator.fit(*case.take(np.repeat(np.arange(S), case.weight)))
    assert state(weighted) == state(repeated)
    expected = repeated.score(*case.take(np.repeat(np.arange(S), case.weight)))
    assert_allclose(weighted.score(*case.all(), case.weights()), expected)


def check_weight_of_a_sequence_is_that_of_its_steps(estimator, case, tmp_path):
    if not case.per_step or case.layout == "long":
        return
    by_step = clone(estimator).fit(*case.all(), case.weights())
    by_sequence = estimator.fit(*case.all(), case.weight)
    assert state(by_step) == state(by_sequence)


def check_partial_fit_remembers_nothing_that_fit_needs(estimator, case, tmp_path):
    fitted = state(clone(estimator).fit(*case.all()))
    estimator.fit(*case.take(np.arange(S // 2))).partial_fit(*case.all())
    assert state(estimator) != fitted
    assert state(estimator.fit(*case.all())) == fitted


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]
SAME = [("3-D", "list of equal length"), ("ragged list", "ragged object array")]
