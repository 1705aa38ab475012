"""Install lists of packages into the Python that runs this, with the right build of PyTorch.

    python -m deploy.packages requirements.txt [--gpu 1] [--no-deps]

On Linux PyPI's PyTorch brings CUDA's libraries, on ARM too and whether or not there is a GPU. Where
there is none of NVIDIA's, the build for processors is taken: from the index that pip is set up with
if it has one, else from PyTorch's own, or the one that TORCH_INDEX names. If that does not answer
soon, PyPI's is taken after all, and a line says how much comes. macOS and Windows have one build.

The lists stay as they are: what pins torch==2.13.0 is content with 2.13.0+cpu.

uv installs where it is there and pip has no sources of its own, which uv would not know of.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

INDEX_VARIABLE = "TORCH_INDEX"
INDEX = "https://download.pytorch.org/whl/cpu"
GIGABYTES = 2.7
"""What PyPI's PyTorch 2.13.0 and the CUDA libraries it asks for take on the way, on x86-64."""
PATIENCE_S = 5
"""How long an index may be silent before it counts as out of reach."""
MOST_S = 15
"""The same for all of its addresses together."""
OF_ITS_OWN = ("index-url", "extra-index-url", "find-links", "no-index")
"""What tells pip to look elsewhere than on PyPI."""
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see above."""
    parser = argparse.ArgumentParser(prog="python -m deploy.packages", description=__doc__)
    parser.add_argument("lists", nargs="+", type=Path, metavar="LIST")
    parser.add_argument(
        *("--gpu",),
        choices=("", "0", "1"),
        default="",
        help="1: PyTorch with CUDA; 0: for processors alone (default: as the machine is)",
    )
    parser.add_argument("--no-deps", action="store_true", help="what the lists name, no more")
    options = parser.parse_args(arguments)
    lists: list[Path] = options.lists
    pins = {pin for each in lists if (pin := pinned_torch(each))}
    torch = [each for pin in pins for each in right_torch(pin, options.gpu)]
    if torch and (failed := install("--no-deps", *torch)):
        return failed
    alone = ["--no-deps"] if options.no_deps else []
    failed = install(*alone, *(part for each in lists for part in ("-r", str(each))))
    if not failed:
        compile_all()
    return failed


def pinned_torch(requirements: Path) -> str:
    """The version of torch that a list pins, or one that it includes; "" for none."""
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"torch==([\w.]+)", line):
            return found[1]
        if (found := re.match(r"-r (\S+)", line)) and (
            pin := pinned_torch(requirements.parent / found[1])
        ):
            return pin
    return ""


def right_torch(pin: str, gpu: str) -> list[str]:
    """What is to be installed before the lists, with its source; nothing where theirs will do.

    Args:
        gpu: "1" or "0" where somebody has chosen; then another build gives way.
    """
    if sys.platform != "linux":
        return []
    if not gpu and installed_torch().partition("+")[0] == pin:
        return []
    for_processors = f"{pin}+cpu"
    if gpu == "1":
        return [f"torch=={pin},!={for_processors}"]
    if not gpu and has_nvidia():
        return []
    if offers(for_processors):
        return [f"torch=={for_processors}"]
    index = os.environ.get(INDEX_VARIABLE) or INDEX
    brisk = ("--index-url", index, "--timeout", str(PATIENCE_S), "--retries", "0")
    if offers(for_processors, *brisk):
        return ["--index-url", index, f"torch=={for_processors}"]
    print(
        f"PyTorch's index for processors ({index}) cannot be reached, or has no torch {pin}: "
        f"taking the build with CUDA in its place, about {GIGABYTES} GB to fetch. Ctrl-C stops it; "
        f"{INDEX_VARIABLE}=… names another index.",
        file=sys.stderr,
        flush=True,
    )
    return []


def installed_torch() -> str:
    """The version that is installed, with its build (2.13.0+cpu); "" for none."""
    try:
        return version_of("torch")
    except PackageNotFoundError:
        return ""


def has_nvidia() -> bool:
    """Whether there is an NVIDIA GPU with its driver."""
    if Path("/proc/driver/nvidia/version").exists():
        return True
    # In Windows' Linux the driver is Windows', and only the command is there.
    command = shutil.which("nvidia-smi")
    if command is None:
        return False
    try:
        asked = subprocess.run([command, "-L"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and b"GPU 0" in asked.stdout


def offers(version: str, *options: str) -> bool:
    """Whether pip finds this version of torch for this Python, its local part (+cpu) included."""
    command = [*PIP, "index", "versions", "torch", *options]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    return version in re.split(r"[\s,()]+", asked.stdout)


def install(*what: str) -> int:
    """Install by uv where it will do, else by pip; the exit status of the last that tried."""
    status = 0
    for tool in tools():
        if (status := subprocess.run([*tool, "--quiet", *what], check=False).returncode) == 0:
            break
    return status


def compile_all() -> None:
    """Write the bytecode of all packages, with every core; what is written already stays. pip would
    take one core, and uv would leave it to whoever imports them first."""
    packages = sysconfig.get_path("purelib")
    # Some packages bring files that are no Python, to try something out.
    command = [sys.executable, "-m", "compileall", "-q", "-j", "0", packages]
    subprocess.run(command, capture_output=True, check=False)


def tools() -> list[list[str]]:
    """How packages are installed here; each where those before it have failed."""
    pip, uv = [*PIP, "install", "--no-compile"], shutil.which("uv")
    if uv is None:
        return [pip]
    listed = [*PIP, "config", "list"]
    told = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
    names = {line.partition("=")[0].rpartition(".")[2] for line in told.splitlines()}
    if names & set(OF_ITS_OWN):
        return [pip]
    return [[uv, "pip", "install", "--python", sys.executable], pip]


if __name__ == "__main__":
    sys.exit(main())
