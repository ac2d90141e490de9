"""Two of three officers give the organisation's key back, and one alone learns nothing."""

import os
import stat
from itertools import combinations
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from togheter_shared.privacy import persons
from togheter_shared.privacy.escrow import BadShares, combine, inverse, multiply, split
from togheter_shared.privacy.organisation import VARIABLE, generate, read_secrets
from togheter_shared.run.cli_escrow import escrow
from togheter_shared.run.migrate import migrate
from togheter_shared.testing.databases import ServiceDatabase


def test_any_two_of_three_shares_give_the_key_back_whatever_it_is() -> None:
    for key in (bytes(32), b"\xff" * 32, os.urandom(32)):
        shares = split(key)
        assert len(shares) == 3
        for pair in combinations(shares, 2):
            assert combine(pair) == combine(pair[::-1]) == key
        assert combine(shares) == key


def test_the_field_is_that_of_aes() -> None:
    assert multiply(0x57, 0x83) == 0xC1  # FIPS 197, section 4.2
    assert all(multiply(a, inverse(a)) == 1 for a in range(1, 256))


def test_one_share_is_as_likely_for_every_key() -> None:
    for x in (1, 2, 3):
        for secret in (0, 1, 0x57, 0xFF):
            assert {secret ^ multiply(slope, x) for slope in range(256)} == set(range(256))


def test_two_splits_of_one_key_have_nothing_in_common() -> None:
    key = os.urandom(32)
    assert not set(split(key)) & set(split(key))


@pytest.mark.parametrize("place", range(4))
def test_a_share_that_was_changed_gives_no_key(place: int) -> None:
    one, two, _ = split(os.urandom(32))
    words = one.split()
    words[place] = words[place][:-3] + ("AA=" if place == 3 else "9")
    with pytest.raises(BadShares):
        combine([" ".join(words), two])


def test_shares_of_two_keys_one_share_alone_and_one_share_twice_are_refused() -> None:
    one, two = split(os.urandom(32)), split(os.urandom(32))
    for shares in ([one[0], two[1]], one[:1], [one[0], one[0]], [], ["nothing"]):
        with pytest.raises(BadShares):
            combine(shares)


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "privacy.key"
    file.write_text(generate() + "\n")
    monkeypatch.setenv(VARIABLE, f"file:{file}")
    persons.forget_cached()
    return file


class Program:
    """What the commands ask of a program."""

    def __init__(self, database: ServiceDatabase) -> None:
        self.url = database.url
        self.settings = None

    def database(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)


def test_split_drill_and_recover_with_the_command(
    database: ServiceDatabase, key_file: Path, tmp_path: Path
) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        migrate(conn, ["togheter_shared.log"], database.name)
        persons.keys_for(conn, [persons.UUID(int=7)])
        before = conn.execute("select * from subject_key").fetchall()
        program, folder = Program(database), tmp_path / "shares"

        def run(*words: str) -> tuple[int, str]:
            done = CliRunner().invoke(escrow, words, obj=program)
            return done.exit_code, done.output

        assert run("split", "--into", str(folder))[0] == 0
        files = [str(path) for path in sorted(folder.iterdir())]
        assert len(files) == 3
        assert all(stat.S_IMODE(Path(name).stat().st_mode) == 0o600 for name in files)
        assert run("split", "--into", str(folder))[0] == 1  # the old shares are not overwritten
        for pair in combinations(files, 2):
            code, said = run("drill", *pair)
            assert code == 0 and "1 key" in said
        assert run("drill", files[0], files[0])[0] == 1
        assert conn.execute("select * from subject_key").fetchall() == before

        lost = key_file.read_text()
        key_file.unlink()
        assert run("recover", files[0], files[2], "--to", str(key_file))[0] == 0
        assert key_file.read_text() == lost
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        assert run("recover", files[0], files[2], "--to", str(key_file))[0] == 1

        key_file.write_text(generate())  # another key of today: the drill says that shares are old
        persons.forget_cached()
        code, said = run("drill", *files[:2])
        assert code == 1 and "split" in said


def test_no_output_of_the_commands_shows_a_key(
    database: ServiceDatabase, key_file: Path, tmp_path: Path
) -> None:
    folder, key = tmp_path / "shares", key_file.read_text().strip()
    done = CliRunner().invoke(escrow, ["split", "--into", str(folder)], obj=Program(database))
    shares = "".join(path.read_text() for path in folder.iterdir())
    assert key not in done.output and key not in shares
    assert not [word for word in shares.split() if len(word) > 30 and word in done.output]
    assert len(read_secrets(os.environ[VARIABLE])) == 1
