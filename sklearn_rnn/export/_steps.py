"""Which steps of padded sequences there are."""


class Steps:
    """Which steps of padded sequences, in time-major arrays (T, S, ...), there are.

    Parameters
    ----------
    X : Value of shape (S, T, D)
    lengths : Value of shape (S,), or None
        None for sequences without padding.
    """

    def __init__(self, X, lengths):
        graph = X.graph
        self.n_sequences, self.n_steps = X.size(0), X.size(1)
        self.time = graph.range(self.n_steps).reshape(-1, 1, 1)
        self.is_padded = lengths is not None
        last = self.n_steps - 1
        if self.is_padded:
            last = (lengths - 1).minimum(last)
        self.last = last.reshape(1, -1, 1)
        self.is_real = self.last >= self.time
        self.is_first = self.time.equals(0)
        self.is_last = self.time >= self.last

    def keep(self, A, other=0.0):
        """Return A (T, S, ...) with another value in the padding."""
        return A.where(self.is_real, other) if self.is_padded else A

    def total(self, A):
        return self.keep(A).sum(0)

    def mean(self, A):
        """Return the mean of A over the steps of each sequence."""
        return self.total(A) / (self.last + 1).cast(A.dtype).drop_axis(0)

    def at_last(self, A):
        """Return A at the last step of each sequence."""
        if not self.is_padded:
            return A.take(-1)
        return A.where(self.time.equals(self.last), 0.0).sum(0)
