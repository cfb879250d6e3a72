"""PerStepTransformer: any transformer, on any layout, as on one table of all steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from tasks import QUICK, S, T, X, ragged, sign_of_sum

from sklearn_rnn import SequenceClassifier, SequenceTagger
from sklearn_rnn._input.arrays import object_array
from sklearn_rnn.model_selection import sequence_scorer
from sklearn_rnn.preprocessing import PerStepTransformer

CUBE = X[:5]
ROWS = CUBE.reshape(-1, CUBE.shape[2])
LAYOUTS = {
    "3-D": np.asarray,
    "list": list,
    "object array": lambda X: object_array(list(X)),
    "nested lists": np.ndarray.tolist,
    "CSR": lambda X: [sparse.csr_array(x) for x in X],
}

SENTENCES = [["the", "cat", "sat"], ["a", "dog"], ["the", "dog", "sat", "down"]]
TOKENS = [token for sentence in SENTENCES for token in sentence]
DICTS = [[{"word": w, "length": len(w)} for w in sentence] for sentence in SENTENCES]


def dense(rows):
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


def stacked(sequences):
    return np.concatenate([dense(x) for x in sequences])


# Numbers


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_layouts_as_one_table(layout):
    scaler = StandardScaler(with_mean=layout != "CSR")
    given = LAYOUTS[layout](CUBE)
    transformer = PerStepTransformer(scaler)
    out = transformer.fit_transform(given)
    assert_allclose(stacked(out), dense(clone(scaler).fit_transform(ROWS)), rtol=1e-12)
    assert_array_equal(stacked(transformer.transform(given)), stacked(out))
    assert transformer.n_features_in_ == CUBE.shape[2]
    assert list(transformer.get_feature_names_out()) == ["x0", "x1", "x2"]
    if layout == "3-D":
        assert out.shape == CUBE.shape
    else:
        assert out.dtype == object and out.shape == (5,)
    assert_allclose(stacked(transformer.inverse_transform(out)), ROWS)


def test_sequences_of_any_length_come_back():
    sequences = ragged(X)
    out = PerStepTransformer(PCA(2)).fit_transform(sequences)
    assert [x.shape for x in out] == [(len(x), 2) for x in sequences]


def test_nan_passes_through_to_an_imputer():
    parts = [np.array([[1.0, np.nan], [3.0, 4.0]]), np.array([[2.0, 8.0]])]
    out = PerStepTransformer(SimpleImputer()).fit_transform(parts)
    assert_array_equal(out[0], [[1, 6], [3, 4]])


def test_float32_stays():
    out = PerStepTransformer(StandardScaler()).fit_transform(CUBE.astype(np.float32))
    assert out.dtype == np.float32


def test_read_only_input_is_not_modified():
    given = CUBE.copy()
    given.flags.writeable = False
    PerStepTransformer(StandardScaler(copy=False)).fit(given)
    assert_array_equal(given, CUBE)


def test_sparse_output_of_a_3d_array_is_ragged():
    letters = np.array([[["a"], ["b"]], [["b"], ["c"]]])
    out = PerStepTransformer(OneHotEncoder()).fit_transform(letters)
    assert out.dtype == object
    assert_array_equal(out[1].toarray(), [[0, 1, 0], [0, 0, 1]])


def test_weights_and_targets_of_sequences_and_of_steps():
    weight = np.arange(1, 6)
    by_sequence = PerStepTransformer(StandardScaler()).fit(CUBE, sample_weight=weight)
    by_step = PerStepTransformer(StandardScaler()).fit(
        list(CUBE), sample_weight=np.repeat(weight, T).reshape(5, T)
    )
    of_rows = StandardScaler().fit(ROWS, sample_weight=np.repeat(weight, T))
    assert_array_equal(by_sequence.transformer_.mean_, of_rows.mean_)
    assert_array_equal(by_step.transformer_.mean_, of_rows.mean_)

    y = np.array(["a", "b", "a", "b", "b"])
    best = PerStepTransformer(SelectKBest(k=1)).fit(CUBE, y)
    of_steps = PerStepTransformer(SelectKBest(k=1)).fit(CUBE, np.repeat(y, T).reshape(5, T))
    of_rows = SelectKBest(k=1).fit(ROWS, np.repeat(y, T))
    assert_array_equal(best.transformer_.scores_, of_rows.scores_)
    assert_array_equal(of_steps.transformer_.scores_, of_rows.scores_)


def test_targets_of_several_columns_go_by():
    PerStepTransformer(StandardScaler()).fit(CUBE, np.zeros((5, 2)))


# Tokens, dicts

VECTORIZERS = {
    "dicts": (DictVectorizer(), DICTS),
    "hashed dicts": (FeatureHasher(16), DICTS),
    "character n-grams": (CountVectorizer(analyzer="char_wb", ngram_range=(1, 3)), SENTENCES),
    "hashed n-grams": (HashingVectorizer(analyzer="char", n_features=32), SENTENCES),
    "lists of strings": (
        FeatureHasher(16, input_type="string"),
        [[[w, w[-1]] for w in sentence] for sentence in SENTENCES],
    ),
    "a pipeline": (
        make_pipeline(CountVectorizer(analyzer="char"), TruncatedSVD(2, random_state=0)),
        SENTENCES,
    ),
    "a function first": (
        make_pipeline(FunctionTransformer(lambda s: [{"w": w} for w in s]), DictVectorizer()),
        SENTENCES,
    ),
    "a union": (
        make_union(CountVectorizer(analyzer="char"), HashingVectorizer(n_features=8)),
        SENTENCES,
    ),
}


@pytest.mark.parametrize("name", VECTORIZERS)
def test_items_as_one_flat_list(name):
    vectorizer, sequences = VECTORIZERS[name]
    out = PerStepTransformer(vectorizer).fit_transform(sequences)
    assert [x.shape[0] for x in out] == [3, 2, 4]
    flat = [item for sequence in sequences for item in sequence]
    assert_array_equal(stacked(out), dense(clone(vectorizer).fit_transform(flat)))


@pytest.mark.parametrize("convert", [list, np.array, lambda s: np.array(s, dtype=object)])
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()], ids=str)
def test_tokens_as_one_column(encoder, convert):
    sequences = [convert(sentence) for sentence in SENTENCES]
    transformer = PerStepTransformer(encoder)
    out = transformer.fit_transform(sequences)
    column = np.array(TOKENS).reshape(-1, 1)
    assert_array_equal(stacked(out), dense(clone(encoder).fit_transform(column)))
    assert transformer.inverse_transform(out) == SENTENCES


def test_several_tokens_a_step_as_columns():
    sequences = [[["the", "DET"], ["cat", "NOUN"]], [["sat", "VERB"]]]
    out = PerStepTransformer(OneHotEncoder()).fit_transform(sequences)
    assert [x.shape for x in out] == [(2, 6), (1, 6)]


def test_missing_token_is_not_made_a_string():
    transformer = PerStepTransformer(OneHotEncoder()).fit([["a", None], ["b"]])
    assert transformer.transformer_.categories_[0].tolist() == ["a", "b", None]


def test_sentences_of_equal_length_are_sequences():
    equal = [["the", "cat"], ["a", "dog"]]
    for given in (equal, object_array(equal)):
        out = PerStepTransformer(OneHotEncoder()).fit_transform(given)
        assert [x.shape for x in out] == [(2, 4), (2, 4)]
    out = PerStepTransformer(CountVectorizer(analyzer="char")).fit_transform(np.array(equal))
    assert [x.shape[0] for x in out] == [2, 2]


def test_dicts_back():
    transformer = PerStepTransformer(DictVectorizer()).fit(DICTS)
    back = transformer.inverse_transform(transformer.transform(DICTS))
    assert [len(sentence) for sentence in back] == [3, 2, 4]
    assert back[1][0] == {"word=a": 1, "length": 1}


def test_functions_give_dicts_from_dicts():
    add = FunctionTransformer(lambda items: [item | {"bias": 1} for item in items])
    assert PerStepTransformer(add).fit_transform(DICTS)[0][0]["bias"] == 1


# Tables


def test_a_table_is_handed_on():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(ROWS, columns=list("abc"))
    transformer = PerStepTransformer(StandardScaler()).set_output(transform="pandas")
    out = transformer.fit_transform(table)
    assert list(out.columns) == list("abc")
    assert list(transformer.feature_names_in_) == list("abc")
    assert_allclose(out, StandardScaler().fit_transform(ROWS), rtol=1e-9)
    transformer.set_output(transform="default")
    assert isinstance(transformer.transform(table), np.ndarray)


def test_a_polars_frame_is_handed_on():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame(ROWS, schema=list("abc"))
    out = PerStepTransformer(StandardScaler()).fit_transform(table)
    assert_allclose(out, StandardScaler().fit_transform(ROWS), rtol=1e-9)


def test_fitted_on_sequences_used_on_a_table():
    transformer = PerStepTransformer(StandardScaler()).fit(list(CUBE))
    assert_array_equal(transformer.transform(ROWS), StandardScaler().fit_transform(ROWS))


# Bad input


def test_sequences_do_not_go_into_a_frame():
    pytest.importorskip("pandas")
    transformer = PerStepTransformer(StandardScaler()).set_output(transform="pandas")
    with pytest.raises(ValueError, match="set_output\\(transform='default'\\)"):
        transformer.fit_transform(CUBE)


def test_what_the_transformer_has_not():
    transformer = PerStepTransformer(HashingVectorizer()).fit(SENTENCES)
    for name in ("get_feature_names_out", "inverse_transform", "n_features_in_", "set_output"):
        assert not hasattr(transformer, name)
    with pytest.raises(TypeError, match="PCA takes no sample_weight"):
        PerStepTransformer(PCA()).fit(CUBE, sample_weight=np.ones(5))


def test_targets_that_do_not_fit():
    with pytest.raises(ValueError, match="y has 4 entries, but X has 5 sequences"):
        PerStepTransformer(StandardScaler()).fit(CUBE, np.ones(4))
    with pytest.raises(ValueError, match=r"y\[1\] has shape \(1,\), but sequence 1 of X has 2"):
        PerStepTransformer(DictVectorizer()).fit(DICTS, [["a"] * 3, ["a"], ["a"] * 4])


def test_a_fit_that_fails_changes_nothing():
    transformer = PerStepTransformer(StandardScaler()).fit(CUBE)
    before = transformer.transformer_
    with pytest.raises(ValueError):
        transformer.fit([ROWS, ROWS[:0]])
    assert transformer.transformer_ is before


# Pipelines and searches


def agreement(n, seed):
    """Sentences in which the label of "it" depends on the word before; lists of lists."""
    rng = np.random.default_rng(seed)
    sentences = [
        rng.choice(["ann", "bob", "it"], size=rng.integers(2, 6)).tolist() for _ in range(n)
    ]
    labels = [
        ["B" if before == "bob" else "A" for before in ["ann", *sentence[:-1]]]
        for sentence in sentences
    ]
    return sentences, labels


def as_dicts(sentences):
    return [[{"word": w, "suffix": w[-1]} for w in sentence] for sentence in sentences]


SEARCHES = {
    "dicts": (DictVectorizer(), as_dicts, {"transformer__sparse": [True, False]}),
    "hashing": (HashingVectorizer(), list, {"transformer__n_features": [16, 64]}),
    "one-hot": (OneHotEncoder(), list, {"transformer__sparse_output": [True, False]}),
    "n-grams": (
        CountVectorizer(analyzer="char_wb"),
        list,
        {"transformer__ngram_range": [(1, 1), (1, 3)]},
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_search_over_a_pipeline_of_tokens(name):
    vectorizer, convert, grid = SEARCHES[name]
    sentences, labels = agreement(60, 0)
    pipeline = make_pipeline(PerStepTransformer(vectorizer), SequenceTagger(**QUICK))
    grid = {f"persteptransformer__{name}": values for name, values in grid.items()}
    scorer = sequence_scorer("f1_macro")
    search = GridSearchCV(pipeline, grid, scoring=scorer, cv=3, error_score="raise")
    search.fit(convert(sentences), labels)
    assert search.best_score_ > 0.8
    new_sentences, new_labels = agreement(20, 1)
    assert search.score(convert(new_sentences), new_labels) > 0.8
    assert [len(p) for p in search.predict(convert(new_sentences))] == list(map(len, new_labels))


def test_search_over_parameters_of_a_scaler():
    pipeline = make_pipeline(PerStepTransformer(StandardScaler()), SequenceClassifier(**QUICK))
    grid = {"persteptransformer__transformer__with_mean": [True, False]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, sign_of_sum(X))
    assert search.best_score_ > 0.7 and S == len(search.predict(X))


def test_sequences_stay_arrays_where_tables_become_frames():
    pd = pytest.importorskip("pandas")
    X = np.random.default_rng(0).normal(size=(5, 4, 2))
    transformer = PerStepTransformer(StandardScaler())
    expected = transformer.fit_transform(X)
    with config_context(transform_output="pandas"):
        for layout in (X, list(X)):
            np.testing.assert_array_equal(np.stack(transformer.fit_transform(layout)), expected)
            np.testing.assert_array_equal(np.stack(transformer.transform(layout)), expected)
        assert isinstance(transformer.transform(X[0]), pd.DataFrame)
