"""Integers in, bytes out: context models, coders and bitstream. Knows nothing of networks.

Importing the package completes the registry of `base`: each kind of context model enters itself.
"""

from codec.bpgan.entropy import nade as nade
from codec.bpgan.entropy import tables as tables
