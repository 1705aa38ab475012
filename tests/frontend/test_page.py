"""What is done to Chainlit's page before it is served."""

from pathlib import Path

import pytest

from frontend.offline import without_foreign_hosts
from frontend.payloads import chat_settings

PAGE = """<head>
    <meta property="og:image" content="https://elsewhere.example/banner.png">
    <link rel="preconnect" href="https://fonts.googleapis.com" />
    <link
      href="https://cdn.jsdelivr.net/npm/katex/katex.min.css"
      rel="stylesheet"
    />
    <link rel="icon" href="/favicon" />
    undefined
undefined
</head>"""


def test_links_to_other_hosts_are_taken_out_and_our_own_stay():
    html = without_foreign_hosts(PAGE)
    assert "https://" not in html
    assert '<link rel="icon" href="/favicon" />' in html
    assert "\nundefined\n" not in html


def test_nothing_we_serve_names_another_host():
    public = Path(__file__).parents[2] / "public"
    for path in public.rglob("*"):
        if path.suffix in {".css", ".js", ".jsx", ".json", ".svg"}:
            text = path.read_text().replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text, path
            assert "https://" not in text, path


def test_the_settings_dialog_may_send_switches_and_many_phrases() -> None:
    sent = {"no_end": True, "heal": False, "banned": ", ".join(["a" * 100] * 100), "top_k": 3}
    assert chat_settings({**sent, "other": 1}) == sent
    with pytest.raises(ValueError, match="banned"):
        chat_settings({"banned": "a" * 12_001})
