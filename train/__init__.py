"""Text to tokens to a checkpoint; each module with a command runs as `python -m train.NAME`."""

import gpt as gpt  # before torch: it says how torch's threads wait
