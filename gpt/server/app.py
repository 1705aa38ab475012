"""`make_app`: the routes, from a request to an answer."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware import Middleware
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from gpt.files import strict_json
from gpt.server.answers import Completion, Health, Model, Models
from gpt.server.errors import FAILED, ApiError, ErrorAnswer, answer_of, of_validation, response_of
from gpt.server.guard import Guard
from gpt.server.metrics import Metrics
from gpt.server.schema import CompletionRequest
from gpt.server.served import Served, close_all
from gpt.server.writing import Writing, of_engine

COMPLETIONS = "/v1/completions"
SERVED = (
    f"this server has POST {COMPLETIONS}, GET /v1/models, /health and /metrics; its models write "
    "on from a text, and do not chat"
)
GONE = 499
"""The client went away; nobody reads this."""
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorAnswer, "description": "Refused, and why"},
    "5XX": {"model": ErrorAnswer, "description": "Failed"},
}
_EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"itemSchema": _EVENT}}}
}


class Checked(Request):
    """A request whose JSON comes through the door that all of it does."""

    async def json(self) -> Any:
        """The body.

        Raises:
            ApiError: it is no JSON, or beyond the bounds.
        """
        try:
            # A body of the largest size takes longer than others should wait.
            return await asyncio.to_thread(strict_json.parsed, await self.body())
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"the body must be JSON in UTF-8: {error}") from error


class CheckedRoute(APIRoute):
    """A route that reads a `Checked` request."""

    def get_route_handler(self) -> Any:
        """See FastAPI."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            return await handle(Checked(request.scope, request.receive))

        return checked


class EventStream(StreamingResponse):
    """Pieces as server-sent events; a client that goes away ends what is written for it."""

    media_type = "text/event-stream"

    def __init__(self, writing: Writing, metrics: Metrics, *, with_usage: bool) -> None:
        self._writing = writing
        self._metrics = metrics
        self._with_usage = with_usage
        self._failed = False
        self._events = self._told()
        super().__init__(self._events, headers={"Cache-Control": "no-cache"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()
            self._writing.cancel()
            done = self._writing.finished
            self._metrics.count("done" if done else "failed" if self._failed else "cancelled")

    async def _told(self) -> AsyncGenerator[str]:
        writing, left_out = self._writing, None if self._with_usage else {"usage"}
        try:
            async with aclosing(writing.pieces()) as pieces:
                async for piece in pieces:
                    yield _event(writing.answer([piece]).model_dump_json(exclude=left_out))
        except Exception as error:  # noqa: BLE001 - the status is sent: the client is told here
            self._failed = True
            yield _event(answer_of(of_engine(error)).model_dump_json())
            return
        if self._with_usage:
            yield _event(writing.answer([], writing.usage).model_dump_json())
        yield _event("[DONE]")


def _event(data: str) -> str:
    return f"data: {data}\n\n"


class Api:
    """What is served of some models.

    Args:
        models: At least one, each under a name of its own.
    """

    def __init__(self, models: Sequence[Served]) -> None:
        self.models = {model.name: model for model in models}
        self.metrics = Metrics(models)

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(route_class=CheckedRoute, responses=_ERRORS)
        add = router.add_api_route
        add(
            COMPLETIONS,
            self.complete,
            methods=["POST"],
            response_model=Completion,
            responses=_STREAM,
        )
        add("/v1/models", self.list_models, response_model=Models)
        add("/v1/models/{name:path}", self.model, response_model=Model)
        add("/health", self.health, response_model=Health)
        add("/metrics", self.page, response_class=PlainTextResponse)
        return router

    async def complete(self, asked: CompletionRequest, request: Request) -> Response:
        """Write on from a prompt."""
        client = request.client.host if request.client else ""
        writing = await Writing.begin(
            self._find(asked.model), asked, self.metrics, (client, asked.user or "")
        )
        if asked.stream:
            options = asked.stream_options
            with_usage = bool(options and options.include_usage)
            return EventStream(writing, self.metrics, with_usage=with_usage)
        try:
            answer = await _while_connected(request, writing.whole())
        except Exception as error:
            raise of_engine(error) from error
        finally:
            writing.cancel()
        self.metrics.count("done" if answer else "cancelled")
        if answer is None:
            return Response(status_code=GONE)
        return Response(answer.model_dump_json(), media_type="application/json")

    async def list_models(self) -> Models:
        """The models that write here."""
        return Models(data=[_shown(model) for model in self.models.values()])

    async def model(self, name: str) -> Model:
        """One of them."""
        return _shown(self._find(name))

    async def health(self) -> Health:
        """Whether it can write."""
        if any(model.engine.closed for model in self.models.values()):
            raise ApiError(503, "an engine has ended: start the server again")
        cores = {name: model.engine.core.name for name, model in self.models.items()}
        return Health(decoding=cores)

    async def page(self) -> Response:
        """Counts for Prometheus."""
        return Response(self.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    def refused(self, path: str, status: int) -> None:
        """Count a request that was answered with an error."""
        if path == COMPLETIONS:
            self.metrics.count_status(status)

    def _find(self, name: str | None) -> Served:
        if name is None and len(self.models) == 1:
            return next(iter(self.models.values()))
        if name not in self.models:
            there = ", ".join(self.models)
            raise ApiError(
                404 if name else 400,
                f"there is no model {name!r} here: model must be one of {there}"
                if name
                else f"model must be named where there are several: one of {there}",
                param="model",
                code="model_not_found",
            )
        return self.models[name]


def _shown(model: Served) -> Model:
    return Model(id=model.name, created=model.created, max_model_len=model.window)


async def _while_connected(
    request: Request, work: Coroutine[Any, Any, Completion]
) -> Completion | None:
    """The result of `work`; None where the client went away before it was there."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        gone.cancel()
        working.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def make_app(
    models: Sequence[Served],
    *,
    key: str = "",
    origins: Collection[str] = (),
    host: str = "127.0.0.1",
) -> FastAPI:
    """The server as an ASGI application; it closes the engines when it ends.

    Args:
        key: See `gpt.server.guard.Guard`.
        origins: The pages of a browser that may ask; "*" is all.
        host: The name or address that it listens at.
    """
    api = Api(models)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        await asyncio.to_thread(close_all, models)

    async def told(request: Request, error: HTTPException) -> JSONResponse:
        if not isinstance(error, ApiError):
            error = ApiError(error.status_code, f"{error.detail}: {SERVED}", headers=error.headers)
        api.refused(request.url.path, error.status_code)
        return response_of(error)

    async def not_valid(request: Request, error: RequestValidationError) -> JSONResponse:
        return await told(request, of_validation(error))

    async def failed(request: Request, _: Exception) -> JSONResponse:
        return await told(request, ApiError(500, FAILED))

    handlers: dict[Any, Any] = {
        HTTPException: told,
        RequestValidationError: not_valid,
        Exception: failed,
    }
    pages = Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        allow_private_network=True,
    )
    guard = Middleware(Guard, key=key, origins=origins, host=host, refused=api.refused)
    app = FastAPI(
        title="Inkling",
        summary="Stories, by OpenAI's completions API",
        lifespan=lifespan,
        middleware=[pages, guard] if origins else [guard],
        exception_handlers=handlers,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(api.router())
    return app
