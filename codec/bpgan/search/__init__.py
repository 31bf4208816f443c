"""The encoder's search: back-propagation through the generator with ADMM, then flips."""
