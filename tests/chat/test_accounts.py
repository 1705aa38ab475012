"""Who may come in: passwords are kept as hashes, and guessing them is slow."""

import os

import pytest

from chat import accounts
from chat.accounts import (
    SHORTEST_SECRET,
    Accounts,
    Hash,
    read_accounts,
    read_secret,
    write_account,
)
from chat.accounts.throttle import ALARM, FREE_TRIES, LONGEST_WAIT_S


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def cheap(password: str) -> Hash:
    """A hash that takes no time, for tests that make many."""
    blank = Hash(b"salt", b"", n=2)
    return Hash(b"salt", blank.compute(password), n=2)


@pytest.fixture(autouse=True)
def fast(monkeypatch, request):
    if "slow" not in request.keywords:
        monkeypatch.setattr(Hash, "of", staticmethod(cheap))


def test_without_accounts_nobody_is_asked(tmp_path):
    assert not read_accounts(tmp_path, None).asked
    assert not read_accounts(tmp_path, "").asked


def test_a_password_in_the_environment_lets_the_local_writer_in_by_any_name(tmp_path):
    door = read_accounts(tmp_path, "open sesame")
    assert door.asked
    assert door.enter("anyone", "open sesame") == "local"
    assert door.enter("anyone", "open") is None
    assert door.enter("anyone", "") is None


def test_each_name_has_its_own_password(tmp_path):
    write_account(tmp_path, "ada", "correct horse")
    write_account(tmp_path, "bob", "battery staple")
    door = read_accounts(tmp_path, "open sesame")
    assert door.enter("ada", "correct horse") == "ada"
    assert door.enter("bob", "battery staple") == "bob"
    assert door.enter("ada", "battery staple") is None
    # A name of its own does not open with the password for all others.
    assert door.enter("ada", "open sesame") is None
    assert door.enter("eve", "open sesame") == "local"


def test_a_password_can_be_changed(tmp_path):
    write_account(tmp_path, "ada", "correct horse")
    write_account(tmp_path, "ada", "battery staple")
    door = read_accounts(tmp_path, None)
    assert door.enter("ada", "correct horse") is None
    assert door.enter("ada", "battery staple") == "ada"


def test_no_password_stands_in_the_file_and_nobody_else_reads_it(tmp_path):
    home = tmp_path / "home"
    write_account(home, "ada", "correct horse")
    assert "correct" not in (home / "users").read_text()
    assert (home / "users").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in home.iterdir()] == ["users"]


def test_hashes_are_slow_and_salted(monkeypatch):
    monkeypatch.undo()
    one, two = Hash.of("correct horse"), Hash.of("correct horse")
    assert one != two
    assert (one.n, one.r) == (2**15, 8)
    assert one.fits("correct horse")
    assert not one.fits("correct horse ")


def test_guessing_has_to_wait_longer_and_longer_but_never_for_good():
    clock = Clock()
    door = Accounts({"ada": cheap("right")}, clock=clock)
    for _ in range(FREE_TRIES):
        assert door.enter("ada", "wrong") is None
    assert door.wait_s("ada") == 1
    assert door.enter("ada", "right") is None
    # Others are not held up.
    assert door.wait_s("bob") == 0
    waits = []
    for _ in range(8):
        clock.now += door.wait_s("ada")
        door.enter("ada", "wrong")
        waits.append(door.wait_s("ada"))
    assert waits == [2, 4, 8, 16, 32, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S]
    clock.now += LONGEST_WAIT_S
    assert door.enter("ada", "right") == "ada"
    assert door.wait_s("ada") == 0


def test_a_stranger_elsewhere_does_not_lock_a_name_out_for_its_owner():
    clock = Clock()
    door = Accounts({"ada": cheap("right")}, clock=clock)
    for _ in range(20):
        clock.now += LONGEST_WAIT_S
        assert door.enter("ada", "wrong", "203.0.113.1") is None
    assert door.wait_s("ada", "203.0.113.1") > 0
    assert door.wait_s("ada", "203.0.113.2") == 0
    assert door.enter("ada", "right", "203.0.113.2") == "ada"


def test_whoever_guesses_from_a_thousand_places_finds_one_try_at_each_but_locks_nobody_out():
    door = Accounts({"ada": cheap("right")}, clock=Clock())
    for number in range(1000):
        assert door.enter("ada", "wrong", f"203.0.113.{number}") is None
    for _ in range(FREE_TRIES):
        assert door.enter("ada", "wrong", "198.51.100.1") is None
        assert door.wait_s("ada", "198.51.100.1") == 1
    # A browser that was in before has its tries all the same, and a new one its one.
    for _ in range(FREE_TRIES):
        assert door.wait_s("ada", "browser", known=True) == 0
        assert door.enter("ada", "wrong", "browser", known=True) is None
    assert door.enter("ada", "right", "198.51.100.2") == "ada"


def test_with_one_password_for_all_names_do_not_share_a_counter():
    door = Accounts({}, "open sesame", clock=Clock())
    for _ in range(FREE_TRIES):
        assert door.enter("eve", "wrong", "203.0.113.1") is None
    assert door.wait_s("eve", "203.0.113.1") > 0
    assert door.wait_s("bob", "203.0.113.1") == 0
    assert door.enter("bob", "open sesame", "203.0.113.1") == "local"


def test_a_new_name_for_each_try_does_not_get_round_the_waiting():
    door = Accounts({}, "open sesame", clock=Clock())
    tried = 0
    while door.wait_s(f"name {tried}", "203.0.113.1") == 0:
        door.enter(f"name {tried}", "wrong", "203.0.113.1")
        tried += 1
        assert tried <= ALARM
    assert door.wait_s("another", "203.0.113.2") == 0


@pytest.mark.parametrize("tries", [1029, 3000])
def test_tries_in_vain_never_overflow(tries):
    clock = Clock()
    door = Accounts({"ada": cheap("right")}, clock=clock)
    for _ in range(tries):
        clock.now += door.wait_s("ada")
        assert door.enter("ada", "wrong") is None
    assert door.wait_s("ada") == LONGEST_WAIT_S
    clock.now += LONGEST_WAIT_S
    assert door.enter("ada", "right") == "ada"


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("", "long enough", "no name"),
        ("a:b", "long enough", "no name"),
        ("a\nb", "long enough", "no name"),
        ("local", "long enough", "no name"),
        ("guest-1", "long enough", "no name"),
        ("ada", "x" * 1001, "at most 1,000"),
        ("ada", "short", "at least 8"),
    ],
)
def test_a_name_or_a_password_that_will_not_do_is_refused(tmp_path, name, password, why):
    with pytest.raises(ValueError, match=why):
        write_account(tmp_path, name, password)
    assert list(tmp_path.iterdir()) == []


HASH = f"{'ab' * 16}:{'cd' * 64}"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ada:secret", "ada:secret"),
        (f"local:32768:8:1:{HASH}", "no account"),
        (f"a b:32768:8:1:{HASH}", "no account"),
        (f"ada:-2:8:1:{HASH}", "no account"),
        (f"ada:{'9' * 5000}:8:1:{HASH}", "no account"),
        (f"ada:1048576:64:1:{HASH}", "too long"),
        (f"ada:32767:8:1:{HASH}", "too long"),
        (f"ada:0:8:1:{HASH}", "too long"),
        ("ada:32768:8:1:abababab:cd", "too weak"),
    ],
)
def test_a_line_that_is_no_account_is_named(tmp_path, line, why):
    (tmp_path / "users").write_text(f"{line}\n")
    with pytest.raises(ValueError, match=why):
        read_accounts(tmp_path, None)


def test_a_changed_password_or_a_lost_account_counts_at_once(tmp_path, capsys):
    write_account(tmp_path, "ada", "correct horse")
    write_account(tmp_path, "bob", "correct horse")
    door = read_accounts(tmp_path, None)
    before = door.key_of("ada")
    write_account(tmp_path, "ada", "battery staple")
    assert door.enter("ada", "correct horse") is None
    assert door.enter("ada", "battery staple") == "ada"
    assert door.key_of("ada") not in (None, before)
    (tmp_path / "users").write_text("nonsense\n")
    assert door.enter("ada", "battery staple") == "ada"
    assert "The accounts stay as they were" in capsys.readouterr().err
    # A file that went away opens the door to nobody.
    (tmp_path / "users").unlink()
    assert door.enter("ada", "battery staple") is None
    assert door.key_of("bob") is None
    assert door.asked


@pytest.mark.parametrize("name", ["users", "secret"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "large", "bytes"])
def test_a_private_file_that_is_none_is_refused_in_a_sentence(tmp_path, name, kind):
    path, read = tmp_path / name, {"users": lambda: read_accounts(tmp_path, None)}
    if kind == "link":
        (tmp_path / "elsewhere").write_text("x" * 50)
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"x" * (2**20 + 1) if kind == "large" else b"\xff" * 50)
        path.chmod(0o600)
    with pytest.raises(ValueError, match=f"{name} (is|cannot)"):
        read.get(name, lambda: read_secret(tmp_path))()


def test_two_that_begin_at_once_sign_with_one_secret(tmp_path, monkeypatch):
    first = "a" * SHORTEST_SECRET

    def other_is_first(length: int) -> str:
        (tmp_path / "secret").write_text(first)
        return "b" * SHORTEST_SECRET

    monkeypatch.setattr("chat.accounts.accounts.secrets.token_urlsafe", other_is_first)
    assert read_secret(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_secret_that_others_could_read_is_given_up(tmp_path, capsys):
    first = read_secret(tmp_path)
    (tmp_path / "secret").chmod(0o644)
    second = read_secret(tmp_path)
    assert second != first
    assert "everybody signs in again" in capsys.readouterr().err
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "users").write_text(cheap("right").line("ada") + "\n")
    (tmp_path / "users").chmod(0o664)
    assert read_accounts(tmp_path, None).enter("ada", "right") == "ada"
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "secret").write_text("guess")
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(ValueError, match="5 characters, too few"):
        read_secret(tmp_path)


def test_the_secret_is_made_once_and_read_by_its_owner_alone(tmp_path):
    first = accounts.read_secret(tmp_path)
    assert accounts.read_secret(tmp_path) == first
    assert len(first) >= 48
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_the_command_adds_an_account_and_says_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INKLING_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse")
    assert accounts.main(["ada"]) == 0
    assert read_accounts(tmp_path / "home", None).enter("ada", "correct horse") == "ada"
    assert accounts.main(["a:b"]) == 1
    assert "no name" in capsys.readouterr().err
