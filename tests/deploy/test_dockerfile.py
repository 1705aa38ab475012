"""The Dockerfile is read to the last word or refused, and brings in what it should."""

import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.context import copy, let_in, rules
from deploy.dockerfile import DockerfileError, Step, expand, read
from deploy.packages import INDEX
from tests.support.imports import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")


def words_of(name: str) -> list[tuple[str, ...]]:
    """What each instruction of a name in our Dockerfile is given."""
    return [step.words for step in read(TEXT) if step.name == name]


def test_instructions_go_over_lines_and_comments_count_for_nothing() -> None:
    text = (
        '# one\nFROM debian:trixie-slim\n\nRUN a \\\n # two\n    && b\nENV A="x y" B=z\nCMD ["c"]\n'
    )
    assert read(text) == [
        Step(2, "FROM", ("trixie",)),
        Step(4, "RUN", ("a && b",)),
        Step(7, "ENV", ("A=x y", "B=z")),
        Step(8, "CMD", ("c",)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "ADD a /b/",
        "ONBUILD RUN a",
        'ENTRYPOINT ["a"]',
        "FROM python:3.11-slim",
        "FROM debian:bookworm-slim AS build",
        'RUN ["a", "b"]',
        "RUN --mount=type=cache,target=/x a",
        "RUN cat <<END",
        "COPY --from=build /a /b/",
        "COPY --chown=a a /b/",
        "COPY ../secret /b/",
        "COPY /etc/passwd /b/",
        "COPY *.py /b/",
        "COPY alone",
        "ENV A b",
        "ARG A",
        "WORKDIR below",
        "USER $NAME",
        "EXPOSE 80/udp",
        "HEALTHCHECK NONE",
        "HEALTHCHECK --start-interval=1s CMD [\"a\"]",
        "CMD a b",
        'CMD [1, "a"]',
        "VOLUME /a",
        "run a",
        "RUN a \\",
    ],
)  # fmt: skip
def test_whatever_is_not_understood_is_refused(line: str) -> None:
    with pytest.raises(DockerfileError):
        read(f"FROM debian:bookworm-slim\n{line}\n")


@pytest.mark.parametrize("text", ["", "# none\n", "RUN a\n", "# syntax=x\nFROM debian:a-slim\n"])
def test_a_file_that_does_not_begin_with_its_base_is_refused(text: str) -> None:
    with pytest.raises(DockerfileError):
        read(text)


def test_variables_are_those_that_were_set() -> None:
    assert expand("/srv/bin:$PATH", {"PATH": "/bin"}) == "/srv/bin:/bin"
    for value in ("$NONE", "${PATH}", "a$"):
        with pytest.raises(DockerfileError):
            expand(value, {"PATH": "/bin"})


def test_the_image_has_no_root_and_no_compiler_and_says_how_it_is() -> None:
    names = [step.name for step in read(TEXT)]
    assert words_of("USER") == [("inkling",)]
    assert "RUN" not in names[names.index("USER") :]
    assert len(words_of("HEALTHCHECK")) == len(words_of("CMD")) == 1
    assert words_of("ARG") == [(f"TORCH_INDEX={INDEX}",)]
    commands = " ".join(words[0] for words in words_of("RUN"))
    assert "--gpu 0" in commands
    assert not {"gcc", "g++", "build-essential", "clang", "python3-dev"} & set(commands.split())


def test_what_is_written_while_it_runs_is_the_user_s_and_lies_in_volumes() -> None:
    (volumes,) = words_of("VOLUME")
    made = words_of("RUN")[-1][0]
    assert "install -d -o inkling" in made
    assert all(place.removeprefix("/srv/inkling/") in made for place in volumes)
    settings = dict(pair.split("=", 1) for words in words_of("ENV") for pair in words)
    assert {settings["INKLING_HOME"], settings["INKLING_MODELS"]} < set(volumes)


def test_every_file_of_the_program_comes_into_the_image_and_none_of_the_writer_s() -> None:
    seen = set(let_in(ROOT, IGNORE))
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    program = ("chat/", "frontend/", "gpt/", "public/", "train/", "checkpoints/", "app.py")
    wanted = {name for name in tracked if name.startswith(program)}
    assert len(wanted) > 300
    assert {name for name in wanted if (ROOT / name).is_file()} <= seen
    assert {name.split("/")[0] for name in seen} == {
        *(".chainlit", "LICENSE", "app.py", "chainlit.md", "chat", "checkpoints", "data"),
        *("deploy", "frontend", "gpt", "public", "requirements.txt", "runs", "train"),
    }
    beside = {name for name in seen if name.startswith(("data/", "deploy/", "runs/"))}
    places = ("data/story.txt", "deploy/packages.py", "runs/shakespeare-small/")
    assert all(name.startswith(places) for name in beside)
    assert not any("__pycache__" in name for name in seen)


def test_copy_takes_what_is_let_in_and_refuses_what_is_not(tmp_path: Path) -> None:
    for name in ("a/b.py", "a/__pycache__/b.pyc", "c.txt", "secret"):
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_text(name)
    ignore = "# all\n*\n!a\n!c.txt\n**/__pycache__\n"
    assert copy(tmp_path / "from", ignore, (".",), tmp_path / "all") == 2
    assert copy(tmp_path / "from", ignore, ("a/b.py", "c.txt"), tmp_path / "flat") == 2
    found = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")]
    assert {"all/a/b.py", "all/c.txt", "flat/b.py", "flat/c.txt"} < set(found)
    for source in ("secret", "a", "none"):
        with pytest.raises(DockerfileError, match="lets no such file in"):
            copy(tmp_path / "from", ignore, (source,), tmp_path / "flat")


@pytest.mark.parametrize("line", ["a?b", "[ab]", "a/**/b", "a b", "!!a"])
def test_a_line_of_dockerignore_that_is_not_understood_is_refused(line: str) -> None:
    with pytest.raises(DockerfileError):
        rules(line)


def test_compose_opens_the_app_to_this_machine_alone_and_the_rest_only_where_asked() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["inkling"]
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    app = services["inkling"]
    assert {volume.split(":")[1] for volume in app["volumes"]} == set(words_of("VOLUME")[0])
    mounted = [volume for service in services.values() for volume in service.get("volumes", ())]
    assert set(compose["volumes"]) == {volume.split(":")[0] for volume in mounted}
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        # An image that is not built here has a tag that does not move.
        assert service.get("build") == "." or "-b" in service["image"].split(":")[1]
