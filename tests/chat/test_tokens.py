"""A token ends at sign-out, after a day, and with the password that it was given for."""

import base64
import json
import random
import string
import time
from pathlib import Path

import jwt
import pytest

from chat.accounts import tokens
from chat.accounts.private import PrivateFileError
from chat.accounts.tokens import CLAIMS, LIFETIME_S, LONGEST, Ended, Pass, Tokens

SECRET = "s" * 48
KEYS = {"ada": "one", "bob": "two", "guest-1": "", "guest-2": ""}


def made(folder: Path, secret: str = SECRET, **more) -> Tokens:
    return Tokens(secret, KEYS.get, Ended(folder / "ended"), **more)


def read(door: Tokens, token: str) -> Pass:
    found = door.read(token)
    assert found is not None
    return found


def forged(secret: str = SECRET, algorithm: str = "HS256", **changed) -> str:
    """A token as ours, with other claims; None leaves one out."""
    now_s = int(time.time())
    claims = {"sub": "ada", "name": "", "jti": "1", "iat": now_s, "exp": now_s + 60, "key": "?"}
    kept = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(kept, secret, algorithm)


def key_of_ada(folder: Path) -> str:
    return jwt.decode(made(folder).issue("ada"), SECRET, ["HS256"])["key"]


def test_a_token_says_who_is_in(tmp_path):
    found = read(made(tmp_path), made(tmp_path).issue("ada", "Ada L."))
    assert (found.owner, found.name) == ("ada", "Ada L.")
    assert found.ends_s - found.issued_s == LIFETIME_S


def test_a_token_ends_after_a_day(tmp_path):
    old = made(tmp_path, clock=lambda: time.time() - LIFETIME_S - 1).issue("ada")
    assert made(tmp_path).read(old) is None
    young = made(tmp_path, clock=lambda: time.time() - LIFETIME_S + 60).issue("ada")
    assert made(tmp_path).read(young) is not None


@pytest.mark.parametrize("owner", ["ada", "guest-1"])
def test_a_token_ends_at_sign_out_and_stays_so_after_a_restart(tmp_path, owner):
    door = made(tmp_path)
    token, other = door.issue(owner), door.issue(owner)
    door.end(read(door, token))
    for each in (door, made(tmp_path)):
        assert each.read(token) is None
        assert read(each, other).owner == owner
    assert (tmp_path / "ended").stat().st_mode & 0o777 == 0o600


def test_a_sign_out_counts_in_another_inkling_of_the_same_home(tmp_path):
    one, two = made(tmp_path), made(tmp_path)
    token, second = one.issue("ada"), one.issue("ada")
    assert two.read(token) is not None
    one.end(read(one, token))
    assert two.read(token) is None
    two.end(read(two, second))
    assert one.read(second) is None


def test_a_token_ends_with_what_it_was_given_for(tmp_path):
    keys = {"ada": "old"}
    door = Tokens(SECRET, keys.get, Ended(tmp_path / "ended"))
    token = door.issue("ada")
    keys["ada"] = "new"
    assert door.read(token) is None
    assert door.read(door.issue("ada")) is not None
    del keys["ada"]
    assert door.read(token) is None
    with pytest.raises(KeyError):
        door.issue("ada")


def test_what_opens_a_door_does_not_stand_in_the_token(tmp_path):
    door = Tokens(SECRET, lambda owner: "open sesame", Ended(tmp_path / "ended"))
    middle = door.issue("local").split(".")[1]
    assert b"sesame" not in base64.urlsafe_b64decode(middle + "==")


def test_a_token_of_another_make_is_refused(tmp_path):
    key = key_of_ada(tmp_path)
    assert made(tmp_path).read(forged(key=key)) is not None
    now_s = int(time.time())
    bad = [
        forged(key=key, secret="t" * 48),
        forged(key=key, secret=SECRET * 2, algorithm="HS512"),
        *(forged(**{"key": key, claim: None}) for claim in CLAIMS),  # type: ignore[arg-type]
        forged(key=key, exp=now_s - 1),
        forged(key=key, exp=now_s + 2 * LIFETIME_S),
        forged(key=key, exp=10**30),
        forged(key=key, exp=float("inf")),
        forged(key=key, iat=now_s + 3600),
        forged(key=key, sub="bob"),
        forged(key=key, sub="eve"),
        forged(key=""),
        jwt.encode({"sub": "ada", "exp": now_s + 60}, SECRET, "HS256"),
        jwt.encode({"sub": "ada", "exp": now_s + 60}, None, "none"),  # type: ignore[arg-type]
    ]
    assert [token for token in bad if made(tmp_path).read(token)] == []


def test_a_token_that_was_changed_anywhere_is_refused(tmp_path):
    """Also where the changed text means the same: what is signed out is known by its id alone."""
    door = made(tmp_path)
    token, other = door.issue("ada"), door.issue("bob")
    rng = random.Random(15)
    letters = string.ascii_letters + string.digits + "-_.=+/ \n\0é"
    for _ in range(1500):
        at = rng.randrange(len(token))
        match rng.randrange(4):
            case 0:
                changed = token[:at] + rng.choice(letters) + token[at + 1 :]
            case 1:
                changed = token[:at] + rng.choice(letters) + token[at:]
            case 2:
                changed = token[:at]
            case _:
                parts = [rng.choice(pair) for pair in zip(*map(split, (token, other)), strict=True)]
                changed = ".".join(parts)
        if changed not in (token, other):
            assert door.read(changed) is None


def split(token: str) -> list[str]:
    return token.split(".")


def part(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        ".",
        "..",
        "a.b.c",
        "\0",
        "é.é.é",
        "\ud800",
        f"{tokens.HEADER}..",
        f"{tokens.HEADER}.é.é",
        f"{tokens.HEADER}.\ud800.\ud800",
        f"{part({'alg': 'none'})}.{part({'sub': 'ada'})}.",
        f"{part({'alg': 'HS256', 'jwk': {}, 'kid': '../secret'})}.{part({'sub': 'ada'})}.AAAA",
        f"{part('[' * 400)}.{part('[' * 400)}.AAAA",
        f"{tokens.HEADER}.{part('[' * 900)}.AAAA",
        f"{tokens.HEADER}.{'A' * LONGEST}.AAAA",
        f"{tokens.HEADER}.{'A' * 10_000_000}.AAAA",
        "Bearer " + tokens.HEADER,
    ],
)
def test_what_is_no_token_is_refused_in_no_time(tmp_path, token):
    started_s = time.monotonic()
    assert made(tmp_path).read(token) is None
    assert time.monotonic() - started_s < 1


def test_the_memory_of_sign_outs_is_bounded_and_fails_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_EACH", 10)
    now = [int(time.time()) - 2000]
    door = made(tmp_path, clock=lambda: now[0])
    bobs = door.issue("bob")
    all_out = []
    for _ in range(95):
        now[0] += 1
        all_out.append(door.issue("ada"))
        door.end(read(door, all_out[-1]))
    now[0] += 1
    last = door.issue("ada")
    for each in (door, made(tmp_path)):
        assert [token for token in all_out if each.read(token)] == []
        assert each.read(last) is not None
        assert each.read(bobs) is not None
    assert len((tmp_path / "ended").read_text().splitlines()) <= 12


def test_a_sign_out_is_forgotten_once_the_token_would_have_ended(tmp_path):
    now = [time.time()]
    ended = Ended(tmp_path / "ended", clock=lambda: now[0])
    for number in range(120):
        ended.add(Pass(f"{number}", f"guest-{number}", "", int(now[0]), int(now[0]) + 60))
    assert len((tmp_path / "ended").read_text().splitlines()) == 120
    now[0] += 61
    Ended(tmp_path / "ended", clock=lambda: now[0])
    assert (tmp_path / "ended").read_text() == ""


def test_a_line_that_was_cut_off_signs_nobody_out_and_a_file_that_is_none_signs_all_out(tmp_path):
    door = made(tmp_path)
    token = door.issue("ada")
    door.end(read(door, door.issue("ada")))
    whole = (tmp_path / "ended").read_text()
    for cut in range(len(whole)):
        (tmp_path / "ended").write_text(whole[:cut])
        assert made(tmp_path).read(token) is not None
        made(tmp_path).end(read(made(tmp_path), token))
        assert made(tmp_path).read(token) is None
        (tmp_path / "ended").unlink()
    (tmp_path / "ended").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("")
    with pytest.raises(PrivateFileError, match="is a link"):
        made(tmp_path)
    assert door.read(token) is None


def test_a_sign_out_that_cannot_be_written_down_holds_until_a_restart(tmp_path):
    door = made(tmp_path)
    token = door.issue("ada")
    found = read(door, token)
    (tmp_path / "ended").mkdir()
    with pytest.raises(OSError, match="directory"):
        door.end(found)
    assert door.read(token) is None
