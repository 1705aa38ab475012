"""`python -m chat.accounts.move --to postgresql://…`: stories from the file to PostgreSQL.

The file stays as it is. Accounts, the secret and who signed out are files in the home, and stay
there.
"""

import argparse
import os
import sys
from pathlib import Path

from chat.accounts.database import FILE, VARIABLE, LibraryError
from chat.accounts.home import home


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m chat.accounts.move",
        description="Copy all stories, votes and presets from the SQLite file to PostgreSQL. "
        "Stop Inkling first.",
    )
    parser.add_argument(
        "--to",
        help=f"postgresql://name:password@host:5432/database; {VARIABLE} where it is left out, "
        "so that the password stands in no list of processes",
    )
    parser.add_argument("--from", dest="source", type=Path, help=f"the file; {FILE} in the home")
    given = parser.parse_args(arguments)
    address = given.to or os.environ.get(VARIABLE)
    if not address:
        parser.error(f"say where to with --to postgresql://…, or with {VARIABLE}")
    try:
        # SQLAlchemy takes a third of a second to import.
        from chat.accounts.database.move import move
        from chat.accounts.database.postgres import Postgres

        source = given.source or home(Path.cwd()) / FILE
        target = Postgres(address)
        try:
            counts, copied = move(source, target)
        finally:
            target.close()
    except (LibraryError, ValueError, OSError, ImportError) as error:
        print(f"Nothing was moved: {error}.", file=sys.stderr)
        return 1
    what = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    done = "Copied and compared" if copied else "All of it is there already"
    print(
        f"{done}: {what}, from {source} to {target.name}. The file stays as it was. Start Inkling "
        f"with {VARIABLE} set to this database; accounts stay in {source.parent}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
