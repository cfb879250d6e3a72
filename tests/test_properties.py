"""Whatever the data are: `fit` refuses them in words of ours, or ends with a sound network.

The quick profile tries some examples of each property; SKLEARN_RNN_PROFILE=deep tries 2,000.
"""

import re
import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from tasks import flat, outputs

from sklearn_rnn import (
    OutputFeedbackTagger,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn._networks.activations import ACTIVATIONS

TRAINING = {
    "max_iter": [2],
    "alpha": [0.0, 0.1, 10.0],
    "activation": [*ACTIVATIONS],
    "solver": ["lbfgs", "adam", "trust-ncg"],
    "hidden_layer_sizes": [1, 2, (2, 2)],
}
# estimator, and the parameters to try
KINDS = {
    "tagger": (SequenceTagger, {"bidirectional": [False, True]}),
    "teacher forcing": (OutputFeedbackTagger, {"decoding": ["marginal", "viterbi", "greedy"]}),
    "free running": (OutputFeedbackTagger, {"teacher_forcing": [False]}),
    "classifier": (
        SequenceClassifier,
        {"bidirectional": [False, True], "pooling": ["last", "mean", "max", ("last", "max")]},
    ),
    "regressor": (SequenceRegressor, {"bidirectional": [False, True]}),
}

# X of shape (N, D) from a random generator, in double precision
FEATURES = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "whole numbers": lambda rng, shape: rng.integers(-3, 4, size=shape).astype(float),
    "zero": lambda rng, shape: np.zeros(shape),
    "constant": lambda rng, shape: np.full(shape, 0.1),
    "constant but for rounding": lambda rng, shape: 0.1 * (1 + 1e-16 * rng.normal(size=shape)),
    "one constant feature": lambda rng, shape: rng.normal(size=shape) * (np.arange(shape[1]) > 0),
    "far from zero": lambda rng, shape: 1e6 + rng.normal(size=shape),
    "least": lambda rng, shape: 5e-324 * rng.integers(-3, 4, size=shape),
    "small": lambda rng, shape: 1e-300 * rng.normal(size=shape),
    "large": lambda rng, shape: 1e150 * rng.normal(size=shape),
    "too large": lambda rng, shape: 1e300 * rng.normal(size=shape),
    "of all magnitudes": lambda rng, shape: 10 ** rng.uniform(-150, 150, size=shape),
}
DTYPES = ["float64", "float32", "float16", ">f8", "int8", "int64", "bool"]

LABELS = {
    "ints": lambda codes: codes,
    "negative ints": lambda codes: 3 - codes,
    "large ints": lambda codes: codes * 2**50,
    "words": lambda codes: np.array([f"label {code}" for code in codes]),
    "objects": lambda codes: np.array([f"label {code}" for code in codes], dtype=object),
    "floats": lambda codes: codes.astype(float),
    "bools": lambda codes: codes % 2 == 0,
}
WEIGHTS = {
    "none": lambda rng, n: None,
    "ints": lambda rng, n: rng.integers(0, 4, size=n),
    "some zero": lambda rng, n: rng.uniform(size=n) * (rng.uniform(size=n) < 0.7),
    "small": lambda rng, n: 1e-300 * rng.uniform(size=n),
    "large": lambda rng, n: 1e300 * rng.uniform(size=n),
    "of all magnitudes": lambda rng, n: 10 ** rng.uniform(-150, 150, size=n),
}

# What may be said of such data, all of it before any training but for an overflow.
REFUSAL = re.compile(
    r"variance of (feature|target) \d+ overflows|y has only one class|network overflows at "
    r"|sample_weight is zero everywhere|at least one non-zero number|sum of .* overflows"
    r"|not finite: the states overflow"
)


class Problem:
    """Sequences with targets, and an estimator to fit."""

    def __init__(self, kind, parameters, lengths, X, y, weight, layout):
        self.per_step = kind not in ("classifier", "regressor")
        self.kind, self.parameters, self.layout = kind, parameters, layout
        self.lengths, self.rows, self.y, self.weight = lengths, X, y, weight

    def __repr__(self):
        return f"Problem({vars(self)})"

    def estimator(self):
        more = {"long": {"sequence_id": -1}, "wide": {"features_per_step": self.rows.shape[1]}}
        kind, _ = KINDS[self.kind]
        return kind(random_state=0, **self.parameters, **more.get(self.layout, {}))

    def _parts(self, values):
        return np.split(values, np.cumsum(self.lengths)[:-1])

    def X(self, sequences):
        """Some of the sequences, in the layout."""
        parts = [self._parts(self.rows)[i] for i in sequences]
        if self.layout == "3-D":
            return np.stack(parts)
        if self.layout == "wide":
            return np.stack(parts).reshape(len(parts), -1)
        if self.layout == "objects":
            return object_array(parts)
        if self.layout == "CSR":
            # SciPy has no sparse matrices in half precision
            return [sparse.csr_array(part.astype(np.result_type(part, "f4"))) for part in parts]
        if self.layout == "long":
            rows = np.concatenate(parts)
            ids = np.repeat([7 * i % 13 for i in sequences], [len(part) for part in parts])
            return np.c_[rows, ids if rows.dtype == bool else ids.astype(rows.dtype)]
        return parts

    def targets(self, values):
        """Values for each target, (n,), as the layout has them."""
        if values is None or not self.per_step or self.layout == "long":
            return values
        parts = self._parts(values)
        return np.stack(parts) if self.layout == "3-D" else parts

    def fit(self):
        estimator = self.estimator()
        X = self.X(range(len(self.lengths)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "The number of unique classes")
            warnings.filterwarnings("ignore", "The variance of .* underflows")
            estimator.fit(X, self.targets(self.y), self.targets(self.weight))
        return estimator

    def outputs(self, estimator, sequences):
        """What the estimator puts out for each of some sequences: a list of arrays (., K)."""
        n_targets = self.lengths[sequences] if self.per_step else np.ones(len(sequences), int)
        given = outputs(estimator, self.X(sequences))
        return np.split(flat_rows(given), np.cumsum(n_targets)[:-1])


def flat_rows(given):
    """Outputs of all targets, (n, K), from any layout."""
    if given.dtype == object:
        given = np.concatenate(given)
    return given.reshape(-1, given.shape[-1]) if given.ndim > 1 else given[:, None]


def some_of(draw, choices):
    return {name: draw(st.sampled_from(values)) for name, values in choices.items()}


@st.composite
def problems(draw):
    kind = draw(st.sampled_from([*KINDS]))
    per_step = kind not in ("classifier", "regressor")
    parameters = some_of(draw, TRAINING | KINDS[kind][1])
    layouts = ["3-D", "list", "objects", "CSR", "long" if per_step else "wide"]
    layout = draw(st.sampled_from(layouts))
    S, T, D = (draw(st.integers(1, most)) for most in (6, 4, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    is_ragged = layout not in ("3-D", "wide")
    lengths = rng.integers(1, T + 1, size=S) if is_ragged else np.full(S, T)
    n_targets = lengths.sum() if per_step else S
    X = FEATURES[draw(st.sampled_from([*FEATURES]))](rng, (lengths.sum(), D))
    dtype = draw(st.sampled_from(DTYPES))
    if dtype == "int8":
        X = rng.integers(-128, 128, size=X.shape, dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        X = np.nan_to_num(X.astype(dtype), posinf=1, neginf=-1)
    X = np.asarray(X, order=draw(st.sampled_from("CF")))
    X.flags.writeable = draw(st.booleans())
    if kind == "regressor":
        y = FEATURES[draw(st.sampled_from([*FEATURES]))](rng, (n_targets, 2))
    else:
        codes = rng.integers(draw(st.integers(2, 40)), size=n_targets)
        y = LABELS[draw(st.sampled_from([*LABELS]))](codes)
    weight = WEIGHTS[draw(st.sampled_from([*WEIGHTS]))](rng, n_targets)
    return Problem(kind, parameters, lengths, X, y, weight, layout)


def fit_or_refusal(problem):
    """The fitted estimator, or None if it refuses the data in words of ours."""
    estimator = problem.estimator()
    before = vars(estimator).copy()
    try:
        return problem.fit()
    except (ValueError, TypeError) as error:
        assert REFUSAL.search(str(error)), error
        assert vars(estimator) == before
        return None


def weights(estimator):
    names = [name for name in vars(estimator) if name.endswith(("_weights_", "_biases_"))]
    values = [getattr(estimator, name) for name in names]
    return [array for value in values for array in (value if isinstance(value, list) else [value])]


@given(problems())
def test_fit_refuses_or_ends_sound(problem):
    estimator = fit_or_refusal(problem)
    if estimator is None:
        return
    assert all(np.isfinite(array).all() for array in weights(estimator))
    everyone = np.arange(len(problem.lengths))
    try:
        values = np.concatenate(problem.outputs(estimator, everyone))
    except ValueError as error:
        assert "network overflows at" in str(error)
        return
    assert np.isfinite(values).all()
    if problem.kind == "regressor":
        return
    tolerance = 1e-6 if values.dtype == np.float32 else 1e-12
    assert (values >= 0).all() and (values <= 1 + tolerance).all()
    assert_allclose(values.sum(axis=1), 1.0, atol=tolerance)
    predicted = flat(estimator.predict(problem.X(everyone)))
    assert np.isin(predicted, estimator.classes_).all()


@given(problems(), st.randoms(use_true_random=False))
def test_predictions_depend_on_no_other_sequence(problem, random):
    """Nor on the order. BLAS may round otherwise where there are other numbers of rows."""
    estimator = fit_or_refusal(problem)
    if estimator is None:
        return
    everyone = np.arange(len(problem.lengths))
    shuffled = np.array(random.sample(everyone.tolist(), len(everyone)))
    try:
        values = problem.outputs(estimator, everyone)
        others = problem.outputs(estimator, shuffled)
        alone = [problem.outputs(estimator, everyone[[i]])[0] for i in everyone]
    except ValueError as error:
        assert "network overflows at" in str(error)
        return
    scale = max(1.0, max(np.abs(part).max() for part in values))
    tolerance = 1e3 * np.finfo(values[0].dtype).eps * scale * digits_lost(problem)
    for i, part in zip(shuffled, others):
        assert_allclose(part, values[i], rtol=0, atol=tolerance)
    for part, value in zip(alone, values):
        assert_allclose(part, value, rtol=0, atol=tolerance)


def digits_lost(problem):
    """How many times larger the features are than their deviations, which is lost in digits."""
    rows, weight = problem.rows.astype(float), problem.weight
    if weight is not None:
        weight = weight / weight.max()
        weight = weight if problem.per_step else np.repeat(weight, problem.lengths)
    size = np.abs(rows).max(axis=0)
    rows = rows / np.where(size > 0, size, 1)
    mean = np.average(rows, axis=0, weights=weight)
    deviation = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weight))
    varies = deviation > 1e-15
    return max(1.0, *(1 / deviation[varies]), *size[~varies])


@given(problems())
def test_layouts_agree(problem):
    """To the last bit, weights and all."""
    estimator = fit_or_refusal(problem)
    if estimator is None or problem.layout == "CSR":  # sparse data are not standardised
        return
    problem.layout = "list"
    again = problem.fit()
    for one, other in zip(weights(estimator), weights(again)):
        assert_array_equal(one, other)
