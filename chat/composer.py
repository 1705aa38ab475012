"""A line from the composer: a command, or words for the story."""

from dataclasses import replace

from chat import commands, settings
from chat.asking import Ask
from chat.desk import Desk


async def say(desk: Desk, line: str, *, model: str | None = None) -> None:
    """Do what the line says, or write on from its words. A line that cannot be followed comes back.

    Args:
        model: Who shall write; None for whoever wrote last.
    """
    try:
        command = commands.parse(line)
    except commands.CommandError as error:
        return await desk.give_back(line, str(error))
    match command:
        case None:
            await desk.write(commands.words(line), model=model)
        case Ask():
            await desk.ask(replace(command, model=model))
        case commands.Act(wish):
            await desk.act(wish)
        case commands.Set(name, value):
            await desk.change_settings({name: value})
            shown = f"{settings.LABELS[name]}: {settings.shown(name, value)}"
            await desk.page.tell(f"{shown}, from now on.")
        case "new":
            await desk.page.emit("story_leave", {})
        case "help":
            await desk.page.emit("story_help", {"commands": commands.helped()})
