"""The parameters that say what a hidden unit is, of all estimators whose hidden units feed back."""

from .._compat import StrOptions
from .._input.arrays import format_value
from .._networks.hidden_feedback import CELLS, GATED_CELLS

CELL_CONSTRAINTS = {"cell": [StrOptions(set(CELLS))], "bidirectional": ["boolean"]}


def cell_structure(estimator):
    """Return what the parameters say of the hidden units, checked against each other."""
    cell, activation = estimator.cell, estimator.activation
    if cell in GATED_CELLS and activation != "tanh":
        raise ValueError(
            f"activation={format_value(activation)} has no meaning with cell={cell!r}, whose gates "
            "are logistic and whose states tanh. Leave it at 'tanh', or take cell='elman' or "
            "'diagonal'."
        )
    return {
        "cell": cell,
        "activation": activation,
        "bidirectional": bool(estimator.bidirectional),
    }
