"""Training: from a network and data to weights. Never an estimator, never raw input."""
