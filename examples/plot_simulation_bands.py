"""
A simulated system, with bands for its measurements
===================================================

A model of a system is good if it tells, from the inputs alone, what will be measured; and if it
tells how far the measurements may be from that. :class:`~sklearn_rnn.PerStepRegressor` learns both
in one fit: with ``loss="quantile"`` it predicts the median at each step and the bounds of a band.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import mean_pinball_loss

from sklearn_rnn import PerStepRegressor

# %%
# Two tanks
# ---------
#
# A pump fills the upper tank, which flows out into the lower one, whose level is measured. What
# flows out grows with the square root of the level (Torricelli's law). While the pump runs fast the
# water is not calm: the noise grows with the inflow of the lower tank.

N_TRAIN, LENGTH = 30, 300


def make(n_sequences, rng):
    """Voltages of the pump (S, T, 1), and levels of the lower tank: true and measured (S, T)."""
    switches = rng.uniform(0, 4, (n_sequences, LENGTH // 20))
    voltage = np.repeat(switches, 20, axis=1) * rng.uniform(0.8, 1.2, (n_sequences, LENGTH))
    upper, lower = np.zeros((2, n_sequences))
    level, noise = np.zeros((2, n_sequences, LENGTH))
    for t in range(LENGTH):
        between, out = 0.5 * np.sqrt(upper), 0.5 * np.sqrt(lower)
        upper = np.maximum(upper + 0.2 * voltage[:, t] - between, 0)
        lower = np.maximum(lower + between - out, 0)
        level[:, t], noise[:, t] = lower, 0.05 + 0.5 * between**2
    return voltage[..., None], level, level + noise * rng.standard_normal(level.shape)


rng = np.random.default_rng(0)
X, _, y = make(N_TRAIN, rng)
X_test, level_test, y_test = make(30, rng)

# %%
# Three quantiles
# ---------------
#
# Nine of ten measurements should be in the band between the outer ones. No past measurement goes
# in: this is a simulation.

LEVELS = (0.05, 0.5, 0.95)
regressor = PerStepRegressor(16, loss="quantile", quantile=LEVELS, random_state=0).fit(X, y)
low, median, high = np.moveaxis(regressor.predict(X_test), -1, 0)

is_inside = (low <= y_test) & (y_test <= high)
print(f"{is_inside.mean():.1%} of the measurements are in the band")
error = np.sqrt(np.mean((median - level_test) ** 2))
print(f"The median is {error:.2f} from the true level, whose deviation is {level_test.std():.2f}")

# %%
# One record
# ----------

fig, (top, bottom) = plt.subplots(
    2, figsize=(7.2, 4.8), sharex=True, height_ratios=(1, 3), layout="constrained"
)
steps = np.arange(LENGTH)
top.plot(steps, X_test[0, :, 0], "C3", linewidth=0.8)
top.set(ylabel="Pump, V")
bottom.fill_between(steps, low[0], high[0], color="C0", alpha=0.25, linewidth=0, label="90 % band")
bottom.plot(steps, median[0], "C0", label="Simulated median")
bottom.plot(steps, y_test[0], "k.", markersize=2.5, label="Measured")
bottom.set(xlabel="Step", ylabel="Level")
fig.legend(*bottom.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# Is the band right everywhere?
# -----------------------------
#
# The width has to follow the noise. Steps are sorted by the width that is predicted; in each tenth
# of them the share of measurements below each quantile should be its level.

order = np.argsort((high - low).ravel())
tenths = np.array_split(order, 10)
width = [(high - low).ravel()[tenth].mean() for tenth in tenths]
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for level, quantile, colour in zip(LEVELS, (low, median, high), ("C0", "C2", "C1")):
    share = [np.mean(y_test.ravel()[tenth] <= quantile.ravel()[tenth]) for tenth in tenths]
    ax.plot(width, share, "o-", color=colour, label=f"Level {level}")
    ax.axhline(level, color=colour, linestyle="--", linewidth=0.8)
    loss = mean_pinball_loss(y_test.ravel(), quantile.ravel(), alpha=level)
    print(f"Level {level}: pinball loss {loss:.3f}")
ax.set(xlabel="Width of the band", ylabel="Measurements below", ylim=(0, 1))
fig.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()
