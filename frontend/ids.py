"""What a page may call things by. Nothing that a page sends reaches us under another kind of name.

Chainlit joins the id of a session to a folder, and later removes that folder with all in it; an
id that is a UUID in its usual form is no path, no pattern and no markup anywhere.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from gpt.tokenizers.pieces import whole_characters

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
LONGEST_TEXT = 1_000_000
"""Characters of anything: a socket takes no message above a million bytes."""

Id = Annotated[str, StringConstraints(strict=True, pattern=f"^{UUID}$")]
"""Of a session, a story (Chainlit: thread), a message, an element, a file."""
PassageId = Annotated[str, StringConstraints(strict=True, pattern="^[A-Za-z0-9_-]{1,64}$")]
"""Of a passage: ours are UUIDs without hyphens, and a story that was opened from a file brings its
own (chat/story/export.py). It is looked up among the passages of one story, and nowhere else."""
Name = Annotated[str, StringConstraints(strict=True, max_length=300)]
"""Of a model, a run, a preset: what it names is looked up in the catalogue, and nowhere else. Also
what a writer calls something. Half a surrogate pair is no text, so it is refused."""


def _text(value: Any) -> str:
    return whole_characters(_halves(value))


def _halves(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError("no text, or too long a one")
    return value


Text = Annotated[Any, AfterValidator(_text)]
"""A writer's words, each character whole."""
Piece = Annotated[Any, AfterValidator(_halves)]
"""A piece of a file: a browser may cut a character in two, and its halves are joined later."""
