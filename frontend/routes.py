"""The routes that are served: those of Chainlit's that its page asks for here, and ours for the
rest. Whatever is not named here is not there.

Ours stand where Chainlit's take a stranger's word too far: an id of any form, a file by any name,
a page for any path, an error that quotes what was sent.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from chainlit.auth import get_current_user
from chainlit.data import get_data_layer
from chainlit.types import Pagination, ThreadFilter
from chainlit.user import PersistedUser
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from frontend.ids import UUID, Id, Name

CHAINLITS = frozenset(
    {
        ("GET", "/auth/config"),
        ("POST", "/auth/header"),
        ("POST", "/login"),
        ("POST", "/logout"),
        ("GET", "/user"),
        ("GET", "/project/settings"),
        ("GET", "/project/translations"),
        ("GET", "/favicon"),
        ("GET", "/logo"),
        ("HEAD", "/"),
    }
)
"""What is left of Chainlit's own. It also has sharing, feedback, uploads, elements and actions over
HTTP, MCP, OAuth, a way to have a token renewed, and pages that embed it elsewhere."""
ROOT_PATHS = ("CHAINLIT_PARENT_ROOT_PATH", "CHAINLIT_ROOT_PATH")
PAGES = ("/", "/login", "/login/callback", "/thread")
FILE = re.compile(r"[\w-][\w.-]{0,99}(?:/[\w-][\w.-]{0,99}){0,4}", re.A)
"""A name below a folder: no part begins with a dot."""
LONGEST_SEARCH = 200
NOT_HERE = "There is no such page here."
NOT_IN_FORM = "This is not what a page of Inkling's sends: reload it."
NOT_YOURS = "There is no such story of yours."

Caller = Annotated[PersistedUser, Depends(get_current_user)]
PathId = Annotated[str, InPath(pattern=f"^{UUID}$")]


class PaginationPayload(BaseModel):
    first: Annotated[int, Field(ge=1, le=1000)]
    cursor: Annotated[str, Field(max_length=20)] | None = None


class Filter(BaseModel):
    search: str | None = None


class StoryListRequest(BaseModel):
    pagination: PaginationPayload
    filter: Filter = Filter()


class Renamed(BaseModel):
    thread: Annotated[Id, Field(alias="threadId")]
    name: Name


class Deleted(BaseModel):
    thread: Annotated[Id, Field(alias="threadId")]


class Sticky(BaseModel):
    session_id: Id


def serve_routes(server: Any) -> None:
    """Leave of `chainlit.server` what is named in this file, and add ours."""
    prefix = server.router.prefix
    kept = [route for route in server.router.routes if _is_kept(route, prefix)]
    server.router.routes[:] = kept
    ours = APIRouter(prefix=prefix)
    _serve_pages(ours, server)
    _serve_files(ours, server)
    _serve_stories(ours)
    # Chainlit's own come first, each with its one path.
    server.app.include_router(ours)
    server.app.add_exception_handler(RequestValidationError, _not_in_form)


def _is_kept(route: Any, prefix: str) -> bool:
    methods = getattr(route, "methods", None) or set()
    path = getattr(route, "path", "").removeprefix(prefix)
    return bool(methods) and all((each, path) in CHAINLITS for each in methods)


async def _not_in_form(request: Request, error: Exception) -> JSONResponse:
    """Without a word of what was sent: it need not even be text that can be sent back."""
    return JSONResponse({"detail": NOT_IN_FORM}, status_code=422)


def _serve_pages(routes: APIRouter, server: Any) -> None:
    root = "".join(os.environ.get(each, "") for each in ROOT_PATHS)

    async def page() -> HTMLResponse:
        return HTMLResponse(server.get_html_template(root))

    async def thread(thread_id: PathId) -> HTMLResponse:
        return await page()

    async def sticky(body: Sticky) -> dict[str, str]:
        # Chainlit keeps the id in a cookie here, for load balancers; one server needs none.
        return {"message": "There is one server: no cookie is needed."}

    for path in PAGES:
        routes.add_api_route(path, page, methods=["GET"])
    routes.add_api_route("/thread/{thread_id}", thread, methods=["GET"])
    routes.add_api_route("/set-session-cookie", sticky, methods=["POST"])


def _serve_files(routes: APIRouter, server: Any) -> None:
    public, assets = Path(server.public_dir), Path(server.build_dir) / "assets"

    async def of_ours(name: str) -> FileResponse:
        return _file(public, name)

    async def of_chainlit(name: str) -> FileResponse:
        return _file(assets, name)

    routes.add_api_route("/public/{name:path}", of_ours, methods=["GET"])
    routes.add_api_route("/assets/{name:path}", of_chainlit, methods=["GET"])


def _file(folder: Path, name: str) -> FileResponse:
    """A file below `folder` by a plain name, and nothing else."""
    if FILE.fullmatch(name):
        path = (folder / name).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return FileResponse(path)
    raise HTTPException(404, NOT_HERE)


def _serve_stories(routes: APIRouter) -> None:
    """The list of stories: each is listed, renamed and deleted by its owner alone."""

    async def stories(body: StoryListRequest, caller: Caller) -> JSONResponse:
        search = (body.filter.search or "")[:LONGEST_SEARCH]
        found = await _layer().list_threads(
            Pagination(first=body.pagination.first, cursor=body.pagination.cursor),
            ThreadFilter(userId=caller.identifier, search=search),
        )
        return JSONResponse(found.to_dict())

    async def story(thread_id: PathId, caller: Caller) -> JSONResponse:
        await _own(thread_id, caller)
        return JSONResponse(await _layer().get_thread(thread_id))

    async def rename(body: Renamed, caller: Caller) -> JSONResponse:
        await _own(body.thread, caller)
        await _layer().update_thread(body.thread, name=body.name)
        return JSONResponse({"success": True})

    async def delete(body: Deleted, caller: Caller) -> JSONResponse:
        await _own(body.thread, caller)
        await _layer().delete_thread(body.thread)
        return JSONResponse({"success": True})

    routes.add_api_route("/project/threads", stories, methods=["POST"])
    routes.add_api_route("/project/thread/{thread_id}", story, methods=["GET"])
    routes.add_api_route("/project/thread", rename, methods=["PUT"])
    routes.add_api_route("/project/thread", delete, methods=["DELETE"])


async def _own(thread_id: str, caller: PersistedUser) -> None:
    author = await _layer().get_thread_author(thread_id)
    if author != caller.identifier:
        raise HTTPException(401 if author else 404, NOT_YOURS)


def _layer() -> Any:
    return get_data_layer()
