"""The Dockerfile's steps without Docker: what each does, and what is said where none can be done.

The long run itself is `make image-check`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy import clean_root, image_check
from deploy.clean_root import Root, RootError
from deploy.dockerfile import DockerfileError, read
from deploy.image_check import Image


class Pretended(Root):
    """A root that is an empty folder, and commands that end with what they are told to."""

    ran: list[tuple[str, str, str, dict[str, str]]]

    def megabytes(self, place: str = "") -> int:
        return 1

    def begin(self, suite: str) -> None:
        self.ran = []
        self.build = {"PIP_INDEX_URL": "file:///run/host/simple", "PATH": "/this/machine"}

    def run(
        self, command: list[str], user: str, folder: str, environment: Mapping[str, str]
    ) -> tuple[int, str]:
        self.ran.append((command[-1], user, folder, dict(environment)))
        return (7, "no room") if command[-1] == "fail" else (0, "")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    context = tmp_path / "context"
    context.mkdir()
    (context / ".dockerignore").write_text("*\n!story.txt\n")
    (context / "story.txt").write_text("Once")
    (tmp_path / "root").mkdir()
    return Image(Pretended(tmp_path / "root"), context)


def built(image: Image, text: str) -> Pretended:
    image_check.build(image, read(f"FROM debian:bookworm-slim\n{text}\n"))
    assert isinstance(image.root, Pretended)
    return image.root


def test_a_command_runs_as_its_user_in_its_folder_with_what_was_set(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_INDEX", "https://mirror.example")
    text = "ARG TORCH_INDEX=x\nENV PATH=/v:$PATH\nWORKDIR /app\nUSER ada\nRUN one\nENV LATER=1"
    ((command, user, folder, environment),) = built(image, text).ran
    assert (command, user, folder) == ("one", "ada", "/app")
    assert environment["PATH"] == f"/v:{clean_root.FIRST_PATH}"
    assert environment["TORCH_INDEX"] == "https://mirror.example"
    assert environment["PIP_INDEX_URL"] == "file:///run/host/simple"
    assert "LATER" not in environment
    # What the app is started with has nothing of the building.
    assert set(image.environment) == {"PATH", "LATER"}


def test_copy_goes_into_the_root_and_nowhere_else(image: Image) -> None:
    root = built(image, "COPY story.txt /srv/lists/\nWORKDIR /srv/app\nCOPY . .")
    assert (root.folder / "srv/lists/story.txt").read_text() == "Once"
    assert (root.folder / "srv/app/story.txt").read_text() == "Once"
    with pytest.raises(DockerfileError, match="with / at its end"):
        built(image, "COPY story.txt /srv/other")


@pytest.mark.parametrize(
    ("text", "said"), [("RUN fail", "ended with 7"), ('VOLUME ["/a"]', "no folder")]
)
def test_a_step_that_fails_ends_the_check_with_its_words(
    image: Image, text: str, said: str
) -> None:
    with pytest.raises(RootError, match=said):
        built(image, text)


def test_an_image_without_a_user_or_a_health_check_is_not_served(image: Image) -> None:
    with pytest.raises(DockerfileError, match="HEALTHCHECK and a USER"):
        image_check.serve(image)


@pytest.mark.parametrize(
    ("platform", "user", "missing", "said"),
    [
        ("darwin", 0, "", "needs Linux, and this is darwin"),
        ("linux", 1000, "", "only root may"),
        ("linux", 0, "debootstrap", "apt install debootstrap"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no geteuid")
def test_where_no_root_can_be_made_the_reason_is_told_and_it_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    platform: str,
    user: int,
    missing: str,
    said: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else name)
    assert image_check.main([]) == image_check.CANNOT
    assert said in capsys.readouterr().err


def test_a_dockerfile_that_is_not_understood_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert image_check.main([str(tmp_path)]) == 1
    assert "line 1 is not understood: FROM scratch" in capsys.readouterr().err


def test_the_archives_are_those_of_this_machine_s_apt_or_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = "".join(
        f"deb http://mirror.example/{place} {suite} {part}\n"
        for place, suite, part in (
            ("security", "bookworm-security", "main"),
            ("debian", "bookworm", "main"),
            ("debian", "bookworm", "contrib"),
            ("debian", "trixie", "main"),
        )
    )
    answer = subprocess.CompletedProcess([], 0, listed)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.delenv(clean_root.MIRROR_VARIABLE, raising=False)
    assert clean_root.sources("bookworm") == [
        "deb http://mirror.example/debian bookworm main",
        "deb http://mirror.example/security bookworm-security main",
    ]
    with pytest.raises(RootError, match="DEBIAN_MIRROR=http"):
        clean_root.sources("noble")
    monkeypatch.setenv(clean_root.MIRROR_VARIABLE, "http://other.example/debian")
    assert clean_root.sources("noble") == ["deb http://other.example/debian noble main"]
