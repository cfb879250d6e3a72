"""Layers of cells other than Elman's: a `Cell` is the recurrence in one direction of time.

`CellLayer` makes a layer of it, that reads the sequences forward or both ways.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from .packing import Packing
from .parameters import Parameters, Shapes
from .products import column_blocks


class Walk(NamedTuple):
    """Packed sequences in the direction in which a cell reads them: from the end, or not."""

    packing: Packing
    from_end: bool

    @property
    def steps(self):
        return self.packing.steps_back if self.from_end else self.packing.steps

    @property
    def links(self):
        links = self.packing.links
        return [link[::-1] for link in links] if self.from_end else links

    @property
    def empty(self):
        return self.packing.empty

    def reverse(self):
        return Walk(self.packing, not self.from_end)


class Cell(Protocol):
    """What `CellLayer` asks of a cell: the methods of `Layer`, for one direction.

    Attributes
    ----------
    shapes : dict of str to tuple
        Name and shape of each parameter: `W_in`, which multiplies the inputs, and `b`, which is
        added to the product, with their gates side by side, and those of the recurrence.
    biases : tuple of str
        Names of the parameters that are free of penalty.
    public_names : dict of str to str
        The fitted attribute that has each parameter.
    n_inputs, n_units : int
        D and H.
    """

    shapes: Shapes
    biases: tuple[str, ...]
    public_names: dict[str, str]
    n_inputs: int
    n_units: int

    def initial(self, rng: np.random.RandomState, start) -> Parameters:
        """Return random parameters."""

    def begin(self, p: Parameters, n: int) -> Any:
        """Return the state of n sequences before their first step."""

    def step(self, p: Parameters, state: Any, X) -> tuple[np.ndarray, Any]:
        """Return the outputs (n, H) of one step X (n, D), and the state there."""

    def forward(self, p: Parameters, X, walk: Walk) -> tuple[np.ndarray, Any]:
        """Return the outputs (N, H), and a cache for the derivatives."""

    def vjp(self, p, cache, dH, needs_dX: bool) -> tuple[Parameters, np.ndarray | None]:
        """Return the gradients in p, and in X if needed, given dH, which may be overwritten."""

    def jvp(self, p, cache, v: Parameters, dX: np.ndarray | None) -> np.ndarray:
        """Return dH in the direction v of the parameters, and dX of X (None for no change)."""


class CellLayer:
    """A layer of cells, see `Layer`. With two directions, half of them read from the end.

    The directions are side by side in the last axis of the parameters; `W_rec` has a first axis for
    them instead.

    Parameters
    ----------
    cell : Cell
    n_directions : {1, 2}
    """

    input_biases = {"W_in": "b"}

    def __init__(self, cell: Cell, n_directions: int = 1):
        self.cell = cell
        self.n_directions = n_directions
        self.n_inputs, self.n_outputs = cell.n_inputs, n_directions * cell.n_units
        self.biases, self.public_names = cell.biases, cell.public_names
        self.shapes = {name: self._shape(name, shape) for name, shape in cell.shapes.items()}

    def initial(self, rng, start):
        return self._join([self.cell.initial(rng, start) for _ in range(self.n_directions)])

    def begin(self, p, n):
        return self.cell.begin(self._split(p)[0], n)

    def step(self, p, state, X):
        return self.cell.step(self._split(p)[0], state, X)

    def forward(self, p, X, packing):
        walks = (Walk(packing, from_end) for from_end in (False, True))
        results = [self.cell.forward(p_d, X, walk) for p_d, walk in zip(self._split(p), walks)]
        return _side_by_side([H for H, _ in results]), [cache for _, cache in results]

    def vjp(self, p, caches, dH, needs_dX):
        parts = zip(self._split(p), caches, column_blocks(dH, self.n_directions))
        results = [self.cell.vjp(p_d, cache, dH_d, needs_dX) for p_d, cache, dH_d in parts]
        gradients = self._join([of_cell for of_cell, _ in results])
        return gradients, sum(dX for _, dX in results) if needs_dX else None

    def jvp(self, p, caches, v, dX):
        parts = zip(self._split(p), caches, self._split(v))
        return _side_by_side([self.cell.jvp(p_d, cache, v_d, dX) for p_d, cache, v_d in parts])

    def _shape(self, name, shape):
        """Return the shape of a parameter for all directions."""
        C = self.n_directions
        return (C, *shape) if name == "W_rec" else (*shape[:-1], C * shape[-1])

    def _split(self, p):
        """Return the parameters of each direction."""
        parts = {
            name: W if name == "W_rec" else column_blocks(W, self.n_directions)
            for name, W in p.items()
        }
        return [{name: W[d] for name, W in parts.items()} for d in range(self.n_directions)]

    def _join(self, parts):
        """Return the inverse of `_split`."""
        joined = {name: [part[name] for part in parts] for name in self.shapes}
        return {
            name: np.stack(W) if name == "W_rec" else np.concatenate(W, axis=-1)
            for name, W in joined.items()
        }


def _side_by_side(arrays):
    return arrays[0] if len(arrays) == 1 else np.hstack(arrays)
