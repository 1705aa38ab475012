"""Where stories, accounts and the secret that signs sessions lie."""

import os
from pathlib import Path

HOME_VARIABLE = "INKLING_HOME"


def home(root: Path) -> Path:
    """INKLING_HOME where it is set, else the folder `stories` beside the app.

    Args:
        root: The app's folder.
    """
    said = os.environ.get(HOME_VARIABLE)
    return Path(said).expanduser() if said else root / "stories"
