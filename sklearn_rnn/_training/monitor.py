"""What watches training: the loss curve, when to stop, and which weights to keep."""

import numpy as np


class Monitor:
    """Callback of a solver that records, decides when to stop, and keeps the best weights.

    Training has converged when, for `n_iter_no_change` iterations in a row, the loss has not fallen
    by the share `tol` of itself (or the validation score, if there is one, not risen by `tol`). A
    share, because where labels are noise the loss stays high, and small gains are overfitting.

    Parameters
    ----------
    tol : float
    n_iter_no_change : int or inf
    validate : callable, optional
        ``validate(w)`` returns a score; higher is better.
    verbose : int
        Whether to print a line after each iteration.
    stop : callable, optional
        ``stop(w)`` is called after each iteration with the best weights so far, and returns whether
        to stop.

    Attributes
    ----------
    loss_curve, validation_scores : list of float
        After each iteration.
    w, loss : ndarray of shape (P,) and float, or None
        The weights of the best score (or the least loss), and the loss there.
    """

    def __init__(self, tol, n_iter_no_change, validate=None, verbose=0, stop=None):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.validate = validate
        self.verbose = verbose
        self.stop = stop
        self.loss_curve = []
        self.validation_scores = []
        self.w = self.loss = None
        self._best = -np.inf
        self._n_idle = 0

    @property
    def merit(self):
        """The best score, or the least loss with its sign changed; -inf before any."""
        return self._best

    def __call__(self, w, loss):
        merit, margin = -loss, self.tol * abs(loss)
        message = f"Iteration {len(self.loss_curve) + 1}, loss = {loss:.8f}"
        if self.validate is not None:
            merit, margin = self.validate(w), self.tol
            self.validation_scores.append(merit)
            message += f", validation score = {merit:.6f}"
        self._n_idle = 0 if merit > self._best + margin else self._n_idle + 1
        # everything is recorded before the line is printed, since interrupts mostly come there
        self.loss_curve.append(loss)
        if merit > self._best:
            self._best, self.w, self.loss = merit, w, loss
        if self.verbose:
            print(message)
        asked_to_stop = self.stop is not None and self.stop(w if self.w is None else self.w)
        if asked_to_stop or self._n_idle >= self.n_iter_no_change:
            raise StopIteration
