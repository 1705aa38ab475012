"""Which build of PyTorch is installed where, and that the lists are content with it."""

import os
import socket
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

import pytest

from deploy import packages
from tests.support.imports import ROOT

PIN = "2.13.0"
CPU = "2.13.0+cpu"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A Linux without a GPU, without torch, and without an index that answers; what was asked."""
    calls: list[tuple[str, ...]] = []

    def offers(version: str, *options: str) -> bool:
        calls.append((version, *options))
        return False

    monkeypatch.setattr(packages, "offers", offers)
    monkeypatch.setattr(packages, "has_nvidia", lambda: False)
    monkeypatch.setattr(packages, "installed_torch", lambda: "")
    monkeypatch.setattr(sys, "platform", "linux")
    return calls


def test_where_no_index_answers_the_list_is_left_to_itself_and_the_gigabytes_are_told(
    asked: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert packages.right_torch(PIN, "") == []
    said = capsys.readouterr().err
    assert "cannot be reached" in said
    assert "2.7 GB" in said
    assert "TORCH_INDEX=" in said
    assert [call[0] for call in asked] == [CPU, CPU]
    assert asked[1][3:] == ("--timeout", "5", "--retries", "0")


@pytest.mark.parametrize("named", ["", "https://mirror.example/cpu"])
def test_pytorch_s_own_index_or_the_one_that_is_named_is_the_source_of_torch_alone(
    asked: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("TORCH_INDEX", named)
    monkeypatch.setattr(packages, "offers", lambda _, *options: bool(options))
    index = named or packages.INDEX
    assert packages.right_torch(PIN, "") == ["--index-url", index, f"torch=={CPU}"]


def test_an_index_that_pip_is_set_up_with_comes_first(
    asked: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "offers", lambda *_: True)
    assert packages.right_torch(PIN, "") == [f"torch=={CPU}"]


@pytest.mark.parametrize(
    ("machine", "gpu", "wanted"),
    [
        ({"sys.platform": "darwin"}, "", []),
        ({"sys.platform": "win32"}, "1", []),
        ({"has_nvidia": True}, "", []),
        ({"has_nvidia": True}, "1", [f"torch=={PIN},!={CPU}"]),
        ({}, "1", [f"torch=={PIN},!={CPU}"]),
        ({"installed_torch": PIN}, "", []),
        ({"installed_torch": CPU}, "", []),
        ({"installed_torch": "2.13.0+rocm7.1"}, "", []),
    ],
)
def test_the_build_of_the_list_is_right_or_what_was_chosen_is_asked_for_and_no_index_is(
    asked: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    machine: dict[str, str | bool],
    gpu: str,
    wanted: list[str],
) -> None:
    for name, value in machine.items():
        if name == "sys.platform":
            monkeypatch.setattr(sys, "platform", value)
        else:
            monkeypatch.setattr(packages, name, lambda value=value: value)
    assert packages.right_torch(PIN, gpu) == wanted
    assert asked == []


@pytest.mark.skipif(sys.platform == "win32", reason="a command here is a shell script")
def test_a_gpu_of_nvidia_is_seen_by_its_command_where_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("there is one here")
    command = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for body, seen in (("echo 'GPU 0: H200'", True), ("echo 'No devices' && exit 9", False)):
        command.write_text(f"#!/bin/sh\n{body}\n")
        command.chmod(0o755)
        assert packages.has_nvidia() is seen
    command.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert packages.has_nvidia() is False


def test_an_index_that_is_silent_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/cpu"
        began = time.monotonic()
        # Far more than a busy machine needs to start pip twice, far less than either would wait.
        monkeypatch.setattr(packages, "MOST_S", 120)
        brisk = ("--timeout", "0.2", "--retries", "0")
        assert packages.offers(CPU, "--index-url", index, *brisk) is False
        monkeypatch.setattr(packages, "MOST_S", 0.2)
        assert packages.offers(CPU, "--index-url", index, "--timeout", "120") is False
        assert time.monotonic() - began < 50


@pytest.mark.skipif(sys.platform == "win32", reason="a command here is a shell script")
def test_uv_installs_where_it_is_there_and_pip_where_that_has_sources_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in [name for name in os.environ if name.startswith("PIP_") and "CONFIG" not in name]:
        monkeypatch.delenv(name)
    assert [tool[0] for tool in packages.tools()] == [sys.executable]
    (tmp_path / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "uv").chmod(0o755)
    assert [tool[0] for tool in packages.tools()] == [str(tmp_path / "uv"), sys.executable]
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    assert [tool[0] for tool in packages.tools()] == [sys.executable]


def test_pip_takes_over_where_uv_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command[0])
        return subprocess.CompletedProcess(command, 2 if command[0] == "uv" else 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(packages, "tools", lambda: [["uv"], ["pip"]])
    assert packages.install("torch") == 0
    assert ran == ["uv", "pip"]


def test_every_package_has_its_bytecode_though_one_brings_what_is_no_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    (tmp_path / "tale.py").write_text("print('Once')\n")
    (tmp_path / "odd.py").write_text("print 'Once'\n")
    packages.compile_all()
    written = [path.name.partition(".")[0] for path in tmp_path.glob("__pycache__/*.pyc")]
    assert written == ["tale"]


def test_a_list_that_names_all_is_installed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(packages, "install", lambda *what: ran.append(what) or 0)
    monkeypatch.setattr(packages, "compile_all", lambda: None)
    (tmp_path / "all.txt").write_text("tale==1.0\n")
    all_of_it = str(tmp_path / "all.txt")
    assert packages.main([all_of_it, "--no-deps"]) == 0
    assert packages.main([all_of_it]) == 0
    assert ran == [("--no-deps", "-r", all_of_it), ("-r", all_of_it)]


def test_the_pin_is_that_of_the_lock_which_other_lists_include() -> None:
    pin = packages.pinned_torch(ROOT / "requirements-dev.txt")
    assert f"\ntorch=={pin}\n" in (ROOT / "requirements.txt").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert f"pip install --no-deps torch=={pin} --index-url {packages.INDEX}" in text, page


def wheel(folder: Path, name: str, version: str) -> None:
    """A package with nothing in it, in an index of files."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(place / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        file.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{about}/RECORD", "")
        file.writestr(f"{name}.py", "")
    links = "".join(f'<a href="{each.name}">{each.name}</a>' for each in place.glob("*.whl"))
    (place / "index.html").write_text(links)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one build")
def test_pip_installs_the_build_for_processors_and_the_list_does_not_replace_it(
    tmp_path: Path,
) -> None:
    """With an index of PyTorch's and one of PyPI's in files; then the other build is chosen; then
    PyTorch's index is gone."""
    wheel(tmp_path / "cpu", "torch", CPU)
    wheel(tmp_path / "plain", "torch", PIN)
    wheel(tmp_path / "plain", "tale", "1.0")
    (tmp_path / "list.txt").write_text(f"tale==1.0\ntorch=={PIN}\n")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
    plain = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": (tmp_path / "plain").as_uri()}

    def installed(home: str, gpu: str, index: str) -> tuple[list[str], str]:
        python = tmp_path / home / "bin/python"
        if not python.exists():
            venv.create(tmp_path / home)
            pip = subprocess.run(
                [sys.executable, "-c", "import pip; print(*pip.__path__)"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            inside = next((tmp_path / home / "lib").glob("python*/site-packages"))
            (inside / "pip").symlink_to(pip)
        done = subprocess.run(
            [python, ROOT / "deploy/packages.py", "--gpu", gpu, tmp_path / "list.txt"],
            env=kept | plain | {"TORCH_INDEX": index},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / home / "lib").rglob("tale.*.pyc"))
        found = (tmp_path / home / "lib").rglob("*.dist-info")
        return sorted(path.stem for path in found), done.stderr

    cpu = (tmp_path / "cpu").as_uri()
    assert installed("here", "0", cpu)[0] == ["tale-1.0", f"torch-{CPU}"]
    assert installed("here", "1", cpu)[0] == ["tale-1.0", f"torch-{PIN}"]
    names, said = installed("there", "0", "http://127.0.0.1:9/cpu")
    assert names == ["tale-1.0", f"torch-{PIN}"]
    assert "about 2.7 GB" in said
