"""How scikit-learn's callbacks (from 1.9 on) follow training."""


class Progress:
    """Reports to the callbacks of an estimator; does nothing where there are none.

    Parameters
    ----------
    estimator : RecurrentEstimator
        The one that the user fits: callbacks know it by its identity.
    X, y, sample_weight
        As they were given to `fit`.
    attributes : callable
        ``attributes(p)`` returns those that the estimator would have if training ended with the
        parameters p.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to stop.
    """

    def __init__(self, estimator, X, y, sample_weight, attributes):
        self.estimator = estimator
        self.data = {"X": X, "y": y}
        if sample_weight is not None:
            self.data["metadata"] = {"sample_weight": sample_weight}
        self.attributes = attributes
        self.stopped = False
        self._context = None

    def begin(self, max_iter):
        """Report that training starts, of ``max_iter`` iterations at most."""
        if hasattr(self.estimator, "_skl_callbacks"):
            self._context = self.estimator._init_callback_context(max_subtasks=max_iter)
            self._context.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def iteration(self, parameters):
        """Report that an iteration has ended, and return whether to stop.

        ``parameters()`` returns those to keep so far.
        """
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        self.stopped |= self._end(task, lambda: self.attributes(parameters()))
        return self.stopped

    def end(self):
        """Report that training has ended, and the estimator is fitted."""
        if self._context is not None:
            self._end(self._context, lambda: vars(self.estimator))

    def _end(self, task, attributes):
        return task.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.data
        )
