"""What a stranger may send: payloads, packets and requests, drawn from a seed.

Each begins as what an honest page sends and is spoilt in a place or two, or is nothing of the kind.
"""

import copy
import json
import random
import uuid
from typing import Any

from tests.support.door import message

SERVED = (
    *("connection_successful", "stop", "client_message", "window_message", "chat_settings_change"),
    *("story_act", "story_query", "story_command", "story_save", "story_piece"),
    *("machine_write", "machine_stop"),
)
NAMES = (
    *SERVED * 3,
    *("clear_session", "edit_message", "message_favorite", "fetch_favorites", "audio_start"),
    *("audio_chunk", "audio_end", "chat_settings_edit", "message", "disconnect", "connect"),
    *("no_such_event", "__init__", "call_fn", "ask", "../..", ""),
)
JUNK = (
    *(None, True, False, 0, -1, 2**31, -(2**63), 2**64, 10**25, 0.5, -0.0, 1e308, float("nan")),
    *(
        float("inf"),
        "",
        " ",
        "\0",
        "\ud800",
        "a\udfff",
        "../../etc",
        "/tmp",
        "%00",
        "\u202e",
        "x\n",
    ),
    *("{{7*7}}", "<b>", "' OR 1=1 --", "ä" * 1500, "None", "1e999", "9" * 400, "last", [], {}),
    *([[]], [None] * 5, {"a": {"b": {"c": []}}}, {"": ""}, {"\ud800": 1}, {"__class__": "x"}, b""),
    *(b"\x00\xff", [b"\x80"], {"type": "story_sync"}, "00000000-0000-0000-0000-000000000000"),
)
QUERIES = (
    *("card", "compare", "copied", "dice", "models", "runs", "token", "training", "tune"),
    *("votes", "votes_csv", "votes_forget", "no_such_query"),
)
COMMANDS = (
    *("training_halt", "training_plan", "training_resume", "training_text", "votes_forget"),
    *("models", "no_such_command"),
)
ACTS = (
    *("undo", "redo", "edit", "branch", "cut", "step", "pick", "vote", "reveal", "once", "preset"),
    *("preset_keep", "preset_forget", "no_such_act"),
)
ASKS = ("continue", "retry", "finish", "ladder", "fork", "compare", "again", "no_such_ask")


class Hostile:
    """A stranger with a seed.

    Args:
        ids: Of passages, stories and sessions that this stranger has heard of.
    """

    def __init__(self, seed: int, ids: list[str]) -> None:
        self.draw = random.Random(seed)
        self.ids = [*ids, "last"]

    def event(self) -> tuple[str, tuple[Any, ...]]:
        """An event's name and what comes with it."""
        name = self.draw.choice(NAMES)
        if self.draw.random() < 0.3:
            return name, tuple(self.junk() for _ in range(self.draw.randrange(4)))
        payload = self.template(name)
        for _ in range(self.draw.randrange(3)):
            payload = self.spoilt(payload)
        return name, () if payload is None else (payload,)

    def junk(self) -> Any:
        if self.draw.random() < 0.05:
            deep: Any = "deep"
            for _ in range(self.draw.choice((10, 200))):
                deep = [deep] if self.draw.random() < 0.5 else {"a": deep}
            return deep
        return copy.deepcopy(self.draw.choice(JUNK))

    def spoilt(self, payload: Any) -> Any:
        """With one place in it as it should not be, or gone, or one too many."""
        if not isinstance(payload, dict | list) or not payload or self.draw.random() < 0.2:
            return self.junk()
        if isinstance(payload, list):
            payload[self.draw.randrange(len(payload))] = self.junk()
            return payload
        key = self.draw.choice(list(payload))
        if self.draw.random() < 0.5:
            payload[key] = self.spoilt(payload[key])
        elif self.draw.random() < 0.5:
            payload[key] = self.junk()
        elif self.draw.random() < 0.5:
            del payload[key]
        else:
            payload["more"] = self.junk()
        return payload

    def template(self, name: str) -> Any:
        """What an honest page might send."""
        match name:
            case "client_message" | "edit_message" | "message_favorite":
                said = self.draw.choice(
                    (
                        "once",
                        "/undo 2",
                        "/temp 0.9",
                        "/with max=3 once",
                        "/preset",
                        "//x",
                        "/retry 9",
                    )
                )
                request = {"ask": self.draw.choice(ASKS), **self.fields()}
                asks = self.draw.random() < 0.5
                return message(
                    said,
                    metadata=request if asks else {},
                    modes={"model": "letters", "preset": "Wild"},
                )
            case "window_message":
                return self.draw.choice(
                    (
                        {"type": "story_sync", "revision": 1, "have": 2},
                        {"type": "story_like", "settings": {"temperature": 1}, "model": "letters"},
                        {"type": "story_model", "model": "letters"},
                    )
                )
            case "chat_settings_change":
                return {"temperature": 0.9, "seed": "7", "max_new_tokens": "5"}
            case "story_act":
                return {"act": self.draw.choice(ACTS), **self.fields()}
            case "story_query":
                return {"query": self.draw.choice(QUERIES), **self.fields()}
            case "story_command":
                return {"command": self.draw.choice(COMMANDS), **self.fields()}
            case "story_save":
                return {"ending": self.draw.choice(("txt", "md", "json", "docx", "epub", "../x"))}
            case "story_piece":
                return {"name": "a.json", "part": 0, "of": 1, "text": self.story()}
            case "machine_write":
                settings = {"temperature": 1, "seed": "1", "max_new_tokens": 3}
                return {"job": "1", "steps": ["letters@1"], "prompt": "on", **settings}
        return None

    def fields(self) -> dict[str, Any]:
        """Some of what an act, a query, a command or a button can say."""
        every = {
            "passage": self.draw.choice(self.ids),
            "at": self.draw.choice((0, 1, -1, 10**6)),
            "token": self.draw.randrange(9),
            "tokens": self.draw.randrange(9),
            "by": self.draw.choice((1, -1, 10**9)),
            "count": self.draw.choice((1, 0, -1, 10**9)),
            "text": "other words",
            "rest": False,
            "choice": self.draw.choice(("a", "tie", "z")),
            "settings": {"temperature": self.draw.choice((1, "x", None, 99)), "seed": "3"},
            "name": self.draw.choice(("mine", "Wild", "a.txt")),
            "model": self.draw.choice(("letters", "letters/../..", "/etc")),
            "models": ["letters", "gone"],
            "words": self.draw.choice(("and", "/with t=9", "/with", "/undo")),
            "takes": self.draw.choice((1, 2, 99)),
            "contestants": [{"model": "letters", "settings": {}}] * 2,
            "blind": True,
            "part": 0,
            "of": 1,
            "key": "letters",
            "source": "letters",
            "for_good": True,
        }
        return {name: every[name] for name in every if self.draw.random() < 0.5}

    def story(self) -> str:
        """A story's file, spoilt."""
        token = {"id": 1, "text": "a", "raw_probability": 0.5, "probability": 0.5, "entropy": 0.1}
        choice = {"id": 1, "text": "a", "raw_probability": 0.5, "probability": 0.5}
        passage = {
            "id": "p1",
            "parent": None,
            "author": "model",
            "text": "a",
            "ids": [1],
            "model": "letters",
            "tokens": [{**token, "top": [choice]}],
            "settings": {"top_k": 1},
            "seed": 1,
            "finish_reason": "length",
            "elapsed_s": 0.1,
            "moved": False,
        }
        whole = {"format": 1, "id": "s1", "current": "p1", "read": {}, "passages": [passage]}
        for _ in range(self.draw.randrange(3)):
            whole = self.spoilt(whole)
        return json.dumps(whole, default=repr)[: self.draw.choice((40, 10**6))]

    def packet(self) -> str | bytes:
        """A frame that Socket.IO might not be able to read."""
        name = json.dumps(self.draw.choice(NAMES))
        return self.draw.choice(
            (
                *(
                    "",
                    "4",
                    "40",
                    "42",
                    "42[",
                    "42[]",
                    "42{}",
                    "42null",
                    "42[null]",
                    "42[[1]]",
                    "42[{}]",
                ),
                *(
                    "9",
                    "41",
                    "43",
                    "44",
                    "45",
                    "451-",
                    "46",
                    "450-[]",
                    "4511-[1]",
                    "3",
                    "2",
                    "6",
                    "5",
                    "x",
                ),
                *(f"42[{name}", f"42[{name},", f"42/admin,[{name}]", f"42{'9' * 200}[{name}]"),
                *(f"42[{name},{'9' * 5000}]", f"42[{name},{'[' * 100_000}]", f"421[{name},1e999]"),
                *(
                    '42["story_query",{"_placeholder":true,"num":0}]',
                    "430[]",
                    "43[1]",
                    "40{",
                    "40[]",
                ),
                *('451-["story_act",{"_placeholder":true,"num":0}]', '451-["story_act",{"num":9}]'),
                *(b"", b"\x00", b"\xff" * 100, "4\ud7ff", f"40{'{' * 2000}", "b4AAAA", "b4!!"),
            )
        )

    def handshake(self, folder: str) -> dict[str, Any]:
        """What a page says when it connects, spoilt; `folder` is one that must stay."""
        fine = {"sessionId": str(uuid.UUID(int=self.draw.getrandbits(128), version=4))}
        odd = [
            *("../canary", folder, "./../canary", "..\\canary", f"{folder}/", "%2e%2e/canary"),
            *(
                fine["sessionId"].upper(),
                fine["sessionId"] + "\n",
                fine["sessionId"] + "/../../canary",
            ),
            *(
                f"{{{fine['sessionId']}}}",
                fine["sessionId"].replace("-", ""),
                None,
                7,
                [],
                {},
                True,
            ),
            *("\0", "\ud800", "*", "con", "a" * 5000),
        ]
        said: dict[str, Any] = {**fine, "threadId": "", "clientType": "webapp"}
        match self.draw.randrange(4):
            case 0 | 1:
                said["sessionId"] = self.draw.choice(odd)
            case 2:
                said["threadId"] = self.draw.choice(odd[:-1])
            case _:
                key = self.draw.choice(("clientType", "userEnv", "chatProfile", "sessionId"))
                said[key] = self.draw.choice([each for each in JUNK if not isinstance(each, bytes)])
        return said


METHODS = (
    *("GET",) * 6,
    *("POST",) * 6,
    *("PUT", "DELETE") * 2,
    *("PATCH", "OPTIONS", "HEAD", "TRACE", "FOO"),
)
PATHS = (
    *("/", "/login", "/logout", "/user", "/auth/config", "/auth/header", "/auth/jwt", "/health"),
    *("/auth/oauth/x", "/auth/oauth/x/callback", "/set-session-cookie", "/project/settings"),
    *("/project/translations", "/project/threads", "/project/thread", "/project/thread/ID"),
    *("/project/thread/ID/element/ID", "/project/share/ID", "/project/thread/share", "/feedback"),
    *("/project/element", "/project/action", "/project/file", "/project/file/ID", "/mcp", "/logo"),
    *("/avatars/ID", "/public/ID", "/public/style.css", "/assets/ID", "/copilot/ID", "/favicon"),
    *("/thread/ID", "/inkling/status", "/ws/socket.io/", "/ws/socket.io", "/ws", "//", "*"),
    *("/openapi.json", "/docs", "http://evil.example/", "/public/elements/../../app.py"),
)
IDS = (
    *(
        "%00",
        "..%2f..%2fapp.py",
        "a%00.css",
        "%ed%a0%80",
        "%ff",
        "x" * 3000,
        "a%0ay",
        "%2e%2e",
    ),
    *(
        "00000000-0000-0000-0000-000000000000",
        "*",
        "elements",
        "elements%00/StoryView.jsx",
        "%5c..",
        "",
    ),
)
URL_QUERIES = (
    *("", "?", "?language=%00", "?language=en-US&language=x", "?session_id=../x", "?theme=%ff"),
    *("?EIO=4&transport=polling", "?EIO=4&transport=websocket", "?EIO=4&sid=x%0ay", "?j=x"),
    *("?EIO=4&transport=polling&j=9", "?chat_profile=%ed%a0%80", "?" + "a=b&" * 500, "?%00=%00"),
)
HEADERS = (
    *(
        "Cookie: access_token=x",
        "Cookie: access_token=a.b.c; access_token_0=x",
        "Cookie: \x80=\xff",
    ),
    *(
        "Authorization: Bearer",
        "Authorization: Bearer a.b.c",
        "Authorization: x y z",
        "Range: bytes=9-",
    ),
    *("Range: bytes=0-1,2-3,x", "If-Range: x", "If-None-Match: *", "Accept-Encoding: gzip;q=x"),
    *("Accept-Language: \xff\xfe", "X-Forwarded-For: x, y", "X-Forwarded-Proto: javascript"),
    *("Access-Control-Request-Method: PUT", "Upgrade: websocket", "Content-Encoding: gzip"),
    *("Expect: 100-continue", "If-Modified-Since: x", "Content-Type: \xff"),
)
KINDS = (
    *("application/json",) * 6,
    *("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"),
    *(
        "multipart/form-data",
        "application/json; charset=no-such",
        "text/plain",
        "application/x\xff",
    ),
)


def http_request(draw: random.Random, cookie: str) -> tuple[bytes, bytes]:
    """A request and its body, as bytes."""
    path = draw.choice(PATHS).replace("ID", draw.choice(IDS))
    body = _body(draw)
    lines = [
        f"{draw.choice(METHODS)} {path}{draw.choice(URL_QUERIES)} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        f"Content-Type: {draw.choice(KINDS)}",
        *draw.sample(HEADERS, draw.randrange(3)),
    ]
    if draw.random() < 0.6:
        lines.append(f"Cookie: {cookie}")
    if draw.random() < 0.2:
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin1"), body


def _body(draw: random.Random) -> bytes:
    ids = {"threadId": str(uuid.uuid4()), "sessionId": "../x", "session_id": "/tmp", "name": "x"}
    page = {"pagination": {"first": 20, "cursor": "0"}, "filter": {"search": "a"}}
    feedback = {"feedback": {"forId": "x", "value": 1}, "sessionId": "x", "feedbackId": "x"}
    more = {"element": {"id": "x", "type": "custom", "name": "x", "display": "inline"}}
    sent = {**ids, **page, **feedback, **more, "action": {"name": "x", "payload": {}}}
    for key in draw.sample(list(sent), draw.randrange(4)):
        sent[key] = copy.deepcopy(draw.choice([each for each in JUNK if not _has_bytes(each)]))
    as_json = json.dumps(sent).encode()
    return draw.choice(
        (
            *(b"", as_json, as_json, as_json, as_json[:-5], as_json.replace(b'"x"', b'"\\ud800"')),
            *(
                b"\xff\xfe\x00",
                b'{"session_id": "\xff"}',
                b"[" * 100_000,
                b"9" * 6000,
                b"null",
                b"[]",
            ),
            *(b'"x"', b'{"session_id": "\\ud800"}', b"username=%ff&password=%00", b"username=a"),
            *(
                b"--b\r\n\r\n",
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n',
            ),
            *(
                b'{"a":' * 5000 + b"1" + b"}" * 5000,
                b"\xef\xbb\xbf{}",
                json.dumps(sent).encode("utf-16"),
            ),
        )
    )


def _has_bytes(junk: Any) -> bool:
    return isinstance(junk, bytes) or (isinstance(junk, list) and any(map(_has_bytes, junk)))
