"""
What does a tagger remember?
============================

:class:`~sklearn_rnn.SequenceTagger` remembers by its hidden units: whatever helps.
:class:`~sklearn_rnn.OutputFeedbackTagger` remembers its output alone: the label of the last step,
or how probable each label was. That is less, and what the label does not tell is lost. But where
the label is all there is to remember, nothing else has to be learnt.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rnn import OutputFeedbackTagger, SequenceTagger
from sklearn_rnn.datasets import make_conversations

# %%
# Three tasks
# -----------
#
# *Delayed copy*: the input is a random bit, the label is the bit of the step before. The last
# label does not tell it: that is the bit of two steps before.


def delayed_copy(n_sequences, rng, n_steps=30):
    bits = rng.integers(2, size=(n_sequences, n_steps))
    labels = np.zeros_like(bits)
    labels[:, 1:] = bits[:, :-1]
    return bits[:, :, None], labels


# %%
# *Noisy ring*: a robot starts in room 0 of five around a court. The input is a command: stay, go
# on by one room, go on by two, or, at one step in ten, go home to room 0. The label is the room
# where it stands then. At one step in twenty, on average, it does not obey but ends in any of the
# five rooms. So the label is drawn from probabilities that depend on the input and on the last
# label alone, a Markov chain, and given the commands so far the probability of each room can be
# calculated: to name the most probable room is the best that any tagger can do.

N_ROOMS, SLIP, GO_HOME = 5, 0.05, 0.1
home = np.zeros((N_ROOMS, N_ROOMS))
home[:, 0] = 1
moves = [np.roll(np.eye(N_ROOMS), n_rooms, axis=1) for n_rooms in range(3)]
# p(next room | command, room), one table for each command
CHAIN = (1 - SLIP) * np.array([*moves, home]) + SLIP / N_ROOMS


def noisy_ring(n_sequences, rng, n_steps=30):
    p_command = [*3 * [(1 - GO_HOME) / 3], GO_HOME]
    commands = rng.choice(len(CHAIN), p=p_command, size=(n_sequences, n_steps))
    labels = np.empty_like(commands)
    room = np.zeros(n_sequences, dtype=int)
    for t, command in enumerate(commands.T):
        cumulative = CHAIN[command, room].cumsum(axis=1)
        room = (rng.random((n_sequences, 1)) > cumulative).sum(axis=1)
        labels[:, t] = room
    return np.eye(len(CHAIN))[commands], labels


def best_on_noisy_ring(X, y):
    p_room = np.tile(np.eye(N_ROOMS)[0], (len(X), 1))
    n_right = 0
    for command, label in zip(X.argmax(axis=2).T, y.T):
        p_room = np.einsum("sj,sjk->sk", p_room, CHAIN[command])
        n_right += np.sum(p_room.argmax(axis=1) == label)
    return n_right / y.size


# %%
# *Conversations*: real speech, labelled by who is speaking. Both the features of the last steps and
# the last label help.


def conversations(n_sequences, rng, subset="train"):
    seed = int(rng.integers(2**31))
    return make_conversations(n_sequences, subset=subset, random_state=seed)


# %%
# Three taggers
# -------------
#
# They differ in what feeds back, and in nothing else. With teacher forcing, the true last label
# feeds back in training, and in prediction all that it may have been, exactly summed over. Free
# running, the softmax output itself feeds back in both.

taggers = {
    "Hidden feedback": SequenceTagger(),
    "Output feedback, teacher forcing": OutputFeedbackTagger(),
    "Output feedback, free running": OutputFeedbackTagger(teacher_forcing=False),
}


def draw(task, rng):
    """150 sequences to train on and 100 to test."""
    if task is conversations:
        return task(150, rng), task(100, rng, subset="test")
    return task(150, rng), task(100, rng)


# %%
# Accuracy
# --------
#
# Each cell is the accuracy over all test steps, a mean over three draws of the data and the
# starting weights.

tasks = [delayed_copy, noisy_ring, conversations]
seeds = range(3)
accuracy = np.empty((len(tasks), len(taggers), len(seeds)))
best = np.empty(len(seeds))
for i, task in enumerate(tasks):
    for seed in seeds:
        (X, y), (X_test, y_test) = draw(task, np.random.default_rng(seed))
        for j, tagger in enumerate(taggers.values()):
            tagger.set_params(random_state=seed).fit(X, y)
            accuracy[i, j, seed] = tagger.score(X_test, y_test)
        if task is noisy_ring:
            best[seed] = best_on_noisy_ring(X_test, y_test)

task_names = ["Delayed copy", "Noisy ring", "Conversations"]
means = accuracy.mean(axis=2)
print(f"{'':34}" + "".join(f"{name:>15}" for name in task_names))
for name, row in zip(taggers, means.T):
    print(f"{name:34}" + "".join(f"{value:15.3f}" for value in row))
print(f"{'Best possible':34}{1:15.3f}{best.mean():15.3f}{'unknown':>15}")

# %%
# What comes of it
# ----------------
#
# - Hidden feedback copies the delayed bit without an error. Output feedback with teacher forcing is
#   near chance, 0.5. Free running is not much better: it can only hide something of the bit in
#   how sure its output is.
# - On the noisy ring, teacher forcing is as good as the best possible. Hidden feedback is worst: it
#   would have to learn from 150 noisy sequences how the moves add up.
# - In the conversations all three do about equally well.
#
# In the chart, whiskers reach from the lowest to the highest of the three draws.

fig, ax = plt.subplots(figsize=(7.2, 4), layout="constrained")
width = 0.26
for j, (name, color) in enumerate(zip(taggers, ["0.45", "tab:blue", "tab:orange"])):
    centres = np.arange(len(tasks)) + (j - 1) * width
    reach = [means[:, j] - accuracy[:, j].min(axis=1), accuracy[:, j].max(axis=1) - means[:, j]]
    ax.bar(centres, means[:, j], 0.9 * width, yerr=reach, capsize=3, color=color, label=name)
ax.hlines(
    [1, best.mean()], [-0.42, 0.58], [0.42, 1.42], color="k", linestyle=":", label="Best possible"
)
ax.set(xticks=range(len(tasks)), xticklabels=task_names, ylabel="Test accuracy", ylim=(0, 1.05))
fig.legend(loc="outside lower center", ncols=2, frameon=False)
plt.show()
