"""Go through the Dockerfile's steps without Docker, then start the app and ask it for a page.

    make image-check

Each step runs as Docker would run it, in a clean Debian that debootstrap makes in a folder, which
is removed at the end. Then the app is started as the image's user, the health check's command is
run until it is content, the page is asked for, and the model writes a line. Where this cannot be
done the reason is printed, and the exit status is 2; a step that fails is 1.

Packages come as this machine gets them: from the archives of its apt, by the settings of its pip.
"""

import argparse
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from deploy.clean_root import FIRST_PATH, Root, RootError, obstacle
from deploy.context import copy
from deploy.dockerfile import DockerfileError, Step, expand, read
from deploy.packages import INDEX_VARIABLE

HERE = Path(__file__).parents[1]
NAMESPACE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")
"""Mounts and processes of their own, which end with the command: nothing can be left mounted."""
HEALTHY_S = 120
MODEL = "checkpoints/stories"
WRITE = ("gpt.generate", MODEL, "Once upon a time", "--seed", "7", "--max-new-tokens", "20")
CANNOT = 2


@dataclass(slots=True)
class Image:
    """What the steps so far have made of the image.

    Attributes:
        arguments: What ARG names, for commands of RUN alone.
    """

    root: Root
    context: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": FIRST_PATH})
    arguments: dict[str, str] = field(default_factory=dict[str, str])
    user: str = "root"
    folder: str = "/"
    port: int = 0
    health: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def take(self, step: Step, given: dict[str, str]) -> None:
        """Do one step.

        Args:
            given: Values for ARG in place of the Dockerfile's own.

        Raises:
            RootError, DockerfileError: It cannot be done.
        """
        match step.name:
            case "FROM":
                self.root.begin(step.words[0])
            case "ARG":
                for pair in step.words:
                    name, _, value = pair.partition("=")
                    self.arguments[name] = given.get(name, value)
            case "ENV":
                known = self.arguments | self.environment
                for pair in step.words:
                    name, _, value = pair.partition("=")
                    self.environment[name] = expand(value, known)
            case "RUN":
                self._run(step.words[0])
            case "COPY":
                self._copy(step.words)
            case "WORKDIR":
                self.folder = step.words[0]
                self.inside(self.folder).mkdir(parents=True, exist_ok=True)
            case "USER":
                self.user = step.words[0]
            case "VOLUME":
                if missing := [name for name in step.words if not self.inside(name).is_dir()]:
                    raise RootError(f"VOLUME {missing[0]} is no folder of the image")
            case "EXPOSE":
                self.port = int(step.words[0])
            case "HEALTHCHECK":
                self.health = step.words
            case "CMD":
                self.command = step.words
            case _:
                raise DockerfileError(f"line {step.line}: {step.name} is not understood")

    def inside(self, place: str) -> Path:
        """A path of the image, as this machine reaches it."""
        return self.root.folder / PurePosixPath(self.folder, place).relative_to("/")

    def _run(self, line: str) -> None:
        environment = self.root.build | self.arguments | self.environment
        shell = ["/bin/sh", "-c", line]
        status, printed = self.root.run(shell, self.user, self.folder, environment)
        if status:
            raise RootError(f"it ended with {status}:\n{printed[-4000:]}")
        if "PyTorch's index" in printed:
            print(f"    {printed[printed.index('PyTorch') :].splitlines()[0]}")

    def _copy(self, words: tuple[str, ...]) -> None:
        *sources, to = words
        ignore = (self.context / ".dockerignore").read_text(encoding="utf-8")
        if not to.endswith("/") and to != ".":
            raise DockerfileError(f"COPY to {to}: a folder is expected, with / at its end")
        copy(self.context, ignore, tuple(sources), self.inside(to))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; see above."""
    parser = argparse.ArgumentParser(prog="python -m deploy.image_check", description=__doc__)
    parser.add_argument(
        "context", nargs="?", type=Path, default=HERE, help="where the Dockerfile is"
    )
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        steps = read((options.context / "Dockerfile").read_text(encoding="utf-8"))
        if options.root is None:
            return in_a_namespace(options.context)
        image = Image(Root(options.root), options.context)
        options.root.mkdir()
        build(image, steps)
        serve(image)
    except (DockerfileError, RootError) as error:
        print(f"image-check failed: {error}", file=sys.stderr)
        return 1
    return 0


def in_a_namespace(context: Path) -> int:
    """Run this again where its mounts and processes are its own, on a folder that is removed."""
    if reason := obstacle():
        print(f"image-check cannot run here: {reason}", file=sys.stderr)
        return CANNOT
    folder = Path(tempfile.mkdtemp(prefix="inkling-image-"))
    try:
        again = [sys.executable, "-m", "deploy.image_check", str(context.resolve())]
        command = [*NAMESPACE, *again, "--root", str(folder / "root")]
        return subprocess.run(command, cwd=HERE, check=False).returncode
    finally:
        shutil.rmtree(folder)


def build(image: Image, steps: list[Step]) -> None:
    """Do the steps, and say how long each took and how large the image became."""
    for step in steps:
        print(f"{step.line:3} {step.name} {' '.join(step.words)[:90]}", flush=True)
        began = time.monotonic()
        given = {INDEX_VARIABLE: os.environ[INDEX_VARIABLE]} if INDEX_VARIABLE in os.environ else {}
        image.take(step, given)
        if step.name in ("FROM", "RUN", "COPY"):
            size = image.root.megabytes()
            print(f"    {time.monotonic() - began:.0f} s, {size} MB so far", flush=True)


def serve(image: Image) -> None:
    """Start the app as the image does, ask its health check and for a page, and end it."""
    if not (image.health and image.command and image.port) or image.user == "root":
        raise DockerfileError("CMD, EXPOSE, HEALTHCHECK and a USER are expected")
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", image.port))
        except OSError as error:
            raise RootError(f"port {image.port} of this machine is taken") from error
    where = (image.user, image.folder, image.environment)
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        app = image.root.start(list(image.command), *where, log)
        try:
            while status := image.root.run(list(image.health), *where)[0]:
                if app.poll() is not None or time.monotonic() - began > HEALTHY_S:
                    log.seek(0)
                    raise RootError(f"not healthy ({status}); the app said:\n{log.read()[-4000:]}")
                time.sleep(1)
            print(f"healthy after {time.monotonic() - began:.0f} s, as {image.user}")
            print(f"the page came: {page(image.port)} bytes")
            if image.inside(MODEL).is_dir():
                status, text = image.root.run(["python", "-m", *WRITE], *where)
                if status:
                    raise RootError(f"the model did not write:\n{text[-4000:]}")
                print(f"the model wrote: {' '.join(text.split())[:200]}")
        finally:
            app.kill()
            app.wait()


def page(port: int) -> int:
    """Ask the app for its page; how many bytes it has.

    Raises:
        RootError: Something else came.
    """
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", "/")
    answer = client.getresponse()
    text = answer.read()
    if answer.status != http.HTTPStatus.OK or b"Inkling" not in text:
        raise RootError(f"the page was answered with {answer.status}: {text[:200]!r}")
    return len(text)


if __name__ == "__main__":
    sys.exit(main())
