"""The parameter `allowed_transitions` of taggers: checked, and made part of the network."""

import numpy as np

from .._compat import StrOptions
from .._input.transitions import check_allowed, read_transitions, refuse_dead_ends


class TransitionsMixin:
    """Labels that may follow each other, and the first and the last of a sequence."""

    _parameter_constraints = {
        "allowed_transitions": [StrOptions({"IOB2", "BIOES"}), list, tuple, np.ndarray, None],
    }
    _normalises_steps = False  # each by itself, so that none may lead to where no label is allowed

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

    def _check_labels(self, sequences, y, classes):
        allowed = self._allowed(classes)
        if allowed is not None:
            check_allowed(y, sequences, allowed, classes)
