"""The search for the symbols to send: back-propagation through the generator with ADMM, then flips."""
