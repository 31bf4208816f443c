"""Integers in, bytes out: context models, codes, range coder and bitstream. Knows nothing of networks."""
