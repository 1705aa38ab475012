"""A Docker Space on the Hugging Face Hub that runs the chat on a published model."""

import re
import shutil
from pathlib import Path

from train.run.document import render

ROOT = Path(__file__).parents[2]
APP = (".chainlit", "app.py", "chainlit.md", "chat", "frontend", "gpt", "public", "LICENSE")
BUILD = ("requirements.txt", "deploy/packages.py", ".dockerignore")
PORT = 7860
"""Where a Space listens."""
MARK = "# From here on a Space has lines of its own (train/hub/space.py).\n"


def write_space(folder: Path, repo: str, *, private: bool = False) -> None:
    """Write what the Space of a model holds: the app, how it is built, and a page about it.

    Args:
        repo: The model, USER/NAME.
        private: Whether the model is, so that the Space must be given a token to see it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*APP, *BUILD):
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, folder / name, ignore=unwanted, dirs_exist_ok=True)
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source, folder / name)
    (folder / "Dockerfile").write_text(dockerfile(repo), encoding="utf-8")
    (folder / "README.md").write_text(space_card(repo, private=private), encoding="utf-8")


def dockerfile(repo: str) -> str:
    """How the Space is built: as our own image is, to the line from which on a Space differs.

    Like that one it runs as user 1000, as a Space demands, who may write at home alone.
    """
    image, mark, rest = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition(MARK)
    health = re.search(r"^HEALTHCHECK (?:.*\\\n)*.*$", rest, re.M)
    if not mark or health is None:
        raise ValueError(f"the Dockerfile has no line “{MARK}”, or no health check below it")
    return f"""{image}
# The model; each visitor a guest with stories of their own; a frame on the Hub's own page.
ENV INKLING_MODELS={repo} \\
    INKLING_HOME=/home/inkling/stories \\
    INKLING_GUESTS=1 \\
    INKLING_FRAMED_BY=https://huggingface.co \\
    CHAINLIT_COOKIE_SAMESITE=none

EXPOSE {PORT}
{health[0].replace("8000", str(PORT))}
CMD ["python", "-m", "frontend.start", "run", "app.py", "--headless", \\
    "--host", "0.0.0.0", "--port", "{PORT}"]
"""


def space_card(repo: str, *, private: bool = False) -> str:
    """The Space's README.md; its front matter is what the Hub builds it by."""
    title = repo.split("/")[1]
    return render("space.md", title=title, repo=repo, port=PORT, private=private)
