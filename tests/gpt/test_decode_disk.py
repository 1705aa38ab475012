"""Where compiled code is kept: by its sources, not by where they lie."""

import subprocess
import sys
from pathlib import Path

import pytest

from gpt.decode import disk
from gpt.decode.forward import forward


@pytest.mark.slow
def test_code_that_was_compiled_is_found_from_another_path(tmp_path: Path) -> None:
    # As an app sees it that runs in a folder of links to these sources.
    (tmp_path / "gpt").symlink_to(disk.HERE.parent)
    code = "from gpt.decode import forward; print(forward.forward._cache.cache_path)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == forward._cache.cache_path
    assert Path(forward._cache.cache_path) == disk.folder()
