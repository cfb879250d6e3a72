"""The base class of all estimators: parameters, `fit`, `partial_fit`, persistence, streaming."""

import warnings
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._compat import CallbackSupportMixin, Interval, StrOptions, with_callbacks
from .._execution.dask import is_collection
from .._execution.shards import Data
from .._input.constraints import COUNT, JOBS, NOT_NEGATIVE
from .._input.labels import require_y
from .._input.layouts import LongTable, read_sequences, restored_table
from .._input.long_tables import lengths_by_id, warn_of_torn
from .._input.missing import Filling, learn_filling
from .._networks.activations import ACTIVATIONS
from .._training.deduplication import merge_duplicates
from .._training.fit import Options, Trained, Validation, fit, fit_batch
from .._training.recipe import choose_direct
from .._training.solvers import EXHAUSTED, GENERAL_SOLVERS, INTERRUPTED
from .._training.training_set import Examples
from .._version import __version__
from .callbacks import Progress
from .early_stopping import (
    check_alike,
    reading_validation_set,
    split_sequences,
    validation_set,
)
from .interrupts import is_called_by_user
from .model import FittedModel
from .partitions import check_supported, read_partitions
from .stepper import Stepper

# What reading X leaves on the estimator that it is read for.
_READ_ATTRIBUTES = ("n_features_in_", "feature_names_in_", "_fitted_on_table", "_lengths_seen")


class RecurrentEstimator(CallbackSupportMixin, BaseEstimator):
    """Training, persistence and streaming, for any pattern.

    A public estimator has the documentation and the parameters, and says what its targets are
    (`_targets`), what determines its network (`_structure`) and how to build it (`_build_network`).
    """

    _parameter_constraints = {
        "hidden_layer_sizes": [COUNT, tuple, list, np.ndarray],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"auto", *GENERAL_SOLVERS})],
        "alpha": [NOT_NEGATIVE],
        "max_iter": [COUNT, None],
        "tol": [NOT_NEGATIVE],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [COUNT],
        "n_init": [COUNT],
        "warm_start": ["boolean"],
        "n_jobs": [*JOBS, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _targets = None  # LabelTargets or NumberTargets
    _STRUCTURE_BEFORE: dict = {}  # of version 0.1, where it was no choice

    def _structure(self):
        """Return what determines the network, checked, as a dict of plain Python values."""
        raise NotImplementedError

    def _build_network(self, structure, n_features, n_outputs):
        """Return the network of a structure; parameters of the estimator are not read."""
        raise NotImplementedError

    def _table(self):
        """Return what 2-D input means: rows are steps."""
        return LongTable(self.sequence_id)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        """Do what `fit` does."""
        self._validate_params()
        structure = self._structure()
        held_out = validation_set(X_val, y_val, sample_weight_val)
        if self.early_stopping or held_out:
            self._check_iterates()
        require_y(self, y)
        status, n_iter = self._fit_network(structure, X, y, sample_weight, held_out)
        if status == EXHAUSTED:
            warnings.warn(
                f"Training reached max_iter={n_iter} before it converged. Increase max_iter, or "
                "increase tol to be content with less.",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif status == INTERRUPTED:
            warnings.warn(
                f"Training was interrupted after {n_iter} iterations; the best weights so far are "
                "kept.",
                stacklevel=3,
            )
        return self

    @with_callbacks
    def _fit_network(self, structure, X, y, sample_weight, held_out):
        """Read, build, train, record; return how training ended and after how many iterations."""
        before = self._trained_before() if self.warm_start else None
        reader = self._reader(before)
        in_memory = not is_collection(X)
        if not in_memory:
            check_supported(self, held_out)
        read = RecurrentEstimator._read if in_memory else read_partitions
        sequences, targets, examples = read(reader, X, y, sample_weight, self._classes(before))
        validation = None
        if self.early_stopping or held_out:
            validation = self._validation(reader, sequences, targets, held_out)
        iterates = validation is not None or not in_memory
        structure = self._settle(structure, examples, before, iterates)
        structure |= self._structure_of_classes(targets.attributes.get("classes_"))
        n_features = examples.data.X.shape[1]
        network = self._build_network(structure, n_features, targets.n_outputs)
        if before:
            self._check_continues(structure, network, reader, "warm_start=True")
        record = partial(self._fitted_attributes, reader, structure, network, targets)
        progress = Progress(self, X, y, sample_weight, lambda p: vars(self) | record(p))
        trained = fit(
            network,
            examples,
            self._options(),
            check_random_state(self.random_state),
            validation=validation,
            before=before,
            progress=progress,
            keep_interrupted=is_called_by_user(),
        )
        self._become(record(trained.p, trained))
        progress.end()
        return trained.status, len(trained.loss_curve) - (len(before.loss_curve) if before else 0)

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Do what `partial_fit` does."""
        self._validate_params()
        structure = self._structure()
        require_y(self, y)
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True. Set it to False.")
        before = self._trained_before()
        if before:
            reader, n_features = copy(self._model.reader), self._model.n_features
        else:
            reader, n_features = self._reader(), None
        sequences = read_sequences(
            reader,
            X,
            self._table(),
            reset=not before,
            n_features=n_features,
            ensure_all_finite="allow-nan",
        )
        targets = self._targets.read_batch(
            sequences, y, sample_weight, self._class_weight(), self._classes(before), classes
        )
        examples = reader._filled(sequences, self._examples(sequences, targets))
        structure = self._settle(structure, examples, before, needs_iterations=True)
        structure |= self._structure_of_classes(targets.attributes.get("classes_"))
        n_features = examples.data.X.shape[1]
        network = self._build_network(structure, n_features, targets.n_outputs)
        if before:
            self._check_continues(structure, network, reader, "partial_fit")
        rng = check_random_state(self.random_state)
        trained = fit_batch(network, examples, self._options(), rng, before)
        self._become(
            self._fitted_attributes(reader, structure, network, targets, trained.p, trained)
        )
        return self

    def _read(self, X, y, sample_weight, known):
        """Read a training set in memory; return its sequences, targets and `Examples`."""
        sequences = read_sequences(
            self, X, self._table(), reset=True, ensure_all_finite="allow-nan"
        )
        self._lengths_seen = lengths_by_id(sequences)
        targets = self._targets.read(sequences, y, sample_weight, self._class_weight(), known)
        return sequences, targets, self._filled(sequences, self._examples(sequences, targets))

    def _filled(self, sequences, examples):
        """Return examples without gaps; how they are filled is learnt, if it has not been.

        Which sequences are equal is found out before, so that it does not depend on their order.
        """
        data, members = examples
        if issparse(sequences.rows):
            return examples
        filling = getattr(self, "_filling", None)
        if filling is None or filling.n_features != sequences.n_features:
            weight = data.weight
            if data.per_step:
                weight = np.add.reduceat(weight, data.starts) / data.lengths
            filling = self._filling = learn_filling(sequences, members, weight)
        rows = filling.fill(sequences).rows
        return examples._replace(data=replace(data, X=rows, n_indicators=len(filling.with_gaps)))

    def _reader(self, before=None):
        """Return a copy with the parameters alone, on which `validate_data` may leave attributes.

        So a fit that fails, or goes on while another thread predicts, leaves the estimator alone.
        If training goes on from where it was before, gaps are filled as they were.
        """
        reader = object.__new__(type(self))
        vars(reader).update(self.get_params(deep=False))
        if before and self._model.filling:
            reader._filling = self._model.filling
        return reader

    def _class_weight(self):
        return getattr(self, "class_weight", None)

    def _classes(self, before):
        """Return the classes of the last fit, for training that goes on from there."""
        return self._model.classes if before else None

    def _settle(self, structure, examples, before, needs_iterations):
        """Return the structure without None, which stands for what the first fit chooses."""
        unsettled = [name for name in structure if structure[name] is None]
        if before:
            chosen = self._settings["structure"]
        else:
            chosen = self._choose(structure, examples, needs_iterations)
        return structure | {name: chosen[name] for name in unsettled}

    def _choose(self, structure, examples, needs_iterations):
        """Return what the data decide of the structure: of taggers, the direct term."""
        return {"direct": choose_direct(issparse(examples.data.X))}

    def _options(self):
        names = [name for name in Options._fields if hasattr(self, name)]
        return Options(**{name: getattr(self, name) for name in names})

    def _structure_of_classes(self, classes):
        """Return what determines the network beside `_structure`, once the classes are known."""
        return {}

    def _check_labels(self, sequences, y, weight, classes):
        """Refuse codes of labels, and weights, that the network cannot take."""

    def _examples(self, sequences, targets):
        """Return the distinct sequences, with the weights of equal ones merged."""
        classes = targets.attributes.get("classes_")
        self._check_labels(sequences, targets.y, targets.weight, classes)
        per_step = self._targets.unit.per_step
        data = Data(sequences.rows, sequences.lengths, targets.y, targets.weight, per_step)
        members, weight = merge_duplicates(data, not self._feeds_labels_back())
        return Examples(replace(data, weight=weight), members)

    def _feeds_labels_back(self):
        """Return whether labels of weight 0 have an influence on training, too."""
        return False

    def _predictor(self):
        """Return ``function(network, p, shard)`` whose results `_targets.score` takes."""
        return self._targets.predict

    def _check_iterates(self):
        """Refuse early stopping where training has no iterations."""

    def _validation(self, reader, sequences, targets, held_out):
        """Return what early stopping scores on: the user's `ValidationSet`, or what it draws."""
        data = None
        if held_out:
            with reading_validation_set():
                data = self._validation_data(reader, sequences, targets, held_out)
        split = partial(
            split_sequences,
            fraction=self.validation_fraction,
            min_held_out=self._targets.min_held_out,
            strata=self._targets.strata(targets),
        )
        return Validation(data, split, self._predictor(), self._targets.score)

    def _validation_data(self, reader, sequences, targets, held_out):
        """Return the validation set, read as the training set was."""
        X, y, sample_weight = held_out
        filling = getattr(reader, "_filling", None)
        others = read_sequences(
            reader,
            X,
            self._table(),
            reset=False,
            n_features=sequences.n_features,
            ensure_all_finite="allow-nan" if filling else True,
        )
        check_alike(sequences, others)
        warn_of_torn(others, reader._lengths_seen)
        y, weight = self._targets.read_validation(
            others, y, sample_weight, self._class_weight(), targets
        )
        self._check_labels(others, y, weight, targets.attributes.get("classes_"))
        if filling:
            others = filling.fill(others)
        rows = others.rows.astype(sequences.rows.dtype, copy=False)
        return Data(rows, others.lengths, y, weight, self._targets.unit.per_step)

    def _trained_before(self):
        """Return the outcome of the last fit, None without one."""
        if not hasattr(self, "_model"):
            return None
        p = fitted_model(self).p
        curves = self.loss_curve_, self.validation_scores_
        return Trained(p, self._seed, self._n_seen, None, self.loss_, *curves)

    def _check_continues(self, structure, network, reader, what):
        """Refuse to go on from the weights of another network."""
        saved, p = self._settings["structure"], self._model.p
        changed = [name for name in structure if structure[name] != saved[name]]
        is_other = {name: W.shape for name, W in p.items()} != network.shapes
        if self._model.filling and reader._filling is not self._model.filling:
            is_other = True  # of another number of features
        if not changed and is_other:
            changed = ["the features, classes or targets"]
        if changed:
            raise ValueError(
                f"{what} continues from the weights of the last fit, but {', '.join(changed)} have "
                "changed. Fit with warm_start=False."
            )

    def _fitted_attributes(self, reader, structure, network, targets, p, trained=None):
        """Return all attributes of an estimator with the parameters p; some need ``trained``."""
        table, filling = self._table(), getattr(reader, "_filling", None)
        classes = targets.attributes.get("classes_")
        shape = targets.attributes.get("_target_shape", (targets.n_outputs,))
        per_step = self._targets.unit.per_step
        attributes = {name: vars(reader)[name] for name in _READ_ATTRIBUTES if name in vars(reader)}
        weights = network.attributes(p)
        attributes |= targets.attributes | weights
        attributes |= {
            "n_parameters_": sum(W.size for W in p.values()),
            "features_with_gaps_": filling.with_gaps if filling else np.zeros(0, int),
            "_settings": {
                "structure": structure,
                "table": asdict(table),
                "filling": asdict(filling) if filling else None,
            },
            "_model": FittedModel(network, weights, reader, table, per_step, classes, shape),
        }
        if trained is not None:
            attributes |= {
                "loss_": trained.loss,
                "loss_curve_": trained.loss_curve,
                "n_iter_": len(trained.loss_curve),
                "validation_scores_": trained.validation_scores,
                "_seed": trained.seed,
                "_n_seen": trained.n_seen,
            }
        return attributes

    def _become(self, attributes):
        """Take all fitted attributes at once: another thread sees the last fit, or this one."""
        kept = {name: value for name, value in vars(self).items() if name not in _READ_ATTRIBUTES}
        self.__dict__ = kept | attributes

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_model", None)  # it is built anew from the public attributes
        return state | {"_sklearn_rnn_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop("_sklearn_rnn_version", "0.1.0 or unknown")
        if version != __version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=f"{__version__} of sklearn_rnn",
                    original_sklearn_version=f"{version} of sklearn_rnn",
                ),
                stacklevel=2,
            )
            # parameters that came later
            state = type(self)().get_params(deep=False) | state
        super().__setstate__(state)
        if "output_weights_" in state:
            self._model = self._restored_model()

    def _restored_model(self):
        """Return the fitted model of a saved estimator."""
        saved = vars(self)
        if "_settings" in saved:
            table = restored_table(self._settings["table"])
            structure = self._settings["structure"]
        else:  # saved by version 0.1, whose predictions depended on the parameters
            table = self._table()
            structure = self._structure() | self._STRUCTURE_BEFORE
            self._settings = {"structure": structure, "table": asdict(table)}
        n_features, n_outputs = len(self.input_weights_[0]), len(self.output_biases_)
        network = self._build_network(structure, n_features, n_outputs)
        reader = self._reader()
        vars(reader).update({name: saved[name] for name in _READ_ATTRIBUTES if name in saved})
        if self._settings.get("filling"):
            reader._filling = Filling(**self._settings["filling"])
        per_step = self._targets.unit.per_step
        weights = {name: saved[name] for name in network.attributes(network.parameters(saved))}
        shape = () if saved.get("_single_target") else (n_outputs,)  # of version 0.1
        shape = saved.get("_target_shape", shape)
        classes = saved.get("classes_")
        return FittedModel(network, weights, reader, table, per_step, classes, shape)

    def start(self):
        """Start to predict one or several sequences step by step, as their steps come in.

        Costs a few matrix products a step, for sequences of any length.

        Returns
        -------
        stepper : object
            Its method ``step(x)`` takes the features of the next step, (D,), without a column
            `sequence_id` (a row of a DataFrame is checked by its names), and returns what
            `predict_proba` (of a regressor `predict`) gives there:
            (K,). Of sequences side by side it takes (n, D) and returns (n, K). Taggers predict for
            the step, the others for the sequence as if it ended there; which labels may end a
            sequence is not used. A later `fit` does not change it, and it can be pickled.

        Raises
        ------
        ValueError
            If the estimator is bidirectional or has a CRF output, for which a sequence must have
            ended.

        Examples
        --------
        >>> from sklearn_rnn import OutputFeedbackTagger
        >>> from sklearn_rnn.datasets import make_conversations
        >>> X, y = make_conversations(20, random_state=0)
        >>> tagger = OutputFeedbackTagger(random_state=0).fit(X, y)
        >>> stepper = tagger.start()
        >>> for x in X[0]:
        ...     probabilities = stepper.step(x)
        >>> bool(abs(probabilities - tagger.predict_proba(X[:1])[0][-1]).max() < 1e-12)
        True
        """
        model = fitted_model(self)
        if model.network.n_directions == 2:
            raise ValueError(
                "start() predicts while a sequence goes on, but with bidirectional=True half of "
                "the units read it from its end. Fit with bidirectional=False."
            )
        if model.network.output.couples_steps:
            raise ValueError(
                "start() predicts while a sequence goes on, but with output='crf' what comes later "
                "revises what came before. Fit with output='softmax'."
            )
        # a copy, so that the stepper stays as it is when the user changes weights in place
        p = {name: W.copy() for name, W in model.p.items()}
        return Stepper(model.network, p, model.target_shape, model.feature_names, model.filling)


def fitted_model(estimator):
    """Return the model that an estimator was fitted to, with its present weights."""
    attributes = vars(estimator)  # one fit as a whole: `fit` replaces the dict
    if "_model" not in attributes:
        check_is_fitted(estimator)
    return attributes["_model"].updated(attributes)


def read_fitted(estimator, X):
    """Return the fitted model of an estimator, and the sequences of X."""
    model = fitted_model(estimator)
    return model, model.read(X)
