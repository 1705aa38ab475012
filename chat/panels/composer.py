"""A line from the composer: a command, or words for the story."""

from dataclasses import replace

from chat import commands
from chat.generate.request import GenerationRequest
from chat.panels import settings
from chat.session import Session


async def handle_line(session: Session, line: str, *, model: str | None = None) -> None:
    """Run the slash command in `line`, or add its words to the story and let the model go on.

    A command that cannot be parsed goes back into the composer, with the reason.

    Args:
        model: The key of the model that shall write; None for the one that wrote last.
    """
    try:
        command = commands.parse_line(line)
    except commands.CommandError as error:
        return await session.give_back(line, str(error))
    match command:
        case None:
            await session.write(commands.words(line), model=model)
        case GenerationRequest():
            await session.ask(replace(command, model=model))
        case commands.Act(request):
            await session.act(request)
        case commands.Set(name, value):
            await settings.set_one(session, name, value)
        case commands.Again():
            await session.ask_for({"ask": "again"})
        case commands.Pick(""):
            lines = [
                {"usage": f"/preset {preset.name.lower()}", "about": preset.about}
                for preset in (await session.presets()).values()
            ]
            await session.page.emit("story_help", {"commands": lines})
        case commands.Pick(name):
            await settings.act_on_settings(session, {"act": "preset", "name": name})
        case "new":
            await session.page.emit("story_leave", {})
        case "help":
            await session.page.emit("story_help", {"commands": commands.helped()})
