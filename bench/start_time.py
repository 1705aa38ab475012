"""How long the app takes until it answers, started by Chainlit's own command and by frontend.start.

    python -m bench.start_time --runs 5

The two take turns, so that what else the machine does falls on both alike.
"""

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).parents[1]
PARTS = (".chainlit", "app.py", "chainlit.md", "chat", "frontend", "gpt", "public", "train")
MODULES = ("chainlit", "frontend.start")


def started(module: str) -> tuple[float, float]:
    """Seconds until `/health` answers, and the processor's seconds until the app was ended then."""
    with tempfile.TemporaryDirectory() as name:
        for part in PARTS:
            (Path(name) / part).symlink_to(ROOT / part)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", module, "run", "app.py", "-h", "--port", str(port)],
            cwd=name,
            env=os.environ | {"CHAINLIT_APP_ROOT": name, "INKLING_HOME": f"{name}/stories"},
            stdout=subprocess.DEVNULL,
        )
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except (URLError, TimeoutError, ConnectionError):
                if process.poll() is not None:
                    raise SystemExit(f"{module} did not start") from None
                time.sleep(0.02)
        elapsed_s = time.monotonic() - began_s
        process.terminate()
        process.wait(60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.start_time", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each")
    runs = parser.parse_args().runs
    times = {module: [] for module in MODULES}
    for _ in range(runs):
        for module in MODULES:
            times[module].append(started(module))
    medians = {
        module: [statistics.median(column) for column in zip(*pairs, strict=True)]
        for module, pairs in times.items()
    }
    for module, (elapsed_s, cpu_s) in medians.items():
        print(f"{module:16} {elapsed_s:6.2f} s until it answers, {cpu_s:6.2f} s of the processor")
    whole, light = (medians[module] for module in MODULES)
    print(f"ratio            {light[0] / whole[0]:6.2f} {light[1] / whole[1]:25.2f}")


if __name__ == "__main__":
    main()
