"""Whole sequences of labels, of a network whose logits need no labels: what its output says."""

from .network import infer_logits


class LabelSequences:
    """Log-probabilities, samples, pairs and the n best, by the output on the logits.

    `TeacherForced` has the same methods.
    """

    def log_proba(self, p, shard):
        """Return a term for each row; those of a sequence sum to log p(y | x)."""
        return self.output.log_proba(p, infer_logits(self, p, shard), shard.y, shard.packing)

    def sample(self, p, shard, U):
        """Return labels (N, n_samples) from uniform random numbers of that shape."""
        return self.output.sample(p, infer_logits(self, p, shard), shard.packing, U)

    def pairs(self, p, shard):
        """Return p(y_{t-1}, y_t | x), zero at first steps: (N, K, K)."""
        return self.output.pairs(p, infer_logits(self, p, shard), shard.packing)

    def n_best(self, p, shard, n):
        """Return the n most probable sequences of labels, (N, n) of dtype `BEST`."""
        return self.output.n_best(p, infer_logits(self, p, shard), shard.packing, n)
