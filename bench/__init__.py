"""Side-by-side measurements; each module runs as `python -m bench.NAME`."""

import gpt as gpt  # before torch: it says how torch's threads wait
