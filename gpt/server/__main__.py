"""`python -m gpt.server CHECKPOINT… [--port]`: serve models to programs that speak to OpenAI.

POST /v1/completions, GET /v1/models, /health and /metrics; docs/server.md says how mikupad,
SillyTavern, KoboldAI Lite and the openai client are pointed at it. A checkpoint is called by its
folder's name, or by another as NAME=CHECKPOINT.
"""

import argparse
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

import uvicorn

from gpt.cache import FEWEST_STORIES, MOST_STORIES
from gpt.checkpoint import CheckpointError
from gpt.decode.choose import CoreError
from gpt.engine.fair_queue import MAX_WAITING
from gpt.server.app import make_app
from gpt.server.served import open_all

KEY_VARIABLE = "INKLING_KEY"
ANY_PAGE = ("*", "null")
"""Origins that any page in the world can have: a frame in a sandbox is "null", as a file is."""
GOODBYE_S = 5
"""How long answers may still be sent when it is stopped."""


def make_parser() -> argparse.ArgumentParser:
    """The options of `python -m gpt.server`."""
    parser = argparse.ArgumentParser(
        prog="python -m gpt.server",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "checkpoints",
        nargs="+",
        metavar="CHECKPOINT",
        help="checkpoint folder, or a model on the Hub: USER/NAME",
    )
    add("--host", default="127.0.0.1", help="the address to listen at (default: this machine's)")
    add("--port", type=int, default=8001, help="0 takes any that is free (default: 8001)")
    add(
        "--key",
        help=f"what clients must send as a bearer token; better in {KEY_VARIABLE}, which no list "
        "of processes shows",
    )
    add("--without-key", action="store_true", help="let other machines in without one")
    add(
        "--origin",
        action="append",
        default=[],
        help="a page that may ask from a browser, as https://lite.koboldai.net; null is one that "
        "was opened as a file, * is any; may be given several times",
    )
    add(
        "--batch",
        type=int,
        help=f"stories written at once by each model (default: {FEWEST_STORIES} to {MOST_STORIES}, "
        "as many as it has memory for)",
    )
    add(
        "--waiting",
        type=int,
        default=MAX_WAITING,
        help=f"stories that may wait for each model; one client may fill half of that (default: "
        f"{MAX_WAITING})",
    )
    return parser


def key_of(options: argparse.Namespace, environment: Mapping[str, str]) -> str:
    """The key that clients must send; "" for none.

    Raises:
        ValueError: other machines could come in without one, or it cannot be sent.
    """
    key: str = options.key if options.key is not None else environment.get(KEY_VARIABLE, "")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the key must be of ASCII letters, digits and signs, without spaces")
    if not (key or options.without_key or only_here(options.host)):
        raise ValueError(
            f"other machines could reach {options.host}: set {KEY_VARIABLE} to a key that clients "
            "must send, or let everybody in with --without-key"
        )
    return key


def only_here(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def listening(host: str, port: int) -> socket.socket:
    """A socket to serve on.

    Raises:
        ValueError: there is no such port.
        OSError: the address is not this machine's, or the port is taken.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"port must be 0 to 65535, not {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def say(message: str) -> None:
    """Tell the person who started it."""
    print(message, file=sys.stderr, flush=True)


def serve(options: argparse.Namespace) -> None:
    """Open the models, and serve them until it is stopped.

    Raises:
        CheckpointError, CoreError: a model cannot be opened, or not run.
        ValueError, OSError: options that cannot be followed.
    """
    key = key_of(options, os.environ)
    if not key and (open_to := [each for each in options.origin if each in ANY_PAGE]):
        say(f"any page that you visit can write with these models: --origin {open_to[0]}, no key")
    with listening(options.host, options.port) as door:
        models = open_all(options.checkpoints, max_batch=options.batch, max_waiting=options.waiting)
        for model in models:
            for note in model.notes:
                say(f"{model.name}: {note}")
        app = make_app(models, key=key, origins=options.origin, host=options.host)
        shown = f"[{options.host}]" if ":" in options.host else options.host
        names = ", ".join(model.name for model in models)
        say(f"{names}: http://{shown}:{door.getsockname()[1]}/v1 (Ctrl-C stops it)")
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GOODBYE_S,
        )
        uvicorn.Server(config).run(sockets=[door])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 2 for what can be mended on the command line."""
    parser = make_parser()
    options = parser.parse_args(argv)
    try:
        serve(options)
    except (CheckpointError, CoreError, ValueError, OSError) as error:
        say(f"{parser.prog}: error: {error}")
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
