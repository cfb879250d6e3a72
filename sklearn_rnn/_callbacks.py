"""scikit-learn's callbacks, where it has them (from 1.9 on)."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's: an estimator without callbacks."""

    def with_callbacks(method):
        """Stands in for scikit-learn's: there is nothing to tear down."""
        return method


class Progress:
    """Tells the callbacks of an estimator how its training goes; nothing where there are none.

    Parameters
    ----------
    estimator : RecurrentEstimator
        The one that the user fits: callbacks know it by its identity.
    X, y, sample_weight
        As they were given to `fit`.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to stop.
    """

    def __init__(self, estimator, X, y, sample_weight):
        self.estimator = estimator
        self.data = {"X": X, "y": y}
        if sample_weight is not None:
            self.data["metadata"] = {"sample_weight": sample_weight}
        self.stopped = False
        self._context = None

    def begin(self, max_iter):
        """Training starts, of ``max_iter`` iterations at most."""
        if hasattr(self.estimator, "_skl_callbacks"):
            self._context = self.estimator._init_callback_context(max_subtasks=max_iter)
            self._context.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def iteration(self, attributes):
        """An iteration has ended; whether to stop.

        ``attributes()`` are those that the estimator would have, if training ended here.
        """
        if self._context is None:
            return False
        task = self._context.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        self.stopped |= self._end(task, attributes)
        return self.stopped

    def end(self):
        """Training has ended, and the estimator is fitted."""
        if self._context is not None:
            self._end(self._context, lambda: vars(self.estimator))

    def _end(self, task, attributes):
        return task.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.data
        )
