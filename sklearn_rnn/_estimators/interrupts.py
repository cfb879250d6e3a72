"""Whether an interrupt shall end a fit with the best weights so far, or be raised."""

import sys

# What may stand between the user and a single fit; other callers in these packages fit many times.
_SINGLE_FIT = ("sklearn.pipeline", "sklearn.base", "sklearn.callback", "sklearn.utils")


def is_called_by_user() -> bool:
    """Return whether no search, ensemble or other loop of scikit-learn or joblib calls `fit`.

    Keeping the weights would then swallow the interrupt, and the loop would go on with its next
    fit. A loop leaves no trace but its frames on the stack: in one process joblib reports neither a
    backend nor a nesting level of its own.
    """
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in ("joblib", "sklearn") and not module.startswith(_SINGLE_FIT):
            return False
        frame = frame.f_back
    return True
