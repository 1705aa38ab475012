"""Ghost text: what the page shows in grey behind the line that is being typed."""

from collections.abc import Mapping
from typing import Any

from chat import commands
from chat.generate.request import GenerationRequest
from chat.session import REFUSALS, Session


async def ghost(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """The likeliest next words after a line that was not sent.

    Args:
        request: `words`, the line as it stands in the composer; without it nothing is wanted any
            more. `model`, else whoever wrote last.

    Returns:
        text: The words, to stand right behind the line; "" where there are none, for whatever
        reason: nobody has asked to hear it.
    """
    page = session.ghost()
    line, model = request.get("words"), request.get("model") or session.model
    if not isinstance(line, str):
        page.stop()
        return {"text": ""}
    nothing = not line.strip() and not session.story.text
    is_command = commands.LINE.fullmatch(line) is not None
    if nothing or is_command or session.writing or session.awaits_vote:
        page.stop()
        return {"text": ""}
    # It may have been taken away since, or shared no longer.
    session.models = session.find_models()
    asked = GenerationRequest(
        words=commands.words(line),
        model=str(model) if model else None,
        settings=session.tuning.once,
        context=session.context,
    )
    try:
        text = await page.suggest(
            asked,
            session.story,
            models=session.models,
            values=session.tuning.wanted,
            engines=session.engines,
            writer=session.writer,
        )
    except REFUSALS:
        text = ""
    return {"text": text}
