"""Stories that the library could not take, as files in the first folders that take them."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chat.story.export import file_name, to_json
from chat.story.kept import Kept
from gpt.files.writing import write_whole


def rescue(stories: Sequence[Kept], places: Sequence[Path]) -> tuple[list[Path], list[Kept]]:
    """Write each story to a file that a page opens again, in a new folder of a place that takes it.

    Args:
        places: Folders to try, best first; what one does not take goes on to the next.

    Returns:
        The folders, which are this user's alone, and the stories that no place takes.
    """
    name = time.strftime("inkling-not-saved-%Y%m%d-%H%M%S")
    folders: list[Path] = []
    left = list(enumerate(stories, 1))
    for place in places:
        if not left:
            break
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))
        except OSError:
            continue
        before, left = left, [each for each in left if not _written(folder, *each)]
        if len(left) < len(before):
            folders.append(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return folders, [story for _, story in left]


def _written(folder: Path, number: int, kept: Kept) -> bool:
    # Two may have the same name, or one that is too long with a number before it.
    stem = file_name(kept.story, "json").removesuffix(".json")[:30]
    try:
        text = to_json(kept.story, kept.context)
        write_whole(folder / f"{number:03} {stem}.json", text, mode=0o600)
    except OSError:
        return False
    return True
