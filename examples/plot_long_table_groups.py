"""
Sequences in a DataFrame
========================

Measurements often come as a long table: a row for each time step, and a column that tells to which
sequence the step belongs. A tagger takes such a table as it is. Cross-validation must then split it
by sequence, not by row.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import cross_val_predict, cross_val_score

from sklearn_rnn import SequenceTagger
from sklearn_rnn.datasets import make_conversations
from sklearn_rnn.model_selection import SequenceKFold

# %%
# The table
# ---------
#
# 40 conversations, one below the other. The task is to name the speaker at each step. (Some
# utterances occur in several conversations, so the scores below are a little too good.)

conversations, speakers = make_conversations(40, random_state=0)
lengths = [len(conversation) for conversation in conversations]
names = [f"lpc_{i}" for i in range(1, 13)]
table = pd.DataFrame(np.concatenate(conversations), columns=names)
table.insert(0, "conversation", np.repeat(np.arange(len(lengths)), lengths))
table["speaker"] = np.concatenate(speakers)
print(table.iloc[:5, [0, 1, 2, 3, -1]].round(3).to_string(index=False))

# %%
# Cross-validation by conversation
# --------------------------------
#
# ``sequence_id`` names the column; the network does not see it as a feature.
# :class:`~sklearn_rnn.model_selection.SequenceKFold` keeps the rows of a conversation together.

X, y = table.drop(columns="speaker"), table["speaker"]
tagger = SequenceTagger(sequence_id="conversation", random_state=0)
folds = SequenceKFold(n_splits=5, sequence_id="conversation")
scores = cross_val_score(tagger, X, y, cv=folds)
print(f"Accuracy of each fold: {scores.round(3)}")
print(f"Mean: {scores.mean():.3f}")

# %%
# Shuffled rows are refused
# -------------------------
#
# A table with shuffled rows has lost the order of time, and no score on it would mean anything.
# The tagger says so instead.

shuffled = table.sample(frac=1, random_state=0)
try:
    tagger.fit(shuffled.drop(columns="speaker"), shuffled["speaker"])
except ValueError as error:
    print(error)

# %%
# One conversation
# ----------------
#
# Predictions have a row for each row of the table. These were made by the tagger of the fold that
# had not seen the conversation.

predicted = cross_val_predict(tagger, X, y, cv=folds)
table["predicted"] = predicted
one = table[table["conversation"] == 0].reset_index(drop=True)

fig, ax = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
ax.step(one.index, one["speaker"], where="mid", color="0.7", linewidth=6, label="True")
ax.plot(one.index, one["predicted"], ".", color="tab:blue", label="Predicted")
ax.set(xlabel="Time step", ylabel="Speaker", yticks=range(1, 10), title="Conversation 0")
ax.legend(frameon=False)
plt.show()
