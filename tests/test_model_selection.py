"""Splitters keep sequences whole; scorers give what scikit-learn gives for the same labels flat."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import fbeta_score, get_scorer, get_scorer_names, log_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tasks import QUICK, S, T, X, fitted, ragged, sign_so_far, third_of_sum, two_sums

from sklearn_rnn import OutputFeedbackTagger, SequenceTagger, metrics
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn.model_selection import SequenceKFold, sequence_scorer, train_test_split

FAST = {"hidden_layer_sizes": 3, "random_state": 0, "tol": 1e-2, "n_iter_no_change": 3}


def third_so_far(X):
    return np.digitize(X[..., 0].cumsum(axis=1), [-1, 1])


TARGETS = {
    "binary": sign_so_far,
    "binary ints": lambda X: (sign_so_far(X) == "up").astype(int),
    "3": third_so_far,
}
PARTS = ragged(X)


def long_table(parts):
    """A table whose first column tells the sequences apart."""
    ids = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return np.c_[ids, np.concatenate(parts)]


LAYOUTS = {
    "lists": (PARTS, lambda y: [part.tolist() for part in y]),
    "object arrays": (object_array(PARTS), object_array),
    "long": (long_table(PARTS), np.concatenate),
}


def labels(target):
    return [TARGETS[target](x[None])[0] for x in PARTS]


@pytest.fixture(scope="module")
def taggers():
    """For each target, the same model for sequences and for a long table."""
    found = {}
    for target in TARGETS:
        y = labels(target)
        found[target] = (
            SequenceTagger(**QUICK).fit(PARTS[:100], y[:100]),
            SequenceTagger(sequence_id=0, **QUICK).fit(
                long_table(PARTS[:100]), np.concatenate(y[:100])
            ),
        )
    return found


def score_or_error(scorer, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return scorer(*arguments, **options)
        except Exception as error:
            return repr(error)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", get_scorer_names())
def test_scores_are_those_of_flat_labels(taggers, name, target, layout):
    tagger, flat_tagger = taggers[target]
    if layout == "long":
        tagger = flat_tagger
    sequences, convert = LAYOUTS[layout]
    y = labels(target)
    expected = score_or_error(get_scorer(name), flat_tagger, long_table(PARTS), np.concatenate(y))
    score = score_or_error(sequence_scorer(name), tagger, sequences, convert(y))
    assert score == expected


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"])
def test_scorer_on_3d(target, name):
    y = np.asarray(TARGETS[target](X))
    tagger = SequenceTagger(**FAST).fit(X, y)
    flat_tagger = SequenceTagger(sequence_id=0, **FAST).fit(long_table(X), y.ravel())
    expected = get_scorer(name)(flat_tagger, long_table(X), y.ravel())
    assert sequence_scorer(name)(tagger, X, y) == expected


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr_weighted"])
def test_weights_are_those_of_sequences_given_so_often(taggers, name):
    tagger, _ = taggers["3"]
    scorer, y = sequence_scorer(name), labels("3")
    often = np.arange(S) % 3
    twice = np.repeat(np.arange(S), often)
    expected = scorer(tagger, [PARTS[i] for i in twice], [y[i] for i in twice])
    per_step = [np.full(len(part), n) for part, n in zip(PARTS, often)]
    for weight in (often, often.tolist(), per_step, object_array(per_step)):
        assert scorer(tagger, PARTS, y, sample_weight=weight) == pytest.approx(expected, rel=1e-9)


def test_weights_of_a_metric_that_has_none(taggers):
    with pytest.raises(TypeError, match="sample_weight"):
        sequence_scorer(make_scorer(lambda y, predicted: 0.0))(
            taggers["3"][0], PARTS, labels("3"), sample_weight=np.ones(S)
        )


def test_scorers_of_make_scorer(taggers):
    tagger, flat_tagger = taggers["binary"]
    scorer = make_scorer(fbeta_score, beta=2, pos_label="up")
    expected = scorer(flat_tagger, long_table(PARTS), np.concatenate(labels("binary")))
    assert sequence_scorer(scorer)(tagger, PARTS, labels("binary")) == expected


def test_plain_callables(taggers):
    def scorer(estimator, X, y):
        return np.mean(estimator.predict(X) == y)

    tagger, y = taggers["3"][0], labels("3")
    assert sequence_scorer(scorer)(tagger, PARTS, y) == pytest.approx(tagger.score(PARTS, y))


def test_classifiers_and_regressors_are_scored_as_they_are():
    classifier, regressor = fitted("classifier, 3 classes"), fitted("regressor, 2 targets")
    for estimator, y, name in [
        (classifier, third_of_sum(X), "f1_macro"),
        (classifier, third_of_sum(X), "neg_log_loss"),
        (regressor, two_sums(X), "r2"),
    ]:
        assert sequence_scorer(name)(estimator, X, y) == get_scorer(name)(estimator, X, y)


def test_labels_that_fit_has_not_seen_are_errors(taggers):
    tagger, flat_tagger = taggers["3"]
    y = [part.copy() for part in labels("3")]
    y[5][1] = 7
    for name in ("accuracy", "f1_macro", "balanced_accuracy", "jaccard_weighted"):
        expected = score_or_error(
            get_scorer(name), flat_tagger, long_table(PARTS), np.concatenate(y)
        )
        assert score_or_error(sequence_scorer(name), tagger, PARTS, y) == expected < 1
    with pytest.raises(ValueError, match="label 7 of y at sequence 5, step 1 .* log loss"):
        sequence_scorer("neg_log_loss")(tagger, PARTS, y)


def test_log_loss_of_a_classifier_tells_labels_it_has_not_seen():
    y = third_of_sum(X)
    y[4] = 9
    with pytest.raises(ValueError, match="label 9 of y at entry 4 was not seen in fit"):
        sequence_scorer("neg_log_loss")(fitted("classifier, 3 classes"), X, y)


def test_log_loss_of_labels_that_lack_a_class(taggers):
    tagger, flat_tagger = taggers["3"]
    y = [np.minimum(part, 1) for part in labels("3")]
    proba = np.concatenate(list(tagger.predict_proba(PARTS)))
    expected = -log_loss(np.concatenate(y), proba, labels=[0, 1, 2])
    assert sequence_scorer("neg_log_loss")(tagger, PARTS, y) == expected
    table = long_table(PARTS)
    assert sequence_scorer("neg_log_loss")(flat_tagger, table, np.concatenate(y)) == expected


# Metrics of whole sequences

OF_SEQUENCES = {
    "sequence_accuracy": metrics.sequence_accuracy_score,
    "span_f1": metrics.span_f1_score,
    "span_precision": metrics.span_precision_score,
    "span_recall": metrics.span_recall_score,
}


def tags(parts):
    """Spans of one kind wherever the sum so far is positive."""
    return [np.array(["O", "I-X"])[(part[:, 0].cumsum() > 0).astype(int)] for part in parts]


@pytest.mark.parametrize("name", OF_SEQUENCES)
def test_metrics_of_whole_sequences(name):
    y, table = tags(PARTS), long_table(PARTS)
    tagger = SequenceTagger(**FAST).fit(PARTS, y)
    flat_tagger = SequenceTagger(sequence_id=0, **FAST).fit(table, np.concatenate(y))
    expected = OF_SEQUENCES[name](y, tagger.predict(PARTS))
    assert 0.3 < expected < 1
    assert sequence_scorer(name)(tagger, PARTS, y) == expected
    assert sequence_scorer(name, sequence_id=0)(flat_tagger, table, np.concatenate(y)) == expected


def test_whole_sequences_of_a_long_table_must_be_told_apart(taggers):
    with pytest.raises(ValueError, match="must know the sequences of a long table"):
        sequence_scorer("sequence_accuracy")(
            taggers["3"][1], long_table(PARTS), np.concatenate(labels("3"))
        )


# Scorers as objects

SCORERS = [
    sequence_scorer("f1_macro"),
    sequence_scorer("neg_log_loss"),
    sequence_scorer(make_scorer(fbeta_score, beta=2, average="macro")),
    sequence_scorer("sequence_accuracy", sequence_id=0),
]


@pytest.mark.parametrize("scorer", SCORERS, ids=repr)
def test_scorers_are_pickled_and_cloned(taggers, scorer):
    tagger, y = taggers["3"][0], labels("3")
    again = clone(GridSearchCV(tagger, {}, scoring=scorer)).scoring
    for copy in (again, pickle.loads(pickle.dumps(scorer))):
        assert repr(copy) == repr(scorer)
        assert copy(tagger, PARTS, y) == scorer(tagger, PARTS, y)


def test_repr_of_scorers():
    assert [repr(scorer) for scorer in SCORERS] == [
        "sequence_scorer('f1_macro')",
        "sequence_scorer('neg_log_loss')",
        "sequence_scorer(make_scorer(fbeta_score, response_method='predict', beta=2, "
        "average=macro))",
        "sequence_scorer('sequence_accuracy', sequence_id=0)",
    ]


def test_unknown_names_are_refused_as_by_scikit_learn():
    with pytest.raises(ValueError, match="'f2' is not a valid scoring value"):
        sequence_scorer("f2")


@pytest.mark.parametrize("scoring", [None, ["f1_macro", "accuracy"]])
def test_what_is_no_scorer_is_refused(scoring):
    with pytest.raises(TypeError, match="a name or a scorer"):
        sequence_scorer(scoring)


def test_labels_that_do_not_fit_are_told(taggers):
    y = labels("3")
    scorer, tagger = sequence_scorer("f1_macro"), taggers["3"][0]
    with pytest.raises(ValueError, match=r"y\[3\] has 3 entries, but sequence 3 of X has 4 steps"):
        scorer(tagger, PARTS, [*y[:3], y[3][:-1], *y[4:]])
    with pytest.raises(ValueError, match="y has 199 entries, but X has 200 sequences"):
        scorer(tagger, PARTS, y[:-1])
    with pytest.raises(ValueError, match="sample_weight has 3 entries, but y has 200 sequences"):
        scorer(tagger, PARTS, y, sample_weight=[1, 2, 3])


# Scorers in scikit-learn's tools

MANY = {
    "f1": sequence_scorer("f1_macro"),
    "loss": sequence_scorer("neg_log_loss"),
    "auc": sequence_scorer("roc_auc_ovr"),
    "whole": sequence_scorer("sequence_accuracy"),
}
of_each_shape = pytest.mark.parametrize(
    ("X", "y"), [(X, third_so_far(X)), (PARTS, labels("3"))], ids=["3-D", "lists"]
)


@of_each_shape
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_by_many_scores(X, y, n_jobs):
    search = GridSearchCV(
        OutputFeedbackTagger(**FAST),
        {"alpha": [0.1, 1e3]},
        scoring=MANY,
        refit="f1",
        cv=3,
        n_jobs=n_jobs,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_ == {"alpha": 0.1}
    for name in MANY:
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()
    assert search.score(X, y) == sequence_scorer("f1_macro")(search, X, y)


@of_each_shape
def test_halving_search(X, y):
    search = HalvingGridSearchCV(
        make_pipeline(FunctionTransformer(), SequenceTagger(**FAST)),
        {"sequencetagger__alpha": [0.1, 10, 1e3]},
        scoring=sequence_scorer("f1_macro"),
        cv=KFold(3),
        min_resources=60,
        error_score="raise",
        random_state=0,
    ).fit(X, y)
    assert search.best_params_ == {"sequencetagger__alpha": 0.1}
    assert search.n_iterations_ == 2


@of_each_shape
def test_curves(X, y):
    options = {"scoring": sequence_scorer("f1_macro"), "cv": 3, "error_score": "raise"}
    tagger = SequenceTagger(**FAST)
    sizes, _, scores = learning_curve(tagger, X, y, train_sizes=[0.2, 1.0], **options)
    assert sizes.tolist() == [26, 133]
    assert (scores > 0.5).all()
    _, scores = validation_curve(
        tagger, X, y, param_name="alpha", param_range=[0.1, 1e3], **options
    )
    assert (scores[0] > scores[1]).all()


def test_many_scores_of_a_long_table():
    y = np.concatenate(labels("3"))
    scores = cross_validate(
        SequenceTagger(sequence_id=0, **FAST | {"tol": 1e-3}),
        long_table(PARTS),
        y,
        scoring=MANY | {"whole": sequence_scorer("sequence_accuracy", sequence_id=0)},
        cv=SequenceKFold(3, sequence_id=0),
        error_score="raise",
    )
    for name in MANY:
        assert np.isfinite(scores[f"test_{name}"]).all()
    assert (scores["test_f1"] > 0.6).all()


def test_weights_reach_the_scores_through_routing(taggers):
    weight = np.arange(S) % 2
    y = labels("3")
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = sequence_scorer("f1_macro").set_score_request(sample_weight=True)
        for scoring in (scorer, {"f1": scorer}):
            weighted, plain = (
                cross_validate(
                    SequenceTagger(**FAST).set_fit_request(sample_weight=False),
                    PARTS,
                    y,
                    scoring=scoring,
                    params={"sample_weight": weights},
                    cv=3,
                    return_estimator=True,
                    error_score="raise",
                )
                for weights in (weight, np.ones(S))
            )
            name = "test_f1" if isinstance(scoring, dict) else "test_score"
            assert (weighted[name] != plain[name]).all()
            _, test = next(KFold(3).split(PARTS))
            expected = sequence_scorer("f1_macro")(
                weighted["estimator"][0],
                [PARTS[i] for i in test],
                [y[i] for i in test],
                sample_weight=weight[test],
            )
            assert weighted[name][0] == expected


def test_weights_given_to_a_search():
    """scikit-learn 1.9 hands them to the scorer as well, older ones to fit alone."""
    weight = np.arange(S) % 2
    search = GridSearchCV(
        SequenceTagger(**FAST),
        {"alpha": [0.1, 1e3]},
        scoring={"f1": sequence_scorer("f1_macro"), "loss": sequence_scorer("neg_log_loss")},
        refit="loss",
        cv=3,
        error_score="raise",
    ).fit(PARTS, labels("3"), sample_weight=weight)
    assert search.best_params_ == {"alpha": 0.1}


# Splitting

LENGTHS = st.lists(st.integers(1, 5), min_size=2, max_size=12)


def frame_of(lengths, names):
    pd = pytest.importorskip("pandas")
    ids = np.repeat(names, lengths)
    return pd.DataFrame({"x": np.arange(len(ids)), "who": ids})


def assert_whole_and_in_order(rows, ids):
    """The rows are sorted, and of each of their sequences all are there."""
    assert (np.diff(rows) > 0).all()
    assert_array_equal(rows, np.flatnonzero(np.isin(ids, ids[rows])))


@given(
    lengths=LENGTHS,
    n_splits=st.integers(2, 4),
    shuffle=st.booleans(),
    stratify=st.booleans(),
    data=st.data(),
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_keep_sequences_whole(lengths, n_splits, shuffle, stratify, data):
    names = data.draw(st.permutations(range(len(lengths))))
    ids = np.repeat(names, lengths)
    y = np.arange(len(ids)) % 2
    folds = SequenceKFold(
        min(n_splits, len(lengths)),
        sequence_id=0,
        shuffle=shuffle,
        random_state=0 if shuffle else None,
        stratify=stratify and len(ids) >= 2 * n_splits,
    )
    splits = list(folds.split(np.c_[ids, y], y))
    assert len(splits) == folds.get_n_splits()
    assert_array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(len(ids)))
    for train, test in splits:
        assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(ids)))
        assert_whole_and_in_order(train, ids)
        assert_whole_and_in_order(test, ids)


@pytest.mark.parametrize("kind", ["pandas", "index", "polars", "sparse", "lists"])
def test_ids_are_read_as_the_taggers_read_them(kind):
    lengths, names = [2, 3, 1, 4], [4, 1, 8, 0]
    ids = np.repeat(names, lengths)
    if kind in ("pandas", "index"):
        table, sequence_id = frame_of(lengths, names), "who"
        table = table.set_index("who") if kind == "index" else table
    elif kind == "polars":
        polars = pytest.importorskip("polars")
        table, sequence_id = polars.DataFrame({"x": ids * 0, "who": ids}), "who"
    else:
        table, sequence_id = np.c_[np.ones(10), ids], -1
        table = table.tolist() if kind == "lists" else sparse.csr_array(table)
    folds = SequenceKFold(2, sequence_id=sequence_id)
    by_position = SequenceKFold(2, sequence_id=0).split(ids[:, None])
    for (train, test), (expected_train, expected) in zip(folds.split(table), by_position):
        assert_array_equal(train, expected_train)
        assert_array_equal(test, expected)


def test_stratified_folds_have_like_labels():
    names = np.arange(50)
    y = np.repeat(names % 5 == 0, 5)
    table = np.c_[np.repeat(names, 5), y]
    shares = [
        [y[test].mean() for _, test in SequenceKFold(5, sequence_id=0, **options).split(table, y)]
        for options in ({"stratify": True}, {})
    ]
    assert np.ptp(shares[0]) == 0 < np.ptp(shares[1])


def test_shuffled_folds_follow_their_seed():
    table = long_table(PARTS)
    first, again, other, unshuffled = (
        [test.tolist() for _, test in SequenceKFold(3, sequence_id=0, **options).split(table)]
        for options in (
            {"shuffle": True, "random_state": 0},
            {"shuffle": True, "random_state": 0},
            {"shuffle": True, "random_state": 1},
            {},
        )
    )
    assert first == again
    assert first != other
    assert first != unshuffled


def test_repr_and_pickle_of_the_splitter():
    folds = SequenceKFold(3, sequence_id="who")
    assert repr(folds) == (
        "SequenceKFold(n_splits=3, random_state=None, sequence_id='who', shuffle=False,\n"
        "       stratify=False)"
    )
    assert repr(pickle.loads(pickle.dumps(folds))) == repr(clone(folds, safe=False)) == repr(folds)


def test_a_random_state_that_stacking_sets_is_no_matter():
    folds = SequenceKFold(3, sequence_id=0)
    before = [test.tolist() for _, test in folds.split(long_table(PARTS))]
    folds.random_state = np.random.RandomState(0)
    assert [test.tolist() for _, test in folds.split(long_table(PARTS))] == before


def test_cross_val_predict_with_folds():
    y = np.concatenate(labels("binary"))
    tagger = SequenceTagger(sequence_id=0, **FAST)
    folds = SequenceKFold(3, sequence_id=0)
    predicted = cross_val_predict(tagger, long_table(PARTS), y, cv=folds)
    proba = cross_val_predict(tagger, long_table(PARTS), y, cv=folds, method="predict_proba")
    assert np.mean(predicted == y) > 0.8
    assert_array_equal(predicted, np.array(["down", "up"])[proba.argmax(axis=1)])


def test_nested_search_with_folds_and_routing():
    y = np.concatenate(labels("3"))
    folds = SequenceKFold(3, sequence_id=0)
    search = GridSearchCV(
        SequenceTagger(sequence_id=0, **FAST), {"alpha": [0.1, 1e3]}, cv=folds, error_score="raise"
    )
    plain = cross_val_score(search, long_table(PARTS), y, cv=folds, error_score="raise")
    with sklearn.config_context(enable_metadata_routing=True):
        routed = cross_val_score(search, long_table(PARTS), y, cv=folds, error_score="raise")
    assert_array_equal(plain, routed)
    assert (plain > 0.6).all()


@given(
    lengths=LENGTHS,
    test_size=st.sampled_from([None, 1, 0.3, 0.5]),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
)
def test_split_keeps_sequences_whole(lengths, test_size, shuffle, seed):
    ids = np.repeat(np.arange(len(lengths)), lengths)
    rows = np.arange(len(ids))
    train, test, rows_train, rows_test = train_test_split(
        np.c_[ids, rows],
        rows.tolist(),
        sequence_id=0,
        test_size=test_size,
        shuffle=shuffle,
        random_state=seed,
    )
    assert_array_equal(np.sort(rows_train + rows_test), rows)
    assert_array_equal(train[:, 1], rows_train)
    assert_array_equal(test[:, 1], rows_test)
    assert_whole_and_in_order(np.array(rows_train), ids)
    assert_whole_and_in_order(np.array(rows_test), ids)
    if test_size == 1:
        assert len(set(test[:, 0])) == 1


def test_split_of_frames_keeps_their_kind():
    pd = pytest.importorskip("pandas")
    table = frame_of([3] * 8, np.arange(8))
    train, test, y_train, y_test = train_test_split(
        table, table["x"], sequence_id="who", train_size=0.5, random_state=0
    )
    assert isinstance(train, pd.DataFrame) and isinstance(y_train, pd.Series)
    assert len(train) == len(test) == 12
    assert_array_equal(test["x"], y_test)


def test_stratified_split():
    kind = np.repeat(np.arange(40) % 4 == 0, T)
    _, _, train, test = train_test_split(
        long_table(X[:40]), kind, sequence_id=0, stratify=kind, random_state=0, test_size=0.5
    )
    assert train.mean() == test.mean() == 0.25


TABLE = np.c_[[0, 0, 1, 1, 2], np.zeros(5)]


def test_the_id_must_be_named():
    with pytest.raises(TypeError, match="sequence_id"):
        SequenceKFold(5)
    with pytest.raises(TypeError, match="sequence_id"):
        train_test_split(TABLE)


LONG_TASK = long_table(PARTS[:30]), np.concatenate(labels("binary ints")[:30])
LONG_TAGGER = SequenceTagger(sequence_id=0, **FAST)


def test_sequences_that_a_splitter_of_rows_has_torn_warn():
    with pytest.warns(
        UserWarning, match=r"Sequence \d+\.0 has \d rows in X, and \d were in the tr"
    ):
        cross_val_score(LONG_TAGGER, *LONG_TASK, cv=KFold(4), error_score="raise")
    table, y = LONG_TASK
    loaded = pickle.loads(pickle.dumps(clone(LONG_TAGGER).fit(table[:59], y[:59])))
    with pytest.warns(UserWarning, match="split by SequenceKFold"):
        loaded.predict(table[59:])
    with pytest.warns(UserWarning, match="split by SequenceKFold"):
        clone(LONG_TAGGER).fit(table[:59], y[:59], X_val=table[59:], y_val=y[59:])


def test_sequences_that_are_whole_or_go_on_do_not_warn():
    cv = SequenceKFold(4, sequence_id=0)
    cross_validate(LONG_TAGGER, *LONG_TASK, cv=cv, return_train_score=True, error_score="raise")
    table, y = LONG_TASK
    is_late = np.concatenate([np.arange(len(part)) > 2 for part in PARTS[:30]])
    tagger = clone(LONG_TAGGER).fit(table[~is_late], y[~is_late])
    tagger.predict(table[is_late])  # of all sequences the later steps
    tagger.predict(table[table[:, 0] == 3])  # one that was seen, with more steps
