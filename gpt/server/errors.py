"""`ApiError`: what is wrong with a request, in the form that OpenAI's clients read."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from gpt.files import printable

FAILED = "something went wrong here, and the server's log says what"
MOST_SAID = 1000
"""Characters of a message: it may quote what a stranger sent."""
_WANTED = {
    "prompt": "a string, a list of strings, a list of token ids, or a list of such lists, with "
    "nothing else among them",
    "stop": "a string or a list of strings",
}
_TYPES = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "model_attributes_type": "an object",
    "string_type": "a string",
}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "null": type(None),
    "true or false": bool,
    "a number": (int, float),
    "a string": str,
    "a list": list,
    "an object": dict,
}


class ApiError(HTTPException):
    """A request that is refused, or that failed.

    Args:
        param: The field that is to blame.
        code: OpenAI's word for it, which programs may look for.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, printable(message[:MOST_SAID]), headers)
        self.param = param
        self.code = code


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """An error as OpenAI's API has it."""

    error: ErrorBody


def answer_of(error: HTTPException) -> ErrorAnswer:
    """The body that says what is wrong."""
    kind = "invalid_request_error"
    if error.status_code == 429:
        kind = "requests"
    elif error.status_code >= 500:
        kind = "server_error"
    param, code = (error.param, error.code) if isinstance(error, ApiError) else (None, None)
    return ErrorAnswer(error=ErrorBody(message=error.detail, type=kind, param=param, code=code))


def response_of(error: HTTPException) -> JSONResponse:
    """The whole answer: status, headers and body."""
    body = answer_of(error).model_dump()
    return JSONResponse(body, status_code=error.status_code, headers=dict(error.headers or {}))


def of_validation(error: RequestValidationError) -> ApiError:
    """What pydantic found, in a sentence about the first field that is wrong."""
    errors: list[Mapping[str, Any]] = list(error.errors())
    # A list that is too long is also no text, as pydantic says first.
    found = next((each for each in errors if each["type"] == "too_long"), errors[0])
    where = [str(part) for part in found["loc"][1:]]
    if not where:
        return ApiError(400, "expected a JSON object, sent with Content-Type: application/json")
    field = where[0]
    value: Any = found.get("input")
    if found["type"] == "too_long":
        most, came = found["ctx"]["max_length"], len(value)
        return ApiError(400, f"{field} must be at most {most} of a kind, not {came}", param=field)
    wanted = _WANTED.get(field) or _TYPES.get(found["type"])
    wanted = wanted or found["msg"].removeprefix("Input should be ")
    name = ".".join(where) if field == "stream_options" else field
    came = next((name for name, kind in _KINDS.items() if isinstance(value, kind)), "none")
    return ApiError(400, f"{name} must be {wanted}; {came} came", param=field)
