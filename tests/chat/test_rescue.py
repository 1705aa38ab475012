"""What the library could not take is in files elsewhere, which a page opens again."""

from pathlib import Path

from chat.story import Context, Story
from chat.story.export import opened
from chat.story.kept import Kept
from chat.story.rescue import rescue
from tests.chat.test_story import wrote


def told(*words: str) -> Kept:
    story = Story()
    for word in words:
        story = story.append(wrote(word))
    return Kept(story=story, settings={}, model=None, context=Context(memory="A fox."))


def test_each_story_is_a_file_that_is_opened_again_in_a_folder_of_the_user_s_alone(tmp_path):
    stories = [told("Once", " more"), told("Once", " more"), told("字" * 300), told("a/b: c")]
    (folder,), lost = rescue(stories, [tmp_path / "none", tmp_path])
    assert lost == []
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    files = sorted(folder.iterdir())
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 4
    assert [opened(file.name, file.read_text()) for file in files] == [
        (each.story, each.context) for each in stories
    ]


def test_what_a_place_took_stays_there_and_only_the_rest_goes_on(tmp_path, monkeypatch):
    full, free = tmp_path / "full", tmp_path / "free"
    full.mkdir()
    free.mkdir()
    write_whole = rescue.__globals__["write_whole"]
    stories = [told("Once"), told("Then"), told("Last")]

    def on_a_disk(path: Path, data: str, **more: int) -> None:
        if ("Then" in path.name and path.is_relative_to(full)) or "Last" in path.name:
            raise OSError(28, "No space left on device")
        write_whole(path, data, **more)

    monkeypatch.setitem(rescue.__globals__, "write_whole", on_a_disk)
    folders, lost = rescue(stories, [full, free])
    assert lost == [stories[2]]
    assert [folder.parent for folder in folders] == [full, free]
    names = [[file.name for file in folder.iterdir()] for folder in folders]
    assert names == [["001 Once.json"], ["002 Then.json"]]
    assert rescue(lost, [full, free]) == ([], lost)
    assert len(list(full.iterdir())) == 1
