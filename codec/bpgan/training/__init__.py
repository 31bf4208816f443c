"""Training a model, and calibrating the rates of the systems that use it."""
