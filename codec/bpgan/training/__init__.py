"""Training a model and calibrating its rates."""
