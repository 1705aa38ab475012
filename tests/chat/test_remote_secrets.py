"""What a server repeats of the operator's secrets is quoted without them, however it is cut."""

import json
import logging

import httpx
import pytest

from chat.models.remote import connection
from chat.models.remote.answers import AnswerError, GaveUpError, models_in, piece_in
from chat.models.remote.connection import faults_said
from chat.models.remote.errors import RemoteError
from chat.models.remote.servers import Server

KEY = "sk-SECRET-0123456789"
LAB = Server(name="lab", url="http://Lab.example:8000/v1", key=KEY)


def told(fault: Exception) -> str:
    with pytest.raises(RemoteError) as error, faults_said(LAB, begun=True):
        raise fault
    return str(error.value)


def refused(message: str) -> str:
    data = json.dumps({"error": {"message": message}}).encode()
    return str(connection._refused(LAB, httpx.Response(400), data))


@pytest.mark.parametrize("before", [*range(160, 205, 4), *range(780, 805, 4)])
def test_a_key_that_stands_where_the_words_are_cut_is_quoted_in_no_part(before, caplog):
    words = "x" * (before - 9) + " bad key " + KEY
    with caplog.at_level(logging.INFO):
        said = [refused(words), told(GaveUpError(words)), told(AnswerError(words))]
    assert not any("sk-" in each for each in (*said, caplog.text))
    assert all("x" * 20 in each for each in said)


@pytest.mark.parametrize("read", [models_in, piece_in])
def test_a_key_in_what_is_no_answer_is_quoted_in_no_part(read, caplog):
    name = "x" * 50 + KEY
    for data in (f'{{"{name}": 1, "{name}": 2}}', f'{{"a": {KEY}}}', f'"{KEY}"'):
        with pytest.raises(AnswerError) as fault:
            read(data.encode())
        assert "sk-" not in told(fault.value)
    assert "sk-" not in caplog.text


@pytest.mark.parametrize(
    "address", ["http://lab.example:8000/v1/models", "lab.example:8000", "host lab.example."]
)
def test_the_address_is_quoted_in_no_part(address):
    said = refused(f"cannot reach {address}, elaborate")
    assert "example" not in said.lower()
    assert "elaborate" in said


def test_a_host_of_one_letter_leaves_the_words_readable():
    lab = Server(name="lab", url="http://a/v1")
    assert connection.without(lab, "a lab at a: bad") == "… lab at …: bad"
