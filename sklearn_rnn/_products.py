"""Products with tall, narrow matrices, cut into the pieces that BLAS is quickest at."""

import numpy as np
from scipy import sparse

# Up to this many multiplications OpenBLAS leaves its operands where they are; beyond, it copies
# them first, which for narrow matrices costs up to half of the time.
VOLUME = 1_000_000
# Fewer rows are not worth a call of their own.
MIN_ROWS = 48


def rows_times(A, W, empty=np.empty):
    """A @ W, where A has many rows; A may be sparse. ``empty`` is where the product goes."""
    if sparse.issparse(A):
        return A @ W
    product = empty((len(A), W.shape[1]), np.result_type(A, W))
    for rows in _blocks(len(A), W.size):
        np.matmul(A[rows], W, out=product[rows])
    return product


def cross_product(A, B):
    """A.T @ B, where both have many rows; A may be sparse."""
    if sparse.issparse(A):
        return A.T @ B
    first, *others = _blocks(len(A), A.shape[1] * B.shape[1])
    product = A[first].T @ B[first]
    for rows in others:
        product += A[rows].T @ B[rows]
    return product


def column_sums(A):
    """The sum over the rows of A; as a product it is several times quicker than A.sum(axis=0)."""
    return np.ones(len(A), dtype=A.real.dtype) @ A


def _blocks(n_rows, volume):
    """Slices of about equal size, each row of which takes so many multiplications."""
    most = VOLUME // max(volume, 1)
    if most < MIN_ROWS or n_rows <= most:
        return [slice(0, n_rows)]
    size = -(-n_rows // -(-n_rows // most))
    return [slice(start, start + size) for start in range(0, n_rows, size)]
