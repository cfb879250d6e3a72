"""Pools as operators: of all steps at once, and step by step with zeros for states at the start."""

import numpy as np


class Last:
    """The state when all is read."""

    n_states = 0

    def all(self, H, steps, n_directions, n_units):
        if n_directions == 1:
            return steps.at_last(H)
        forward, backward = H.split([n_units // 2] * 2)
        return H.graph.concatenate([steps.at_last(forward), backward.take(0)])

    def step(self, h, states, n, is_first):
        return h, []


class Maximum:
    n_states = 1

    def all(self, H, steps, n_directions, n_units):
        return steps.keep(H, -np.inf).max(0)

    def step(self, h, states, n, is_first):
        best = h.where(is_first, h.maximum(states[0]))
        return best, [best]


class Minimum:
    n_states = 1

    def all(self, H, steps, n_directions, n_units):
        return steps.keep(H, np.inf).min(0)

    def step(self, h, states, n, is_first):
        best = h.where(is_first, h.minimum(states[0]))
        return best, [best]


class Mean:
    n_states = 1

    def all(self, H, steps, n_directions, n_units):
        return steps.mean(H)

    def step(self, h, states, n, is_first):
        mean = states[0] + (h - states[0]) / n
        return mean, [mean]


class Positive(Mean):
    """The share of steps at which a unit is above zero."""

    def all(self, H, steps, n_directions, n_units):
        return steps.mean((H > 0).cast(H.dtype))

    def step(self, h, states, n, is_first):
        return super().step((h > 0).cast(h.dtype), states, n, is_first)


class Deviation:
    n_states = 2  # mean, and mean of squared offsets

    def all(self, H, steps, n_directions, n_units):
        # from the first step, so that of a constant unit it is 0
        offset = H - H.take(0)
        offset = offset - steps.mean(offset)
        return steps.mean(offset * offset).sqrt()

    def step(self, h, states, n, is_first):
        # Welford 1962, which loses no digits where the mean is large
        mean, variance = states
        offset = h - mean
        mean = mean + offset / n
        variance = variance + (offset * (h - mean) - variance) / n
        return variance.sqrt(), [mean, variance]


POOLS = {
    "last": Last(),
    "mean": Mean(),
    "max": Maximum(),
    "min": Minimum(),
    "std": Deviation(),
    "positive": Positive(),
}
