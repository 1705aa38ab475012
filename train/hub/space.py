"""A Docker Space on the Hugging Face Hub that runs the chat on a published model."""

import shutil
from pathlib import Path

from train.run.document import render

ROOT = Path(__file__).parents[2]
APP = (".chainlit", "app.py", "chainlit.md", "chat", "frontend", "gpt", "public", "LICENSE")
LISTS = ("requirements.txt",)
PORT = 7860
"""Where a Space listens."""


def write_space(folder: Path, repo: str, *, private: bool = False) -> None:
    """Write what the Space of a model holds: the app, how it is built, and a page about it.

    Args:
        repo: The model, USER/NAME.
        private: Whether the model is, so that the Space must be given a token to see it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*APP, *LISTS):
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(source, folder / name, ignore=unwanted, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, folder / name)
    (folder / "Dockerfile").write_text(dockerfile(repo), encoding="utf-8")
    (folder / "README.md").write_text(space_card(repo, private=private), encoding="utf-8")


def dockerfile(repo: str) -> str:
    """How the Space is built: Python, the pinned packages with torch for CPUs, the app, no root."""
    return f"""FROM python:3.11-slim

# A Space runs as user 1000, who may write at home alone.
RUN useradd -m -u 1000 user
USER user
ENV HOME=/home/user \\
    PATH=/home/user/.local/bin:$PATH \\
    PYTHONUNBUFFERED=1
WORKDIR /home/user/app

# torch from its own index: PyPI's brings gigabytes of CUDA, which a Space without a GPU has no
# use for.
COPY --chown=user requirements.txt .
RUN grep '^torch==' requirements.txt > torch.txt \\
    && pip install --no-cache-dir -r torch.txt --index-url https://download.pytorch.org/whl/cpu \\
    && pip install --no-cache-dir -r requirements.txt

COPY --chown=user . .

# The model; each visitor a guest with stories of their own; a frame on the Hub's own page.
ENV INKLING_MODELS={repo} \\
    INKLING_HOME=/home/user/stories \\
    INKLING_GUESTS=1 \\
    INKLING_FRAMED_BY=https://huggingface.co \\
    CHAINLIT_COOKIE_SAMESITE=none

EXPOSE {PORT}
CMD ["python", "-m", "frontend.start", "run", "app.py", "--headless", \\
    "--host", "0.0.0.0", "--port", "{PORT}"]
"""


def space_card(repo: str, *, private: bool = False) -> str:
    """The Space's README.md; its front matter is what the Hub builds it by."""
    title = repo.split("/")[1]
    return render("space.md", title=title, repo=repo, port=PORT, private=private)
