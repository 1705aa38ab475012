"""What a page may send over the socket: one schema for each event that Inkling serves.

A payload is built anew from what its schema names, so that nothing else that came with it goes any
further: no other key, no deeper nesting, no NaN, no half of a character, no number without end.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, TypeAdapter

from chat.settings import LABELS
from frontend.ids import Id, Name, PassageId, Piece, Text

FAR = 2**53
"""Beyond it a browser's whole numbers are not exact, so an honest page sends none."""

Whole = Annotated[int, Field(strict=True, ge=-FAR, le=FAR)]
Phrases = Annotated[str, StringConstraints(strict=True, max_length=12_000)]
"""What is banned, with commas between."""
Value = Annotated[
    StrictBool
    | Annotated[int, Field(strict=True, ge=-(10**30), le=10**30)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
    | Phrases
    | None,
    Field(union_mode="left_to_right"),
]
"""One setting, still to be read and checked by chat/settings/values.py: a number, or one as
text, a switch, phrases."""
Settings = dict[Name, Value]


class Payload(BaseModel):
    """Only what is named is kept; each field is of just its kind."""

    model_config = ConfigDict(extra="ignore")

    def plain(self) -> dict[str, Any]:
        """What the page said, as plain data; what it left out, or empty, is not there."""
        said = self.model_dump()
        return {name: value for name, value in said.items() if value is not None}


class Handshake(Payload):
    """What a page says of itself when it connects."""

    session: Annotated[Id, Field(alias="sessionId")]
    thread: Annotated[Id | Literal[""] | None, Field(alias="threadId")] = None
    client: Annotated[Literal["webapp"], Field(alias="clientType")]

    def auth(self) -> dict[str, Any]:
        """As Chainlit reads it: no environment and no profile are taken from a page."""
        return {
            "sessionId": self.session,
            "threadId": self.thread or "",
            "clientType": self.client,
            "userEnv": None,
            "chatProfile": None,
        }


class ContestantPayload(Payload):
    model: Name
    settings: Settings


class PageRequest(Payload):
    """All that an act, a query, a command or a button can say; `chat` says what one needs of it."""

    act: Name | None = None
    query: Name | None = None
    command: Name | None = None
    ask: Name | None = None
    at: Whole | None = None
    blind: StrictBool | None = None
    by: Whole | None = None
    choice: Name | None = None
    contestants: Annotated[list[ContestantPayload], Field(max_length=8)] | None = None
    count: Whole | None = None
    depth: Whole | None = None
    find: Text | None = None
    for_good: StrictBool | None = None
    key: Name | None = None
    match_case: StrictBool | None = None
    memory: Text | None = None
    model: Name | None = None
    models: Annotated[list[Name], Field(max_length=8)] | None = None
    name: Text | None = None
    note: Text | None = None
    of: Whole | None = None
    part: Whole | None = None
    passage: PassageId | None = None
    propose: StrictBool | None = None
    rest: StrictBool | None = None
    settings: Settings | None = None
    shared: StrictBool | None = None
    source: Name | None = None
    takes: Whole | None = None
    text: Piece | None = None
    token: Whole | None = None
    tokens: Whole | None = None
    whole_words: StrictBool | None = None
    words: Text | None = None


class Message(Payload):
    """A line from the composer, or what a button asks of the model."""

    id: Id
    output: Text
    name: Text = "User"
    type: Literal["user_message"]
    modes: dict[Literal["model", "preset"], Name] | None = None
    metadata: PageRequest | None = None


class Sent(Payload):
    message: Message

    def chainlit(self) -> dict[str, Any]:
        """As Chainlit reads it. It gives the message a time of its own, and takes no files."""
        said = self.message
        request = said.metadata.plain() if said.metadata else {}
        step = {**said.model_dump(), "metadata": request, "createdAt": ""}
        return {"message": step, "fileReferences": []}


class Sync(Payload):
    type: Literal["story_sync"]
    revision: Whole
    have: Whole


class Like(Payload):
    type: Literal["story_like"]
    settings: Settings
    model: Name
    preset: Name | None = None


class PickModel(Payload):
    type: Literal["story_model"]
    model: Name


WindowMessage = Annotated[Sync | Like | PickModel, Field(discriminator="type")]


class Save(Payload):
    ending: Name


class FilePiece(Payload):
    name: Text
    part: Whole
    of: Whole
    text: Piece


class Steps(Payload):
    """What the time machine is to write; a setting that is left out is its own refusal."""

    job: Name
    steps: Annotated[list[Name], Field(max_length=1000)]
    prompt: Text
    temperature: Value = None
    seed: Value = None
    max_new_tokens: Value = None


_WINDOW: TypeAdapter[Any] = TypeAdapter(WindowMessage)
_SETTINGS: TypeAdapter[Any] = TypeAdapter(Settings)


def window_message(data: object) -> dict[str, Any]:
    return _WINDOW.validate_python(data).plain()


def chat_settings(data: object) -> dict[str, Any]:
    if isinstance(data, dict):
        data = {name: data[name] for name in LABELS if name in data}
    return _SETTINGS.validate_python(data)


def sent(data: object) -> dict[str, Any]:
    return Sent.model_validate(data).chainlit()


def page_request(data: object) -> dict[str, Any]:
    return PageRequest.model_validate(data).plain()


def save_request(data: object) -> dict[str, Any]:
    return Save.model_validate(data).plain()


def file_piece(data: object) -> dict[str, Any]:
    return FilePiece.model_validate(data).plain()


def steps(data: object) -> dict[str, Any]:
    return Steps.model_validate(data).plain()
