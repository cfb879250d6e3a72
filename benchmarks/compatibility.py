"""Which of scikit-learn's tools take which estimator on which layout, as a Markdown table.

    python benchmarks/compatibility.py

Every cell is run on a task that is easy to learn, and its result is looked at: scores must be far
above chance, predictions in the order of the sequences. Long tables are split by `SequenceKFold`,
taggers of other layouts scored through `sequence_scorer`. A "yes" may have a note that says how.
Where it says no, the tool was tried, too, and failed; if it had not, or a "yes" had, the script
would tell and exit with 1.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, check_scoring, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_rnn import (
    OutputFeedbackRegressor,
    OutputFeedbackTagger,
    PerStepRegressor,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
)
from sklearn_rnn.model_selection import SequenceKFold, sequence_scorer

S, T, D = 150, 6, 2
QUICK = {"hidden_layer_sizes": 4, "random_state": 0, "tol": 1e-3, "n_iter_no_change": 5}
ALPHAS = [0.1, 1e4]  # the second forbids learning

ESTIMATORS = {
    "SequenceClassifier": (SequenceClassifier, ("wide", "3-D", "ragged", "long")),
    "SequenceRegressor": (SequenceRegressor, ("wide", "3-D", "ragged", "long")),
    "PerStepRegressor": (PerStepRegressor, ("long", "3-D", "ragged")),
    "SequenceTagger": (SequenceTagger, ("long", "3-D", "ragged")),
    "OutputFeedbackTagger": (OutputFeedbackTagger, ("long", "3-D", "ragged")),
    "OutputFeedbackRegressor": (OutputFeedbackRegressor, ("long", "3-D", "ragged")),
}


class Case:
    """An estimator and a task in one layout; it gives what the tools are called with."""

    def __init__(self, name, layout):
        kind, _ = ESTIMATORS[name]
        self.layout = layout
        self.per_step = not name.startswith("Sequence") or name == "SequenceTagger"
        parameters = {"wide": {"features_per_step": D}, "long": {"sequence_id": 0}}
        self.estimator = kind(**QUICK, **parameters.get(layout, {}))
        self.is_regressor = name.endswith("Regressor")
        cube = np.random.default_rng(0).normal(size=(S, T, D))
        ragged = [x[: T - i % 3] for i, x in enumerate(cube)]
        self.parts = ragged if layout in ("ragged", "long") else list(cube)
        self.X = self._lay_out_X()
        self.y = self.lay_out([self.target(part) for part in self.parts])
        self.cv = SequenceKFold(3, sequence_id=0) if layout == "long" else KFold(3)
        if self.is_regressor:
            self.scoring = sequence_scorer("r2") if self.is_nested else "r2"
        elif self.is_nested:
            self.scoring = sequence_scorer("f1_macro")
        else:
            self.scoring = "f1_macro"

    @property
    def is_nested(self):
        """Whether y has a list of labels or numbers for each sequence."""
        return self.per_step and self.layout != "long"

    def _lay_out_X(self):
        if self.layout == "long":
            table = pd.DataFrame(np.concatenate(self.parts), columns=["a", "b"])
            table.insert(0, "who", np.repeat(np.arange(S), [len(part) for part in self.parts]))
            return table
        if self.layout == "ragged":
            return self.parts
        cube = np.stack(self.parts)
        return cube.reshape(S, -1) if self.layout == "wide" else cube

    def target(self, part, thresholds=(-0.5, 0.5)):
        """What is to be learnt of a sequence, or of each step: a number or a class."""
        x = part[:, 0]
        if self.is_regressor:
            return x.cumsum() if self.per_step else x.sum()
        return np.digitize(x if self.per_step else x.sum() / 2, thresholds)

    def lay_out(self, values):
        """Targets or labels, given for each sequence, in the layout of y."""
        if self.layout == "long" and not self.per_step:
            return np.repeat(values, [len(part) for part in self.parts])
        if not self.is_nested:
            return np.concatenate(values) if self.layout == "long" else np.array(values)
        return np.stack(values) if self.layout == "3-D" else values

    def binary_y(self):
        return self.lay_out([self.target(part, [0]) for part in self.parts])

    def weight(self, of_sequences):
        """Weights of the sequences as `sample_weight`."""
        if self.layout == "long":
            return np.repeat(of_sequences, [len(part) for part in self.parts])
        return of_sequences

    def check_scores(self, scores):
        assert np.all(np.asarray(scores) > 0.6), f"scores {scores}"

    def check_predictions(self, predicted, y=None):
        """They are of the right shape and in the right order, and mostly right."""
        y = self.y if y is None else y
        assert len(predicted) == len(y)
        if self.is_nested:
            y, predicted = np.concatenate(list(y)), np.concatenate(list(predicted))
        assert predicted.shape == y.shape
        metric = r2_score if self.is_regressor else accuracy_score
        self.check_scores(metric(y, predicted))

    def check_fitted(self, estimator):
        """What holds for an estimator that was fitted on the whole task."""
        self.check_predictions(estimator.predict(self.X))


# The tools: each function runs one and looks at what comes out.


def pipeline(case):
    case.check_fitted(make_pipeline("passthrough", case.estimator).fit(case.X, case.y))


def search_with(kind, case, **options):
    search = kind(
        case.estimator,
        {"alpha": ALPHAS},
        cv=case.cv,
        scoring=case.scoring,
        error_score="raise",
        **options,
    ).fit(case.X, case.y)
    assert search.best_params_["alpha"] == ALPHAS[0]
    case.check_scores(search.best_score_)
    case.check_scores(search.score(case.X, case.y))
    case.check_fitted(search)


def grid_search(case):
    search_with(GridSearchCV, case)


def halving(case):
    search_with(HalvingGridSearchCV, case, min_resources=45, random_state=0)


def halving_by_iterations(case):
    options = {"resource": "max_iter", "min_resources": 60, "max_resources": 300}
    search_with(HalvingGridSearchCV, case, **options)


def cross_validation(case):
    scores = cross_validate(
        case.estimator, case.X, case.y, cv=case.cv, scoring=case.scoring, error_score="raise"
    )
    case.check_scores(scores["test_score"])


def predictions_across(case):
    case.check_predictions(cross_val_predict(case.estimator, case.X, case.y, cv=case.cv))


def probabilities_across(case):
    proba = cross_val_predict(case.estimator, case.X, case.y, cv=case.cv, method="predict_proba")
    case.check_predictions(np.array([p.argmax(axis=-1) for p in proba]))


def curve(case):
    _, _, scores = learning_curve(
        case.estimator,
        case.X,
        case.y,
        cv=case.cv,
        scoring=case.scoring,
        train_sizes=[0.5, 1.0],
        error_score="raise",
    )
    case.check_scores(scores[1])


def importance(case):
    X = np.asarray(case.X, dtype=object) if case.layout == "ragged" else case.X
    _check_importance(case, case.estimator, X)


def importance_with_id_in_index(case):
    tagger = clone(case.estimator).set_params(sequence_id="who")
    _check_importance(case, tagger, case.X.set_index("who"))


def _check_importance(case, estimator, X):
    estimator = clone(estimator).fit(X, case.y)
    means = permutation_importance(
        estimator, X, case.y, scoring=case.scoring, random_state=0, n_repeats=2
    ).importances_mean
    n_features = X.shape[1]
    assert means.shape == (n_features,)
    assert means[::2].min() > means[1::2].max()  # the target is made of the first feature


def calibration(case):
    model = CalibratedClassifierCV(case.estimator, cv=case.cv).fit(case.X, case.y)
    case.check_fitted(model)
    assert np.allclose(model.predict_proba(case.X).sum(axis=1), 1)


def _members(case):
    return [("a", case.estimator), ("b", clone(case.estimator).set_params(random_state=1))]


def voting(case):
    kind = VotingRegressor if case.is_regressor else VotingClassifier
    options = {} if case.is_regressor else {"voting": "soft"}
    case.check_fitted(kind(_members(case), **options).fit(case.X, case.y))


def stacking(case):
    kind = StackingRegressor if case.is_regressor else StackingClassifier
    case.check_fitted(kind(_members(case), cv=case.cv).fit(case.X, case.y))


def bagging(case):
    kind = BaggingRegressor if case.is_regressor else BaggingClassifier
    case.check_fitted(kind(case.estimator, 3, random_state=0).fit(case.X, case.y))


def boosting(case):
    _check_boosting(case, case.estimator)


def boosting_with_smaller_alpha(case):
    _check_boosting(case, clone(case.estimator).set_params(alpha=case.estimator.alpha / S))


def _check_boosting(case, estimator):
    kind = AdaBoostRegressor if case.is_regressor else AdaBoostClassifier
    case.check_fitted(kind(estimator, n_estimators=3, random_state=0).fit(case.X, case.y))


def one_vs_rest(case):
    case.check_fitted(OneVsRestClassifier(case.estimator).fit(case.X, case.y))


def threshold(case):
    y = case.binary_y()
    model = TunedThresholdClassifierCV(case.estimator, cv=case.cv, scoring="f1").fit(case.X, y)
    case.check_predictions(model.predict(case.X), y)


def multi_output(case):
    kind = MultiOutputRegressor if case.is_regressor else MultiOutputClassifier
    outputs = case.y, -case.y if case.is_regressor else case.binary_y()
    y = [np.stack(pair, axis=-1) for pair in zip(*outputs)]
    predicted = kind(case.estimator).fit(case.X, y).predict(case.X)
    for k, output in enumerate(outputs):
        case.check_predictions(predicted[:, k], output)


def frozen(case):
    fitted = clone(case.estimator).fit(case.X, case.y)
    case.check_fitted(FrozenEstimator(fitted).fit(case.X, case.y))
    assert clone(FrozenEstimator(fitted)).estimator is fitted


def columns(case):
    n_ids = 1 if case.layout == "long" else 0
    scaled = ColumnTransformer(
        [
            ("ids", "passthrough", slice(0, n_ids)),
            ("features", StandardScaler(), slice(n_ids, None)),
        ]
    )
    case.check_fitted(make_pipeline(scaled, case.estimator).fit(case.X, case.y))


def union(case):
    square = FunctionTransformer(_squares_beside_the_id if case.layout == "long" else np.square)
    model = make_pipeline(
        FeatureUnion([("as it is", "passthrough"), ("squares", square)]), case.estimator
    ).fit(case.X, case.y)
    case.check_fitted(model)
    before = clone(case.estimator).fit(case.X, case.y).n_features_in_
    added = before - 1 if case.layout == "long" else before
    assert model[-1].n_features_in_ == before + added


def _squares_beside_the_id(table):
    return table.iloc[:, 1:] ** 2


def function(case):
    transform = FunctionTransformer(_halve_each if case.layout == "ragged" else _halve)
    case.check_fitted(make_pipeline(transform, case.estimator).fit(case.X, case.y))


def _halve(X):
    if isinstance(X, pd.DataFrame):
        return pd.concat([X.iloc[:, :1], X.iloc[:, 1:] / 2], axis=1)
    return X / 2


def _halve_each(X):
    return [x / 2 for x in X]


def routing(case):
    """Half of the sequences have wrong targets and weight 0: so fit and score must see weights."""
    is_wrong = np.arange(S) % 2 == 1
    targets = [case.target(part) for part in case.parts]
    wrong = [-y if case.is_regressor else 2 - y for y in targets]
    y = case.lay_out([w if is_w else y for y, w, is_w in zip(targets, wrong, is_wrong)])
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = clone(case.estimator).set_fit_request(sample_weight=True)
        scorer = check_scoring(weighted, scoring=case.scoring).set_score_request(sample_weight=True)
        scores = cross_validate(
            make_pipeline("passthrough", weighted),
            case.X,
            y,
            cv=case.cv,
            scoring=scorer,
            params={"sample_weight": case.weight(np.where(is_wrong, 0, 1))},
            error_score="raise",
        )
    case.check_scores(scores["test_score"])


TOOLS = {
    "Pipeline": pipeline,
    "GridSearchCV": grid_search,
    "HalvingGridSearchCV": halving,
    "cross_validate": cross_validation,
    "cross_val_predict": predictions_across,
    "cross_val_predict, predict_proba": probabilities_across,
    "learning_curve": curve,
    "permutation_importance": importance,
    "CalibratedClassifierCV": calibration,
    "Voting": voting,
    "Stacking": stacking,
    "Bagging": bagging,
    "AdaBoost": boosting,
    "OneVsRestClassifier": one_vs_rest,
    "TunedThresholdClassifierCV": threshold,
    "MultiOutput": multi_output,
    "FrozenEstimator": frozen,
    "ColumnTransformer": columns,
    "FeatureUnion": union,
    "FunctionTransformer": function,
    "metadata routing": routing,
}


# Where the tool as it is fails, and why.


class Exempt(NamedTuple):
    """The cases a tool does not take, why, and what is run instead, if there is something."""

    concerns: Callable
    reason: str
    instead: Callable | None = None
    answer: str = "no"


def no_table(case):
    return case.layout in ("3-D", "ragged")


def is_long(case):
    return case.layout == "long"


ONE_LABEL_A_ROW = "takes one label or number a row: pass a long table"
FOR_CLASSIFIERS = Exempt(lambda case: case.is_regressor, "is for classifiers", answer="–")
FOR_FLAT_LABELS = Exempt(lambda case: case.is_nested, ONE_LABEL_A_ROW)

EXEMPT = {
    "HalvingGridSearchCV": [
        Exempt(
            is_long,
            'with `resource="max_iter"`: rows drawn at random would tear sequences apart',
            halving_by_iterations,
        )
    ],
    "cross_val_predict, predict_proba": [
        FOR_CLASSIFIERS,
        FOR_FLAT_LABELS,
    ],
    "permutation_importance": [
        Exempt(no_table, "permutes the columns of a table, wide or long"),
        Exempt(
            is_long,
            "with the sequence id as a pandas index level: permuted ids would be a shuffled table",
            importance_with_id_in_index,
        ),
    ],
    "CalibratedClassifierCV": [FOR_CLASSIFIERS, FOR_FLAT_LABELS],
    "Voting": [FOR_FLAT_LABELS],
    "Stacking": [FOR_FLAT_LABELS],
    "Bagging": [
        FOR_FLAT_LABELS,
        Exempt(no_table, "draws rows and columns of a table"),
        Exempt(
            lambda case: is_long(case) and not case.per_step,
            "draws rows, not sequences: the weight would change within a sequence",
        ),
    ],
    "AdaBoost": [
        FOR_FLAT_LABELS,
        Exempt(lambda case: case.layout == "ragged", "makes one array of X"),
        Exempt(
            lambda case: is_long(case) and case.is_regressor,
            "draws rows at random, which would tear sequences apart",
        ),
        Exempt(
            lambda case: is_long(case) and isinstance(case.estimator, OutputFeedbackTagger),
            "with `alpha` divided by the number of sequences: the weights that AdaBoost gives sum "
            "to 1, and the penalty is divided by their sum",
            boosting_with_smaller_alpha,
        ),
    ],
    "OneVsRestClassifier": [FOR_CLASSIFIERS, FOR_FLAT_LABELS],
    "TunedThresholdClassifierCV": [FOR_CLASSIFIERS, FOR_FLAT_LABELS],
    "MultiOutput": [FOR_FLAT_LABELS],
    "ColumnTransformer": [Exempt(no_table, "picks columns of a table")],
    "FeatureUnion": [Exempt(no_table, "puts columns of tables side by side")],
}


def exemption(tool, case):
    """The first of the tool's exemptions that concerns the case, or None."""
    return next((e for e in EXEMPT.get(tool, []) if e.concerns(case)), None)


def failure(run, case):
    """What goes wrong when the tool is run, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run(case)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def unexpected(tool, case):
    """How the outcome differs from what the table says, or None."""
    exempt = exemption(tool, case)
    problem = failure(TOOLS[tool], case)
    if exempt is None:
        return problem
    if problem is None:
        return f"works, although it is said that it {exempt.reason}"
    return failure(exempt.instead, case) if exempt.instead else None


def table(cases):
    """The Markdown table and its notes, as lines."""
    notes = []

    def answer_of(tool, case):
        exempt = exemption(tool, case)
        if exempt is None:
            return "yes"
        if exempt.reason not in notes:
            notes.append(exempt.reason)
        answer = "yes" if exempt.instead else exempt.answer
        return f"{answer} [{notes.index(exempt.reason) + 1}]"

    def cell(tool, name):
        layouts = {}  # of each answer
        for (of, layout), case in cases.items():
            if of == name:
                layouts.setdefault(answer_of(tool, case), []).append(layout)
        if len(layouts) == 1:
            return next(iter(layouts))
        return "; ".join(f"{', '.join(those)}: {answer}" for answer, those in layouts.items())

    names = list(dict.fromkeys(name for name, _ in cases))
    lines = [_row(["", *(f"`{name}`" for name in names)]), _row(["---"] * (1 + len(names)))]
    lines += [_row([tool, *(cell(tool, name) for name in names)]) for tool in TOOLS]
    return [*lines, "", *(f"{i}. {note}" for i, note in enumerate(notes, 1))]


def _row(cells):
    return f"| {' | '.join(cells)} |"


def all_cases():
    """Every estimator and layout, by their names."""
    return {
        (name, layout): Case(name, layout)
        for name, (_, layouts) in ESTIMATORS.items()
        for layout in layouts
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS), metavar="TOOL")
    tools = parser.parse_args().tools
    cases = all_cases()
    n_wrong = 0
    for tool in tools:
        for column, case in cases.items():
            problem = unexpected(tool, case)
            if problem is not None:
                n_wrong += 1
                print(f"{tool}: {', '.join(column)}: {problem}", file=sys.stderr)
    print("\n".join(table(cases)))
    sys.exit(n_wrong > 0)


if __name__ == "__main__":
    main()
