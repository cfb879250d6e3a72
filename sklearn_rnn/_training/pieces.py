"""Long sequences in pieces: truncated backpropagation through time.

Werbos 1990; Williams, Peng 1990. A piece starts some steps early, and these warm up its state: they
are run, but their targets have no weight. So pieces run side by side, and the objective stays a
function of the weights alone, with its exact gradient. It differs from that of whole sequences only
by what a unit remembers for longer than the warm-up.
"""

from dataclasses import replace

import numpy as np

from .._execution.shards import Data


def cut_into_pieces(
    data: Data, members: np.ndarray, n_steps: int, n_warm_up: int, n_directions: int
) -> tuple[Data, np.ndarray]:
    """Return data of pieces of about ``n_steps``, and their numbers.

    Members that are not much longer stay whole; if none is longer, the data stay as they are. A
    piece has ``n_warm_up`` steps before its targets; with two directions so many after them, too,
    which warm up the units that read back.
    """
    if data.lengths[members].max() <= n_steps:
        return data, members
    starts, lengths, cores = [], [], []
    for start, length in zip(data.starts[members].tolist(), data.lengths[members].tolist()):
        n_pieces = 1 if length <= 1.5 * n_steps else -(-length // n_steps)
        edges = [i * length // n_pieces for i in range(n_pieces + 1)]
        for core, end in zip(edges, edges[1:]):
            first = max(0, core - n_warm_up)
            last = min(length, end + n_warm_up) if n_directions == 2 else end
            starts.append(start + first)
            lengths.append(last - first)
            cores.append((core - first, end - first))
    starts, lengths, cores = map(np.array, (starts, lengths, cores))
    return replace(data, starts=starts, lengths=lengths, cores=cores), np.arange(len(lengths))
