"""Requests of the Train panel: the query `training`, and the commands that bring a text, plan a
training on it, start, stop, resume or share one. See `chat.panels.dispatch`.

`training_plan` is a command, for it decides what `training_start` begins. Each raises RefusedError
where nobody can train from the page.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chat.errors import RefusedError
from chat.generate.request import OTHER_PAGE
from chat.jobs.upload import Upload
from chat.models import DEFAULT
from chat.session import Session

FIGURES = ("steps", "seconds", "parameters", "tokens", "passes")
ELSEWHERE = "Training from the page is not offered here: use python -m train.pretrain."


async def training(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`training`: how the writer's trainings stand, see `TrainingJobs.all`; and whether there are
    `others` to share them with."""
    upload = _upload(session)
    # A page asks every second or two, and the logs of a long run are long.
    runs = await asyncio.to_thread(upload.jobs.all, upload.owner)
    return {"runs": runs, "others": upload.others}


async def training_text(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`training_text`: a piece of a file, its `name`, `part`, `of` and `text`.

    Returns:
        With the last piece what the file holds: name, bytes, words, characters (different ones).

    Raises:
        RefusedError: It did not arrive whole, or nothing can be learnt from it.
    """
    upload = _upload(session)
    match request:
        case {"name": str(name), "part": int(part), "of": int(of), "text": str(text)}:
            parts = upload.bring(name, part, of, text)
        case _:
            raise RefusedError(OTHER_PAGE)
    return {} if parts is None else await asyncio.to_thread(upload.open, name[:100], parts)


async def training_plan(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`training_plan`: what a training on the text would be, from the model named in `source` or
    from nothing where there is none; the figures of `train.estimate`.

    With `propose` the server names the source: the stories model where the text is short and that
    one knows its language, else nothing.

    Returns:
        FIGURES, the `source`, and the `language`: which `model` was asked whether it knows that of
        the text, whether the text is `little`, and what `train.estimate` says; None where none was.
    """
    upload, source = _upload(session), str(request.get("source") or "")
    session.models = await asyncio.to_thread(session.find_models)
    if request.get("propose"):
        found = session.models.get(DEFAULT)
        fits = found and upload.little and not (found.broken or found.server)
        source = DEFAULT if fits else ""
    plan = await _plan(session, upload, source)
    language = {"model": source, "little": upload.little, **plan["language"]} if source else None
    if request.get("propose") and language and not language["known"]:
        source = ""
        plan = await _plan(session, upload, source)
    # Its command holds paths of this machine, which may be another writer's.
    return {**{name: plan[name] for name in FIGURES}, "source": source, "language": language}


async def _plan(session: Session, upload: Upload, source: str) -> dict[str, Any]:
    """What `train.estimate` says of a training from a model, or from nothing."""
    if source and source not in session.models:
        raise RefusedError(f"There is no model “{source[:60]}” any more: pick another one.")
    listing = session.models[source] if source else None
    if listing and listing.server:
        raise RefusedError(
            f"“{listing.key}” runs on a server of another program: its weights are not here, "
            "so no training can begin from it. Pick another model."
        )

    async def say(ahead: int) -> None:
        if ahead:
            others = "another one is" if ahead == 1 else f"{ahead} others are"
            await session.page.tell(f"Your estimate waits: {others} made first.")

    return (await upload.plan(listing.folder if listing else None, say)).plan


async def training_start(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`training_start`: begin what was planned; `key` is what the picker will call it."""
    upload = _upload(session)
    if upload.planned is not None:
        await _check_source(session, upload.planned.checkpoint)
    return {"key": upload.start(session.models)}


async def training_halt(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`training_halt`: have the training `key` save its state and end; `for_good` or for now."""
    upload = _upload(session)
    how = "stopped" if request.get("for_good") else "paused"
    upload.jobs.halt(upload.owner, str(request.get("key")), how)
    return {}


async def training_resume(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`training_resume`: let the training `key` go on where it was left."""
    upload, key = _upload(session), str(request.get("key"))
    await _check_source(session, upload.jobs.began_from(upload.owner, key))
    upload.jobs.resume(upload.owner, key)
    return {}


async def training_share(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`training_share`: let others write with the writer's model `key`, or, where `shared` is
    false, no longer."""
    upload = _upload(session)
    match request:
        case {"key": str(key), "shared": bool(shared)}:
            upload.jobs.share(upload.owner, key, shared)
            return {}
        case _:
            raise RefusedError(OTHER_PAGE)


async def _check_source(session: Session, checkpoint: Path | None) -> None:
    """Raise RefusedError where the model that a training begins from may not be read any more: it
    was taken away, or is shared no longer."""
    session.models = await asyncio.to_thread(session.find_models)
    if checkpoint is not None and checkpoint not in {m.folder for m in session.models.values()}:
        raise RefusedError("The model that it begins from is not there any more: pick another one.")


def _upload(session: Session) -> Upload:
    if session.upload is None:
        raise RefusedError(ELSEWHERE)
    return session.upload()
