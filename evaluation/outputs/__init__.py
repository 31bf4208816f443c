"""A researcher's own systems: batches of outputs, matched and compared with their clips."""
