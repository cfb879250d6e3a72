"""Any transformer of scikit-learn, applied to the steps of all sequences at once."""

from contextlib import contextmanager, nullcontext

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from .._compat import HasMethods, num_samples
from .._input.arrays import as_array, check_dense, depth, format_value
from .._input.sequences import check_count, read_step_values
from .._input.weights import read_step_weight
from ._steps import read_steps


def _inner_has(name):
    """Return a check for `available_if` that the inner transformer has a method."""

    def check(self):
        getattr(getattr(self, "transformer_", self.transformer), name)
        return True

    return check


def takes_items(transformer):
    """Return whether a transformer takes a list of items (strings, dicts), not a 2-D array.

    It tells by its tags. A Pipeline takes what its first step takes that is not a function, which
    may take anything; a FeatureUnion, what its first transformer takes.
    """
    if isinstance(transformer, Pipeline | FeatureUnion):
        of_pipeline = isinstance(transformer, Pipeline)
        parts = transformer.steps if of_pipeline else transformer.transformer_list
        parts = [part for _, part in parts if hasattr(part, "transform")]
        parts = [part for part in parts if not isinstance(part, FunctionTransformer)]
        return bool(parts) and takes_items(parts[0])
    tags = get_tags(transformer).input_tags
    return tags.string or tags.dict or not tags.two_d_array


# scikit-learn must not wrap the output: sequences do not go into a DataFrame
class PerStepTransformer(
    MetaEstimatorMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Apply a transformer to the steps of all sequences.

    All steps of all sequences are the rows of one table, to which any transformer of scikit-learn
    is applied at once; then they are given back as sequences: what comes as a 3-D array goes out
    as a 3-D array, and what comes as a list or an object array goes out as an object array with one
    array or CSR matrix for each sequence. Sparse output for a 3-D array goes out like that, too. A
    2-D X is a table with a row for each step already, and is handed on as it is (so that a wide
    table, with a row for each sequence, is transformed column by column; make it 3-D instead).

    What a step looks like to the transformer is decided by the transformer's tags. One that takes
    strings or dicts (:class:`~sklearn.feature_extraction.DictVectorizer`,
    :class:`~sklearn.feature_extraction.text.CountVectorizer`) gets one flat list with an item for
    each step. Any other (:class:`~sklearn.preprocessing.StandardScaler`,
    :class:`~sklearn.preprocessing.OneHotEncoder`) gets a 2-D array with a row for each step; a step
    that is a single token makes a row of one column. A Pipeline takes what its first step takes
    that is not a :class:`~sklearn.preprocessing.FunctionTransformer`. Steps that are dicts always
    go into a flat list. A :class:`~sklearn.pipeline.FeatureUnion`, which does not take sequences,
    belongs inside.

    Parameters
    ----------
    transformer : estimator
        What to apply to the steps. Its parameters are reached as ``transformer__with_mean``.

    Attributes
    ----------
    transformer_ : estimator
        The fitted transformer.
    n_features_in_ : int
        Features of a step, if `transformer_` knows them.
    feature_names_in_ : ndarray of str
        Column names of a table, if `transformer_` knows them.

    See Also
    --------
    ContextWindow : Adds the features of neighbouring steps.
    sklearn.compose.ColumnTransformer : Applies transformers to some columns of a table, leaving
        for instance one that names the sequences.

    Examples
    --------
    Feature functions written for a conditional random field give a dict for each token:

    >>> from sklearn.feature_extraction import DictVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_rnn import SequenceTagger
    >>> from sklearn_rnn.preprocessing import PerStepTransformer
    >>> X = [[{"word": "the"}, {"word": "cat", "suffix": "at"}], [{"word": "sat", "suffix": "at"}]]
    >>> y = [["DET", "NOUN"], ["VERB"]]
    >>> pipeline = make_pipeline(PerStepTransformer(DictVectorizer()), SequenceTagger())
    >>> pipeline.fit(X, y).predict(X)[0].tolist()
    ['DET', 'NOUN']
    """

    _parameter_constraints = {"transformer": [HasMethods(["fit", "fit_transform", "transform"])]}

    def __init__(self, transformer):
        self.transformer = transformer

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.transformer)
        tags.input_tags = inner.input_tags
        tags.input_tags.three_d_array = True
        tags.target_tags.required = inner.target_tags.required
        tags.transformer_tags = inner.transformer_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    @property
    def n_features_in_(self):
        """Features of a step, if the transformer knows them."""
        return self.transformer_.n_features_in_

    @property
    def feature_names_in_(self):
        """Column names of a table, if the transformer knows them."""
        return self.transformer_.feature_names_in_

    def fit(self, X, y=None, sample_weight=None):
        """Fit the transformer to the steps of all sequences.

        Parameters
        ----------
        X : array-like
            S sequences, T_i steps each. One of

            - a 3-D array (S, T, D);
            - a list or object array of S arrays, CSR matrices or DataFrames (T_i, D);
            - a list of S lists with an item (dict, string, list of strings) for each step;
            - a table (N, D), a row a step, which the transformer gets as it is.
        y : array-like, optional
            For transformers that look at it: for each step, in the layouts of a tagger, or for each
            sequence, when all its steps get it; of a table, for each row.
        sample_weight : array-like, optional
            A weight for each step, in the layouts of y, or for each sequence. It is given to the
            transformer, which must take it.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError, TypeError
            If the input is malformed, or the transformer refuses it.
        """
        self._fit(X, y, sample_weight, "fit")
        return self

    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit the transformer to the steps of all sequences, and transform them.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As for `fit`.

        Returns
        -------
        ndarray, CSR matrix or DataFrame
            As from `transform`.
        """
        steps, values = self._fit(X, y, sample_weight, "fit_transform")
        return self._give_back(steps, values)

    def transform(self, X):
        """Transform the steps of all sequences.

        Parameters
        ----------
        X : array-like
            In any of the layouts of `fit`.

        Returns
        -------
        ndarray, CSR matrix or DataFrame
            (S, T, K) for a 3-D array; for a list an object array of S arrays or CSR matrices
            (T_i, K); for a table what the transformer gives.
        """
        check_is_fitted(self)
        steps = self._read(X)
        with self._refusals(steps):
            values = self.transformer_.transform(steps.rows)
        return self._give_back(steps, values)

    @available_if(_inner_has("inverse_transform"))
    def inverse_transform(self, X):
        """Undo `transform`.

        Parameters
        ----------
        X : array-like
            As it comes from `transform`.

        Returns
        -------
        ndarray, list or DataFrame
            In the layout of X; tokens and dicts as lists of lists.
        """
        check_is_fitted(self)
        steps = read_steps(X, as_items=False)
        with self._refusals(steps):
            values = self.transformer_.inverse_transform(steps.rows)
        if self._of_tokens and not steps.is_table:
            values = np.ravel(values).tolist()
        return steps.give_back(values)

    @available_if(_inner_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features=None):
        """Names of the features that come out.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the features that go in.

        Returns
        -------
        ndarray of str
            A name for each feature.
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out(input_features)

    @available_if(_inner_has("set_output"))
    def set_output(self, *, transform=None):
        """Choose the container of what comes out of tables.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            The container. Sequences only come out in the default one.

        Returns
        -------
        self : object
            The transformer itself.
        """
        self.transformer.set_output(transform=transform)
        if hasattr(self, "transformer_"):
            self.transformer_.set_output(transform=transform)
        return self

    def _fit(self, X, y, sample_weight, method):
        """Fit a clone; return the steps of X and the output of the method for them."""
        self._validate_params()
        if isinstance(self.transformer, type):
            raise TypeError(
                f"transformer must be an instance, such as {self.transformer.__name__}(), not a "
                "class."
            )
        steps = self._read(X)
        transformer = clone(self.transformer)
        parameters = {}
        if sample_weight is not None:
            parameters["sample_weight"] = _weight_of_rows(sample_weight, steps, transformer)
        y = _targets_of_rows(y, steps)
        with self._refusals(steps):
            values = getattr(transformer, method)(steps.rows, y, **parameters)
        self.transformer_ = transformer
        self._of_tokens = steps.of_tokens
        return steps, values

    def _read(self, X):
        as_items = takes_items(self.transformer)
        # a transformer checks the names of columns, and may choose columns by name
        steps = read_steps(X, as_items, keep_frames=True)
        if as_items and steps.is_table:
            raise ValueError(
                f"{type(self.transformer).__name__} takes one item a step, not a table. Pass a "
                "list of lists of items, or apply it to a column of the table by "
                "sklearn.compose.ColumnTransformer."
            )
        return steps

    @contextmanager
    def _refusals(self, steps):
        """Turn the errors of the transformer into errors that name X and the transformer.

        Sequences come out as arrays, also where scikit-learn is configured to make DataFrames.
        """
        name = type(self.transformer).__name__
        try:
            with nullcontext() if steps.is_table else config_context(transform_output="default"):
                yield
        except (AttributeError, TypeError, ValueError) as error:
            if isinstance(error, AttributeError) and not isinstance(steps.rows, list):
                raise  # not because of the items of X
            error_type = ValueError if isinstance(error, ValueError) else TypeError
            raise error_type(f"{name} does not take the steps of X: {error}") from error

    def _give_back(self, steps, values):
        if steps.is_table:
            return values
        if hasattr(values, "columns"):
            raise ValueError(
                "Sequences do not go into a DataFrame, but the output of "
                f"{type(self.transformer).__name__} is one. Call set_output(transform='default'), "
                "or pass a table with a row for each step."
            )
        n_steps = steps.lengths.sum()
        if num_samples(values) != n_steps:
            raise ValueError(
                f"{type(self.transformer).__name__} gives {num_samples(values)} rows for "
                f"{n_steps} steps. To give sequences back there must be one for each step."
            )
        return steps.give_back(values)


def _targets_of_rows(y, steps):
    """Return a target for each row, from targets for each step or for each sequence."""
    if y is None or steps.is_table:
        return y
    if hasattr(y, "columns"):
        y = np.asarray(y)
    check_dense(y, "y")
    if depth(y) == 0:
        raise ValueError(f"y must be an array or a list, got {format_value(y)}.")
    check_count(y, steps.n_sequences, "y", "sequence", "X")
    depths = {depth(part) for part in y}
    widths = [num_samples(part) if depth(part) else 1 for part in y]
    per_step = depths == {1} and widths == steps.lengths.tolist()
    if per_step or len(set(widths)) > 1:
        return read_step_values(y, steps, "y")
    return np.repeat(as_array(y, "y"), steps.lengths, axis=0)


def _weight_of_rows(sample_weight, steps, transformer):
    if not has_fit_parameter(transformer, "sample_weight"):
        raise TypeError(f"{type(transformer).__name__} takes no sample_weight. Leave it out.")
    return sample_weight if steps.is_table else read_step_weight(sample_weight, steps)
