"""A clean Debian in a folder, and commands that see nothing but it."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

MIRROR_VARIABLE = "DEBIAN_MIRROR"
HANDED_IN = "run/host"
"""Where folders of this machine lie that its pip is set up to read, in the root."""
PASSED_ON = re.compile(r"PIP_\w+|(https?|no)_proxy|(HTTPS?|NO)_PROXY|SSL_CERT_FILE")
"""Variables that say how this machine reaches packages."""
FIRST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class RootError(RuntimeError):
    """The root cannot be made here, or a command in it failed; the message says why."""


def obstacle() -> str:
    """Why no root can be made on this machine; "" where one can."""
    if sys.platform != "linux":
        return f"a Debian root needs Linux, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "only root may make a Debian root: sudo make image-check"
    wanted = ("debootstrap", "unshare", "mount", "chroot")
    if missing := [name for name in wanted if shutil.which(name) is None]:
        return f"{missing[0]} is not installed: on Debian and Ubuntu, apt install {missing[0]}"
    return ""


def sources(suite: str) -> list[str]:
    """Debian's archives of a suite, as lines of a sources.list: those that this machine's apt
    reads, or the one that DEBIAN_MIRROR names.

    Raises:
        RootError: There are none.
    """
    if mirror := os.environ.get(MIRROR_VARIABLE):
        return [f"deb {mirror} {suite} main"]
    wanted = ("indextargets", "--format", "deb $(SITE) $(RELEASE) $(COMPONENT)")
    found: set[str] = set()
    if shutil.which("apt-get"):
        asked = subprocess.run(["apt-get", *wanted], capture_output=True, text=True, check=False)
        named = rf"deb \S+ {suite}(-updates|-security)? main"
        found = {line for line in asked.stdout.splitlines() if re.fullmatch(named, line)}
    plain = [line for line in found if f" {suite} " in line]
    if not plain:
        raise RootError(
            f"this machine's apt reads no archive of Debian {suite}: name one with "
            f"{MIRROR_VARIABLE}=http://…"
        )
    return plain + sorted(found - set(plain))


@dataclass(slots=True)
class Root:
    """A Debian in a folder; its mounts end with the namespace that they were made in.

    Attributes:
        build: Variables of this machine for commands that fetch packages.
    """

    folder: Path
    build: dict[str, str] = field(default_factory=dict[str, str])

    def begin(self, suite: str) -> None:
        """Put Debian's smallest system into the folder, and prepare it to run commands.

        Raises:
            RootError: There is no archive, or debootstrap failed.
        """
        lines = sources(suite)
        command = ["debootstrap", "--variant=minbase", suite, str(self.folder), lines[0].split()[1]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RootError(f"debootstrap failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        (self.folder / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
        for name in ("resolv.conf", "hosts"):
            shutil.copyfile(f"/etc/{name}", self.folder / "etc" / name)
        for kind, place in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "dev/shm")):
            (self.folder / place).mkdir(exist_ok=True)
            _mount("-t", kind, kind, self.folder / place)
        self._hand_in()

    def _hand_in(self) -> None:
        """Let commands in the root reach packages as this machine's pip does. Folders and files
        that its settings name are mounted there, read-only, with what lies beside them, since lists
        of links lead there.
        """
        for name, value in _settings().items():
            words = [self._inside(word) for word in value.split(" ")]
            self.build[name] = " ".join(words)

    def _inside(self, word: str) -> str:
        """A path or a file:// address as the root knows it; any other word as it is."""
        scheme = "file://" if word.startswith("file://") else ""
        path = Path(word.removeprefix(scheme))
        if not path.is_absolute() or not path.exists():
            return word
        place = Path(HANDED_IN, *path.parent.parts[1:])
        if not (self.folder / place / path.name).exists():
            (self.folder / place).mkdir(parents=True, exist_ok=True)
            _mount("--bind", "-o", "ro", path.parent, self.folder / place)
        return f"{scheme}/{place / path.name}"

    def start(
        self,
        command: list[str],
        user: str,
        folder: str,
        environment: Mapping[str, str],
        log: IO[str] | None = None,
    ) -> subprocess.Popen[str]:
        """Begin a command in the root as Docker would: nothing of this machine's environment."""
        name, uid, gid, home = self._who(user)
        told = {"PATH": FIRST_PATH, "HOME": home, "USER": name, **environment}
        pairs = [f"{key}={value}" for key, value in told.items()]
        chroot = ["chroot", f"--userspec={uid}:{gid}", "--groups=", str(self.folder)]
        clean = ["/usr/bin/env", "-i", "-C", folder, *pairs]
        return subprocess.Popen(
            [*chroot, *clean, *command],
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(
        self, command: list[str], user: str, folder: str, environment: Mapping[str, str]
    ) -> tuple[int, str]:
        """The same to its end: its exit status, and what it printed."""
        process = self.start(command, user, folder, environment)
        printed, _ = process.communicate()
        return process.returncode, printed

    def _who(self, user: str) -> tuple[str, str, str, str]:
        """The name, numbers and home of a user, as the root has them."""
        for line in (self.folder / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, _, home, _ = line.split(":")
            if name == user:
                return name, uid, gid, home
        raise RootError(f"there is no user {user} in the root")

    def megabytes(self, place: str = "") -> int:
        """What the files below a place take on the disk; what was mounted is not of the image."""
        mounted = f"--exclude={self.folder / HANDED_IN}"
        command = ["du", "-smx", mounted, str(self.folder / place)]
        return int(
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
        )


def _settings() -> dict[str, str]:
    """The variables that say how this machine reaches packages, pip's files read into such too."""
    listed = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
    found: dict[str, str] = {}
    for line in said.splitlines():
        name, sign, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if sign and section in ("global", "install"):
            found[f"PIP_{option.upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    return found | {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}


def _mount(*options: object) -> None:
    command = ["mount", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RootError(f"a mount failed: {done.stderr.strip()}")
