"""A PostgreSQL of the tests' own, in a temporary folder, from what Debian's package brings."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.support.app_server import free_port

USER, PASSWORD = "inkling", "rise & shine @9"
"""The password has what an address must spell otherwise."""
SPELT = "rise%20%26%20shine%20%409"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where they are not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = [each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(debian, key=lambda bin: int(bin.parent.name), default=None)


class Cluster:
    """A server on a port of its own, which asks for a password.

    Root may not run one: then it is run by the package's user, or by nobody.
    """

    def __init__(self, bin: Path, folder: Path) -> None:
        self._bin = bin
        self.folder = folder
        self.port = free_port()
        self._user = None
        self._group = None
        if os.geteuid() == 0:
            import pwd

            names = {each.pw_name for each in pwd.getpwall()}
            self._user = "postgres" if "postgres" in names else "nobody"
            self._group = pwd.getpwnam(self._user).pw_gid
            shutil.chown(folder, self._user)
        (word := folder / "word").write_text(PASSWORD)
        self._run(
            *("initdb", "--pgdata", folder / "data", "--username", USER, "--pwfile", word),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        self.start()

    def start(self) -> None:
        # Machines that lose power are not what is tried here.
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        self._control("start", "-o", options, "-l", self.folder / "log")

    def stop(self) -> None:
        """At once, as a crash does it."""
        self._control("stop", "-m", "immediate")

    def database(self, **options: str) -> str:
        """The address of a new database."""
        name = f"t{secrets.token_hex(4)}"
        more = " ".join(f"{key} {value}" for key, value in options.items())
        self.do(self.address("postgres"), f"CREATE DATABASE {name} {more}")
        return self.address(name)

    def address(self, database: str, *, password: str = SPELT) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    @staticmethod
    def do(address: str, *statements: str) -> list[tuple]:
        """Run statements, each by itself; the rows of the last one."""
        engine = create_engine(
            address.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
        )
        try:
            with engine.connect() as connection:
                for statement in statements:
                    found = connection.execute(text(statement))
                return [tuple(row) for row in found] if found.returns_rows else []
        finally:
            engine.dispose()

    def _control(self, *command: str | Path) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-t", "120", *command)

    def _run(self, program: str, *arguments: str | Path) -> None:
        # What a server says goes into its log: it would hold a pipe open.
        with (self.folder / "said").open("ab") as said:
            subprocess.run(
                [self._bin / program, *arguments],
                cwd=self.folder,
                user=self._user,
                group=self._group,
                extra_groups=[] if self._user else None,
                stdout=said,
                stderr=said,
                check=True,
                timeout=180,
            )


@contextmanager
def running_cluster(bin: Path) -> Iterator[Cluster]:
    # A socket's path may have a hundred characters: pytest's folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="inkling-pg-"))
    try:
        cluster = Cluster(bin, folder)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
