"""Who may come in: passwords are kept as hashes, and guessing them is slow."""

import pytest

from chat import accounts
from chat.accounts import FREE_TRIES, LONGEST_WAIT_S, Accounts, Hash, read_accounts, write_account


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


def test_names_that_are_not_known_share_their_tries():
    door = Accounts({"ada": cheap("right")}, clock=Clock())
    for number in range(FREE_TRIES):
        assert door.enter(f"guess {number}", "right") is None
    assert door.wait_s("another") > 0
    assert door.enter("ada", "right") == "ada"


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("", "long enough", "no name"),
        ("a:b", "long enough", "no name"),
        ("a\nb", "long enough", "no name"),
        ("local", "long enough", "no name"),
        ("ada", "short", "at least 8"),
    ],
)
def test_a_name_or_a_password_that_will_not_do_is_refused(tmp_path, name, password, why):
    with pytest.raises(ValueError, match=why):
        write_account(tmp_path, name, password)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_is_no_account_is_named(tmp_path):
    (tmp_path / "users").write_text("ada:secret\n")
    with pytest.raises(ValueError, match="ada:secret"):
        read_accounts(tmp_path, None)


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
