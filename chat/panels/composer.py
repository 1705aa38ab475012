"""A line from the composer: a command, or words for the story."""

from dataclasses import replace

from chat import commands
from chat.generate.request import GenerationRequest
from chat.panels import settings
from chat.session import Session


async def say(desk: Session, line: str, *, model: str | None = None) -> None:
    """Run the slash command in `line`, or add its words to the story and let the model go on.

    A command that cannot be parsed goes back into the composer, with the reason.

    Args:
        model: The key of the model that shall write; None for the one that wrote last.
    """
    try:
        command = commands.parse(line)
    except commands.CommandError as error:
        return await desk.give_back(line, str(error))
    match command:
        case None:
            await desk.write(commands.words(line), model=model)
        case GenerationRequest():
            await desk.ask(replace(command, model=model))
        case commands.Act(wish):
            await desk.act(wish)
        case commands.Set(name, value):
            await settings.set_one(desk, name, value)
        case commands.Again():
            await desk.ask_for({"ask": "again"})
        case commands.Pick(""):
            lines = [
                {"usage": f"/preset {preset.name.lower()}", "about": preset.about}
                for preset in desk.tuning.presets().values()
            ]
            await desk.page.emit("story_help", {"commands": lines})
        case commands.Pick(name):
            await settings.turn(desk, {"act": "preset", "name": name})
        case "new":
            await desk.page.emit("story_leave", {})
        case "help":
            await desk.page.emit("story_help", {"commands": commands.helped()})
