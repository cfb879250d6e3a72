"""
Forecast with inputs that are known ahead
=========================================

How much heat will a building need in the next two days? That depends on what it has needed so far,
and on inputs that are known, or forecast themselves: the temperature outside, the hour, whether it
is a working day. :class:`~sklearn_rnn.OutputFeedbackRegressor` is a model of such a system, whose
last outputs feed back beside the inputs. The system here is generated.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from sklearn_rnn import OutputFeedbackRegressor

N_DAYS, N_TRAIN, AHEAD = 150, 100 * 24, 48

# %%
# A building
# ----------
#
# It loses heat to the outside. From 6 to 19 h on working days it is heated to 21 degrees, else to
# 16, as strongly as the heating can. The hour is an angle, so that midnight follows 23 h.

rng = np.random.default_rng(0)
hour, day = np.arange(N_DAYS * 24) % 24, np.arange(N_DAYS * 24) // 24
is_working_day = day % 7 < 5
angle = 2 * np.pi * hour / 24
front = np.zeros(len(hour))  # weather that comes and goes
for t in range(1, len(hour)):
    front[t] = 0.99 * front[t - 1] + 0.7 * rng.standard_normal()
outside = 4 + front - 4 * np.cos(angle - 0.7)

set_point = np.where(is_working_day & (6 <= hour) & (hour < 19), 21.0, 16.0)
heat, inside = np.zeros(len(hour)), 18.0
for t in range(len(hour)):
    wanted = 5.0 * (set_point[t] - inside) + 0.7 * (inside - outside[t])
    heat[t] = np.clip(wanted, 0, 20)
    inside += 0.1 * (heat[t] - 0.7 * (inside - outside[t])) + 0.1 * rng.standard_normal()
heat += 0.2 * rng.standard_normal(len(hour))

X = np.column_stack([outside, np.sin(angle), np.cos(angle), is_working_day])
y = heat

# %%
# Two models of it
# ----------------
#
# With ``teacher_forcing=False`` the network is trained on what it is for: on simulations, in which
# its own outputs feed back, the true ones only at the start. The other model is gradient boosting
# on the inputs of this and the last hour and the last three outputs. It is trained one hour ahead,
# and its forecasts are fed back for those that follow.

N_LAGS = 3
network = OutputFeedbackRegressor(16, n_lags=N_LAGS, teacher_forcing=False, random_state=0)
network.fit(X[None, :N_TRAIN], y[None, :N_TRAIN])


def features(X_now, X_before, past):
    """Features of boosting; past (..., N_LAGS) has the last output first."""
    return np.concatenate([X_now, X_before, past], axis=-1)


past = np.stack([y[N_LAGS - lag : N_TRAIN - lag] for lag in range(1, N_LAGS + 1)], axis=-1)
rows = features(X[N_LAGS:N_TRAIN], X[N_LAGS - 1 : N_TRAIN - 1], past)
boosting = HistGradientBoostingRegressor(random_state=0).fit(rows, y[N_LAGS:N_TRAIN])

# %%
# Forecasts from many hours
# -------------------------
#
# At 200 hours of the 50 days that no model has seen, each forecasts the next 48 hours. Those of the
# network are made at once, as sequences of one ``predict``, which is given the last outputs before
# them.

origins = rng.integers(N_TRAIN, len(y) - AHEAD, 200)
X_ahead, y_ahead = (np.stack([array[o : o + AHEAD] for o in origins]) for array in (X, y))
y_past = np.stack([y[o - N_LAGS : o] for o in origins])

forecasts = {"Network": network.predict(X_ahead, y_past=y_past)}
last, X_before = y_past[:, ::-1], X[origins - 1]
steps = []
for t in range(AHEAD):
    steps.append(boosting.predict(features(X_ahead[:, t], X_before, last)))
    last, X_before = np.column_stack([steps[-1], last[:, :-1]]), X_ahead[:, t]
forecasts["Boosting"] = np.column_stack(steps)
forecasts["As a week ago"] = np.stack([y[o - 168 : o - 168 + AHEAD] for o in origins])

errors = {
    name: np.sqrt(np.mean((forecast - y_ahead) ** 2, axis=0))
    for name, forecast in forecasts.items()
}
for name, error in errors.items():
    print(f"{name}: root mean squared error {np.sqrt(np.mean(error**2)):.2f} kW")

# %%
# How far ahead
# -------------

colours = dict(zip(forecasts, ("C0", "C1", "0.6")))
fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for name, error in errors.items():
    ax.plot(np.arange(AHEAD) + 1, error, color=colours[name], label=name)
ax.set(xlabel="Hours ahead", ylabel="Root mean squared error, kW", ylim=(0, None))
fig.legend(loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# One forecast
# ------------

one = 0
hours = np.arange(-24, AHEAD)
fig, (top, bottom) = plt.subplots(
    2, figsize=(7.2, 4.6), sharex=True, height_ratios=(1, 2.5), layout="constrained"
)
around = slice(origins[one] - 24, origins[one] + AHEAD)
top.plot(hours, outside[around], "C3")
top.set(ylabel="Outside, °C")
bottom.plot(hours, y[around], "k", linewidth=1, label="Measured")
for name, forecast in forecasts.items():
    bottom.plot(np.arange(AHEAD), forecast[one], color=colours[name], label=name)
bottom.axvline(0, color="0.3", linestyle="--", linewidth=0.8)
bottom.set(xlabel="Hours from now", ylabel="Heat, kW", xticks=np.arange(-24, AHEAD + 1, 12))
fig.legend(*bottom.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
plt.show()
