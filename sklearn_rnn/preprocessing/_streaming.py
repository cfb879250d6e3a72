"""Steps that come one by one, through the transformers of a pipeline to its estimator."""

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._context_window import ContextWindow
from ._per_step import PerStepTransformer, takes_items


def start_pipeline(pipeline):
    """Start to predict sequences step by step, through all transformers of a fitted pipeline.

    What `start` of an estimator is for features, this is for what goes into a pipeline in front of
    it. Each step must be transformed by itself or from the steps before it: transformers may be
    :class:`PerStepTransformer` and :class:`ContextWindow` with ``after=0``.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its last step is an estimator of this library with `start`.

    Returns
    -------
    stepper : object
        Its method ``step(x)`` takes the next step of a sequence, (D,), or of n sequences side by
        side, (n, D); where the pipeline takes tokens or dicts, one of them or a list of n. It
        returns what ``step`` of the estimator's own stepper gives.

    Raises
    ------
    ValueError, TypeError
        If a transformer needs more than the steps so far, or it cannot be told, or the estimator
        cannot predict while a sequence goes on.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_rnn import SequenceTagger
    >>> from sklearn_rnn.datasets import make_conversations
    >>> from sklearn_rnn.preprocessing import ContextWindow, PerStepTransformer, start_pipeline
    >>> X, y = make_conversations(20, random_state=0)
    >>> pipeline = make_pipeline(
    ...     PerStepTransformer(StandardScaler()),
    ...     ContextWindow(before=2, after=0),
    ...     SequenceTagger(random_state=0),
    ... ).fit(X, y)
    >>> stepper = start_pipeline(pipeline)
    >>> for x in X[0]:
    ...     probabilities = stepper.step(x)
    >>> bool(np.allclose(probabilities, pipeline.predict_proba(X[:1])[0][-1]))
    True
    """
    if not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"pipeline must be a Pipeline, got a {type(pipeline).__name__}. An estimator has "
            "start() itself."
        )
    check_is_fitted(pipeline)
    *transformers, last = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
    if not hasattr(last, "start"):
        raise TypeError(
            f"The last step of the pipeline is a {type(last).__name__}, which has no start()."
        )
    return _PipelineStepper([_stage(t) for t in transformers], last.start())


def _stage(transformer):
    if isinstance(transformer, PerStepTransformer):
        return _StepByItself(transformer)
    if isinstance(transformer, ContextWindow):
        if transformer.after:
            raise ValueError(
                f"ContextWindow(after={transformer.after}) looks at steps that are still to come. "
                "Fit with after=0."
            )
        return _StepsBefore(transformer.before)
    raise TypeError(
        f"{type(transformer).__name__} may need a whole sequence. Wrap it in PerStepTransformer if "
        "it transforms each step by itself."
    )


class _PipelineStepper:
    """Transforms each step as the pipeline does, and hands it to the stepper of the estimator.

    Parameters
    ----------
    stages : list of stages
        ``stage.transform(x, state)`` returns rows and the next state; the first state is None.
    stepper : Stepper
    """

    def __init__(self, stages, stepper):
        self._stages = stages
        self._stepper = stepper
        self._states = [None] * len(stages)

    def step(self, x):
        """Take in the next step of the sequences; return what the estimator's stepper gives."""
        states = []
        for stage, state in zip(self._stages, self._states):
            x, state = stage.transform(x, state)
            states.append(state)
        output = self._stepper.step(x)
        self._states = states  # after all that may fail
        return output


class _StepByItself:
    """A stage that has no memory."""

    def __init__(self, transformer):
        self._transformer = transformer.transformer_
        self._takes_items = takes_items(transformer.transformer)

    def transform(self, x, state):
        if self._takes_items:
            is_single = not isinstance(x, list)
        else:
            x = x if hasattr(x, "shape") else np.asarray(x)
            is_single = x.ndim == 1
        rows = self._transformer.transform(_as_rows(x) if is_single else x)
        rows = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        return (rows[0] if is_single else rows), None


def _as_rows(x):
    """Return one step as a table of one row; a pandas Series keeps its names."""
    if hasattr(x, "to_frame"):
        return x.to_frame().T
    return x[None] if isinstance(x, np.ndarray) else [x]


class _StepsBefore:
    """A stage that puts the features of the last steps before those of each step."""

    def __init__(self, before):
        self._before = before

    def transform(self, x, state):
        x = np.asarray(x)
        seen = [np.zeros_like(x)] * self._before if state is None else state
        window = [*seen, x]
        return np.concatenate(window, axis=-1), window[1:]
