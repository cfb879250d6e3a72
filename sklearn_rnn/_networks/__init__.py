"""Networks: from arrays to outputs and their derivatives. NumPy and SciPy only."""
