"""What the panel that trains asks of the workshop; each is a look (chat/looks.py)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from chat.asking import OTHER_PAGE, RefusedError
from chat.desk import Desk
from chat.workbench import Workbench

ELSEWHERE = "Training from the page is not offered here: use python -m train.pretrain."


async def training(desk: Desk, wish: Mapping[str, object]) -> dict[str, Any]:
    """`training`: how the writer's trainings stand; see `Workshop.all`."""
    bench = _bench(desk)
    # A page asks every second or two, and the logs of a long run are long.
    return {"runs": await asyncio.to_thread(bench.workshop.all, bench.owner)}


async def training_text(desk: Desk, wish: Mapping[str, object]) -> dict[str, Any]:
    """`training_text`: a piece of a file, its `name`, `part`, `of` and `text`.

    Returns:
        With the last piece what the file holds: name, bytes, words, characters (different ones).

    Raises:
        RefusedError: It did not arrive whole, or nothing can be learnt from it.
    """
    bench = _bench(desk)
    match wish:
        case {"name": str(name), "part": int(part), "of": int(of), "text": str(text)}:
            parts = bench.bring(name, part, of, text)
        case _:
            raise RefusedError(OTHER_PAGE)
    return {} if parts is None else await asyncio.to_thread(bench.open, name[:100], parts)


async def training_plan(desk: Desk, wish: Mapping[str, object]) -> dict[str, Any]:
    """`training_plan`: what a training on the text would be, from the model named in `source` or
    from nothing where there is none; see `train.plan`."""
    bench, source = _bench(desk), wish.get("source")
    folder = None
    if source:
        desk.models = desk.find_models()
        if str(source) not in desk.models:
            raise RefusedError(
                f"There is no model “{str(source)[:60]}” any more: pick another one."
            )
        folder = desk.models[str(source)].folder

    async def say(ahead: int) -> None:
        if ahead:
            others = "another one is" if ahead == 1 else f"{ahead} others are"
            await desk.page.tell(f"Your estimate waits: {others} made first.")

    return (await bench.plan(folder, say)).plan


async def training_start(desk: Desk, wish: Mapping[str, object]) -> dict[str, Any]:
    """`training_start`: begin what was planned; `key` is what the picker will call it."""
    return {"key": _bench(desk).start()}


async def training_halt(desk: Desk, wish: Mapping[str, object]) -> dict[str, Any]:
    """`training_halt`: have the training `key` save its state and end; `for_good` or for now."""
    bench = _bench(desk)
    how = "stopped" if wish.get("for_good") else "paused"
    bench.workshop.halt(bench.owner, str(wish.get("key")), how)
    return {}


async def training_resume(desk: Desk, wish: Mapping[str, object]) -> dict[str, Any]:
    """`training_resume`: let the training `key` go on where it was left."""
    bench = _bench(desk)
    bench.workshop.resume(bench.owner, str(wish.get("key")))
    return {}


def _bench(desk: Desk) -> Workbench:
    if desk.workbench is None:
        raise RefusedError(ELSEWHERE)
    return desk.workbench
