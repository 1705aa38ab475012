"""For every test: one thread, since two wait for each other wherever something else runs too."""

import torch

torch.set_num_threads(1)
