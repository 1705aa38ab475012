"""A story that is saved as a document: in pieces that a socket can carry, by its own name."""

import asyncio
import base64
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docx
import pytest

from chat.story import Context, Story
from chat.story.library import Kept
from frontend import memory as memory_module
from frontend.memory import Memory
from tests.chat.test_story import wrote


class Page:
    """Of a session's page, what hears of files."""

    def __init__(self) -> None:
        self.pieces: list[dict[str, Any]] = []
        self.said: list[str] = []

    async def emit(self, event: str, data: dict[str, Any]) -> None:
        assert event == "story_file"
        self.pieces.append(data)
        await asyncio.sleep(0.002)  # others have a word in between

    async def tell(self, message: str, kind: str) -> None:
        self.said.append(message)


def saver(folder: Path, owner: str) -> tuple[Memory, Any, Any, Page]:
    """A library with a story that ada calls The Bird, and who saves it."""
    memory, page = Memory(folder), Page()
    story = Story().append(wrote("A heron stood in the water"))
    memory.library.save("t", "ada", Kept(story=story, settings={}, model="a"), new=True)
    memory.library.rename("t", "ada", "The Bird")
    user = SimpleNamespace(identifier=owner)
    websocket = SimpleNamespace(id="s", user=user, thread_id="t")
    return memory, websocket, SimpleNamespace(page=page, story=story, context=Context()), page


@pytest.mark.parametrize(
    ("owner", "title"), [("ada", "The Bird"), ("bob", "A heron stood in the water")]
)
def test_a_document_comes_whole_in_pieces_and_goes_by_the_name_its_writer_gave_it(
    tmp_path, monkeypatch, owner, title
):
    monkeypatch.setattr(memory_module, "BYTES_OF_PART", 9000)
    memory, websocket, session, page = saver(tmp_path, owner)
    asyncio.run(memory.send_file(websocket, session, "docx"))
    assert [piece["part"] for piece in page.pieces] == [*range(page.pieces[0]["of"])]
    assert len(page.pieces) > 2
    assert all(len(piece["text"]) <= 12_000 for piece in page.pieces)
    data = b"".join(base64.b64decode(piece["text"], validate=True) for piece in page.pieces)
    document = docx.Document(BytesIO(data))
    assert document.core_properties.title == document.paragraphs[0].text == title


def test_the_pieces_of_two_files_saved_at_once_do_not_mix(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_module, "BYTES_OF_PART", 90)
    memory, websocket, session, page = saver(tmp_path, "ada")

    async def save() -> None:
        await asyncio.gather(*(memory.send_file(websocket, session, "epub") for _ in range(2)))

    asyncio.run(save())
    of = page.pieces[0]["of"]
    assert of > 9
    assert [piece["part"] for piece in page.pieces] == [*range(of)] * 2


def test_a_story_too_long_for_a_document_is_refused_on_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("chat.story.books.manuscript.MAX_CHARACTERS", 9)
    memory, websocket, session, page = saver(tmp_path, "ada")
    asyncio.run(memory.send_file(websocket, session, "epub"))
    assert page.pieces == []
    assert page.said == ["The story has 26 characters, and a document can have 9: save it as .txt."]


def test_a_book_with_a_long_name_is_opened_as_what_it_is(tmp_path):
    memory, websocket, session, page = saver(tmp_path, "ada")
    held = BytesIO()
    document = docx.Document()
    document.add_paragraph("It rained.")
    document.save(held)
    session.kept = lambda story: Kept(story=story, settings={}, model="a")
    opened: list[str] = []

    async def emit(event: str, data: dict[str, Any]) -> None:
        opened.append(data["thread"])

    page.emit = emit  # pyright: ignore[reportAttributeAccessIssue]
    whole = base64.b64encode(held.getvalue()).decode()
    asyncio.run(memory.take_piece(websocket, session, f"{'a' * 200}.DOCX", 0, 1, whole))
    (thread,) = opened
    assert memory.library.load(thread, "ada").story.text == "It rained."
    asyncio.run(memory.take_piece(websocket, session, "b.docx", 0, 1, "no base64"))
    assert page.said == ["“b.docx” did not arrive whole: open it again."]
