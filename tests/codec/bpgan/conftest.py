"""One thread: on a busy machine the networks' small operations otherwise wait for each other's barriers."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
