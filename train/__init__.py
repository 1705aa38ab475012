"""Training: text → token files → a checkpoint folder, and what measures and publishes it.

Each file beside this one is a command, `python -m train.NAME`; the folders are what they share. The
order to read them in is "A text becomes a checkpoint" of docs/architecture.md.
"""

import gpt as gpt  # before torch: it says how torch's threads wait
