"""ONNX models in onnxruntime give the predictions of the estimators that they were made from."""

from itertools import product

import numpy as np
import pytest
from refusals import CLASSIFIER, FEEDBACK, LONG_TAGGER, QUICK, TAGGER, Y_STEPS, assert_refuses
from refusals import X as X_REFUSALS
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_rnn import (
    OutputFeedbackRegressor,
    OutputFeedbackTagger,
    PerStepRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn._networks.hidden_feedback import HiddenFeedback
from sklearn_rnn._networks.pooling import POOLS
from sklearn_rnn.export import register_converters, to_onnx
from sklearn_rnn.preprocessing import PerStepTransformer, pad

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

D, LENGTHS = 3, np.array([4, 7, 1, 5, 7, 2])
S, T = len(LENGTHS), max(LENGTHS)
X = [np.random.default_rng(i).normal(size=(n, D)).astype(np.float32) for i, n in enumerate(LENGTHS)]
SETTINGS = {"max_iter": 1, "tol": 9, "n_iter_no_change": 1, "random_state": 0}
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def labels_of(X, names="abc"):
    return [np.array(list(names))[np.arange(len(x)) % 3] for x in X]


def numbers_of(X, K):
    y = [x[:, :K] + 0.5 for x in X]
    return y if K > 1 else [numbers[:, 0] for numbers in y]


def targets_of(estimator, X):
    """Return the targets that an estimator is fitted to."""
    match estimator:
        case SequenceClassifier():
            return np.arange(len(X)) % 3
        case SequenceRegressor():
            return np.array([x[0, :2] for x in X])
        case SequenceTagger() | OutputFeedbackTagger():
            return labels_of(X)
    return numbers_of(X, 2)


def fitted(estimator, X=X, y=None):
    """Return the estimator with weights that leave no part of its network without a say."""
    estimator.set_params(**SETTINGS).fit(X, targets_of(estimator, X) if y is None else y)
    rng = np.random.default_rng(0)
    for weights in estimator._model.weights.values():
        for W in weights if isinstance(weights, list) else [weights]:
            W += rng.normal(0, 0.3, W.shape)
    return estimator


def session_of(model):
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def run(model, **inputs):
    session = session_of(model)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def run_batch(estimator, dtype="float64", X=X, **more):
    lengths = np.array([len(x) for x in X])
    return run(to_onnx(estimator, dtype=dtype), X=pad(X).astype(dtype), lengths=lengths, **more)


def rows(values, lengths=LENGTHS):
    return np.concatenate([value[:n] for value, n in zip(values, lengths)])


def assert_close(values, expected, dtype):
    np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE[dtype])
    assert values.dtype == dtype


def assert_predicts_the_same(estimator, dtype, X=X):
    """The outputs of the batch form are the predictions of the estimator, in that precision."""
    outputs = run_batch(estimator, dtype, X)
    X = [x.astype(dtype) for x in X]
    lengths = [len(x) for x in X]
    per_step = not isinstance(estimator, SequenceClassifier | SequenceRegressor)
    for name, value in outputs.items():
        method = {"labels": "predict", "probabilities": "predict_proba"}.get(name, "predict")
        expected = getattr(estimator, method)(X)
        if per_step:
            padding = [value[i, n:] for i, n in enumerate(lengths)]
            assert name == "labels" or not np.concatenate(padding).any()
            value, expected = rows(value, lengths), np.concatenate(expected)
        if name == "labels":
            np.testing.assert_array_equal(value, expected)
        else:
            assert_close(value, expected, dtype)


def assert_steps_the_same(estimator, dtype="float64"):
    """The step form gives what the stepper gives, also where a row starts anew."""
    session = session_of(to_onnx(estimator, form="step", dtype=dtype))
    x_all = np.random.default_rng(0).normal(size=(6, 4, D)).astype(dtype)
    n_columns = session.get_inputs()[1].shape[1]
    state = np.zeros((4, n_columns), dtype)
    stepper, restarted = estimator.start(), estimator.start()
    for t, x in enumerate(x_all):
        if t == 2:
            state[3] = 0
        *_, values, state = session.run(None, {"x": x, "state": state})
        expected = np.array(stepper.step(x))
        if t >= 2:
            expected[3] = restarted.step(x[3])
        assert_close(values, expected, dtype)


CELLS = [
    {"cell": cell, "activation": activation}
    for cell, activations in {
        "elman": ("tanh", "logistic", "relu", "identity"),
        "diagonal": ("tanh", "relu"),
        "gru": ("tanh",),
        "lstm": ("tanh",),
    }.items()
    for activation in activations
]
SIZES = [4, (4, 3)]
OF_CELLS = [
    (cell, {"bidirectional": both, "hidden_layer_sizes": sizes})
    for cell, both, sizes in product(CELLS, [False, True], SIZES)
]
OUTPUTS = [{"output": "softmax"}, {"output": "crf"}, {"output": "crf", "decoding": "viterbi"}]
DTYPES = ["float32", "float64"]


def sample(cases, n):
    """Return n of the cases, evenly spread over their product."""
    return [cases[i] for i in np.linspace(0, len(cases) - 1, n).astype(int)]


@pytest.mark.parametrize("of_cell, more, output, dtype", [
    (*of_cell, output, dtype)
    for of_cell, output, dtype in sample(list(product(OF_CELLS, OUTPUTS, DTYPES)), 29)
])  # fmt: skip
def test_taggers(of_cell, more, output, dtype):
    assert_predicts_the_same(fitted(SequenceTagger(**of_cell, **more, **output)), dtype)


@pytest.mark.parametrize("of_cell, more, pools, dtype", [
    (*of_cell, pools, dtype)
    for of_cell, pools, dtype in sample(
        list(product(OF_CELLS, [*POOLS, tuple(POOLS)], DTYPES)), 29
    )
])  # fmt: skip
def test_pools(of_cell, more, pools, dtype):
    assert_predicts_the_same(fitted(SequenceClassifier(**of_cell, **more, pooling=pools)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("n_steps", [3, 9])
def test_reservoirs_with_a_direct_term_of_positions(n_steps, both, dtype):
    regressor = SequenceRegressor(12, bidirectional=both, solver="ridge")
    regressor.fit(np.random.default_rng(0).normal(size=(20, n_steps, D)), np.arange(20.0) % 3)
    assert regressor._model.network.direct and len(regressor._model.network.layers[0].leaks) > 1
    assert_predicts_the_same(regressor, dtype)
    if not both:
        assert_steps_the_same(regressor)


@pytest.mark.parametrize("estimator", [
    PerStepRegressor(4),
    PerStepRegressor((4, 3), bidirectional=True, cell="gru"),
    SequenceRegressor(4, pooling="mean"),
    OutputFeedbackRegressor((4, 3), n_lags=2),
])  # fmt: skip
@pytest.mark.parametrize("n_targets", [1, 2])
def test_numbers(estimator, n_targets):
    y = numbers_of(X, n_targets)
    if isinstance(estimator, SequenceRegressor):
        y = np.array([numbers[0] for numbers in y])
    fitted(estimator, y=y)
    if isinstance(estimator, OutputFeedbackRegressor):
        unknown = np.full((S, 2, n_targets), np.nan)
        value = run_batch(estimator, y_past=unknown)["predictions"]
        assert_close(rows(value), np.concatenate(estimator.predict(X_64)), "float64")
    else:
        assert_predicts_the_same(estimator, "float64")


X_64 = [x.astype(float) for x in X]


@pytest.mark.parametrize("teacher_forcing", [True, False])
@pytest.mark.parametrize("decoding", ["marginal", "viterbi", "greedy"])
@pytest.mark.parametrize("sizes", SIZES)
def test_output_feedback(sizes, decoding, teacher_forcing):
    tagger = OutputFeedbackTagger(sizes, teacher_forcing=teacher_forcing, decoding=decoding)
    for dtype in DTYPES:
        assert_predicts_the_same(fitted(tagger), dtype)


ALLOWED = [("a", "b"), ("b", "b"), ("b", "c"), ("c", "a"), (None, "a"), ("a", None), ("b", None)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tagger", [
    SequenceTagger((4, 3), output="crf", bidirectional=True),
    SequenceTagger(4, output="crf", decoding="viterbi"),
    *(OutputFeedbackTagger(4, decoding=name) for name in ("marginal", "viterbi", "greedy")),
], ids=str)  # fmt: skip
def test_allowed_transitions(tagger, dtype):
    fitted(tagger.set_params(allowed_transitions=ALLOWED))
    assert_predicts_the_same(tagger, dtype)
    P = run_batch(tagger, dtype)["probabilities"]
    assert P[0, 0, 1:].max() < 1e-37  # some versions of onnxruntime leave what is nearly zero
    if tagger.get_params().get("output") != "crf":
        assert_steps_the_same(tagger, dtype)


@pytest.mark.parametrize("teacher_forcing", [True, False])
@pytest.mark.parametrize("n_lags", [1, 3])
def test_forecasts_from_a_known_past(n_lags, teacher_forcing):
    regressor = OutputFeedbackRegressor(4, n_lags=n_lags, teacher_forcing=teacher_forcing)
    fitted(regressor)
    past = np.random.default_rng(0).normal(size=(S, n_lags, 2))
    value = run_batch(regressor, y_past=past)["predictions"]
    assert_close(rows(value), np.concatenate(regressor.predict(X_64, y_past=past)), "float64")


@pytest.mark.parametrize("of_cell", CELLS)
def test_steps_of_cells(of_cell):
    assert_steps_the_same(fitted(SequenceTagger((4, 3), **of_cell)))


@pytest.mark.parametrize("estimator", [
    SequenceClassifier(4, cell="lstm", pooling=tuple(POOLS)),
    SequenceRegressor(4, pooling="last"),
    PerStepRegressor(4),
    OutputFeedbackTagger((4, 3)),
    OutputFeedbackTagger(4, teacher_forcing=False),
    OutputFeedbackRegressor(4),
    OutputFeedbackRegressor((4, 3), n_lags=3, teacher_forcing=False),
])  # fmt: skip
def test_steps_of_estimators(estimator):
    fitted(estimator)
    assert_steps_the_same(estimator)
    assert_steps_the_same(estimator, "float32")


@pytest.mark.parametrize("estimator", [
    SequenceTagger(4, bidirectional=True, output="crf", decoding="viterbi"),
    SequenceClassifier(4, bidirectional=True, pooling=tuple(POOLS)),
    OutputFeedbackTagger(4, decoding="viterbi"),
])  # fmt: skip
@pytest.mark.parametrize("part", [X[2:3], X[1:2], [x[:1] for x in X]], ids=["1x1", "1xT", "Sx1"])
def test_a_single_step_and_a_single_sequence(estimator, part):
    assert_predicts_the_same(fitted(estimator), "float64", part)


@pytest.mark.parametrize("names", [[3, 5, 9], [True, False], ["ab", "c", ""], [1.0, 2.0]])
def test_labels_keep_their_type(names):
    classes = np.array(names)
    tagger = fitted(SequenceTagger(2), y=[classes[np.arange(len(x)) % len(names)] for x in X])
    labels = run_batch(tagger, "float32")["labels"]
    assert labels.dtype == (object if classes.dtype.kind == "U" else classes.dtype)
    np.testing.assert_array_equal(rows(labels), np.concatenate(tagger.predict(X_64)))


def test_sparse_features_have_no_direct_term():
    tagger = fitted(SequenceTagger(4), [sparse.csr_array(x) for x in X], labels_of(X))
    assert tagger._model.network.direct is None
    assert_predicts_the_same(tagger, "float64")


def test_unbounded_units_do_not_spoil_what_precedes_the_padding():
    """They overflow in a long padding, of which units of the layer above read back."""
    tagger = fitted(SequenceTagger((4, 3), activation="relu", bidirectional=True))
    for W_rec in tagger.recurrent_weights_:
        W_rec[:] = 9 * np.eye(W_rec.shape[1])
    long = np.full((1, 400, D), np.nan)
    long[0, : len(X[0])] = X[0]
    inputs = {"X": long, "lengths": LENGTHS[:1]}
    P = run(to_onnx(tagger, dtype="float64"), **inputs)["probabilities"]
    assert_close(P[0, : len(X[0])], tagger.predict_proba(X_64[:1])[0], "float64")


def test_a_model_is_independent_of_later_fits_and_has_the_opset_that_is_documented():
    tagger = fitted(SequenceTagger(4))
    expected = np.concatenate(tagger.predict_proba(X_64))
    model = to_onnx(tagger, dtype="float64")
    tagger.set_params(hidden_layer_sizes=3).fit(X, labels_of(X))
    P = run(model, X=pad(X_64), lengths=LENGTHS)["probabilities"]
    assert_close(rows(P), expected, "float64")
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]


def with_weights_of(scale):
    tagger = SequenceTagger(**QUICK).fit(X_REFUSALS, Y_STEPS)
    tagger.output_weights_ = tagger.output_weights_ + scale
    return tagger


BOTH_WAYS = SequenceTagger(bidirectional=True, **QUICK).fit(X_REFUSALS, Y_STEPS)
CHAIN = SequenceTagger(output="crf", **QUICK).fit(X_REFUSALS, Y_STEPS)
DATES = SequenceTagger(**QUICK).fit(X_REFUSALS, np.array(["2020-01-01", "2021"], "M8[D]")[Y_STEPS])
LARGE = SequenceTagger(**QUICK).fit(X_REFUSALS, np.array([2, 2**63], np.uint64)[Y_STEPS])
REFUSED = [
    (lambda: to_onnx(SequenceTagger()), "not fitted"),
    (lambda: to_onnx(SequenceTagger), "estimator must be a fitted estimator of sklearn_rnn"),
    (lambda: to_onnx(TAGGER.start()), "estimator must be a fitted estimator"),
    (lambda: to_onnx(TAGGER, form="steps"), "'form' parameter of to_onnx must be"),
    (lambda: to_onnx(TAGGER, dtype="float16"), "'dtype' parameter of to_onnx must be"),
    (lambda: to_onnx(BOTH_WAYS, form="step"), "bidirectional=True half of the units"),
    (lambda: to_onnx(CHAIN, form="step"), "with output='crf' what comes later"),
    (lambda: to_onnx(with_weights_of(1e39)), "1.0e+39, more than float32 can hold"),
    (lambda: to_onnx(DATES), "no type for classes such as"),
    (lambda: to_onnx(LARGE), "no type for classes such as 9223372036854775808"),
]


@pytest.mark.parametrize("call, words", REFUSED, ids=[words for _, words in REFUSED])
def test_refuses(call, words):
    assert_refuses(call, words)


@pytest.mark.parametrize("value", [None, 3, "abc", [TAGGER], np.ones(3), len])
def test_refuses_what_is_no_estimator(value):
    assert_refuses(lambda: to_onnx(value), "estimator must be a fitted estimator")


def test_refuses_a_decoding_that_there_is_not():
    tagger = fitted(SequenceTagger(2)).set_params(decoding="best")
    assert_refuses(lambda: to_onnx(tagger), "decoding must be a str among")


@pytest.mark.parametrize("estimator", [TAGGER, CLASSIFIER, FEEDBACK])
def test_refuses_parts_that_are_not_known(estimator, monkeypatch):
    from sklearn_rnn.export import _cells, _forms

    monkeypatch.setattr(_cells, "_UNITS", {})
    known = {HiddenFeedback: _forms.HiddenFeedbackGraph}
    monkeypatch.setattr(_forms, "_PATTERNS", known)
    assert_refuses(lambda: to_onnx(estimator), "has no form in ONNX yet")


def test_says_what_to_install(monkeypatch):
    from sklearn_rnn.export import _to_onnx

    monkeypatch.setattr(_to_onnx, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-rnn\[onnx\]"'):
        to_onnx(TAGGER)


CUBE = np.random.default_rng(0).normal(3, 2, size=(12, 6, D))
CUBE_LABELS = np.where(CUBE[..., 0] > 3, "p", "q")
PER_STEP = PerStepTransformer(StandardScaler())


def convert(pipeline, X, **options):
    """Return the model that skl2onnx makes, for input as X is."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    register_converters()
    kind = FloatTensorType if X.dtype == np.float32 else DoubleTensorType
    types = [("X", kind([None] * (X.ndim - 1) + [X.shape[-1]]))]
    return skl2onnx.convert_sklearn(pipeline, initial_types=types, **options)


@pytest.mark.parametrize("transformer, estimator, X, y", [
    (StandardScaler(), SequenceClassifier(4, features_per_step=D), CUBE.reshape(12, -1),
     CUBE_LABELS[:, 0]),
    (StandardScaler(), SequenceRegressor(solver="ridge"), CUBE[..., 0], CUBE[:, 0, :2]),
    (StandardScaler(), SequenceTagger(4), CUBE[0], CUBE_LABELS[0]),
    (StandardScaler(), PerStepRegressor(4), CUBE[0], CUBE[0, :, 1]),
    (PER_STEP, SequenceTagger(4, bidirectional=True, output="crf", decoding="viterbi"), CUBE,
     CUBE_LABELS),
    (PerStepTransformer(make_pipeline(StandardScaler(), MinMaxScaler())),
     SequenceClassifier((4, 3), cell="gru"), CUBE, np.arange(12) % 3),
    (PER_STEP, OutputFeedbackTagger(4, decoding="greedy"), CUBE, CUBE_LABELS),
    (PER_STEP, OutputFeedbackRegressor(4, n_lags=2), CUBE, CUBE[..., :2]),
    (None, SequenceTagger(4), CUBE.astype(np.float32), CUBE_LABELS),
])  # fmt: skip
def test_pipelines_convert_in_one_call(transformer, estimator, X, y):
    steps = [step for step in (transformer, estimator.set_params(**SETTINGS)) if step]
    pipeline = make_pipeline(*steps).fit(X, y)
    outputs = run(convert(pipeline, X), X=X)
    is_labels = hasattr(pipeline, "classes_")
    assert list(outputs) == (["labels", "probabilities"] if is_labels else ["predictions"])
    if is_labels:
        np.testing.assert_array_equal(outputs["labels"], pipeline.predict(X))
        assert_close(outputs["probabilities"], pipeline.predict_proba(X), str(X.dtype))
    else:
        assert_close(outputs["predictions"], pipeline.predict(X), str(X.dtype))


@pytest.mark.parametrize("make, X, options, words", [
    (lambda: TAGGER, CUBE[..., :2], {}, r"2 features a step, but fit saw 3"),
    (lambda: TAGGER, CUBE[0, 0], {}, "cannot be read as sequences"),
    (lambda: LONG_TAGGER, CUBE[0], {}, "cannot be read as sequences"),
    (lambda: CLASSIFIER, CUBE[:, :, 0], {}, "1 features a step, but fit saw 3"),
    (lambda: TAGGER, CUBE, {"target_opset": 15}, "target_opset=15 is too old"),
    (lambda: DATES, CUBE, {}, "no type for classes such as"),
])  # fmt: skip
def test_converters_refuse(make, X, options, words):
    with pytest.raises(ValueError, match=words):
        convert(make(), X, **options)


def test_converters_say_what_to_install(monkeypatch):
    from sklearn_rnn.export import _to_onnx

    monkeypatch.setattr(_to_onnx, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="register_converters needs the package skl2onnx"):
        register_converters()
