"""How busy the models are, as JSON: for a look from outside, and for tests."""

from typing import Any

from fastapi.routing import APIRoute

from chat.models.engines import Engines

PATH = "/inkling/status"


def serve_status(server: Any, *engines: Engines) -> None:
    """Answer GET /inkling/status: stories being written, stories waiting, how many models are in
    memory. Anybody may ask, so no name is in it."""

    async def status() -> dict[str, object]:
        return {
            "active": sum(each.active for each in engines),
            "waiting": sum(each.waiting for each in engines),
            "models": sum(len(each.names) for each in engines),
        }

    # Before the others: Chainlit's last route answers every path with its page.
    server.app.router.routes.insert(0, APIRoute(PATH, status, methods=["GET"]))
