"""Products with tall, narrow matrices, cut into the pieces that BLAS is quickest at."""

import numpy as np
from scipy import sparse

# Up to this many multiplications OpenBLAS reads its operands where they are; beyond, it copies them
# first, which for narrow matrices costs up to half of the time.
MULTIPLICATIONS = 1_000_000
# A piece of fewer rows costs more for the call than it saves.
MIN_ROWS = 48


def rows_times(A, W, empty=np.empty):
    """Return A @ W, where A has many rows and may be sparse; ``empty`` allocates the product."""
    if sparse.issparse(A):
        return A @ W
    product = empty((len(A), W.shape[1]), np.result_type(A, W))
    for rows in _pieces(len(A), W.size):
        np.matmul(A[rows], W, out=product[rows])
    return product


def cross_product(A, B):
    """Return A.T @ B, where both have many rows; A may be sparse."""
    if sparse.issparse(A):
        return A.T @ B
    first, *others = _pieces(len(A), A.shape[1] * B.shape[1])
    product = A[first].T @ B[first]
    for rows in others:
        product += A[rows].T @ B[rows]
    return product


def products_by_sequence(A, B, packing):
    """Return A_s.T @ B_s, where A_s and B_s are the rows of sequence s: (S, a, b).

    A (N, a) and B (N, b) are packed.
    """
    products = np.zeros((packing.n_sequences, A.shape[1], B.shape[1]), np.result_type(A, B))
    for rows, n in packing.stretches:
        # views (n, steps, columns): BLAS reads every n-th row where it is
        A_s, B_s = (M[rows].reshape(-1, n, M.shape[1]).swapaxes(0, 1) for M in (A, B))
        products[:n] += A_s.swapaxes(1, 2) @ B_s
    return products


def column_sums(A):
    """Return the sum over the rows of A: as a product, several times as fast as A.sum(axis=0)."""
    return np.ones(len(A), dtype=A.real.dtype) @ A


def column_blocks(A, n_blocks):
    """Return views of A cut into blocks of equal width; `np.split` takes several times as long."""
    width = A.shape[-1] // n_blocks
    return [A[..., i * width : (i + 1) * width] for i in range(n_blocks)]


def _pieces(n_rows, multiplications_per_row):
    """Slices of about equal size, none of which OpenBLAS copies."""
    most = MULTIPLICATIONS // max(multiplications_per_row, 1)
    if most < MIN_ROWS or n_rows <= most:
        return [slice(0, n_rows)]
    size = -(-n_rows // -(-n_rows // most))
    return [slice(start, start + size) for start in range(0, n_rows, size)]
