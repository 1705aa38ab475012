"""`python -m train.publish CHECKPOINT USER/NAME`: share a model on the Hugging Face Hub.

Uploads the checkpoint with its card: results, samples, the picture of the loss. With --space also
a Space, a page on the Hub where anyone can write with the model, with --gguf the model in one file
for llama.cpp, Ollama and LM Studio. --dry-run FOLDER uploads nothing and writes all of it there, to
be looked at first.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from huggingface_hub import HfApi, errors
from huggingface_hub.utils import httpx

from gpt.checkpoint import INDEX, WEIGHTS, Checkpoint, CheckpointError, weight_files
from gpt.checkpoint.gguf import write_gguf
from gpt.checkpoint.hub import CONFIG, LOG_IN, SMALL_FILES, hub_name, load
from gpt.files import facts_of, is_there, write_whole
from train.hub.hub_card import published_card
from train.hub.space import write_space
from train.loop.run import Run
from train.run.plot import plot_losses

OF_THE_RUN = ("metrics.jsonl", "loss.png")


class PublishError(Exception):
    """The model cannot be published; the message has the reason and what to do."""


def stage(
    checkpoint: Checkpoint,
    repo: str,
    folder: Path,
    *,
    license: str | None = None,
    gguf: bool = False,
) -> None:
    """Write into `folder` all files that are uploaded for a model: config, weights, tokenizer, the
    card for the Hub and loss.png.

    Args:
        repo: Its name on the Hub, USER/NAME, for the card.
        license: Of the model, as the Hub spells it; by default what its card says.
        gguf: Whether NAME.gguf, and a Modelfile, lie beside them.

    Raises:
        CheckpointError: A GGUF cannot say what the model holds.
        OSError: A file cannot be read or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = () if (checkpoint.folder / WEIGHTS).is_file() else (INDEX,)
    for name in (CONFIG, *SMALL_FILES, *index, *weight_files(checkpoint.folder)):
        if (path := _lying(checkpoint.folder, name)) is not None:
            facts_of(path.parent, path.name)  # a regular file in its place, no link out of it
            shutil.copyfile(path, folder / name)
    picture = folder / "loss.png"
    if not picture.exists() and (folder / "metrics.jsonl").exists():
        config = checkpoint.training.get("config", {})
        steps = max(1, int(checkpoint.training.get("step") or 1))
        per_step = int(checkpoint.training.get("tokens") or 0) // steps
        if records := Run(folder).records():
            plot_losses(records, per_step or int(config.get("block_size", 1)), picture)
    if gguf:
        write_gguf(checkpoint, folder / f"{repo.split('/')[1]}.gguf")
    card = published_card(checkpoint, repo, license=license, picture=picture.exists(), gguf=gguf)
    write_whole(folder / "README.md", card)


def _lying(folder: Path, name: str) -> Path | None:
    """A file of a checkpoint, or of the run whose best it is."""
    places = [folder]
    if name in OF_THE_RUN and folder.name == "best":
        places.append(folder.parent)
    return next((place / name for place in places if is_there(place, name)), None)


def check_owner(api: HfApi, repo: str) -> None:
    """Check that the token of this machine belongs to USER of `repo`, or to a member of that
    organization.

    Raises:
        PublishError: there is no token, the Hub refuses it, or it is another user's.
    """
    try:
        who = cast("dict[str, Any]", api.whoami())  # pyright: ignore[reportUnknownMemberType]
    except errors.LocalTokenNotFoundError as error:
        raise PublishError(f"you are not logged in to the Hub: {LOG_IN}") from error
    except errors.HfHubHTTPError as error:
        if error.response.status_code != 401:
            raise
        raise PublishError(f"the Hub does not take your token: {LOG_IN} anew") from error
    names = [who["name"], *(each["name"] for each in who.get("orgs", []))]
    if repo.split("/")[0] not in names:
        raise PublishError(
            f"{repo.split('/')[0]} is somebody else: you are logged in as {names[0]}, so the name "
            f"begins with {' or '.join(f'{name}/' for name in names)}"
        )


def upload(api: HfApi, folder: Path, repo: str, *, kind: str, private: bool) -> str:
    """Create the repository unless it exists, and upload `folder` as one commit.

    Other files in the repository stay.

    Args:
        kind: "model" or "space".

    Returns:
        The URL of the repository.

    Raises:
        PublishError: `private`, and the repository exists and is public.
        HfHubHTTPError: The Hub refuses; `in_words` makes a PublishError of it.
    """
    if api.repo_exists(repo, repo_type=kind):
        if private and not api.repo_info(repo, repo_type=kind).private:
            raise PublishError(
                f"{repo} is on the Hub already, and public: make it private in its settings "
                "there, or choose another name"
            )
        print(f"{repo} is on the Hub already: its files of the same names are replaced")
    made = api.create_repo(
        repo,
        repo_type=kind,
        private=private or None,
        exist_ok=True,
        space_sdk="docker" if kind == "space" else None,
    )
    api.upload_folder(
        repo_id=repo, repo_type=kind, folder_path=folder, commit_message="Publish with Inkling"
    )
    return str(made)


@contextmanager
def in_words(repo: str) -> Generator[None]:
    """Turn the errors of huggingface_hub in the block into a PublishError that says what to do."""
    try:
        yield
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise PublishError(
                f"the Hub does not let you write to {repo}: make a token that may write on "
                "https://huggingface.co/settings/tokens, then `hf auth login`"
            ) from error
        raise PublishError(f"the Hub answered {status} for {repo}: {_line(error)}") from error
    except errors.HFValidationError as error:
        raise PublishError(f"{repo} is no name that the Hub takes: {_line(error)}") from error
    except (httpx.TransportError, errors.OfflineModeIsEnabled) as error:
        raise PublishError(
            "the Hub cannot be reached: check the connection and run this again, or see what "
            "would be uploaded with --dry-run FOLDER"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def make_parser() -> argparse.ArgumentParser:
    """The options of `python -m train.publish`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="checkpoint folder, as runs/mine/best")
    parser.add_argument("repo", metavar="USER/NAME", help="what it shall be called on the Hub")
    parser.add_argument(
        "--space", action="store_true", help="also make a Space, where anyone can write with it"
    )
    parser.add_argument(
        "--gguf", action="store_true", help="also the model as a GGUF, as gpt.export writes it"
    )
    parser.add_argument("--private", action="store_true", help="only you can see it")
    parser.add_argument("--license", help="of the model, as mit or cc-by-4.0 (default: its card's)")
    parser.add_argument(
        "--dry-run", type=Path, metavar="FOLDER", help="write it all there and upload nothing"
    )
    return parser


def publish(options: argparse.Namespace) -> None:
    """Stage and upload the model, and with --space the Space; with --dry-run only stage them.

    Raises:
        CheckpointError: The model cannot be opened.
        PublishError: It cannot be published.
    """
    name = hub_name(options.repo)
    if name is None or name.revision:
        raise PublishError(f"expected a name like ada/tales, USER/NAME, got {options.repo!r}")
    repo, private = name.repo, options.private
    checkpoint = load(options.checkpoint)
    with in_words(repo), _place(options.dry_run) as place:
        api = HfApi()
        if options.dry_run is None:
            check_owner(api, repo)
        parts: list[tuple[str, Callable[[Path], None]]] = [
            (
                "model",
                lambda to: stage(checkpoint, repo, to, license=options.license, gguf=options.gguf),
            )
        ]
        if options.space:
            parts.append(("space", lambda to: write_space(to, repo, private=private)))
        for kind, write in parts:
            write(place / kind)
            if options.dry_run is None:
                print(upload(api, place / kind, repo, kind=kind, private=private))
            else:
                print(f"{place / kind}: what would be uploaded as the {kind} {repo}")
    if options.space and private:
        print(f"Give the Space a secret HF_TOKEN that may read {repo}, in its settings.")


@contextmanager
def _place(dry_run: Path | None) -> Generator[Path]:
    """Where the files are put together."""
    if dry_run is None:
        with tempfile.TemporaryDirectory(prefix="inkling-publish-") as made:
            yield Path(made)
    elif dry_run.exists() and any(dry_run.iterdir()):
        raise PublishError(f"{dry_run} is not empty: name a new folder for --dry-run")
    else:
        yield dry_run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for an error the user can mend."""
    parser = make_parser()
    options: Any = parser.parse_args(argv)
    try:
        publish(options)
    except (CheckpointError, PublishError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
