"""What a transformer of steps gives back: tables with their ids."""

import numpy as np
from scipy import sparse

from .._compat import output_container
from .._input.long_tables import insert_column, split_off_id


def with_ids(transformer, X, rows, names, position, at):
    """Return rows (N, K) as a table with the ids of X, of a DataFrame as a DataFrame if asked for.

    Parameters
    ----------
    transformer : transformer
        With a `sequence_id`.
    X : array-like
        The table that came in.
    rows : ndarray or csr_array of shape (N, K)
    names : ndarray of str, or None
        Names of all columns that go out; None if X is an array.
    position, at : int or None
        Where the column of ids is in X and in the output; None if it is a level of the index.
    """
    if position is None:
        return _frame_like(X, rows, names)
    of_name = isinstance(transformer.sequence_id, str)
    is_frame = names is not None and (of_name or output_container(transformer) != "default")
    if not is_frame:
        return insert_column(rows, at, split_off_id(X, transformer.sequence_id)[1])
    table = _frame_like(X, rows, np.delete(names, at))
    ids = X[X.columns[position]]
    if hasattr(table, "insert_column"):  # polars
        return table.insert_column(at, ids)
    table.insert(at, names[at], ids)
    return table


def _frame_like(X, rows, names):
    """Return a DataFrame of the same library and with the same index as X."""
    if hasattr(X, "index"):
        if sparse.issparse(rows):
            return type(X).sparse.from_spmatrix(rows, index=X.index, columns=names)
        return type(X)(rows, index=X.index, columns=names)
    return type(X)(rows, schema=names.tolist(), orient="row")


def refuse_containers(transformer):
    """Refuse `set_output` for sequences."""
    container = output_container(transformer)
    if container != "default":
        raise ValueError(
            f"set_output(transform={container!r}) makes DataFrames of tables only, but X holds "
            "sequences. Call set_output(transform='default'), or pass a table with a row a step."
        )
