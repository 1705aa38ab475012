"""That the app is there, what writes in it and how busy it is, as JSON: for a look from outside,
and for tests."""

from typing import Any

from fastapi.routing import APIRoute

from chat.models.engines import Engines

PATH = "/inkling/status"
HEALTH = "/health"
"""In the place of Chainlit's, which says the status alone."""


def serve_status(server: Any, *engines: Engines) -> None:
    """Answer GET /inkling/status: stories being written, stories waiting, how many models are in
    memory; and GET /health: "ok", and for each of those models the core that writes new stories,
    its precision and its threads. Anybody may ask, so no model's name is in it."""

    async def status() -> dict[str, object]:
        return {
            "active": sum(each.active for each in engines),
            "waiting": sum(each.waiting for each in engines),
            "models": sum(len(each.names) for each in engines),
        }

    async def health() -> dict[str, object]:
        return {"status": "ok", "decoding": [line for each in engines for line in each.decoding]}

    # Before the others: Chainlit's last route answers every path with its page.
    for path, answer in ((PATH, status), (HEALTH, health)):
        server.app.router.routes.insert(0, APIRoute(path, answer, methods=["GET"]))
