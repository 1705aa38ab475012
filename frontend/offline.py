"""A page that needs no network, and looks as the reader's system does.

Chainlit's own links fonts and styles from other hosts, and waits for them.
"""

import re
from typing import Any

EXTERNAL = re.compile(
    r'\s*<link\b[^>]*href="https?://'
    r'(?:fonts\.googleapis\.com|fonts\.gstatic\.com|cdn\.jsdelivr\.net)[^"]*"[^>]*/?>',
    re.S,
)
OPEN_GRAPH = re.compile(r'\s*<meta property="og:(?:image|url)"[^>]*>')
API_PAGES = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
"""Open to anyone, of no use to a writer, and /docs loads scripts from another host."""


def without_foreign_hosts(html: str) -> str:
    """The page without a link, font or picture from another host."""
    html = OPEN_GRAPH.sub("", EXTERNAL.sub("", html))
    # What the template writes for a font and a script that are not configured.
    return html.replace("\nundefined\n", "\n").replace("\nundefined\n", "\n")


def serve_offline(server: Any) -> None:
    """Make `chainlit.server` serve pages that load nothing from elsewhere, and no API pages."""
    original = server.get_html_template

    def get_html_template(root_path: str) -> str:
        return without_foreign_hosts(original(root_path))

    server.get_html_template = get_html_template
    routes = server.app.router.routes
    routes[:] = [route for route in routes if getattr(route, "path", None) not in API_PAGES]


def follow_system_theme(config: Any) -> None:
    """Light or dark as the reader's system is; Chainlit's file allows only one of the two."""
    config.ui.default_theme = "system"
