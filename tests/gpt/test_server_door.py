"""The server's door: who may come in, what is refused, what is counted, and how it is started."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import torch

from gpt.checkpoint import CheckpointError
from gpt.server.__main__ import main
from gpt.server.guard import is_local
from gpt.server.served import Served, open_all
from tests.gpt.test_engine import Gate
from tests.support.api_server import (
    client,
    opened,
    said,
    save_tales,
    serving,
    streamed,
    wait_until,
)
from tests.support.tiny_checkpoint import save_characters


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_tales(folder / "tales")
    save_characters(folder / "letters")
    return folder


@pytest.fixture(scope="module")
def base(folders: Path) -> Iterator[str]:
    with serving([opened(folders / "tales")]) as base:
        yield base


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"[" * 100_000, "must be JSON"),
        (b'{"n": 1, "n": 2}', "stands twice"),
        (b'{"temperature": NaN}', "not finite"),
        (b'{"prompt": "\xff"}', "must be JSON in UTF-8"),
        (b"[]", "expected a JSON object"),
        (b'"' + b"a" * 1_000_001 + b'"', "1,000,000 bytes at most"),
    ],
)
def test_a_body_that_is_no_request_is_refused(base: str, sent: bytes, words: str) -> None:
    headers = {"Content-Type": "application/json"}

    def in_pieces() -> Iterator[bytes]:
        yield from (sent[i : i + 50_000] for i in range(0, len(sent), 50_000))

    for content in (sent, in_pieces()):
        answer = httpx.post(f"{base}/v1/completions", content=content, headers=headers)
        assert answer.status_code in (400, 413)
        assert words in answer.json()["error"]["message"]
    answer = httpx.post(f"{base}/v1/completions", content=b"prompt=a")
    assert "Content-Type: application/json" in answer.json()["error"]["message"]


def test_half_a_character_in_a_prompt_is_answered_with_whole_ones(base: str) -> None:
    body = b'{"model": "tales", "prompt": "\\ud800", "echo": true, "max_tokens": 0}'
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{base}/v1/completions", content=body, headers=headers)
    assert answer.json()["choices"][0]["text"] == "\ufffd"


@pytest.fixture
def held(folders: Path) -> Iterator[tuple[str, Served, Gate]]:
    """A server of one story at a time, whose model waits for each step."""
    model = opened(folders / "letters", max_batch=1, max_waiting=1)
    gate = Gate(model.checkpoint.model)
    with serving([model]) as base:
        try:
            yield base, model, gate
        finally:
            gate.let_all_through()


def counted(base: str, name: str) -> float:
    """A figure of /metrics."""
    page = httpx.get(f"{base}/metrics").text
    return float(re.search(rf"^{re.escape(name)} (\S+)$", page, re.M)[1])  # pyright: ignore[reportOptionalSubscript]


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_its_story_within_a_token(
    held: tuple[str, Served, Gate], stream: bool
) -> None:
    base, model, gate = held
    body = {"prompt": "a", "max_tokens": 2000, "stream": stream}
    cancelled = 'inkling_requests_total{outcome="cancelled"}'
    gate.steps.release(3)
    if stream:
        with httpx.stream("POST", f"{base}/v1/completions", json=body) as answer:
            assert next(answer.iter_lines()).startswith("data: ")
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{base}/v1/completions", json=body, timeout=0.3)
    wait_until(lambda: counted(base, cancelled) == 1, "it is seen that the client went")
    gate.let_all_through()
    wait_until(lambda: model.engine.active == 0, "the place is free")
    assert gate.passed <= 5
    assert counted(base, 'inkling_requests_total{outcome="done"}') == 0


def test_a_full_queue_is_429_with_when_to_try_again(held: tuple[str, Served, Gate]) -> None:
    base, model, gate = held
    asked: dict[str, Any] = {"json": {"prompt": "a", "max_tokens": 4, "stream": True}}
    with client(base) as api:
        streams = [
            httpx.Client().stream("POST", f"{base}/v1/completions", **asked) for _ in range(2)
        ]
        with streams[0]:
            # Before it is begun it has the one place in the queue.
            wait_until(lambda: model.engine.active == 1, "one writes")
            with streams[1]:
                wait_until(lambda: model.engine.waiting == 1, "one waits")
                assert counted(base, 'inkling_queue_length{model="letters"}') == 1
                with pytest.raises(openai.RateLimitError, match="the model is busy") as busy:
                    api.completions.create(model="letters", prompt="a")
                gate.let_all_through()
    assert busy.value.response.headers["Retry-After"] == "1"
    assert busy.value.code == "rate_limit_exceeded"
    assert counted(base, 'inkling_requests_total{outcome="busy"}') == 1


def test_metrics_count_requests_and_tokens_and_measure_them(folders: Path) -> None:
    with serving([opened(folders / "letters")]) as base, client(base) as api:
        api.completions.create(model="letters", prompt="abc", max_tokens=5)
        streamed(api, model="letters", prompt="a", max_tokens=7)
        said(base, n=0)
        of = '{model="letters"}'
        assert counted(base, 'inkling_requests_total{outcome="done"}') == 2
        assert counted(base, 'inkling_requests_total{outcome="refused"}') == 1
        assert counted(base, f"inkling_prompt_tokens_total{of}") == 6
        assert counted(base, f"inkling_completion_tokens_total{of}") == 12
        assert counted(base, f"inkling_time_to_first_token_seconds_count{of}") == 2
        assert counted(base, f"inkling_tokens_per_second_count{of}") == 2
        assert counted(base, f"inkling_queue_length{of}") == 0


def test_what_breaks_is_told_without_python_s_words(
    folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = opened(folders / "letters")

    def breaks(*_: object) -> None:
        raise RuntimeError("secret/place")

    def spoil(_: object, __: object, logits: torch.Tensor) -> torch.Tensor:
        return logits * torch.nan

    with serving([model]) as base, client(base) as api:
        hook = model.checkpoint.model.register_forward_pre_hook(breaks)
        with pytest.raises(openai.InternalServerError, match="the server's log says") as failed:
            api.completions.create(model="letters", prompt="a")
        assert failed.value.type == "server_error"
        with pytest.raises(openai.APIError, match="the server's log says"):
            streamed(api, model="letters", prompt="a")
        hook.remove()
        assert counted(base, 'inkling_requests_total{outcome="failed"}') == 2
        assert api.completions.create(model="letters", prompt="a").choices[0].text
        spoilt = model.checkpoint.model.register_forward_hook(spoil)
        for asked in ({}, {"echo": True, "logprobs": 1}):
            with pytest.raises(openai.InternalServerError, match="weights are damaged"):
                api.completions.create(model="letters", prompt="a", **asked)
        spoilt.remove()
        model.engine.close()
        assert httpx.get(f"{base}/health").status_code == 503
        with pytest.raises(openai.InternalServerError, match="going down"):
            api.completions.create(model="letters", prompt="a")
    assert "secret/place" in caplog.text


def test_a_key_is_asked_for_but_by_health(folders: Path) -> None:
    with serving([opened(folders / "letters")], key="sesame") as base:
        with client(base, "sesame") as api:
            assert api.completions.create(model="letters", prompt="a").choices[0].text
        with client(base, "Sesame") as api, pytest.raises(openai.AuthenticationError) as refused:
            api.completions.create(model="letters", prompt="a")
        assert refused.value.code == "invalid_api_key"
        assert refused.value.response.headers["WWW-Authenticate"] == "Bearer"
        for path in ("/v1/models", "/metrics", "/openapi.json", "/nowhere"):
            assert httpx.get(base + path).status_code == 401
            assert (
                httpx.get(base + path, headers={"Authorization": "Basic sesame"}).status_code == 401
            )
        assert httpx.get(f"{base}/health").json() == {
            "status": "ok",
            "decoding": {"letters": "torch float32"},
        }
        # A key makes the name that a server is asked by no matter.
        named = {"Host": "tales.example.org", "Authorization": "Bearer sesame"}
        assert httpx.get(f"{base}/v1/models", headers=named).status_code == 200


def test_a_page_elsewhere_has_no_way_in(base: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        answer = httpx.get(f"{base}/v1/models", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost:8001", True),
        ("stories.localhost", True),
        ("127.0.0.1", True),
        ("[::1]:8001", True),
        ("192.168.1.20:8001", True),
        ("mybox:8001", True),
        ("mybox.example.org", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
        ("a b", False),
    ],
)
def test_a_host_is_local_by_its_name_or_as_an_address(host: str, local: bool) -> None:
    assert is_local(host, "MyBox") == local


def test_a_page_that_was_named_may_ask(folders: Path) -> None:
    page = "https://lite.koboldai.net"
    with serving([opened(folders / "letters")], key="sesame", origins=(page, "null")) as base:
        for origin in (page, "null"):
            asked = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
                "Access-Control-Request-Private-Network": "true",
            }
            before = httpx.options(f"{base}/v1/completions", headers=asked)
            assert before.status_code == 200
            assert before.headers["access-control-allow-origin"] == origin
            assert before.headers["access-control-allow-private-network"] == "true"
            answer = httpx.get(f"{base}/v1/models", headers={"Origin": origin})
            assert answer.status_code == 401  # and the page may read why
            assert answer.headers["access-control-allow-origin"] == origin
        other = httpx.get(f"{base}/v1/models", headers={"Origin": "https://evil.example"})
        assert other.status_code == 403


@pytest.mark.heavy
def test_the_command_serves_until_it_is_interrupted(folders: Path) -> None:
    place = folders / "letters"
    command = [sys.executable, "-m", "gpt.server", f"mine={place}", str(folders / "tales")]
    with subprocess.Popen(
        [*command, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "INKLING_CORE": "torch", "INKLING_KEY": "sesame"},
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.fullmatch(r"mine, tales: (http://127\.0\.0\.1:\d+)/v1 \(Ctrl-C .*\)\n", line)
            assert found, line
            with client(found[1], "sesame") as api:
                answer = api.completions.create(model="mine", prompt="a", max_tokens=3)
            assert len(answer.choices[0].text) == 3
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "other machines could reach 0.0.0.0"),
        (["--host", "::"], "other machines could reach ::"),
        (["--host", "mybox"], "other machines could reach mybox"),
        (["--key", "ä"], "must be of ASCII"),
        (["--port", "70000"], "port must be 0 to 65535"),
        (["--batch", "0"], "max_batch must be at least 1"),
        (["--waiting", "-1"], "max_waiting must be at least 0"),
    ],
)
def test_options_that_cannot_be_followed_are_told(
    folders: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.delenv("INKLING_KEY", raising=False)
    assert main([str(folders / "letters"), *options]) == 2
    assert words in capsys.readouterr().err


def test_two_models_of_one_name_or_none_at_all_are_told(folders: Path) -> None:
    place = str(folders / "letters")
    for given, words in (
        ([place, place], "two models are called letters"),
        ([str(folders / "nothing")], "no checkpoint in"),
    ):
        with pytest.raises(CheckpointError, match=words):
            open_all(given, max_batch=1, max_waiting=1)
    one, two = open_all([place, f"other={place}"], max_batch=1, max_waiting=1)
    assert [one.name, two.name] == ["letters", "other"]
    one.engine.close()
    two.engine.close()
