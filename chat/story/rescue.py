"""Stories that the library could not take, as files in the first folder that can be written to."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chat.story.export import file_name, to_json
from chat.story.tree import Story
from gpt.files.writing import write_whole


def rescue(stories: Sequence[Story], places: Sequence[Path]) -> Path | None:
    """Write each story to a file that a page opens again, all of them in one new folder.

    Args:
        places: Folders to try, best first.

    Returns:
        The folder, which is this user's alone; None where no place takes all of them.
    """
    name = time.strftime("inkling-not-saved-%Y%m%d-%H%M%S")
    for place in places:
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))
        except OSError:
            continue
        try:
            for number, story in enumerate(stories, 1):
                # Two may have the same name, or one that is too long with a number before it.
                stem = file_name(story, "json").removesuffix(".json")[:30]
                write_whole(folder / f"{number:03} {stem}.json", to_json(story), mode=0o600)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return folder
    return None
