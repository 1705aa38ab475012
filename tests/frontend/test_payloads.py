"""Of what a page says goes on what a schema names, where its kind is right, and nothing else."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from frontend import payloads

ID = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"
FAR = 2**53

ONLY_KEYS: tuple[tuple[Callable[[object], Any], dict[str, Any], dict[str, Any]], ...] = (
    (payloads.save_request, {"ending": "txt"}, {"ending": "txt"}),
    (
        payloads.file_piece,
        {"name": "a.txt", "part": 0, "of": 1, "text": "half \ud83d"},
        {"name": "a.txt", "part": 0, "of": 1, "text": "half \ud83d"},
    ),
    (
        payloads.steps,
        {"job": "a", "steps": ["1"], "prompt": "Once"},
        {"job": "a", "steps": ["1"], "prompt": "Once"},
    ),
    (
        payloads.steps,
        {"job": "a", "steps": [], "prompt": "", "temperature": 0.5, "seed": 3, "max_new_tokens": 9},
        {"job": "a", "steps": [], "prompt": "", "temperature": 0.5, "seed": 3, "max_new_tokens": 9},
    ),
    (
        payloads.window_message,
        {"type": "story_sync", "revision": -1, "have": 0},
        {"type": "story_sync", "revision": -1, "have": 0},
    ),
    (
        payloads.window_message,
        {"type": "story_like", "settings": {"seed": 1}, "model": "m"},
        {"type": "story_like", "settings": {"seed": 1}, "model": "m"},
    ),
    (
        payloads.window_message,
        {"type": "story_like", "settings": {}, "model": "m", "preset": "p"},
        {"type": "story_like", "settings": {}, "model": "m", "preset": "p"},
    ),
    (
        payloads.window_message,
        {"type": "story_model", "model": "m"},
        {"type": "story_model", "model": "m"},
    ),
    (payloads.page_request, {}, {}),
    (payloads.page_request, {"act": "undo", "by": None}, {"act": "undo"}),
    (
        payloads.page_request,
        {"act": "a", "at": FAR, "by": -FAR, "blind": False, "text": "\ud83d", "passage": "a_-1"},
        {"act": "a", "at": FAR, "by": -FAR, "blind": False, "text": "\ud83d", "passage": "a_-1"},
    ),
    (
        payloads.page_request,
        {"contestants": [{"model": "m", "settings": {"seed": 1}, "more": 1}] * 8},
        {"contestants": [{"model": "m", "settings": {"seed": 1}}] * 8},
    ),
    (payloads.chat_settings, {"temperature": 1}, {"temperature": 1}),
)


@pytest.mark.parametrize(("read", "said", "kept"), ONLY_KEYS)
def test_what_is_named_goes_on_as_it_came_and_nothing_beside_it(read, said, kept):
    assert read(said) == kept
    assert read({**said, "__class__": "x", "nested": {"deep": [1]}}) == kept


def test_a_line_comes_to_chainlit_without_files_and_without_a_time_of_the_page_s():
    line = {"id": ID, "output": "Once", "type": "user_message"}
    step = {**line, "name": "User", "modes": None, "metadata": {}, "createdAt": ""}
    assert payloads.sent({"message": line}) == {"message": step, "fileReferences": []}
    more = {
        "name": "Ada",
        "modes": {"model": "m", "preset": "p"},
        "metadata": {"ask": "retry", "takes": 3},
    }
    away = {"createdAt": "1999-01-01", "parentId": "x", "waitForAnswer": True, "threadId": "y"}
    assert payloads.sent({"message": {**line, **more, **away}, "fileReferences": [{"id": 1}]}) == {
        "message": {**step, **more},
        "fileReferences": [],
    }


def test_a_page_that_connects_brings_no_environment_and_no_profile():
    said = {"sessionId": ID, "clientType": "webapp", "userEnv": "{}", "chatProfile": "x"}
    auth = {
        "sessionId": ID,
        "threadId": "",
        "clientType": "webapp",
        "userEnv": None,
        "chatProfile": None,
    }
    read = payloads.Handshake.model_validate
    for thread in ({}, {"threadId": ""}, {"threadId": None}):
        assert read({**said, **thread}).auth() == auth
    assert read({**said, "threadId": ID}).auth() == {**auth, "threadId": ID}
    for wrong in (
        {"threadId": "../x"},
        {"sessionId": "x"},
        {"sessionId": None},
        {"clientType": "copilot"},
    ):
        with pytest.raises(ValidationError):
            read({**said, **wrong})


@pytest.mark.parametrize(
    "value",
    [True, 0, -(10**30), 10**30, 0.5, "x" * 12_000, "", None],
    ids=lambda value: repr(value)[:12],
)
def test_a_setting_is_a_switch_a_number_or_a_text_as_it_came(value):
    (read,) = payloads.chat_settings({"seed": value}).values()
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 10**400, "x" * 12_001, [], {}, b""],
    ids=lambda value: repr(value)[:12],
)
def test_a_setting_of_another_kind_or_without_end_is_refused(value):
    with pytest.raises(ValidationError):
        payloads.chat_settings({"seed": value})


def test_of_the_dialog_only_what_is_a_setting_is_taken():
    assert payloads.chat_settings({"seed": 1, "x" * 301: 1, "no_setting": []}) == {"seed": 1}
    with pytest.raises(ValidationError):
        payloads.chat_settings([("seed", 1)])


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (payloads.save_request, {}),
        (payloads.save_request, {"ending": 1}),
        (payloads.save_request, {"ending": "x" * 301}),
        (payloads.file_piece, {"name": "a", "part": 0.0, "of": 1, "text": ""}),
        (payloads.file_piece, {"name": "a", "part": 0, "of": "1", "text": ""}),
        (payloads.file_piece, {"name": "a", "part": 0, "of": 1, "text": "x" * 1_000_001}),
        (payloads.steps, {"job": "a", "steps": ["1"] * 1001, "prompt": ""}),
        (payloads.steps, {"job": "a", "steps": "1", "prompt": ""}),
        (payloads.window_message, {"type": "story_sync", "revision": True, "have": 0}),
        (payloads.window_message, {"type": "elsewhere"}),
        (payloads.window_message, "story_sync"),
        (payloads.page_request, {"at": FAR + 1}),
        (payloads.page_request, {"at": -FAR - 1}),
        (payloads.page_request, {"blind": 1}),
        (payloads.page_request, {"rest": "no"}),
        (payloads.page_request, {"passage": "../a"}),
        (payloads.page_request, {"passage": "a" * 65}),
        (payloads.page_request, {"contestants": [{"model": "m", "settings": {}}] * 9}),
        (payloads.page_request, {"contestants": [{"model": "m"}]}),
        (payloads.page_request, {"models": ["m"] * 9}),
        (payloads.page_request, {"words": 1}),
        (payloads.page_request, None),
        (payloads.sent, {"message": {"id": ID, "output": "x", "type": "assistant_message"}}),
        (payloads.sent, {"message": {"id": "1", "output": "x", "type": "user_message"}}),
        (
            payloads.sent,
            {"message": {"id": ID, "output": "x", "type": "user_message", "modes": {"x": "m"}}},
        ),
        (payloads.sent, {}),
    ],
)
def test_what_is_of_another_kind_or_too_long_is_refused_whole(read, said):
    with pytest.raises(ValidationError):
        read(said)
