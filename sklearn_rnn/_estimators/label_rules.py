"""What taggers know of labels: which may follow each other, and which stands for no label."""

from numbers import Real

import numpy as np

from .._compat import StrOptions
from .._input.transitions import check_allowed, read_transitions, refuse_dead_ends
from .._input.weights import check_equal_in_sequences
from .targets import STEP, LabelTargets


class LabelRulesMixin:
    """The parameters `allowed_transitions` and `unlabeled`."""

    _parameter_constraints = {
        "allowed_transitions": [StrOptions({"IOB2", "BIOES"}), list, tuple, np.ndarray, None],
        "unlabeled": [str, Real, None],
    }
    _normalises_steps = False  # each by itself, so that none may lead to where no label is allowed

    @property
    def _targets(self):
        return LabelTargets(STEP, self.unlabeled, self._sums_labels_out())

    def _allowed(self, classes):
        """Return which transitions are allowed, None for all."""
        allowed = read_transitions(self.allowed_transitions, classes)
        if allowed is not None and self._normalises_steps:
            refuse_dead_ends(allowed, classes)
        return allowed

    def _structure_of_classes(self, classes):
        allowed = self._allowed(classes)
        if allowed is not None:
            allowed = {name: of_name.tolist() for name, of_name in allowed._asdict().items()}
        return {"allowed_transitions": allowed}

    def _check_labels(self, sequences, y, weight, classes):
        allowed = self._allowed(classes)
        if allowed is not None:
            check_allowed(y, sequences, allowed, classes)
        self._check_weight(sequences, y, weight)

    def _check_weight(self, sequences, y, weight):
        """Refuse weights that differ within a sequence whose unlabelled steps are summed out."""
        has_unlabelled = np.logical_or.reduceat(y < 0, sequences.starts)
        check_equal_in_sequences(weight, sequences, has_unlabelled, "with unlabelled steps")
